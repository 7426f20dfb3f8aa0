//! The sockets of a scripted host, and the kernel's records of them.

use std::{collections::BTreeMap, fs, net::Ipv4Addr, time::Duration};

use tracer_common::{EventKind, EventRecord, SocketRecord};
use tracer_core::Timestamp;
use tracer_inspect::process::identity::{self, TICK_NS};
use zerocopy::FromZeros as _;

use super::{FIN_FLAG, nanoseconds};

const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const SYN_RECEIVED: u8 = 3;
const CLOSE: u8 = 7;
const CLOSE_WAIT: u8 = 8;

const AF_INET: u16 = 2;
const NETNS: u32 = 4_026_531_840;
/// `ECONNRESET`.
const RESET: u32 = 104;
/// The number of bytes that each connection has sent after it was opened.
const REQUEST_BYTES: u32 = 100;

const NS_PER_MS: u64 = 1_000_000;

/// A process on the real host.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    start_time_ns: u64,
    pub(crate) comm: String,
}

impl Process {
    /// The process with this pid.
    pub(crate) fn of(pid: u32) -> Self {
        let ticks = identity::started(pid).expect("the process runs");
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).expect("the process runs");
        Self { pid, start_time_ns: ticks * TICK_NS, comm: comm.trim_end().to_owned() }
    }

    /// The process of the test.
    pub(crate) fn this() -> Self {
        Self::of(std::process::id())
    }

    /// The same with another name.
    pub(crate) fn named(self, comm: &str) -> Self {
        Self { comm: comm.to_owned(), ..self }
    }
}

/// The socket's cookie and inode number.
pub(crate) type SocketId = u32;

/// All open sockets, and the events that have not been fetched yet.
pub(crate) struct Sockets {
    pub(super) now: Timestamp,
    /// Whether events are reported.
    pub(super) is_traced: bool,
    open: BTreeMap<SocketId, Socket>,
    events: Vec<EventRecord>,
    next: SocketId,
    /// The number of events lost so far.
    pub(crate) events_lost: u64,
    /// Whether all processes are stopped by a signal.
    pub(crate) are_processes_stopped: bool,
}

struct Socket {
    process: Process,
    is_active: bool,
    remote: (Ipv4Addr, u16),
    local_port: u16,
    state: u8,
    was_connected: bool,
    received: u32,
    read: u32,
    /// When data was last read.
    read_at: Timestamp,
    has_fin: bool,
    /// When data was last sent or received.
    data_at: Timestamp,
    /// When a segment last arrived.
    segment_at: Timestamp,
}

impl Sockets {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            is_traced: false,
            open: BTreeMap::new(),
            events: Vec::new(),
            next: 1,
            events_lost: 0,
            are_processes_stopped: false,
        }
    }

    /// A process connects and sends a request. Each connection has a different local port.
    pub(crate) fn connect(&mut self, process: &Process, remote: ([u8; 4], u16)) -> SocketId {
        let local_port = 40_000 + self.next_port();
        let id = self.add(process, true, (remote.0.into(), remote.1), local_port);
        self.event(id, EventKind::Connect, CLOSE, SYN_SENT);
        self.event(id, EventKind::State, SYN_SENT, ESTABLISHED);
        id
    }

    /// A process accepts a connection on a local port. Each has a different remote port.
    pub(crate) fn accept(&mut self, process: &Process, local_port: u16) -> SocketId {
        let remote = (Ipv4Addr::LOCALHOST, 50_000 + self.next_port());
        let id = self.add(process, false, remote, local_port);
        self.event(id, EventKind::State, SYN_RECEIVED, ESTABLISHED);
        self.event(id, EventKind::Accept, 0, ESTABLISHED);
        id
    }

    fn next_port(&self) -> u16 {
        u16::try_from(self.next).expect("tests have few sockets")
    }

    fn add(
        &mut self,
        process: &Process,
        is_active: bool,
        remote: (Ipv4Addr, u16),
        local_port: u16,
    ) -> SocketId {
        let id = self.next;
        self.next += 1;
        let socket = Socket {
            process: process.clone(),
            is_active,
            remote,
            local_port,
            state: ESTABLISHED,
            was_connected: true,
            received: 0,
            read: 0,
            read_at: self.now,
            has_fin: false,
            data_at: self.now,
            segment_at: self.now,
        };
        self.open.insert(id, socket);
        id
    }

    /// A process creates a socket whose `connect` is refused.
    pub(crate) fn refuse(&mut self, process: &Process) -> SocketId {
        let id = self.add(process, true, (Ipv4Addr::UNSPECIFIED, 0), 0);
        let socket = self.socket(id);
        (socket.state, socket.was_connected) = (CLOSE, false);
        id
    }

    /// Data arrives.
    pub(crate) fn receive(&mut self, id: SocketId, bytes: u32) {
        let now = self.now;
        let socket = self.socket(id);
        socket.received += bytes;
        (socket.data_at, socket.segment_at) = (now, now);
    }

    /// The process reads all received data.
    pub(crate) fn read(&mut self, id: SocketId) {
        let now = self.now;
        let socket = self.socket(id);
        (socket.read, socket.read_at) = (socket.received, now);
    }

    /// The peer closes the connection.
    pub(crate) fn receive_fin(&mut self, id: SocketId) {
        self.change_state(id, CLOSE_WAIT);
        self.socket(id).has_fin = true;
    }

    /// The process reads EOF.
    pub(crate) fn read_fin(&mut self, id: SocketId) {
        let socket = self.socket(id);
        socket.read = socket.received + 1;
    }

    /// The peer resets the connection.
    pub(crate) fn receive_reset(&mut self, id: SocketId) {
        self.change_state(id, CLOSE);
    }

    fn change_state(&mut self, id: SocketId, state: u8) {
        let now = self.now;
        let socket = self.socket(id);
        let old = std::mem::replace(&mut socket.state, state);
        socket.segment_at = now;
        self.event(id, EventKind::State, old, state);
    }

    /// The process closes its file descriptor.
    pub(crate) fn close(&mut self, id: SocketId) {
        let state = self.socket(id).state;
        self.event(id, EventKind::Destroy, state, state);
        self.open.remove(&id);
    }

    /// The process closes all its file descriptors.
    pub(crate) fn close_all(&mut self) {
        let ids: Vec<SocketId> = self.open.keys().copied().collect();
        for id in ids {
            self.close(id);
        }
    }

    /// Moves all events of the connection back in time.
    pub(crate) fn backdate(&mut self, id: SocketId, by: Duration) {
        let back = |at: Timestamp| Timestamp::from_ns(at.as_ns() - nanoseconds(by));
        let socket = self.socket(id);
        for at in [&mut socket.data_at, &mut socket.segment_at, &mut socket.read_at] {
            *at = back(*at);
        }
    }

    /// The file descriptor of a socket.
    pub(crate) const fn fd(id: SocketId) -> u32 {
        1_000 + id
    }

    fn socket(&mut self, id: SocketId) -> &mut Socket {
        self.open.get_mut(&id).expect("the socket is open")
    }

    fn event(&mut self, id: SocketId, kind: EventKind, old_state: u8, new_state: u8) {
        if !self.is_traced {
            return;
        }
        let at_ns = self.now.as_ns();
        let socket = self.socket(id);
        let mut event = EventRecord::new_zeroed();
        event.at_ns = at_ns;
        event.cookie = id.into();
        event.kind = kind as u32;
        if matches!(kind, EventKind::Connect | EventKind::Accept) {
            event.start_time_ns = socket.process.start_time_ns;
            event.pid = socket.process.pid;
            event.comm = comm(&socket.process);
        }
        event.fd = -1;
        event.netns = NETNS;
        (event.family, event.local_port, event.remote_port) =
            (AF_INET, socket.local_port, socket.remote.1);
        (event.old_state, event.new_state) = (old_state, new_state);
        event.local_address = address(Ipv4Addr::LOCALHOST);
        event.remote_address = address(socket.remote.0);
        self.events.push(event);
    }

    pub(super) fn take_events(&mut self) -> Vec<EventRecord> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn records(&self, now: Timestamp) -> impl Iterator<Item = SocketRecord> {
        self.open.iter().map(move |(id, socket)| socket.record(*id, now))
    }
}

