use core::net::SocketAddr;

use crate::{Comm, ConnectionId, ProcessKey, StackId, TcpState, Timestamp};

/// A lifecycle event: [`tracer_common::EventRecord`] with its numbers given meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// To which socket.
    pub id: ConnectionId,
    /// Inode number of the socket's network namespace.
    pub netns: u32,
    /// Local end; the port is 0 in [`Happening::Connected`] of an unbound socket.
    pub local: SocketAddr,
    /// Remote end.
    pub remote: SocketAddr,
    /// What happened.
    pub happening: Happening,
}

/// What happened to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Happening {
    /// A process called `connect`; `None` if it is outside the tracer's pid namespace.
    Connected(Option<Actor>),
    /// A process accepted the connection; the file descriptor is its own.
    Accepted(Option<Actor>),
    /// The connection entered a state. Whoever ran on the processor then had no part in it.
    Entered {
        /// The state it left.
        from: TcpState,
        /// The state it is in now.
        to: TcpState,
    },
    /// The kernel destroyed the socket.
    Destroyed,
}

/// The process in whose context something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Actor {
    /// Which process.
    pub key: ProcessKey,
    /// Its name then.
    pub comm: Comm,
    /// Where in its code, if that was asked for and could be kept.
    pub stack: Option<StackId>,
}
