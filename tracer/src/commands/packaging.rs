//! `tracer packaging DIRECTORY`: writes the manual pages and shell completions, generated from the
//! definition of the command line. `cargo xtask dist` calls it.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _, ValueEnum as _};
use clap_complete::Shell;

use crate::{cli::Cli, output::exit_code};

/// Writes `man/*.1`, one per command, and `completions/*`, one per shell.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(directory: &Path) -> Result<u8> {
    let manual = directory.join("man");
    let completions = directory.join("completions");
    for directory in [&manual, &completions] {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let mut command = Cli::command();
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut command, "tracer", &completions)
            .with_context(|| format!("cannot write to {}", completions.display()))?;
    }
    clap_mangen::generate_to(for_manual(command), &manual)
        .with_context(|| format!("cannot write to {}", manual.display()))?;
    Ok(exit_code::CLEAN)
}

/// The command for a manual page, which shows all options and so does not need `--help-all`.
fn for_manual(command: Command) -> Command {
    let command = command.mut_arg("help_all", |argument| argument.hide(true));
    let shown = |argument: clap::Arg| argument.hide_short_help(false);
    let names: Vec<_> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let command = command.mut_args(shown);
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |command| command.mut_args(shown))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_manual_page_and_every_shell_completions() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let text = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        let page = text("man/tracer.1");
        for words in ["\\-\\-pid", "\\-\\-pool\\-size", "sudo tracer audit", "Exit codes"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        for command in Cli::command().get_subcommands().filter(|it| !it.is_hide_set()) {
            let page = text(&format!("man/tracer-{}.1", command.get_name()));
            assert!(page.contains(".SH OPTIONS"), "{page}");
        }
        assert!(!directory.path().join("man/tracer-demo-server.1").exists());
        for name in ["tracer.bash", "_tracer", "tracer.fish"] {
            let script = text(&format!("completions/{name}"));
            assert!(script.contains("pool-size"), "{name}");
        }
    }
}
