use core::net::SocketAddr;

use crate::{Direction, ProcessKey, SocketFacts};

/// What connections have in common that are judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    pub(crate) process: ProcessKey,
    pub(crate) netns: u32,
    pub(crate) direction: Direction,
    /// Of outbound connections.
    pub(crate) remote: Option<SocketAddr>,
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
            local_port: (!outbound).then(|| facts.local.port()),
        }
    }
}
