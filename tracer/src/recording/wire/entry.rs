//! The entries that blocks consist of.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use super::{
    event::EventKind,
    head::Head,
    input::Input,
    ledger::OpenResponse,
    limit::Limit,
    process::{Holder, ProcessKey},
    readers::{Goroutines, ReaderFacts},
    socket_change::SocketStep,
    time::Time,
};
use crate::recording::{list_delta::ListStep, time_delta::TimeDelta};

wire_enum! {
    /// One thing that is written.
    Entry {
        /// The first entry of a segment.
        Head(head: Box<Head>),
        /// An input of an earlier segment that is still in effect, for a reader that begins with
        /// this segment.
        Restated(input: Input),
        Input(input: Input),
        Event(event: EventEntry),
        /// Some of the sockets of the snapshot that follows.
        Sockets(steps: Vec<SocketStep>),
        /// A snapshot, whose sockets precede it.
        Snapshot(snapshot: SnapshotEntry),
        Readers(readers: ReadersEntry),
        Ledger(ledger: LedgerEntry),
        /// The facts of this process have not changed.
        SameProcess(process: ProcessKey),
        /// The detector was asked for its questions.
        Asked(now: Time),
        /// The detector was asked for a report.
        Reported,
        /// Since format 6. When data was last read from some of the sockets of the next snapshot.
        LastReads(reads: Vec<LastRead>),
    }
}

wire_struct! {
    /// When data was last read from a socket, if this has changed since the previous snapshot.
    LastRead {
        /// Number of sockets in the snapshot between the socket of the previous entry and this one.
        skip: u64,
        at: Option<Time>,
    }
}

/// Network namespace, local and remote address.
pub(in crate::recording) type Addresses = (u32, SocketAddr, SocketAddr);

wire_struct! {
    /// An event, relative to the previous one.
    EventEntry {
        /// Time since the previous event.
        after: TimeDelta,
        /// Difference between the cookies of the sockets.
        id_step: i64,
        /// `None` if they are the same as in the latest event of this socket.
        addresses: Option<Addresses>,
        kind: EventKind,
    }
}

wire_struct! {
    /// A snapshot without its sockets, relative to the previous one.
    SnapshotEntry {
        started_at: Time,
        ended_at: Time,
        holders: Vec<ListStep<Holder, Holder>>,
        /// Network namespace and port; `None` if they have not changed.
        listeners: Option<BTreeSet<(u32, u16)>>,
        /// By kind of socket; `None` if nothing has changed.
        not_judged: Option<BTreeMap<String, u64>>,
        undecodable: u64,
        unreadable: u64,
        unopened: u64,
    }
}

wire_struct! {
    /// The readers of a process, relative to the previous inspection.
    ReadersEntry {
        process: ProcessKey,
        at: Time,
        found: Vec<ListStep<ReaderFacts, ReaderFacts>>,
        goroutines: Option<Goroutines>,
        limits: Vec<Limit>,
    }
}

wire_struct! {
    /// The open responses of a process, relative to the previous list.
    LedgerEntry {
        process: ProcessKey,
        at: Time,
        open: Vec<ListStep<OpenResponse, OpenResponse>>,
        limits: Vec<Limit>,
    }
}
