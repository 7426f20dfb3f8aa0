//! Inputs that describe a simulated host.

use std::{net::SocketAddr, sync::Arc};

use tracer_core::{
    Actor, Comm, ConnectionId, Event, EventKind, Holder, Owner, ProcessKey, Snapshot, SocketFacts,
    TcpState, Timer, Timestamp,
};

/// The first file descriptor of a connection.
const FIRST_FD: u32 = 10;

/// The `number`th process, started at `start_ms`.
pub(crate) fn process(number: u64, start_ms: u64) -> ProcessKey {
    let pid = u32::try_from(2_000 + number % 30_000).unwrap();
    ProcessKey { start_time_ns: start_ms * 1_000_000, pid }
}

/// A connection to one of 50 addresses that carried one request and was last used at `used_ms`.
pub(crate) fn connection(id: u64, key: ProcessKey, used_ms: u64) -> SocketFacts {
    let used_at = Timestamp::from_ms(used_ms);
    let owner = Owner {
        key,
        fd: FIRST_FD + u32::try_from(id % 20_000).unwrap(),
        comm: Comm("api".into()),
        in_scope: true,
    };
    SocketFacts {
        id: ConnectionId(id),
        inode: 500_000 + id,
        netns: 1,
        state: TcpState::Established,
        local: local(id),
        remote: remote(id),
        owners: [owner].into(),
        rx_bytes: 2_000,
        tx_bytes: 300,
        unread_bytes: 0,
        unsent_bytes: 0,
        fin_received: Some(false),
        drained: true,
        read_sequence: 2_000,
        write_sequence: 300,
        last_sent_at: Some(used_at),
        last_received_at: Some(used_at),
        last_read_at: Some(used_at),
        last_segment_at: Some(used_at),
        last_ack_at: Some(used_at),
        data_segments_sent: 1,
        data_segments_received: 2,
        unanswered_probes: 0,
        retransmits: 0,
        backoff: 0,
        timer: Timer::None,
        peer_window: 65_160,
        pending_error: Some(false),
        opened_actively: Some(true),
    }
}

/// A snapshot at `now_ms`.
pub(crate) fn snapshot(connections: &[SocketFacts], now_ms: u64) -> Snapshot {
    let at = Timestamp::from_ms(now_ms);
    let sockets: Vec<_> = connections.iter().cloned().map(Arc::new).collect();
    let holders = Holder::of(&sockets);
    Snapshot { started_at: at, ended_at: at, sockets, holders, ..Snapshot::default() }
}

/// A connection that opens and closes between two snapshots.
pub(crate) fn short_lived(id: u64, key: ProcessKey, at_ms: u64) -> [Event; 4] {
    let actor = Actor { key, comm: Comm("api".into()), stack: None };
    let (from, to) = (TcpState::SynSent, TcpState::Established);
    let kinds = [
        EventKind::Connected(Some(actor)),
        EventKind::StateChanged { from, to },
        EventKind::StateChanged { from: to, to: TcpState::CloseWait },
        EventKind::Destroyed,
    ];
    kinds.map(|kind| Event {
        at: Timestamp::from_ms(at_ms),
        id: ConnectionId(id),
        netns: 1,
        local: local(id),
        remote: remote(id),
        kind,
    })
}

fn local(id: u64) -> SocketAddr {
    SocketAddr::new([10, 0, 0, 1].into(), u16::try_from(32_768 + id % 28_000).unwrap())
}

fn remote(id: u64) -> SocketAddr {
    SocketAddr::new([10, 0, 1, u8::try_from(id % 50).unwrap()].into(), 443)
}
