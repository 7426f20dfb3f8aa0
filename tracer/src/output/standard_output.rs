//! The standard output, which may be a terminal, and of which somebody may or may not read.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{table::Style, terminal};

/// What became of showing something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It was.
    Yes,
    /// Nobody reads any more: an ordinary end.
    NobodyReads,
}

/// A write to the standard output goes on, which may be for ever.
static WRITING: AtomicBool = AtomicBool::new(false);

/// Whether the standard output is being written: what a signal handler wants to know.
pub(crate) fn is_writing() -> bool {
    WRITING.load(Ordering::SeqCst)
}

/// Whether the reader of the standard output has closed its end.
pub(super) fn nobody_reads() -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default())).is_ok()
        && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// A dumb terminal can neither be repainted nor coloured: text is appended as to a pipe.
pub(super) fn is_terminal() -> bool {
    let is_dumb = env::var_os("TERM").is_some_and(|name| name == "dumb");
    io::stdout().is_terminal() && !is_dumb
}

pub(super) fn style(is_terminal: bool, wide: bool) -> Style {
    let width = terminal_size::terminal_size().map(|(width, _)| width.0);
    Style {
        color: is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        width: width.filter(|_| is_terminal).unwrap_or(u16::MAX),
        wide,
    }
}

/// Prints something that is made for the standard output as it is now, all at once.
///
/// # Errors
/// The standard output cannot be written. That nobody reads it is none.
pub(crate) fn print(make: impl FnOnce(Style) -> Result<String>) -> Result<()> {
    write_line(&make(style(is_terminal(), false))?).map(|_| ())
}

pub(super) fn write_line(line: &str) -> Result<Shown> {
    let end = if line.ends_with('\n') { "" } else { "\n" };
    write(format!("{line}{end}").as_bytes())
}

pub(super) fn write(bytes: &[u8]) -> Result<Shown> {
    let mut stdout = io::stdout().lock();
    WRITING.store(true, Ordering::SeqCst);
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    WRITING.store(false, Ordering::SeqCst);
    match written {
        Ok(()) => Ok(Shown::Yes),
        Err(error) if terminal::is_broken_pipe(&error) => Ok(Shown::NobodyReads),
        Err(error) => Err(anyhow::Error::new(error)
            .context("cannot write to the standard output; redirect it somewhere else")),
    }
}
