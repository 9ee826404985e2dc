//! `hecc completions`: what a shell needs to complete commands and options.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;
use crate::console::print;

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

pub(crate) fn completions(args: &Args) -> Result<()> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Cli::command(), "hecc", &mut script);
    print(&String::from_utf8(script)?)
}
