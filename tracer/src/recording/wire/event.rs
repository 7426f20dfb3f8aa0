//! Events of sockets between snapshots.

use super::{
    ledger::StackId,
    process::{Comm, ProcessKey},
    socket::{ConnectionId, TcpState},
    time::Time,
};
use std::net::SocketAddr;

wire_struct! {
    Event mirrors tracer_core::Event {
        at: Time,
        id: ConnectionId,
        netns: u32,
        local: SocketAddr,
        remote: SocketAddr,
        kind: EventKind,
    }
}

wire_enum! {
    EventKind mirrors tracer_core::EventKind {
        Connected(actor: Option<Actor>),
        Accepted(actor: Option<Actor>),
        StateChanged { from: TcpState, to: TcpState },
        Destroyed,
    }
}

wire_struct! {
    Actor mirrors tracer_core::Actor {
        key: ProcessKey,
        comm: Comm,
        stack: Option<StackId>,
    }
}
