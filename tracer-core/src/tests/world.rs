//! A small model of a host: sockets that are opened, used and closed, and what the probes and the
//! iterator report of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

mod half_close;

use super::ledgers::Ledgers;
use crate::{
    Actor, Comm, ConnectionId, Direction, Event, EventKind, Holder, HttpStream, Input, Loss,
    OpenResponse, Owner, ProcessKey, ReaderFacts, Snapshot, SocketFacts, StackId, TcpState, Timer,
    Timestamp,
};

/// The host. Each action adds its events to the outbox, unless events are being lost.
#[derive(Default)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) sockets: BTreeMap<String, SocketFacts>,
    pub(super) outbox: Vec<Input>,
    pub(super) losing: bool,
    /// There are no probes, and snapshots do not read kernel memory.
    pub(super) degraded: bool,
    /// For each connection, the result of an inspection of its process.
    pub(super) readers: BTreeMap<ConnectionId, ReaderFacts>,
    /// The ledgers of Go programs.
    pub(super) ledgers: Ledgers,
    /// The stack of connections that are opened from now on.
    pub(super) stack: Option<StackId>,
    /// The listeners: network namespace and port.
    pub(super) listeners: BTreeSet<(u32, u16)>,
    loss: Loss,
    numbered: u64,
}

pub(super) fn process(pid: u32) -> ProcessKey {
    ProcessKey { start_time_ns: u64::from(pid) * 1_000, pid }
}

pub(super) fn owner(pid: u32, fd: u32) -> Owner {
    let comm = Comm(compact_str::format_compact!("p{pid}"));
    Owner { key: process(pid), fd, comm, in_scope: true }
}

/// The receive window of a peer that reads.
const WINDOW_BYTES: u32 = 64 << 10;

/// Bytes in flight if a timeline does not give a number.
const REQUEST_BYTES: u64 = 100;

impl World {
    /// A process opens a connection, or accepts one.
    pub(super) fn open(&mut self, name: &str, pid: u32, direction: Direction, remote: SocketAddr) {
        self.numbered += 1;
        let number = self.numbered;
        let port = 40_000 + u16::try_from(number % 20_000).unwrap();
        let outbound = direction == Direction::Outbound;
        let local = if outbound { port } else { 8_080 };
        let remote = if outbound { remote } else { SocketAddr::new(remote.ip(), port) };
        let facts = SocketFacts {
            id: ConnectionId(number),
            inode: 1_000 + number,
            netns: 1,
            state: TcpState::Established,
            local: SocketAddr::new([10, 0, 0, 9].into(), local),
            remote,
            owners: [owner(pid, 10 + u32::try_from(number).unwrap())].into(),
            rx_bytes: 0,
            tx_bytes: 0,
            unread_bytes: 0,
            unsent_bytes: 0,
            fin_received: Some(false),
            drained: true,
            read_sequence: 1,
            write_sequence: 1,
            last_sent_at: Some(self.now),
            last_received_at: Some(self.now),
            last_read_at: Some(self.now),
            last_segment_at: Some(self.now),
            last_ack_at: Some(self.now),
            data_segments_sent: 0,
            data_segments_received: 0,
            unanswered_probes: 0,
            retransmits: 0,
            backoff: 0,
            timer: Timer::None,
            peer_window: WINDOW_BYTES,
            pending_error: Some(false),
            opened_actively: Some(outbound),
        };
        let actor = Some(Actor {
            key: process(pid),
            comm: facts.owners[0].comm.clone(),
            stack: self.stack,
        });
        let entered = |from| EventKind::StateChanged { from, to: TcpState::Established };
        let kinds = if outbound {
            [EventKind::Connected(actor), entered(TcpState::SynSent)]
        } else {
            [entered(TcpState::SynReceived), EventKind::Accepted(actor)]
        };
        for kind in kinds {
            self.emit(&facts, kind);
        }
        self.sockets.insert(name.to_string(), facts);
    }

    /// Sets the result of inspections of its process from now on.
    pub(super) fn reader(&mut self, name: &str, facts: Option<ReaderFacts>) {
        if let Some(socket) = self.sockets.get(name) {
            match facts {
                Some(facts) => drop(self.readers.insert(socket.id, facts)),
                None => drop(self.readers.remove(&socket.id)),
            }
        }
    }

    /// The HTTP client of the first holder, or of another one, makes a request on the connection or
    /// on one of its streams. `held_bytes` of the response are in the memory of the process.
    pub(super) fn start_response(
        &mut self,
        name: &str,
        pid: Option<u32>,
        stack: Option<StackId>,
        stream: Option<u32>,
        held_bytes: u64,
    ) {
        if let Some(socket) = self.sockets.get(name) {
            let is_meant = |owner: &&Owner| pid.is_none_or(|pid| owner.key.pid == pid);
            let owner = socket.owners.iter().find(is_meant).unwrap();
            let stream = stream.map(|id| HttpStream { id, held_bytes, read_mark: held_bytes });
            let response = OpenResponse { fd: owner.fd, since: self.now, stack, stream };
            self.ledgers.start_response(owner.key, response);
        }
    }