impl Socket {
    fn record(&self, id: SocketId, now: Timestamp) -> SocketRecord {
        let mut record = SocketRecord::new_zeroed();
        let fin = u32::from(self.has_fin);
        (record.cookie, record.inode, record.fd) = (id.into(), id.into(), Sockets::fd(id));
        (record.pid, record.start_time_ns) = (self.process.pid, self.process.start_time_ns);
        (record.at_ns, record.jiffies) = (now.as_ns(), jiffies(now));
        record.bytes_received = (self.received + fin).into();
        record.bytes_sent = REQUEST_BYTES.into();
        record.bytes_acked = (REQUEST_BYTES + u32::from(self.is_active)).into();
        record.last_segment_us = self.segment_at.as_ns() / 1_000;
        record.last_read_us = if self.has_fin { 0 } else { self.read_at.as_ns() / 1_000 };
        record.flags = if self.has_fin { FIN_FLAG } else { 0 };
        record.netns = NETNS;
        (record.rcv_nxt, record.copied_seq) = (1 + self.received + fin, 1 + self.read);
        (record.snd_una, record.write_seq) = (1 + REQUEST_BYTES, 1 + REQUEST_BYTES);
        if self.was_connected {
            record.last_sent_jiffies = stamp(self.data_at);
            record.last_received_jiffies = stamp(self.data_at);
            record.last_ack_jiffies = stamp(self.data_at);
        }
        (record.data_segments_sent, record.data_segments_received) = (1, self.received.min(1));
        record.peer_window = 65_535;
        record.error = if self.state == CLOSE { RESET } else { 0 };
        (record.family, record.socket_type, record.protocol) = (AF_INET, 1, 6);
        (record.local_port, record.remote_port) = (self.local_port, self.remote.1);
        record.state = self.state;
        record.local_address = address(Ipv4Addr::LOCALHOST);
        record.remote_address = address(self.remote.0);
        record.comm = comm(&self.process);
        record
    }
}

/// The counter of a kernel with 1,000 jiffies per second.
fn jiffies(at: Timestamp) -> u64 {
    const INITIAL: u64 = (1 << 32) - 300 * 1_000;
    INITIAL + at.as_ns() / NS_PER_MS
}

#[expect(clippy::cast_possible_truncation, reason = "the kernel also keeps the low 32 bits")]
fn stamp(at: Timestamp) -> u32 {
    jiffies(at) as u32
}

fn address(address: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&address.octets());
    bytes
}

fn comm(process: &Process) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().take(15).zip(process.comm.bytes()) {
        *to = from;
    }
    bytes
}
