//! Signals that end the program: no temporary file outlives it.

/// From now on, SIGINT, SIGTERM and SIGHUP end the program as they do by themselves (status 130, 143 and 129 in a shell), but
/// remove temporary files first. A signal that is ignored, as under `nohup`, stays ignored.
///
/// # Errors
/// If no thread can be started that waits for them.
#[cfg(unix)]
pub(crate) fn clean_up() -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let ignored = ignored();
    let wanted =
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    // Without handlers signals do what they always did.
    let Ok(mut signals) = Signals::new(wanted) else { return Ok(()) };
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            crate::files::save::abandon();
            let _ = emulate_default_handler(signal);
            std::process::exit(128 + signal);
        }
    };
    std::thread::Builder::new().spawn(wait).map(drop)
}

/// Elsewhere there are no such signals.
#[cfg(not(unix))]
pub(crate) fn clean_up() -> std::io::Result<()> {
    Ok(())
}

/// The signals that are ignored, lowest bit first, where the system tells.
#[cfg(unix)]
fn ignored() -> u64 {
    let mask = || -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    mask().unwrap_or(0)
}
