//! The key of a finding: a name that is the same across runs, restarts and hosts.

use core::{
    fmt::{self, Write as _},
    net::SocketAddr,
};

use crate::{Comm, Direction};

/// What kind of thing is leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingFamily {
    /// HTTP responses that the application requested and neither read to EOF nor closed, as the
    /// uprobes show: findings that begin as *body-not-closed*.
    Response,
    /// Connections that the process opened, whatever they carried.
    ClientConnection,
    /// Connections that the process accepted.
    Accepted,
    /// Connections that the process inherited from its parent.
    Inherited,
}

impl FindingFamily {
    /// The code in JSON and in a [`FindingKey`].
    pub const fn code(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::ClientConnection => "client-connection",
            Self::Accepted => "accepted",
            Self::Inherited => "inherited",
        }
    }
}

/// The address or port that the connections of a finding share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// Outbound connections to one address and port.
    Remote(SocketAddr),
    /// Outbound connections to one port of several addresses.
    RemotePort(u16),
    /// Inbound connections to one local port.
    LocalPort(u16),
}

impl fmt::Display for Destination {
    /// `10.0.0.1:443`, or `:443` without an address.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(remote) => write!(formatter, "{remote}"),
            Self::RemotePort(port) | Self::LocalPort(port) => write!(formatter, ":{port}"),
        }
    }
}

/// Identifies a finding across runs, restarts and hosts.
///
/// The key is fixed when the finding begins; verdict, confidence, call site and process id may
/// change later. Several findings of one report have the same key if they differ only in those.
/// Without uprobes (in an audit), leaked responses are known only as connections, and their key has
/// a different family than in a run with uprobes: such findings are not compared with
/// *body-not-closed* findings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingKey {
    /// What kind of thing is leaked.
    pub family: FindingFamily,
    /// Who opened the connections.
    pub direction: Direction,
    /// Where they go.
    pub destination: Destination,
    /// The name of the owning process.
    pub comm: Comm,
}

impl fmt::Display for FindingKey {
    /// `response/outbound/10.0.0.1:443/billing`. The name comes last because a process chooses it
    /// and it may contain any character. Its bytes are percent-encoded (RFC 3986), except for
    /// printable ASCII other than space and `%`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, direction, destination, comm } = self;
        write!(formatter, "{}/{direction}/{destination}/", family.code())?;
        for byte in comm.0.bytes() {
            if byte.is_ascii_graphic() && byte != b'%' {
                formatter.write_char(char::from(byte))?;
            } else {
                write!(formatter, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}