    /// The response is closed, or read to EOF.
    pub(super) fn return_response(&mut self, name: &str, stream: Option<u32>) {
        if let Some(socket) = self.sockets.get(name) {
            let owner = &socket.owners[0];
            self.ledgers.return_response(owner.key, owner.fd, stream);
        }
    }

    /// The lists of all ledgers, without responses younger than `idle_ms`.
    pub(super) fn ledgers(&self, idle_ms: u64) -> Vec<Input> {
        self.ledgers.lists(self.now, idle_ms)
    }

    pub(super) fn receive(&mut self, name: &str, bytes: u64) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(name) {
            socket.rx_bytes += bytes;
            socket.unread_bytes += bytes;
            socket.data_segments_received += 1;
            socket.drained = false;
            (socket.last_received_at, socket.last_segment_at) = (Some(now), Some(now));
        }
    }

    /// The application reads everything, including EOF.
    pub(super) fn read(&mut self, name: &str) {
        if let Some(socket) = self.sockets.get_mut(name) {
            let taken = socket.unread_bytes
                + u64::from(socket.fin_received == Some(true) && !socket.drained);
            socket.read_sequence += u32::try_from(taken).unwrap();
            if taken > 0 {
                // As in the kernel, the time of a read that returns EOF is not recorded.
                socket.last_read_at = (socket.fin_received != Some(true)).then_some(self.now);
            }
            (socket.unread_bytes, socket.drained, socket.pending_error) = (0, true, Some(false));
        }
    }

    /// The application writes, and the peer acknowledges everything that was written.
    pub(super) fn send(&mut self, name: &str, bytes: u64) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(name) {
            if socket.timer == Timer::WindowProbe {
                socket.tx_bytes += socket.unsent_bytes;
            }
            socket.tx_bytes += bytes;
            socket.write_sequence += u32::try_from(bytes).unwrap();
            socket.data_segments_sent += 1;
            (socket.unsent_bytes, socket.peer_window) = (0, WINDOW_BYTES);
            socket.last_sent_at = Some(now);
            acknowledge(socket, now);
            (socket.retransmits, socket.backoff, socket.timer) = (0, 0, Timer::None);
        }
    }

    /// Data is in flight and was retransmitted this often without an acknowledgment.
    pub(super) fn retransmit(&mut self, name: &str, count: u8) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(name) {
            if socket.unsent_bytes == 0 {
                write(socket, REQUEST_BYTES);
                socket.tx_bytes += REQUEST_BYTES;
                socket.data_segments_sent += 1;
            }
            socket.data_segments_sent += u32::from(count.saturating_sub(socket.retransmits));
            (socket.retransmits, socket.backoff, socket.timer) = (count, count, Timer::Retransmit);
            // A retransmission refreshes the kernel's timestamp of data sent.
            (socket.last_sent_at, socket.last_segment_at) = (Some(now), Some(now));
        }
    }

    /// The application wrote more than fits into the peer's window. The peer answers a window
    /// probe, but does not read.
    pub(super) fn stall(&mut self, name: &str, bytes: u64) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(name) {
            if socket.timer == Timer::WindowProbe {
                socket.backoff += 1;
            }
            let written = bytes.saturating_sub(socket.unsent_bytes);
            write(socket, written);
            (socket.peer_window, socket.timer) = (0, Timer::WindowProbe);
            acknowledge(socket, now);
        }
    }

    /// The same while data is in flight, which is retransmitted instead of window probes.
    pub(super) fn stall_in_flight(&mut self, name: &str, bytes: u64) {
        self.stall(name, bytes);
        if let Some(socket) = self.sockets.get_mut(name) {
            socket.timer = Timer::Retransmit;
            // Depending on its version, the kernel counts this as a retransmission or as a backoff.
            if socket.id.0.is_multiple_of(2) {
                socket.retransmits += 1;
            } else {
                socket.backoff += 1;
            }
        }
    }

    /// A keepalive probe is answered: segments without data.
    pub(super) fn keepalive(&mut self, name: &str) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(name) {
            acknowledge(socket, now);
        }
    }

    /// The last of this many keepalive probes was sent, and none was answered.
    pub(super) fn probe_unanswered(&mut self, name: &str, count: u8) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(name) {
            (socket.unanswered_probes, socket.last_segment_at) = (count, Some(now));
        }
    }

    pub(super) fn peer_closes(&mut self, name: &str) {
        let now = self.now;
        if self.is_half_closed(name) {
            return self.peer_closes_last(name);
        }
        if let Some(socket) = self.sockets.get_mut(name) {
            socket.state = TcpState::CloseWait;
            (socket.fin_received, socket.drained) = (Some(true), false);
            acknowledge(socket, now);
            let facts = socket.clone();
            let (from, to) = (TcpState::Established, TcpState::CloseWait);
            self.emit(&facts, EventKind::StateChanged { from, to });
        }
    }

    pub(super) fn peer_resets(&mut self, name: &str) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(name) {
            let from = core::mem::replace(&mut socket.state, TcpState::Closed);
            (socket.pending_error, socket.last_segment_at) = (Some(true), Some(now));
            socket.timer = Timer::None;
            let facts = socket.clone();
            self.emit(&facts, EventKind::StateChanged { from, to: TcpState::Closed });
        }
    }

    /// The application dissolves the connection (`AF_UNSPEC`) and connects the socket again.
    pub(super) fn reconnect(&mut self, name: &str) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(name) {
            socket.state = TcpState::Established;
            (socket.fin_received, socket.drained, socket.unread_bytes) = (Some(false), true, 0);
            (socket.last_sent_at, socket.last_received_at) = (Some(now), Some(now));
            (socket.rx_bytes, socket.pending_error) = (0, Some(false));
            (socket.data_segments_sent, socket.data_segments_received) = (0, 0);
            (socket.retransmits, socket.backoff, socket.timer) = (0, 0, Timer::None);
            acknowledge(socket, now);
            let facts = socket.clone();
            let actor =
                Actor { key: facts.owners[0].key, comm: facts.owners[0].comm.clone(), stack: None };
            self.emit(&facts, EventKind::Connected(Some(actor)));
        }
    }

    /// The last file descriptor is closed.
    pub(super) fn close(&mut self, name: &str) {
        if let Some(facts) = self.sockets.remove(name) {
            for owner in &facts.owners {
                self.ledgers.close(owner.key, owner.fd);
            }
            self.emit(&facts, EventKind::Destroyed);
        }
    }

    pub(super) fn snapshot(&mut self) -> Input {
        let (started_at, ended_at) = (self.now, self.now);
        let sockets = self.sockets.values().cloned();
        let mut sockets: Vec<SocketFacts> = sockets.collect();
        for socket in &mut sockets {
            if self.degraded {
                let is_dead = socket.state == TcpState::Closed;
                socket.last_segment_at = None;
                socket.fin_received = socket.fin_received.filter(|_| !is_dead);
                socket.pending_error = socket.pending_error.filter(|_| is_dead);
            }
        }
        sockets.retain(|socket| !socket.owners.is_empty());
        let sockets: Vec<Arc<SocketFacts>> = sockets.into_iter().map(Arc::new).collect();
        let holders = Holder::of(&sockets);
        let listeners = self.listeners.clone();
        let rest = Snapshot::default();
        Input::Snapshot(Snapshot { started_at, ended_at, sockets, holders, listeners, ..rest })
    }

    fn emit(&mut self, facts: &SocketFacts, kind: EventKind) {
        if self.degraded {
            return;
        }
        if self.losing {
            self.loss.ring_full += 1;
            self.outbox.push(Input::Loss(self.loss));
            return;
        }
        self.outbox.push(Input::Event(Event {
            at: self.now,
            id: facts.id,
            netns: facts.netns,
            local: facts.local,
            remote: facts.remote,
            kind,
        }));
    }
}

