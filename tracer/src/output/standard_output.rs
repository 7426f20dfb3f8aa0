//! Writes to standard output, which may be a terminal or a closed pipe.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{table::Style, terminal};

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The text was written.
    Yes,
    /// The reader has closed the pipe, which is not an error.
    NoReader,
}

/// Where results are written.
#[derive(Clone, Debug)]
pub(crate) enum StandardOutput {
    /// The standard output of this process.
    Process,
    /// Memory, for tests.
    #[cfg(test)]
    Memory(std::rc::Rc<std::cell::RefCell<Vec<u8>>>),
}

impl StandardOutput {
    /// Prints text that is rendered for the width and colors of the output.
    ///
    /// # Errors
    /// The output cannot be written. A closed pipe is not an error.
    pub(crate) fn print(&self, make: impl FnOnce(Style) -> Result<String>) -> Result<()> {
        self.write_line(&make(style(self.is_terminal(), false))?).map(|_| ())
    }

    /// Whether the reader of the output has closed the pipe.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Process => {
                let stdout = io::stdout();
                let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
                poll(&mut polled, Some(&Timespec::default())).is_ok()
                    && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
            }
            #[cfg(test)]
            Self::Memory(_) => false,
        }
    }

    /// Whether it is a terminal that can be repainted. A dumb terminal is treated as a pipe: no
    /// repainting, no colors.
    pub(super) fn is_terminal(&self) -> bool {
        match self {
            Self::Process => {
                let is_dumb = env::var_os("TERM").is_some_and(|name| name == "dumb");
                io::stdout().is_terminal() && !is_dumb
            }
            #[cfg(test)]
            Self::Memory(_) => false,
        }
    }

    /// Whether a line of up to 4 KiB can be written without waiting for the reader. Also true if
    /// the reader has closed the pipe.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Process => {
                let stdout = io::stdout();
                let mut polled = [PollFd::new(&stdout, PollFlags::OUT)];
                // A pipe is writable while it has room for a page.
                poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
            }
            #[cfg(test)]
            Self::Memory(_) => true,
        }
    }

    pub(super) fn write_line(&self, line: &str) -> Result<Shown> {
        let end = if line.ends_with('\n') { "" } else { "\n" };
        self.write(format!("{line}{end}").as_bytes())
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<Shown> {
        match self {
            Self::Process => write(bytes),
            #[cfg(test)]
            Self::Memory(memory) => {
                memory.borrow_mut().extend_from_slice(bytes);
                Ok(Shown::Yes)
            }
        }
    }
}

/// The style of text for the terminal of this process, or for output that is not a terminal.
pub(super) fn style(is_terminal: bool, wide: bool) -> Style {
    let width = terminal_size::terminal_size().map(|(width, _)| width.0);
    Style {
        color: is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        width: width.filter(|_| is_terminal).unwrap_or(u16::MAX),
        wide,
    }
}

fn write(bytes: &[u8]) -> Result<Shown> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    match written {
        Ok(()) => Ok(Shown::Yes),
        Err(error) if terminal::is_broken_pipe(&error) => Ok(Shown::NoReader),
        Err(error) => Err(anyhow::Error::new(error)
            .context("cannot write to standard output; redirect it to another file")),
    }
}
