//! Resolves the objects of Go's HTTP client that carry a response to the fd of their connection.
//!
//! The ledger identifies a response by the address of its `persistConn` (HTTP/1) or `clientStream`
//! (HTTP/2). The memory may have been reused, so everything is verified: the object must lead to a
//! `net.netFD` with the fd of an open TCP socket of the process and with the `pollDesc` that epoll
//! has for that socket, and two readings must agree.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    thread,
    time::{Duration, Instant},
};

use tracer_common::LedgerKind;
use tracer_core::{Asked, ConnectionId, HttpStream};

use super::{
    follower::{Follower, WantedFd, WantedFds},
    layout::{Layout, StreamLayout},
    poll::{self, PollDescriptor},
};
use crate::process::{epoll::Registration, maps::Mappings, memory::Memory, pages::Pages};

/// Maximum number of objects resolved per call.
const OBJECTS_MAX: usize = 131_072;
/// Number of objects whose memory is read together.
const PREFETCHED: usize = 512;
/// Maximum plausible number of unread bytes of a stream.
const HELD_MAX: u64 = 1 << 40;
/// Minimum time between the two readings of the same memory.
const PAUSE: Duration = Duration::from_millis(2);

/// An object of Go's HTTP client that carries a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpObject {
    /// The type of the object: `persistConn` or `clientStream`.
    pub kind: LedgerKind,
    /// The address of the object in the process.
    pub address: u64,
}

/// The connection of an [`HttpObject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedConnection {
    /// The file descriptor, an open TCP socket.
    pub fd: u32,
    /// The stream, if the object is a `clientStream`.
    pub stream: Option<HttpStream>,
    /// For a stream: whether the response has not begun, or a goroutine is waiting for more of its
    /// body or has read from it, so that it is not abandoned. `false` for a `persistConn`, whose
    /// reader is found by the inspection of readers.
    pub is_awaited: bool,
}

/// Resolves objects in the memory of one process.
pub(super) struct Resolver<'a> {
    pub(super) memory: &'a dyn Memory,
    pub(super) mappings: &'a Mappings,
    pub(super) layout: &'a Layout,
    pub(super) registrations: &'a [Registration],
    /// The inode of a file descriptor, if it is a TCP socket.
    pub(super) socket: &'a dyn Fn(u32) -> Option<u64>,
}

/// The state of one object at one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Observation {
    fd: u32,
    poll: u64,
    stream: Option<Stream>,
}

/// The state of a `clientStream` at one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stream {
    id: u32,
    /// `*ClientConn`.
    connection: u64,
    /// Whether the response headers have arrived.
    has_begun: bool,
    /// Whether a goroutine is waiting in a read of the body.
    has_reader: bool,
    /// Received bytes that have not been read.
    held_bytes: u64,
    /// A counter that decreases with every byte that is read, and only then.
    unread: u64,
}

