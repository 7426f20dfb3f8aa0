use std::{error::Error, fmt};

use super::{error::one_line, tracefs::TRACEFS};

/// Why an attach method does not work here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttachError {
    /// Before Linux 5.12 the kernel could free the program of an fexit under a call that is still
    /// waiting in the function, and `accept` may wait for hours.
    FexitUnsafe,
    /// The embedded object has no such program, or one of another type.
    ProgramInvalid {
        /// Name of the program.
        program: &'static str,
    },
    /// The kernel refused to load or to attach the program.
    Refused {
        /// The kernel's error and what the verifier says, on one line.
        detail: String,
    },
    /// tracefs is mounted and cannot be read.
    TracefsUnreadable {
        /// The operating system's error.
        detail: String,
    },
    /// tracefs is not mounted and could not be.
    TracefsUnavailable {
        /// The operating system's error.
        detail: String,
    },
}

impl AttachError {
    /// An error of the kernel or of aya.
    pub(super) fn refused(error: &(dyn Error + 'static)) -> Self {
        Self::Refused { detail: one_line(error) }
    }
}

impl fmt::Display for AttachError {
    /// Cause and, where there is one, remedy.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FexitUnsafe => {
                formatter.write_str("not safe before Linux 5.12 in a system call that waits")
            }
            Self::ProgramInvalid { program } => {
                write!(formatter, "the embedded object has no program `{program}` of this type")
            }
            Self::Refused { detail } => formatter.write_str(detail),
            Self::TracefsUnreadable { detail } => {
                write!(formatter, "cannot read {TRACEFS} ({detail}); run it as root")
            }
            Self::TracefsUnavailable { detail } => write!(
                formatter,
                "tracefs is not mounted, and mounting it failed ({detail}); \
                 try: mount -t tracefs tracefs {TRACEFS}"
            ),
        }
    }
}

impl Error for AttachError {}
