//! Size of the recording of a busy host: 10,000 idle connections with keepalive probes as Go sends
//! them by default, and 100 connections a second that are opened and closed.

use std::{fs, net::SocketAddr, sync::Arc};

use tracer_core::{
    Actor, Comm, ConnectionId, Event, EventKind, Holder, HostFacts, Input, Owner, ProcessFacts,
    ProcessKey, Reader, ReaderFacts, Readers, Snapshot, SocketFacts, StackId, TcpState, Timer,
};

use super::*;

const IDLE: u64 = 10_000;
const PROCESSES: u64 = 10;
const CONNECTS_PER_SECOND: u64 = 100;
/// Seconds that are recorded, with a snapshot in each, to extrapolate to an hour.
const SECONDS: u64 = 60;
/// Complete snapshots in an hour: each begins a segment.
const SEGMENTS: u64 = 3;
const HOUR_MAX_BYTES: u64 = 20 << 20;

/// Pseudo-random numbers (Knuth's linear congruential generator).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn process(number: u64) -> ProcessKey {
    let pid = u32::try_from(2_000 + number).unwrap();
    ProcessKey { start_time_ns: 98_765_432_100 + number * 1_234_567_890, pid }
}

fn address(host: u64, port: u64) -> SocketAddr {
    let host = u8::try_from(host).unwrap();
    SocketAddr::new([10, 20, 30, host].into(), u16::try_from(port).unwrap())
}

fn socket(number: u64, noise: &mut Noise) -> SocketFacts {
    let used_at = Timestamp::from_ns(1_000_000_000_000 + noise.below(1 << 31) / 1_000 * 1_000_000);
    let owner = Owner {
        key: process(number % PROCESSES),
        fd: u32::try_from(10 + number / PROCESSES).unwrap(),
        comm: Comm("api".into()),
        in_scope: true,
    };
    SocketFacts {
        id: ConnectionId(4_096 + number),
        inode: 500_000 + number * 3,
        netns: 4_026_531_840,
        state: TcpState::Established,
        local: address(1, 32_768 + number % 28_000),
        remote: address(2 + number % 50, 443),
        owners: [owner].into(),
        rx_bytes: noise.below(100_000),
        tx_bytes: noise.below(10_000),
        unread_bytes: 0,
        unsent_bytes: 0,
        fin_received: Some(false),
        drained: true,
        read_sequence: u32::try_from(noise.below(1 << 31)).unwrap(),
        write_sequence: u32::try_from(noise.below(1 << 31)).unwrap(),
        last_sent_at: Some(used_at),
        last_received_at: Some(used_at),
        last_read_at: Some(used_at),
        last_segment_at: Some(used_at),
        last_ack_at: Some(used_at),
        data_segments_sent: 3,
        data_segments_received: 4,
        unanswered_probes: 0,
        retransmits: 0,
        backoff: 0,
        timer: Timer::None,
        peer_window: 65_160,
        pending_error: Some(false),
        opened_actively: Some(true),
    }
}

/// One connection from `connect` to its destruction, in the second that begins at `at_ns`.
fn short_lived(id: u64, at_ns: u64, noise: &mut Noise) -> [Event; 4] {
    let actor = Actor {
        key: process(id % PROCESSES),
        comm: Comm("api".into()),
        stack: Some(StackId(u32::try_from(noise.below(20)).unwrap())),
    };
    let local = address(1, 32_768 + noise.below(28_000));
    let remote = address(2 + noise.below(50), 443);
    let (from, to) = (TcpState::SynSent, TcpState::Established);
    let kinds = [
        EventKind::Connected(Some(actor)),
        EventKind::StateChanged { from, to },
        EventKind::StateChanged { from: to, to: TcpState::CloseWait },
        EventKind::Destroyed,
    ];
    let mut at_ns = at_ns + noise.below(900_000) * 1_000;
    kinds.map(|kind| {
        at_ns += 50_000 + noise.below(20_000) * 1_000;
        let at = Timestamp::from_ns(at_ns);
        Event { at, id: ConnectionId(id), netns: 4_026_531_840, local, remote, kind }
    })
}