/// The peer acknowledges all data.
fn acknowledge(socket: &mut SocketFacts, now: Timestamp) {
    (socket.last_ack_at, socket.last_segment_at) = (Some(now), Some(now));
    socket.unanswered_probes = 0;
}

/// The application writes data that is not acknowledged yet.
fn write(socket: &mut SocketFacts, bytes: u64) {
    socket.unsent_bytes += bytes;
    socket.write_sequence += u32::try_from(bytes).unwrap();
}

#[test]
fn a_stall_ends_when_the_peer_reads_and_an_orphaned_peer_does_not_answer() {
    let mut world = World { now: Timestamp::from_ms(1_000), ..World::default() };
    world.open("a", 1, Direction::Outbound, SocketAddr::from(([10, 0, 0, 1], 443)));
    for second in 2..5 {
        world.now = Timestamp::from_ms(second * 1_000);
        world.stall("a", 5_000);
    }
    let stalled = &world.sockets["a"];
    assert_eq!((stalled.unsent_bytes, stalled.write_sequence, stalled.tx_bytes), (5_000, 5_001, 0));
    assert_eq!((stalled.timer, stalled.backoff, stalled.peer_window), (Timer::WindowProbe, 2, 0));
    assert_eq!(stalled.last_ack_at, Some(world.now));

    world.send("a", 10);
    let sent = &world.sockets["a"];
    assert_eq!((sent.unsent_bytes, sent.tx_bytes, sent.data_segments_sent), (0, 5_010, 1));
    assert_eq!((sent.timer, sent.backoff), (Timer::None, 0));

    let answered_at = Some(world.now);
    world.now = Timestamp::from_ms(60_000);
    world.probe_unanswered("a", 2);
    world.retransmit("a", 3);
    let gone = &world.sockets["a"];
    assert_eq!((gone.unanswered_probes, gone.retransmits, gone.timer), (2, 3, Timer::Retransmit));
    assert_eq!((gone.unsent_bytes, gone.data_segments_sent), (REQUEST_BYTES, 5));
    assert_eq!((gone.last_ack_at, gone.last_sent_at), (answered_at, Some(world.now)));
    world.keepalive("a");
    assert_eq!(world.sockets["a"].unanswered_probes, 0);
}
