//! The groups in which connections are judged together.

use core::net::SocketAddr;

use crate::{Destination, Direction, ProcessKey, SocketFacts};

/// What the connections of one group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    pub(crate) process: ProcessKey,
    pub(crate) netns: u32,
    pub(crate) direction: Direction,
    /// The destination of outbound connections to one address and port; `None` for other groups.
    pub(crate) remote: Option<SocketAddr>,
    /// The port of outbound connections to several addresses, which are judged together if there
    /// are too few to each address; `None` for other groups.
    pub(crate) remote_port: Option<u16>,
    /// The local port of inbound connections; `None` for outbound ones.
    pub(crate) local_port: Option<u16>,
}

impl GroupKey {
    pub(crate) fn of(process: ProcessKey, direction: Direction, facts: &SocketFacts) -> Self {
        let outbound = direction == Direction::Outbound;
        Self {
            process,
            netns: facts.netns,
            direction,
            remote: outbound.then_some(facts.remote),
            remote_port: None,
            local_port: (!outbound).then(|| facts.local.port()),
        }
    }

    /// The group of the same port of all addresses. Inbound connections are always grouped by port.
    pub(crate) fn of_port(self) -> Self {
        let remote_port = self.remote.map(|remote| remote.port()).or(self.remote_port);
        Self { remote: None, remote_port, ..self }
    }

    /// Whether the group has connections to several addresses.
    pub(crate) const fn is_by_port(&self) -> bool {
        self.remote_port.is_some()
    }

    /// Whether both groups may contain the same connections.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self == other || self.of_port() == *other || *self == other.of_port()
    }

    /// The destination in a [`FindingKey`](crate::FindingKey).
    pub(crate) fn destination(&self) -> Destination {
        match (self.remote, self.remote_port) {
            (Some(remote), _) => Destination::Remote(remote),
            (None, Some(port)) => Destination::RemotePort(port),
            (None, None) => Destination::LocalPort(self.local_port.unwrap_or_default()),
        }
    }
}