/// Keepalive probes were answered, 15 s after the previous ones: Go's default.
fn keep_alive(idle: &mut [SocketFacts], now: Timestamp, noise: &mut Noise) {
    for facts in idle {
        let due_ns = facts.last_segment_at.unwrap_or_default().as_ns()
            + (15_000 + noise.below(8)) * 1_000_000;
        if due_ns <= now.as_ns() {
            // The first probe of a connection is at any time in the interval.
            let is_first = now.as_ns() - due_ns > 1_000_000_000;
            let seen_ns =
                if is_first { now.as_ns() - noise.below(15_000) * 1_000_000 } else { due_ns };
            facts.last_segment_at = Some(Timestamp::from_ns(seen_ns));
            facts.last_ack_at = Some(Timestamp::from_ns(seen_ns / 4_000_000 * 4_000_000));
        }
    }
}

/// The answers to the detector's questions about each process after a snapshot.
fn answers(sockets: &[SocketFacts], at: Timestamp) -> impl Iterator<Item = Input> {
    (0..PROCESSES).flat_map(move |number| {
        let key = process(number);
        let facts = ProcessFacts {
            key,
            exe: Some("/usr/local/bin/api".to_owned()),
            cmdline: None,
            script: None,
            uid: Some(1_000),
            container: None,
            inner_pid: None,
            open_fds: Some(5_010),
            fd_limit: Some(65_536),
            stopped: false,
            has_executed: Some(true),
        };
        let held = sockets.iter().filter(|facts| facts.owners[0].key == key);
        let found = held.map(|facts| ReaderFacts {
            id: facts.id,
            reader: Reader::Epoll,
            is_registered: true,
            http: None,
        });
        let found = found.collect();
        let readers = Readers { process: key, at, found, goroutines: None, limits: Vec::new() };
        [Input::Process(facts), Input::Readers(readers)]
    })
}

#[test]
fn an_hour_of_a_busy_host_is_below_twenty_mebibytes() {
    let test = TestFile::new();
    let mut noise = Noise(1);
    let mut recorder = Recorder::create(&test.path(), None, head()).unwrap();
    let mut idle: Vec<SocketFacts> = (0..IDLE).map(|number| socket(number, &mut noise)).collect();
    recorder.input(&Input::Host(HostFacts::default()));
    let mut next_id = 1 << 20;
    let mut whole = 0;
    for second in 0..=SECONDS {
        let at_ns = 5_000_000_000_000 + second * 1_000_000_000;
        let ids = next_id..next_id + CONNECTS_PER_SECOND;
        next_id = ids.end;
        let mut events: Vec<Event> =
            ids.flat_map(|id| short_lived(id, at_ns, &mut noise)).collect();
        events.sort_by_key(|event| event.at);
        for event in events {
            recorder.input(&Input::Event(event));
        }
        let started_at = Timestamp::from_ns(at_ns + 1_000_000_000 + noise.below(1_000_000));
        let ended_at = Timestamp::from_ns(started_at.as_ns() + 18_000_000 + noise.below(1 << 20));
        keep_alive(&mut idle, Timestamp::from_ns(at_ns), &mut noise);
        let mut sockets = idle.clone();
        // Some of the others are open in the snapshot, among the idle ones.
        for _ in 0..5 {
            let young = socket((1 << 20) + next_id * 5 + noise.below(5), &mut noise);
            sockets.insert(usize::try_from(noise.below(IDLE)).unwrap(), young);
        }
        let sockets: Vec<_> = sockets.into_iter().map(Arc::new).collect();
        let holders = Holder::of(&sockets);
        let snapshot = Snapshot { started_at, ended_at, sockets, holders, ..Snapshot::default() };
        recorder.input(&Input::Snapshot(snapshot));
        recorder.asked(ended_at);
        for input in answers(&idle, ended_at) {
            recorder.input(&input);
        }
        recorder.input(&Input::Unanswered(0));
        recorder.input(&Input::Tick(ended_at));
        recorder.reported();
        if second == 0 {
            whole = fs::metadata(test.path()).unwrap().len();
        }
    }
    recorder.finish().unwrap();
    let length = fs::metadata(test.path()).unwrap().len();
    let hour = SEGMENTS * whole + (length - whole) * 3_600 / SECONDS;
    assert!(hour < HOUR_MAX_BYTES, "{} KiB an hour", hour >> 10);
}
