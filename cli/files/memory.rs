//! Memory: how much this process may take, that it stays below it, and how much it has taken.

use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Result;

use crate::files::save;
use crate::terminal::console::Console;
use crate::terminal::failure::hinted;
use crate::terminal::units;

/// How often it is looked at what the process takes.
const PERIOD: Duration = Duration::from_millis(20);

/// As a share of what is there: the system needs some of it to stay alive.
const USABLE: f64 = 0.95;

/// `--max-memory` of commands that read what others may have made.
#[derive(clap::Args)]
pub(crate) struct MemoryLimit {
    /// Take no more memory than this, such as 4G; by default what the machine has to give.
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    pub(crate) max_memory: Option<u64>,
}

/// The most bytes that this process may take, and whether that was said.
#[derive(Clone, Copy)]
struct Limit {
    bytes: u64,
    is_wanted: bool,
}

static LIMIT: OnceLock<Limit> = OnceLock::new();

/// From now on the process ends with an error when it takes more memory than `wanted`, or than the machine has. Where the
/// system tells neither, what is known before ([`require`]) is all that is held to.
///
/// # Errors
/// If no thread can be started that watches.
pub(crate) fn watch(wanted: Option<u64>, console: Console) -> std::io::Result<()> {
    let bytes = wanted.or_else(available).unwrap_or(u64::MAX);
    let limit = *LIMIT.get_or_init(|| Limit { bytes, is_wanted: wanted.is_some() });
    if resident_bytes().is_none() || limit.bytes == u64::MAX {
        return Ok(());
    }
    let look = move || {
        if resident_bytes().is_some_and(|taken| taken > limit.bytes) {
            save::abandon();
            console.fail(&limit.exceeded("this", None));
            exit(1);
        }
    };
    look();
    let watch = move || {
        loop {
            std::thread::sleep(PERIOD);
            look();
        }
    };
    std::thread::Builder::new().spawn(watch).map(drop)
}

/// Whether there is memory for so many bytes.
pub(crate) fn allows(bytes: u64) -> bool {
    LIMIT.get().is_none_or(|limit| bytes <= limit.bytes)
}

/// Checks that there is memory for something, before it is made.
pub(crate) fn require(bytes: u64, what: &str) -> Result<()> {
    match LIMIT.get() {
        Some(limit) if !allows(bytes) => Err(limit.exceeded(what, Some(bytes))),
        Some(_) | None => Ok(()),
    }
}

impl Limit {
    fn exceeded(self, what: &str, bytes: Option<u64>) -> anyhow::Error {
        let needed = bytes.map_or_else(|| "more".to_owned(), units::bytes);
        let most = units::bytes(self.bytes);
        if self.is_wanted {
            let message = format!("{what}: needs {needed} of memory, --max-memory allows {most}");
            return hinted(message, "a larger --max-memory allows more");
        }
        let message = format!("{what}: needs {needed} of memory, this machine has {most} to give");
        hinted(message, "--max-memory SIZE allows more than that, on a machine that can swap")
    }
}

/// The largest resident size so far, where the system tells.
pub(crate) fn peak_bytes() -> Option<u64> {
    of_status("VmHWM:")
}

fn resident_bytes() -> Option<u64> {
    of_status("VmRSS:")
}

fn of_status(name: &str) -> Option<u64> {
    kibibytes(&std::fs::read_to_string("/proc/self/status").ok()?, name)
}

/// What this process can have: what is free, and no more than its container may take.
fn available() -> Option<u64> {
    let free = kibibytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    let bytes = container_bytes().map_or(free, |most| most.min(free));
    Some((bytes as f64 * USABLE) as u64)
}

/// The smallest limit of the control groups that this process is in (version 2).
fn container_bytes() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let limit = |group: &Path| -> Option<u64> {
        let file = Path::new("/sys/fs/cgroup").join(group).join("memory.max");
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    };
    Path::new(&own).ancestors().filter_map(limit).min()
}

/// A line of such a file, as bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::failure::hint_of;

    #[test]
    fn what_is_too_much_is_said() {
        let limit = Limit { bytes: 2_000_000, is_wanted: true };
        let error = limit.exceeded("2 keys", Some(146_000_000_000));
        assert_eq!(
            error.to_string(),
            "2 keys: needs 146 GB of memory, --max-memory allows 2.00 MB"
        );
        let error = Limit { is_wanted: false, ..limit }.exceeded("this", None);
        assert_eq!(
            error.to_string(),
            "this: needs more of memory, this machine has 2.00 MB to give"
        );
        assert!(hint_of(&error).unwrap().contains("--max-memory SIZE"));
    }

    #[test]
    fn sizes_are_found_by_name() {
        let text = "MemTotal:  8 kB\nMemAvailable:   3 kB\n";
        assert_eq!(kibibytes(text, "MemAvailable:"), Some(3072));
        assert_eq!(kibibytes(text, "VmRSS:"), None);
    }
}
