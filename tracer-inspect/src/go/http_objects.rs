//! From what carries a response in a Go program to the descriptor of its connection.
//!
//! A ledger knows a response by an address: of its `persistConn` (HTTP/1) or of its `clientStream`
//! (HTTP/2). That may be of something else by now, so nothing about it is believed: what it leads to
//! must be a `netFD` with the number of an open TCP socket of the process and with the `pollDesc`
//! that epoll names for that very socket, and all of it must be the same at two looks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    thread,
    time::{Duration, Instant},
};

use tracer_common::LedgerKind;
use tracer_core::{Asked, ConnectionId, HttpStream};

use super::{
    follower::{Descriptor, Follower, Wanted},
    layout::{Layout, StreamLayout},
    poll::{self, PollDescriptor},
};
use crate::process::{epoll::Registration, maps::Mappings, memory::Memory, pages::Pages};

/// Most objects that are followed at one look.
const OBJECTS_MAX: usize = 131_072;
/// HttpObject whose memory is read together.
const PREFETCHED: usize = 512;
/// Most bytes that a stream can make sense of holding.
const HELD_MAX: u64 = 1 << 40;
/// Least time between two looks at the same.
const PAUSE: Duration = Duration::from_millis(2);

/// What carries a response, by its address in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpObject {
    /// What it is.
    pub kind: LedgerKind,
    /// Where it is in the process.
    pub address: u64,
}

/// Where a object leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedConnection {
    /// The descriptor of its connection: an open TCP socket.
    pub fd: u32,
    /// Its stream, if it is one.
    pub stream: Option<HttpStream>,
    /// Of a stream: the response has not begun, or somebody waits for more of it or is reading it,
    /// so it is not left behind. Of a connection that is not known here: its reader tells.
    pub is_awaited: bool,
}

/// A process in which objects are followed.
pub(super) struct Following<'a> {
    pub(super) memory: &'a dyn Memory,
    pub(super) mappings: &'a Mappings,
    pub(super) layout: &'a Layout,
    pub(super) registrations: &'a [Registration],
    /// The inode of the TCP socket with this descriptor, if it is one.
    pub(super) socket: &'a dyn Fn(u32) -> Option<u64>,
}

/// What one look at one object finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trace {
    fd: u32,
    poll: u64,
    stream: Option<Stream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stream {
    id: u32,
    /// `*ClientConn`.
    connection: u64,
    has_begun: bool,
    /// A goroutine is in a read of it.
    has_reader: bool,
    held_bytes: u64,
    /// Becomes less with every byte that is read, and with nothing else.
    unread: u64,
}

impl Following<'_> {
    /// Where each object leads, as far as everything about it holds.
    pub(super) fn follow(&self, objects: &[HttpObject]) -> Vec<Option<ResolvedConnection>> {
        let begin = Instant::now();
        let wanted = self.wanted();
        let traced = objects.get(..OBJECTS_MAX).unwrap_or(objects);
        let first = self.traces(traced, &wanted);
        let fds: BTreeSet<u32> = first.iter().flatten().map(|trace| trace.fd).collect();
        let sockets = fds.into_iter().filter_map(|fd| Some((fd, (self.socket)(fd)?)));
        let sockets: BTreeMap<u32, u64> = sockets.collect();
        let asked = sockets.iter().map(|(&fd, &inode)| Asked { id: ConnectionId(0), fd, inode });
        let asked: Vec<Asked> = asked.collect();
        let polls = poll::find(self.memory, self.layout, self.registrations, &asked);
        if let Some(rest) = PAUSE.checked_sub(begin.elapsed()) {
            thread::sleep(rest);
        }
        let second = self.traces(traced, &wanted);
        let now = poll::again(self.memory, self.layout, &polls);
        let is_same =
            |poll: &&PollDescriptor| (self.socket)(poll.fd) == sockets.get(&poll.fd).copied();
        // Of both looks, as the second one reads what the first one found.
        let polls: HashMap<u32, u64> =
            now.iter().flatten().filter(is_same).map(|poll| (poll.fd, poll.address)).collect();
        let mut resolved: Vec<_> = first
            .into_iter()
            .zip(second)
            .map(|(first, second)| {
                let (first, second) = (first?, second?);
                let is_sure = polls.get(&first.fd) == Some(&first.poll);
                is_sure.then(|| first.with(second))?
            })
            .collect();
        resolved.resize(objects.len(), None);
        resolved
    }

    /// Every descriptor that is registered, and where its `pollDesc` would be.
    fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::new();
        for registration in self.registrations {
            let fd = registration.fd;
            let Ok(index) = usize::try_from(fd) else { continue };
            let (_, polls) = wanted.entry(fd).or_insert((index, Vec::new()));
            polls.extend(poll::candidates(registration.data, self.layout).map(|(it, _)| it));
        }
        wanted
    }

    /// One look at each.
    fn traces(&self, objects: &[HttpObject], wanted: &Wanted) -> Vec<Option<Trace>> {
        let mut pages = Pages::new(self.memory);
        let (mappings, layout) = (self.mappings, self.layout);
        let mut follower = Follower { pages: &mut pages, mappings, layout, wanted };
        let mut traces = Vec::with_capacity(objects.len());
        for some in objects.chunks(PREFETCHED) {
            let of = |kind| {
                let those = some.iter().filter(move |object| object.kind == kind);
                those.map(|object| object.address).collect::<Vec<_>>()
            };
            follower.prefetch_connections(of(LedgerKind::Connection));
            follower.prefetch_streams(&of(LedgerKind::Stream));
            traces.extend(some.iter().map(|object| follower.trace(*object)));
        }
        traces
    }
}

