//! Which side opened a connection.

use core::fmt;

/// Which side opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// This host called `connect` (active open, RFC 9293 section 3.5).
    Outbound,
    /// The peer called `connect`, and this host accepted the connection (passive open).
    Inbound,
}

impl Direction {
    /// The code in JSON and CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
