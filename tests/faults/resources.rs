//! Too little memory, no space, and commands at the same time.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::scenario::{ALL, RESUMED, files};
use crate::trace::Ended;
use crate::workshop::Workshop;
use crate::{FEW, wanted};

/// Less memory than a command needs at all, up to enough.
const MEBIBYTES: [u64; 9] = [4, 8, 16, 24, 32, 48, 96, 256, 4096];

#[test]
#[expect(unsafe_code, reason = "limits are set between fork and exec")]
fn too_little_memory_loses_nothing() {
    let mut cases = vec![];
    for scenario in ALL {
        cases.extend(MEBIBYTES.map(|mebibytes| (scenario, mebibytes)));
    }
    // With fewer, none might have enough memory, or all of them.
    let step = cases.len().div_ceil(wanted().max(FEW));
    let (mut n_done, mut n_failed) = (0, 0);
    for (scenario, mebibytes) in cases.iter().step_by(step) {
        let workshop = scenario.workshop();
        let before = files(&workshop);
        let arguments: Vec<&str> = scenario.arguments.split(' ').collect();
        let mut command = workshop.command(&arguments);
        let bytes = mebibytes << 20;
        // SAFETY: the call is safe between fork and exec.
        unsafe {
            command.pre_exec(move || {
                let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
                match libc::setrlimit(libc::RLIMIT_AS, &raw const limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        // Below some megabytes not even the program can be loaded.
        let Ok(output) = command.output() else { continue };
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().filter(|&code| code != 127);
        let ended = Ended { code, stderr, calls: 0, could_not_remove: code.is_none() };
        match ended.code {
            Some(0) => n_done += 1,
            Some(_) => n_failed += 1,
            None => {}
        }
        scenario.check(&before, &workshop, &ended);
        scenario.recover(&workshop);
    }
    assert!(n_done > 0 && n_failed > 0, "{n_done} ended well, {n_failed} did not");
}

#[test]
fn a_full_device_is_an_error() {
    let workshop = Workshop::full();
    for arguments in [
        "encrypt plan.bin -i x.npy -o /dev/full",
        "run plan.bin -i x.ct -o /dev/full",
        "compile tiny.hecc -o /dev/full --calibration data.npz",
    ] {
        let error = workshop.fails(arguments);
        assert!(error.contains("cannot write `/dev/full`: No space left"), "{error}");
    }
}

#[test]
fn two_commands_at_once_leave_one_whole_file() {
    for scenario in ALL {
        let workshop = scenario.workshop();
        let before = files(&workshop);
        let arguments: Vec<&str> = scenario.arguments.split(' ').collect();
        let spawn = |_| {
            let mut command = workshop.command(&arguments);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children = [(); 3].map(spawn);
        let outputs = children.map(|child| child.wait_with_output().unwrap());
        let n_done = outputs.iter().filter(|output| output.status.success()).count();
        assert!(n_done >= 1, "{}: {outputs:?}", scenario.arguments);
        for output in outputs {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            let in_use = "another `hecc run` keeps its checkpoints in";
            let is_checkpoint = scenario.arguments.contains("--checkpoint ");
            assert!(
                output.status.success() || !is_checkpoint || stderr.contains(in_use),
                "{stderr}"
            );
            let code = output.status.code();
            let ended = Ended { code, stderr, calls: 0, could_not_remove: false };
            scenario.check(&before, &workshop, &ended);
        }
        scenario.recover(&workshop);
    }
    assert!(ALL.iter().any(|scenario| scenario.arguments == RESUMED));
}