impl Follower<'_, '_> {
    fn prefetch_streams(&mut self, addresses: &[u64]) {
        let is_heap = |address: &&u64| self.mappings.is_heap(**address);
        let addresses: Vec<u64> = addresses.iter().filter(is_heap).copied().collect();
        for layout in self.layout.streams_apart() {
            let most = layout.response.saturating_add(8);
            self.pages.prefetch(addresses.iter().flat_map(|it| [*it, it.saturating_add(most)]));
            let connections = self.follow(&addresses, layout.connection);
            let buffers = self.follow(&addresses, layout.buffer.saturating_add(8));
            self.pages.prefetch(connections.iter().copied().chain(buffers));
            let conns = self.follow(&connections, layout.conn.saturating_add(8));
            self.prefetch_conns(conns);
        }
    }

    fn trace(&mut self, HttpObject { kind, address }: HttpObject) -> Option<Trace> {
        if !self.mappings.is_heap(address) {
            return None;
        }
        let (descriptor, stream) = match kind {
            LedgerKind::Connection => {
                let (_, conn) = self.persistent_connection(address)?;
                (self.descriptor(conn)?, None)
            }
            LedgerKind::Stream => {
                let mut layouts = self.layout.streams_apart();
                let (descriptor, stream) = layouts.find_map(|it| self.stream(address, it))?;
                (descriptor, Some(stream))
            }
            LedgerKind::Request => return None,
        };
        let fd = u32::try_from(descriptor.index).ok()?;
        Some(Trace { fd, poll: descriptor.poll, stream })
    }

    /// A `*clientStream` that has a number. One that has none waits for its turn.
    fn stream(&mut self, address: u64, layout: &StreamLayout) -> Option<(Descriptor, Stream)> {
        let at = |offset: u64| address.checked_add(offset);
        let connection = self.pages.word(at(layout.connection)?)?;
        let conn = self.interface(connection.checked_add(layout.conn)?)?;
        let descriptor = self.descriptor(conn)?;
        let id = self.pages.half(at(layout.id)?)?;
        // Those of the client are odd (RFC 9113 section 5.1.1).
        if id % 2 == 0 {
            return None;
        }
        let waiting = self.pages.half(at(layout.waiting)?)?;
        let notified = self.pages.half(at(layout.notified)?)?;
        let (held_bytes, unread) = match self.interface(at(layout.buffer)?) {
            Some((_, buffer)) => {
                let size = self.pages.word(buffer.checked_add(layout.buffer_size)?)?;
                let expected = self.pages.word(buffer.checked_add(layout.buffer_expected)?)?;
                (size, size.wrapping_add(expected))
            }
            // There is no body yet, or not any more.
            None => (0, 0),
        };
        let stream = Stream {
            id,
            connection,
            has_begun: self.pages.word(at(layout.response)?)? != 0,
            has_reader: waiting != notified,
            held_bytes,
            unread,
        };
        (held_bytes <= HELD_MAX).then_some((descriptor, stream))
    }
}

impl Trace {
    /// What two looks say together.
    fn with(self, later: Self) -> Option<ResolvedConnection> {
        let (fd, poll) = (self.fd, self.poll);
        if (fd, poll) != (later.fd, later.poll) {
            return None;
        }
        let Some((before, after)) = self.stream.zip(later.stream) else {
            return Some(ResolvedConnection { fd, stream: None, is_awaited: false });
        };
        let is_same = (before.id, before.connection) == (after.id, after.connection);
        let is_read = before.has_reader || after.has_reader || before.unread != after.unread;
        is_same.then_some(ResolvedConnection {
            fd,
            stream: Some(HttpStream {
                id: after.id,
                held_bytes: after.held_bytes,
                read_mark: after.unread,
            }),
            is_awaited: is_read || !after.has_begun,
        })
    }
}
