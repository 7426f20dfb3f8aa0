//! Verdicts about connections, and how certain they are.

use core::fmt;

/// What is wrong with a connection. [`rules`](crate::rules) documents what each verdict requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// An HTTP response was requested, and its body was neither read to EOF nor closed.
    BodyNotClosed,
    /// An established connection is now in CLOSE, and its file descriptor is still open. `ss` does
    /// not list it.
    Ghost,
    /// A connection was accepted, and nothing that arrived on it was ever read.
    NeverRead,
    /// The peer closed, and the process did not.
    CloseWait,
    /// Data arrived, and no code reads it.
    Undrained,
    /// A connection is idle, and no code is waiting to read from it or referencing its response.
    Abandoned,
    /// Each user of the destination opens connections of its own and leaves them idle.
    UnsharedPool,
    /// The process that opened the connection no longer holds it, and a child that inherited it does.
    Inherited,
    /// The peer is gone.
    Orphaned,
    /// A connection carried one request and was never used again. Whether that is a leak cannot be
    /// decided.
    NeverReused,
    /// The peer is not reading what was sent, so the cause is at the peer.
    PeerNotReading,
    /// Like [`Ghost`](Self::Ghost) or [`CloseWait`](Self::CloseWait), but few and not accumulating:
    /// dead connections that a pool keeps until it next uses them.
    StalePool,
    /// The number of connections keeps rising, and the oldest stay open.
    Growing,
}

impl Verdict {
    /// The code in JSON and CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BodyNotClosed => "body-not-closed",
            Self::Ghost => "ghost",
            Self::NeverRead => "never-read",
            Self::CloseWait => "close-wait",
            Self::Undrained => "undrained",
            Self::Abandoned => "abandoned",
            Self::UnsharedPool => "unshared-pool",
            Self::Inherited => "inherited",
            Self::Orphaned => "orphaned",
            Self::NeverReused => "never-reused",
            Self::PeerNotReading => "peer-not-reading",
            Self::StalePool => "stale-pool",
            Self::Growing => "growing",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// How sure a verdict is, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Worth knowing, but not a leak.
    Info,
    /// Fits a leak, but also a healthy program: the caveats say which kind.
    Possible,
    /// A pattern that healthy programs do not normally show.
    Likely,
    /// No other explanation is known.
    Certain,
}

impl Confidence {
    /// The code in JSON and CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
