//! What blocks are made of. The order of variants and fields is the format: new variants go to the
//! end, and anything else takes another [`VERSION`](super::block::VERSION).

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};
use tracer_core::{
    Goroutines, Happening, Holder, Input, OpenResponse, ProcessKey, ReaderFacts, SocketFacts,
    Timestamp,
};

use super::{coder::Place, facts::SocketChange, head::Head, moments::Span, pieces::Piece};

pub(super) type SocketPiece = Piece<Box<SocketFacts>, Box<SocketChange>>;

/// One thing that is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entry<'a> {
    /// The first one of a segment.
    Head(Box<Cow<'a, Head>>),
    /// What was said in an earlier segment, for whoever begins to read with this one.
    Carried(Cow<'a, Input>),
    /// An input that has no shorter form.
    Input(Cow<'a, Input>),
    Event(EventEntry<'a>),
    /// Some of the sockets of the snapshot that comes next.
    Sockets(Vec<SocketPiece>),
    /// A snapshot of the sockets before this.
    Snapshot(SnapshotEntry),
    Readers(ReadersEntry),
    Ledger(LedgerEntry),
    /// What was said of this process before is still so.
    SameProcess(ProcessKey),
    /// See [`Step`](super::Step).
    Asked(Timestamp),
    Reported,
}

/// An event in terms of the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventEntry<'a> {
    /// Time since that.
    pub(super) after: Span,
    /// By how much the number of the socket is larger.
    pub(super) id_step: i64,
    /// Network namespace and ends, if not those of the event before of this socket.
    pub(super) place: Option<Place>,
    pub(super) happening: Cow<'a, Happening>,
}

/// A snapshot without its sockets, in terms of the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotEntry {
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) holders: Vec<Piece<Holder, Holder>>,
    pub(super) listeners: Option<BTreeSet<(u32, u16)>>,
    pub(super) not_judged: Option<BTreeMap<String, u64>>,
    pub(super) undecodable: u64,
    pub(super) unreadable: u64,
    pub(super) unopened: u64,
}

/// What a look for readers said, in terms of what the one before said of that process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReadersEntry {
    pub(super) process: ProcessKey,
    pub(super) at: Timestamp,
    pub(super) found: Vec<Piece<ReaderFacts, ReaderFacts>>,
    pub(super) goroutines: Option<Goroutines>,
    pub(super) limits: Option<String>,
}

/// A page of a ledger, in terms of the one before of that process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LedgerEntry {
    pub(super) process: ProcessKey,
    pub(super) at: Timestamp,
    pub(super) open: Vec<Piece<OpenResponse, OpenResponse>>,
    pub(super) limits: Option<String>,
}
