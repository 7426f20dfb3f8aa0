//! Writes to standard output, which may be a terminal or a closed pipe.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{table::Style, terminal};

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It was written.
    Yes,
    /// The reader has closed the pipe, which is no error.
    NoReader,
}

/// A write to standard output is in progress; it may block.
static WRITING: AtomicBool = AtomicBool::new(false);

/// Whether a write to standard output is in progress, for the signal handler.
pub(crate) fn is_writing() -> bool {
    WRITING.load(Ordering::SeqCst)
}

/// Whether the reader of standard output has closed the pipe.
pub(super) fn has_no_reader() -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default())).is_ok()
        && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// A dumb terminal is treated as a pipe: no repainting, no colours.
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

/// Prints text that is rendered for the present width and colours of standard output.
///
/// # Errors
/// Standard output cannot be written. A closed pipe is no error.
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
        Err(error) if terminal::is_broken_pipe(&error) => Ok(Shown::NoReader),
        Err(error) => Err(anyhow::Error::new(error)
            .context("cannot write to standard output; redirect it to another file")),
    }
}
