//! A progress bar with the time left, on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::console::Console;

/// A bar on stderr; hidden where nobody watches.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of `total` things to do.
    pub(crate) fn new(console: &Console, what: &'static str, total: usize) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(total as u64), target(console));
        let style = ProgressStyle::with_template(
            "{msg} [{bar:40}] {percent:>3} %, {elapsed} so far, {eta} left",
        );
        bar.set_style(style.expect("the template is well-formed").progress_chars("=> "));
        bar.set_message(what);
        Progress(bar)
    }

    /// A sign of life where it is unknown how much there is to do.
    pub(crate) fn spinner(console: &Console, what: &'static str) -> Progress {
        let bar = ProgressBar::with_draw_target(None, target(console));
        let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed} so far");
        bar.set_style(style.expect("the template is well-formed"));
        bar.set_message(what);
        // The ticks need a thread.
        if console.shows_progress() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Progress(bar)
    }

    /// Says what is being done.
    pub(crate) fn say(&self, what: String) {
        self.0.set_message(what);
    }

    /// `done` of them are done.
    pub(crate) fn set(&self, done: usize) {
        self.0.set_position(done as u64);
    }

    /// One more is done.
    pub(crate) fn advance(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn target(console: &Console) -> ProgressDrawTarget {
    if console.shows_progress() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}
