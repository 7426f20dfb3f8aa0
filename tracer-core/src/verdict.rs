use core::fmt;

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A response was handed out, and its body neither read to the end nor closed.
    BodyNotClosed,
    /// Was connected, is dead, and its descriptor is still open; `ss` does not show it.
    Ghost,
    /// Accepted, and nothing that arrived was ever read.
    NeverRead,
    /// The peer closed, and the application did not.
    CloseWait,
    /// Data arrived and nobody reads it.
    Undrained,
    /// A response, or whatever else the peer sent, that nobody reads to its end and nobody closes.
    Abandoned,
    /// Each user of the destination has connections of its own, which sit idle unshared.
    UnsharedPool,
    /// The process that opened it has given it up, and one that did not open it holds on.
    Inherited,
    /// The peer is gone.
    Orphaned,
    /// Each served once and was never used again; whether that is a leak cannot be told.
    NeverReused,
    /// The peer does not read what was sent: its fault.
    PeerNotReading,
    /// As [`Ghost`](Self::Ghost) or [`CloseWait`](Self::CloseWait), but few and not rising: what a
    /// connection pool keeps until its next use.
    StalePool,
    /// More and more of them, and the oldest stay.
    Growing,
}

impl Verdict {
    /// The word of the JSON and CSV schemas.
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
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Confidence {
    /// Worth knowing, not a leak.
    Info,
    /// Fits a leak and fits something healthy.
    Possible,
    /// Healthy programs do not normally look like this.
    Likely,
    /// Nothing else explains it.
    Certain,
}

impl Confidence {
    /// The word of the JSON and CSV schemas.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }

    /// One step surer. *Info* stays: what is not a leak does not become one by repetition.
    #[must_use]
    pub const fn raised(self) -> Self {
        match self {
            Self::Info => Self::Info,
            Self::Possible => Self::Likely,
            Self::Likely | Self::Certain => Self::Certain,
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
