use core::net::SocketAddr;

use crate::{Direction, ProcessKey, SocketFacts};

/// What connections have in common that are judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    pub(crate) process: ProcessKey,
    pub(crate) netns: u32,
    pub(crate) direction: Direction,
    /// Of outbound connections to one address and port.
    pub(crate) remote: Option<SocketAddr>,
    /// Of outbound connections to this port of many addresses, which are judged together where
    /// those to each address are too few.
    pub(crate) remote_port: Option<u16>,
    /// Of inbound connections.
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

    /// The group of the same port of all addresses. Inbound connections are grouped so anyway.
    pub(crate) fn of_port(self) -> Self {
        let remote_port = self.remote.map(|remote| remote.port()).or(self.remote_port);
        Self { remote: None, remote_port, ..self }
    }

    /// It is one of many addresses.
    pub(crate) const fn is_spread(&self) -> bool {
        self.remote_port.is_some()
    }

    /// Both may have the same connections.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self == other || self.of_port() == *other || *self == other.of_port()
    }
}
