//! Faults: whenever a command is killed, whatever call fails, no file is half written under its name, nothing is lost, and
//! what the user does next works.
//!
//! Files change in system calls only, so a command has as many moments at which a fault matters as it makes such calls:
//! ptrace counts them and interferes at each. `HECC_FAULTS=1000 cargo test --release --test faults -- --nocapture` injects
//! so many faults, by default a few.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod resources;
mod resume;
mod scenario;
mod trace;
#[path = "../cli/workshop.rs"]
#[expect(dead_code, reason = "what other tests of the command line need")]
mod workshop;

use scenario::{ALL, Scenario, files};
use trace::{Ended, Fault, run};
use workshop::Workshop;

/// Faults of each sort if `HECC_FAULTS` does not say how many.
const FEW: usize = 40;

/// How many faults of a sort are injected.
fn wanted() -> usize {
    std::env::var("HECC_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(FEW)
}

/// Runs the command of a scenario; nothing, and says so, if processes cannot be traced here.
fn traced(
    scenario: &Scenario,
    workshop: &Workshop,
    fault: Option<(usize, Fault)>,
) -> Option<Ended> {
    let arguments: Vec<&str> = scenario.arguments.split(' ').collect();
    let ended = run(workshop.command(&arguments), workshop.folder(), fault);
    if ended.is_none() {
        eprintln!("skipped: processes cannot be traced here");
    }
    ended
}

/// Every fault at every moment at which it matters.
fn all_faults() -> Option<Vec<(Scenario, usize, Fault)>> {
    let kinds = [Fault::Kill, Fault::Error(libc::EIO), Fault::Full, Fault::ReadOnly];
    let mut faults = vec![];
    for scenario in ALL {
        let workshop = scenario.workshop();
        let before = files(&workshop);
        let ended = traced(&scenario, &workshop, None)?;
        assert_eq!(ended.code, Some(0), "{scenario:?}: {ended:?}");
        scenario.check(&before, &workshop, &ended);
        assert!(ended.calls >= 4, "{scenario:?}: only {} calls are seen", ended.calls);
        let places = (0..ended.calls).flat_map(|at| kinds.map(|fault| (scenario, at, fault)));
        faults.extend(places);
    }
    Some(faults)
}

#[test]
fn a_fault_at_any_change_of_files_loses_nothing() {
    let Some(faults) = all_faults() else { return };
    // An odd number, for all kinds to occur.
    let step = faults.len().div_ceil(wanted()).max(1) | 1;
    let mut n_injected = 0;
    for (scenario, at, fault) in faults.iter().step_by(step) {
        let workshop = scenario.workshop();
        let before = files(&workshop);
        let ended = traced(scenario, &workshop, Some((*at, *fault))).unwrap();
        scenario.check(&before, &workshop, &ended);
        scenario.recover(&workshop);
        n_injected += 1;
    }
    eprintln!("{n_injected} faults at {} places and kinds, nothing lost", faults.len());
}
