//! Everything that is printed: results on stdout, remarks and errors on stderr.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use serde_json::{Value, json};

use crate::terminal::failure::hint_of;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    /// Results as JSON.
    pub(crate) json: bool,
    /// Results only.
    pub(crate) quiet: bool,
    /// Whether a file is written to stdout, so that all else goes to stderr.
    pub(crate) stdout_is_taken: bool,
}

/// Whether an error has been printed.
static FAILED: AtomicBool = AtomicBool::new(false);

/// The exit status of a command line that was not understood.
const USAGE: u8 = 2;

impl Console {
    /// Prints what the command was asked for.
    pub(crate) fn result(&self, text: impl Display, json: Value) -> Result<()> {
        let text = if self.json { format!("{json:#}") } else { text.to_string() };
        if self.stdout_is_taken { write(io::stderr().lock(), &text) } else { print(&text) }
    }

    /// Prints what a command that writes a file has done; `--quiet` leaves it out.
    pub(crate) fn summary(&self, text: impl Display, json: Value) -> Result<()> {
        if self.quiet { Ok(()) } else { self.result(text, json) }
    }

    /// Prints a remark for people, such as an assumption made.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet && !self.json {
            // A remark that nobody can read is no failure.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Prints a warning that a result may be wrong: to everyone.
    pub(crate) fn warn(&self, text: impl Display) {
        // As with notes.
        let _ = writeln!(io::stderr(), "warning: {text}");
    }

    /// Whether someone watches who wants to see progress.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Prints an error and returns the exit status that goes with it.
    pub(crate) fn fail(&self, error: &anyhow::Error) -> ExitCode {
        let closed = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
        };
        // The reader of a pipe, such as `head`, has seen enough.
        if error.chain().any(closed) {
            return ExitCode::SUCCESS;
        }
        // One end is enough: the watch on memory may come at the same time.
        if FAILED.swap(true, Ordering::Relaxed) {
            return ExitCode::FAILURE;
        }
        let message = message(error);
        let hint = hint_of(error);
        let text = match (self.json, hint) {
            (true, hint) => json!({ "error": message, "hint": hint }).to_string(),
            (false, Some(hint)) => format!("error: {message}\n  hint: {hint}"),
            (false, None) => format!("error: {message}"),
        };
        let _ = writeln!(io::stderr(), "{text}");
        ExitCode::FAILURE
    }
}

/// Prints what the parser of the command line has to say: help, or what it did not understand.
pub(crate) fn explain_usage(usage: &clap::Error) -> ExitCode {
    if !usage.use_stderr() {
        // Nothing is left to do if it cannot be printed.
        let _ = usage.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let _ = writeln!(io::stderr(), "{}", usage_json(&usage.render().to_string()));
    } else {
        let _ = usage.print();
    }
    ExitCode::from(USAGE)
}

/// What the parser says: the error in the first paragraph, then what helps.
fn usage_json(text: &str) -> Value {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (error, hint) = text.split_once("\n\n").unwrap_or((text, ""));
    json!({ "error": error.trim(), "hint": hint.trim() })
}

/// An error and its causes, but for those that the error above them has told already.
fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}

/// Prints to stdout, with one newline at the end.
pub(crate) fn print(text: &str) -> Result<()> {
    write(io::stdout().lock(), text)
}

fn write(mut out: impl Write, text: &str) -> Result<()> {
    out.write_all(text.trim_end_matches('\n').as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let error = anyhow::anyhow!("no such file").context("cannot read: no such file");
        assert_eq!(message(&error.context("plan.bin")), "plan.bin: cannot read: no such file");
    }
}
