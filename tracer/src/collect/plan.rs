//! The plan of a run: what to observe, and for how long.

use std::{path::PathBuf, time::Duration};

use tracer_core::{Confidence, Options};

use super::{filter::Filter, kernel::hooks::AttachFamily};

/// Sources of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The BPF programs.
    Kernel,
    /// `sock_diag(7)`, `/proc` and `pidfd_getfd(2)`.
    SockDiag,
}

/// The Go programs to which uprobes are attached. Uprobes track each HTTP response until its body
/// is read to EOF or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UprobeTargets {
    /// No programs.
    None,
    /// No programs although `--go` was given, because the run ends before a response could be
    /// suspicious.
    NoneRunTooShort,
    /// The Go programs among the processes named with `--pid`.
    TargetProcesses,
    /// All Go programs that hold sockets.
    AllProcesses,
}

/// What to observe, for how long, and how to judge it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) filter: Filter,
    pub(crate) uprobes: UprobeTargets,
    pub(crate) options: Options,
    /// How long to observe; `None` means until a signal.
    pub(crate) duration: Option<Duration>,
    /// Whether this is an audit, so that everything that the filter names must exist.
    pub(crate) once: bool,
    /// How long a run whose time is up waits for inspections, at most.
    pub(crate) inspect_for: Duration,
    /// Time between snapshots; `None`: adaptive, see [`Pace`](super::pace::Pace).
    pub(crate) interval: Option<Duration>,
    /// File with the user's rules for frames that are not the application's.
    pub(crate) call_sites: Option<PathBuf>,
    /// The lowest confidence for exit code 1.
    pub(crate) fail_on: Confidence,
    /// Whether command lines are read and shown.
    pub(crate) cmdline: bool,
    pub(crate) verbose: bool,
    /// Use only this source of snapshots.
    pub(crate) source: Option<Source>,
    /// Use only attach methods of this mechanism.
    pub(crate) attach_family: Option<AttachFamily>,
}
