//! Lifecycle events of sockets.

use core::net::SocketAddr;

use crate::{Comm, ConnectionId, ProcessKey, StackId, TcpState, Timestamp};

/// A lifecycle event: a decoded [`tracer_common::EventRecord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When the event happened.
    pub at: Timestamp,
    /// The socket.
    pub id: ConnectionId,
    /// Inode number of the socket's network namespace.
    pub netns: u32,
    /// Local address; in [`EventKind::Connected`], the port is 0 if the socket was not bound.
    pub local: SocketAddr,
    /// Remote address.
    pub remote: SocketAddr,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A process called `connect`; `None` if it is outside the tracer's pid namespace.
    Connected(Option<Actor>),
    /// A process accepted the connection and owns its file descriptor; `None` as for `Connected`.
    Accepted(Option<Actor>),
    /// The state changed (`inet_sock_set_state`). This often runs in softirq context, so the
    /// process that was current has nothing to do with it and is not reported.
    StateChanged {
        /// The previous state.
        from: TcpState,
        /// The new state.
        to: TcpState,
    },
    /// The kernel destroyed the socket (`tcp_destroy_sock`).
    Destroyed,
}

/// The process in whose context something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The process and its start time.
    pub key: ProcessKey,
    /// The name of the process at the time of the event.
    pub comm: Comm,
    /// The user stack of the process, if one was requested and the kernel kept it.
    pub stack: Option<StackId>,
}
