//! What a run observes, and for how long.

use std::{path::PathBuf, time::Duration};

use tracer_core::{Confidence, Options};

use super::{filter::Filter, kernel::hooks::Mechanism};

/// Ways to look at sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The kernel programs.
    Kernel,
    /// `sock_diag`, `/proc` and copies of descriptors.
    SockDiag,
}

/// In which Go programs uprobes follow each response until it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// In none.
    Nobody,
    /// In none, though it was asked for: the run ends before a response could be suspicious.
    InVain,
    /// In those among the processes that were named.
    Named,
    /// In all that hold sockets.
    Everybody,
}

/// What to observe, for how long, and how to judge it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) filter: Filter,
    pub(crate) follow: Follow,
    pub(crate) options: Options,
    /// `None`: until a signal.
    pub(crate) duration: Option<Duration>,
    /// It is an audit: what is selected must be there.
    pub(crate) once: bool,
    /// Between looks; `None`: by what changes.
    pub(crate) interval: Option<Duration>,
    /// Rules of the user's for what is not the application.
    pub(crate) call_sites: Option<PathBuf>,
    pub(crate) fail_on: Confidence,
    pub(crate) cmdline: bool,
    pub(crate) verbose: bool,
    /// Look in this way only.
    pub(crate) source: Option<Source>,
    /// Hang on the kernel in this way only.
    pub(crate) mechanism: Option<Mechanism>,
}
