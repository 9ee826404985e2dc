//! `hecc run --checkpoint`: killed again and again it ends with the same result; another run's checkpoint is refused.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::scenario::{ALL, RESUMED, Scenario, files};
use crate::trace::{Ended, Fault};
use crate::workshop::Workshop;
use crate::{traced, wanted};

fn resumed() -> Scenario {
    ALL.into_iter().find(|scenario| scenario.arguments == RESUMED).unwrap()
}

/// A folder in which a run was killed after its last checkpoint; nothing if processes cannot be traced here.
fn interrupted() -> Option<Workshop> {
    let scenario = resumed();
    let calls = traced(&scenario, &scenario.workshop(), None)?.calls;
    let workshop = scenario.workshop();
    traced(&scenario, &workshop, Some((calls * 3 / 4, Fault::Kill)))?;
    assert!(files(&workshop).contains_key("state/run.checkpoint"), "none was written before");
    Some(workshop)
}

#[test]
fn a_run_goes_on_from_its_checkpoint() {
    let Some(workshop) = interrupted() else { return };
    let shown = workshop.ok("inspect state/run.checkpoint");
    assert!(shown.contains("a checkpoint") && shown.contains("of input"), "{shown}");
    let report = workshop.json(RESUMED);
    assert!(report["steps_from_checkpoint"].as_u64().unwrap() > 0, "{report}");
    let after = files(&workshop);
    assert!(after["new.out.ct"] == after["x.out.ct"]);
    assert!(!after.contains_key("state/run.checkpoint"));
}

#[test]
fn checkpoints_of_other_runs_are_refused_by_name() {
    let Some(workshop) = interrupted() else { return };
    workshop.ok("keygen plan.bin --out other");
    workshop.ok("encrypt plan.bin -i x.npy -o other.ct --keys other/plan.sk");
    workshop.ok("encrypt plan.bin -i x.npy -o again.ct");
    let command = "--checkpoint state --checkpoint-every 0";
    let refused = |arguments: &str, text: &str| {
        let error = workshop.fails(&format!("run {arguments} {command}"));
        assert!(error.contains("`state/run.checkpoint`") && error.contains(text), "{error}");
        assert!(error.contains("hint: finish that run with its own files"), "{error}");
    };
    refused("plan.bin -i again.ct -o y.ct", "a run with other files: the input had checksum");
    refused("plan.bin -i other.ct -o y.ct --keys other/plan.ek", "a checkpoint of key");
    workshop.ok("keygen plan.bin --evaluation-only --force");
    refused("plan.bin -i x.ct -o y.ct", "the evaluation keys had checksum");
    let path = workshop.path("state/run.checkpoint");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    refused("plan.bin -i x.ct -o y.ct", "the file is damaged");
}

#[test]
fn a_run_killed_at_random_moments_goes_on() {
    let mut state = 1u64;
    let (mut n_kills, mut n_ended) = (0, 0);
    let longest = {
        let (workshop, start) = (Workshop::full(), Instant::now());
        workshop.ok(RESUMED);
        start.elapsed()
    };
    while n_kills < wanted().div_ceil(3) {
        let workshop = Workshop::full();
        // As one would who starts it again whenever it was killed, until it ends by itself.
        loop {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let moment = longest.mul_f64((state >> 40) as f64 / (1u64 << 24) as f64 * 1.2);
            if killed_after(&workshop, moment) {
                n_kills += 1;
                assert!(n_kills < 100 * (wanted() + 10), "it never ends");
            } else {
                n_ended += 1;
                break;
            }
        }
        let after = files(&workshop);
        assert!(after["new.out.ct"] == after["x.out.ct"]);
        assert!(!after.contains_key("state/run.checkpoint"));
    }
    eprintln!("{n_kills} kills at random moments, {n_ended} runs ended with the same result");
}

/// Runs until the moment comes; says whether it had to be killed.
fn killed_after(workshop: &Workshop, moment: Duration) -> bool {
    let before = files(workshop);
    let arguments: Vec<&str> = RESUMED.split(' ').collect();
    let mut command = workshop.command(&arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    let scenario = Scenario { outputs: &["new.out.ct", "state/run.checkpoint"], ..resumed() };
    // The checkpoint of the interrupted run may be gone, its result is there then.
    let kept = before.into_iter().filter(|(name, _)| !name.contains("state/")).collect();
    let ended = Ended { code, stderr, calls: 0, could_not_remove: true };
    scenario.check(&kept, workshop, &ended);
    code != Some(0)
}
