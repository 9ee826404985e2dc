//! `hecc completions`: what a shell needs to complete commands and options.

use anyhow::Result;
use clap_complete::Shell;

use crate::terminal::console::print;

/// Print the completions of a shell
///
/// bash: `hecc completions bash > ~/.local/share/bash-completion/completions/hecc`.
/// zsh: `hecc completions zsh > _hecc` in a folder of `$fpath`.
/// fish: `hecc completions fish > ~/.config/fish/completions/hecc.fish`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

/// Prints what a shell needs for `command`, the whole command line.
pub(crate) fn completions(args: &Args, mut command: clap::Command) -> Result<()> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut command, "hecc", &mut script);
    print(&String::from_utf8(script)?)
}