impl Resolver<'_> {
    /// The connection of each object; `None` if a check failed.
    pub(super) fn resolve(&self, objects: &[HttpObject]) -> Vec<Option<ResolvedConnection>> {
        let begin = Instant::now();
        let wanted = self.wanted();
        let read = objects.get(..OBJECTS_MAX).unwrap_or(objects);
        let first = self.observe(read, &wanted);
        let fds: BTreeSet<u32> = first.iter().flatten().map(|observation| observation.fd).collect();
        let sockets = fds.into_iter().filter_map(|fd| Some((fd, (self.socket)(fd)?)));
        let sockets: BTreeMap<u32, u64> = sockets.collect();
        let asked = sockets.iter().map(|(&fd, &inode)| Asked { id: ConnectionId(0), fd, inode });
        let asked: Vec<Asked> = asked.collect();
        let polls = poll::find(self.memory, self.layout, self.registrations, &asked);
        if let Some(rest) = PAUSE.checked_sub(begin.elapsed()) {
            thread::sleep(rest);
        }
        let second = self.observe(read, &wanted);
        let now = poll::read_again(self.memory, self.layout, &polls);
        let is_same =
            |poll: &&PollDescriptor| (self.socket)(poll.fd) == sockets.get(&poll.fd).copied();
        // The addresses apply to both readings: the second reads again what the first found.
        let polls: HashMap<u32, u64> =
            now.iter().flatten().filter(is_same).map(|poll| (poll.fd, poll.address)).collect();
        let mut resolved: Vec<_> = first
            .into_iter()
            .zip(second)
            .map(|(first, second)| {
                let (first, second) = (first?, second?);
                let is_verified = polls.get(&first.fd) == Some(&first.poll);
                is_verified.then(|| first.combined_with(second))?
            })
            .collect();
        resolved.resize(objects.len(), None);
        resolved
    }

    /// Every registered fd, with the possible addresses of its `pollDesc`.
    fn wanted(&self) -> WantedFds {
        let mut wanted = WantedFds::new();
        for registration in self.registrations {
            let fd = registration.fd;
            let Ok(index) = usize::try_from(fd) else { continue };
            let (_, polls) = wanted.entry(fd).or_insert((index, Vec::new()));
            polls.extend(poll::candidates(registration.data, self.layout).map(|(it, _)| it));
        }
        for (_, polls) in wanted.values_mut() {
            polls.sort_unstable();
        }
        wanted
    }

    /// Reads each object once.
    fn observe(&self, objects: &[HttpObject], wanted: &WantedFds) -> Vec<Option<Observation>> {
        let mut pages = Pages::new(self.memory);
        let (mappings, layout) = (self.mappings, self.layout);
        let mut follower = Follower { pages: &mut pages, mappings, layout, wanted };
        let mut observations = Vec::with_capacity(objects.len());
        for some in objects.chunks(PREFETCHED) {
            let of = |kind| {
                let those = some.iter().filter(move |object| object.kind == kind);
                those.map(|object| object.address).collect::<Vec<_>>()
            };
            follower.prefetch_connections(of(LedgerKind::Connection));
            follower.prefetch_streams(&of(LedgerKind::Stream));
            observations.extend(some.iter().map(|object| follower.observe(*object)));
        }
        observations
    }
}

impl Follower<'_, '_> {
    /// Reads the memory that `stream` needs for addresses that may be a `*clientStream`.
    fn prefetch_streams(&mut self, addresses: &[u64]) {
        let is_heap = |address: &&u64| self.mappings.is_heap(**address);
        let addresses: Vec<u64> = addresses.iter().filter(is_heap).copied().collect();
        for layout in self.layout.distinct_streams() {
            let most = layout.response.saturating_add(8);
            self.pages.prefetch(addresses.iter().flat_map(|it| [*it, it.saturating_add(most)]));
            let connections = self.follow(&addresses, layout.connection);
            let buffers = self.follow(&addresses, layout.buffer.saturating_add(8));
            self.pages.prefetch(connections.iter().copied().chain(buffers));
            let conns = self.follow(&connections, layout.conn.saturating_add(8));
            self.prefetch_conns(conns);
        }
    }

    fn observe(&mut self, HttpObject { kind, address }: HttpObject) -> Option<Observation> {
        if !self.mappings.is_heap(address) {
            return None;
        }
        let (fd, stream) = match kind {
            LedgerKind::Connection => {
                let (_, conn) = self.persistent_connection(address)?;
                (self.wanted_fd(conn)?, None)
            }
            LedgerKind::Stream => {
                let mut layouts = self.layout.distinct_streams();
                let (fd, stream) = layouts.find_map(|it| self.stream(address, it))?;
                (fd, Some(stream))
            }
            LedgerKind::Request => return None,
        };
        let (fd, poll) = (u32::try_from(fd.index).ok()?, fd.poll);
        Some(Observation { fd, poll, stream })
    }

    /// The `*clientStream` at an address; `None` if there is none, or if it has no id yet because
    /// it is waiting until the connection allows another stream.
    fn stream(&mut self, address: u64, layout: &StreamLayout) -> Option<(WantedFd, Stream)> {
        let at = |offset: u64| address.checked_add(offset);
        let connection = self.pages.word(at(layout.connection)?)?;
        let conn = self.interface(connection.checked_add(layout.conn)?)?;
        let fd = self.wanted_fd(conn)?;
        let id = self.pages.half(at(layout.id)?)?;
        // Streams of the client have odd ids (RFC 9113 section 5.1.1).
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
            // The body has not begun, or has been discarded.
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
        (held_bytes <= HELD_MAX).then_some((fd, stream))
    }
}

impl Observation {
    /// The result of two readings; `None` if they contradict each other.
    fn combined_with(self, later: Self) -> Option<ResolvedConnection> {
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
