//! Decodes the records of the BPF programs. Any bytes give a value or a [`DecodeError`]; nothing
//! panics.
//!
//! Kernel counters need interpretation. A received FIN takes one sequence number, so it is
//! subtracted from `bytes_received` and from `rcv_nxt - copied_seq`. Timestamps of data
//! (`lsndtime`, `icsk_ack.lrcvtime`, `rcv_tstamp`) are the low 32 bits of jiffies. IPv4-mapped IPv6
//! addresses become IPv4.

use alloc::{borrow::ToOwned, string::String};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smallvec::smallvec;
use thiserror::Error;
use tracer_common::{
    EventRecord, FAMILY_INET, FAMILY_INET6, PROTOCOL_TCP, SocketRecord, StackKey, TYPE_STREAM,
};
use zerocopy::FromBytes;

use crate::{
    Actor, Comm, ConnectionId, Event, EventKind, Owner, ProcessKey, SocketFacts, StackId, TcpState,
    Timer, Timestamp,
};

/// Windows are below 1 GiB, so a larger difference of sequence numbers means an inconsistent read.
const SEQUENCE_HALF: u32 = 1 << 31;

/// Nanoseconds per microsecond. Events are dated to the microsecond, which makes recordings
/// smaller.
const US: u64 = 1_000;

/// Why a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Fewer bytes than a record has.
    #[error("record of {found} bytes, expected {expected}")]
    Truncated {
        /// Bytes found.
        found: usize,
        /// Bytes of a record.
        expected: usize,
    },
    /// The number is not a [`tracer_common::EventKind`].
    #[error("unknown event kind {0}")]
    UnknownKind(u32),
    /// The number is not a TCP state.
    #[error("unknown TCP state {0}")]
    UnknownState(u8),
    /// Neither IPv4 nor IPv6.
    #[error("unknown address family {0}")]
    UnknownFamily(u16),
    /// The socket has no cookie, so later records about it could not be recognized.
    #[error("socket without a cookie")]
    NoCookie,
}

/// Constants of the running kernel's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelConstants {
    /// Jiffies per second (`CONFIG_HZ`); at least 1.
    pub jiffies_per_second: u32,
    /// The flag in `sk_flags` that is set when the peer's FIN has arrived: `1 << SOCK_DONE`.
    pub fin_flag: u64,
}

/// A file descriptor as the iterator reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large variant, and none is stored"
)]
pub enum FileDescriptor {
    /// A file descriptor of a TCP socket. Its one owner is this file descriptor.
    Tcp(SocketFacts),
    /// A file descriptor of a socket without a `struct tcp_sock` of its own, with the name of its
    /// protocol.
    NotJudged(String),
}

/// Decodes one record of the ring buffer. `stack` gives the number of its stack.
///
/// # Errors
/// The bytes are not an [`EventRecord`], or a number in it is unknown.
pub fn event(
    bytes: &[u8],
    stack: impl FnOnce(StackKey) -> Option<StackId>,
) -> Result<Event, DecodeError> {
    let expected = size_of::<EventRecord>();
    let (record, _) = EventRecord::read_from_prefix(bytes)
        .map_err(|_| DecodeError::Truncated { found: bytes.len(), expected })?;
    if record.cookie == 0 {
        return Err(DecodeError::NoCookie);
    }
    let address = |bytes: [u8; 16], port| address(record.family, bytes, port);
    Ok(Event {
        at: Timestamp::from_ns(record.at_ns - record.at_ns % US),
        id: ConnectionId(record.cookie),
        netns: record.netns,
        local: address(record.local_address, record.local_port)?,
        remote: address(record.remote_address, record.remote_port)?,
        kind: kind(&record, stack)?,
    })
}

fn kind(
    record: &EventRecord,
    stack: impl FnOnce(StackKey) -> Option<StackId>,
) -> Result<EventKind, DecodeError> {
    let actor = || {
        (record.pid != 0).then(|| Actor {
            key: ProcessKey { start_time_ns: record.start_time_ns, pid: record.pid },
            comm: Comm::from_kernel(&record.comm),
            stack: StackKey::new(record.pid, record.stack).and_then(stack),
        })
    };
    Ok(match record.kind {
        1 => EventKind::Connected(actor()),
        2 => EventKind::Accepted(actor()),
        3 => {
            EventKind::StateChanged { from: state(record.old_state)?, to: state(record.new_state)? }
        }
        4 => EventKind::Destroyed,
        other => return Err(DecodeError::UnknownKind(other)),
    })
}

/// Decodes one record of the iterator.
///
/// # Errors
/// A number in the record is unknown, because the socket changed while it was read.
pub fn file_descriptor(
    record: &SocketRecord,
    constants: KernelConstants,
) -> Result<FileDescriptor, DecodeError> {
    if let Some(name) = not_judged(record) {
        return Ok(FileDescriptor::NotJudged(name.to_owned()));
    }
    if record.cookie == 0 {
        return Err(DecodeError::NoCookie);
    }
    let state = state(record.state)?;
    let sequences = Sequences::of(record, state, constants);
    let at = Timestamp::from_ns(record.at_ns);
    let connected = record.last_received_jiffies != 0 && state != TcpState::Listen;
    let data_at = |jiffies| connected.then(|| stamped_at(record, jiffies, constants));
    Ok(FileDescriptor::Tcp(SocketFacts {
        id: ConnectionId(record.cookie),
        inode: record.inode,
        netns: record.netns,
        state,
        local: address(record.family, record.local_address, record.local_port)?,
        remote: address(record.family, record.remote_address, record.remote_port)?,
        owners: smallvec![Owner {
            key: ProcessKey { start_time_ns: record.start_time_ns, pid: record.pid },
            fd: record.fd,
            comm: Comm::from_kernel(&record.comm),
            in_scope: true,
        }],
        rx_bytes: sequences.rx_bytes,
        tx_bytes: record.bytes_sent.saturating_sub(record.bytes_retransmitted),
        unread_bytes: sequences.unread_bytes,
        unsent_bytes: sequences.unsent_bytes,
        fin_received: Some(sequences.fin_received),
        drained: sequences.drained,
        read_sequence: record.copied_seq,
        write_sequence: record.write_seq,
        last_sent_at: data_at(record.last_sent_jiffies),
        last_received_at: data_at(record.last_received_jiffies),
        last_read_at: (connected && record.last_read_us != 0)
            .then(|| Timestamp::from_ms(record.last_read_us / 1_000).min(at)),
        last_segment_at: Some(Timestamp::from_ms(record.last_segment_us / 1_000).min(at)),
        last_ack_at: if record.last_ack_jiffies == 0 {
            // The socket was restored into ESTABLISHED by `TCP_REPAIR` and has been idle since.
            None
        } else {
            data_at(record.last_ack_jiffies)
        },
        data_segments_sent: record.data_segments_sent,
        data_segments_received: record.data_segments_received,
        unanswered_probes: record.probes_out,
        retransmits: record.retransmits,
        backoff: record.backoff,
        timer: Timer::from_kernel(record.timer),
        peer_window: record.peer_window,
        pending_error: Some(record.error != 0),
        opened_actively: sequences.opened_actively,
    }))
}

/// The name of a protocol that looks like TCP by family and type but has no `struct tcp_sock` of
/// its own (`IPPROTO_MPTCP`, `IPPROTO_SMC`, `IPPROTO_SCTP`).
fn not_judged(record: &SocketRecord) -> Option<&'static str> {
    match (record.socket_type, record.protocol) {
        (TYPE_STREAM, PROTOCOL_TCP) => None,
        (_, 262) => Some("mptcp"),
        (_, 256) => Some("smc"),
        (_, 132) => Some("sctp"),
        _ => Some("other"),
    }
}

/// Values derived from the sequence numbers of a connection.
struct Sequences {
    rx_bytes: u64,
    unread_bytes: u64,
    unsent_bytes: u64,
    fin_received: bool,
    drained: bool,
    opened_actively: Option<bool>,
}

impl Sequences {
    fn of(record: &SocketRecord, state: TcpState, constants: KernelConstants) -> Self {
        if matches!(state, TcpState::Listen | TcpState::SynSent | TcpState::SynReceived) {
            // No data has been exchanged, and a listener's fields hold other values.
            return Self {
                rx_bytes: 0,
                unread_bytes: 0,
                unsent_bytes: 0,
                fin_received: false,
                drained: true,
                opened_actively: (state == TcpState::SynSent).then_some(true),
            };
        }
        let fin_received = record.flags & constants.fin_flag != 0;
        let fin = u64::from(fin_received);
        let queued = u64::from(distance(record.copied_seq, record.rcv_nxt));
        let unsent = u64::from(distance(record.snd_una, record.write_seq));
        Self {
            // The FIN takes one sequence number, which counts as received, and as unread until it
            // is consumed.
            rx_bytes: record.bytes_received.saturating_sub(fin),
            unread_bytes: if queued > 0 { queued - fin } else { 0 },
            unsent_bytes: unsent,
            fin_received,
            drained: queued == 0,
            opened_actively: opened_actively(record, state, unsent),
        }
    }
}

/// Whether this side opened the connection. The SYN of an active open takes one sequence number and
/// is acknowledged like data (`bytes_acked` is one more than the data sent); that of a passive open
/// was acknowledged before the socket existed. A FIN sent by this side looks the same, so a
/// difference of one is not conclusive for a dead socket.
fn opened_actively(record: &SocketRecord, state: TcpState, unsent_bytes: u64) -> Option<bool> {
    if unsent_bytes != 0 {
        return None;
    }
    let data_sent = record.bytes_sent.checked_sub(record.bytes_retransmitted)?;
    match (state, record.bytes_acked.checked_sub(data_sent)?) {
        (TcpState::Established | TcpState::CloseWait, 1) | (TcpState::Closed, 2) => Some(true),
        (TcpState::Established | TcpState::CloseWait | TcpState::Closed, 0) => Some(false),
        _ => None,
    }
}

/// Sequence numbers from `start` to `end`; 0 if `end` is before `start`.
fn distance(start: u32, end: u32) -> u32 {
    let distance = end.wrapping_sub(start);
    if distance < SEQUENCE_HALF { distance } else { 0 }
}

/// When the kernel wrote `stamp`, the low 32 bits of jiffies. Ages wrap at 2^32 jiffies: 49 days at
/// 1,000 per second. A stamp slightly after the record's own clock reading means now.
fn stamped_at(record: &SocketRecord, stamp: u32, constants: KernelConstants) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "the kernel also compares the low 32 bits")]
    let age = (record.jiffies as u32).wrapping_sub(stamp);
    let age = if age > u32::MAX - 1_000 { 0 } else { age };
    let age_ns = u64::from(age).saturating_mul(tick_ns(constants.jiffies_per_second));
    Timestamp::from_ns(record.at_ns.saturating_sub(age_ns))
}

/// Length of a jiffy in nanoseconds, as the kernel rounds it (`TICK_NSEC`).
pub fn tick_ns(jiffies_per_second: u32) -> u64 {
    let rate = u64::from(jiffies_per_second.max(1));
    (1_000_000_000 + rate / 2) / rate
}

fn state(number: u8) -> Result<TcpState, DecodeError> {
    TcpState::from_kernel(number).ok_or(DecodeError::UnknownState(number))
}

/// An address as the application sees it: IPv4-mapped IPv6 becomes IPv4.
fn address(family: u16, bytes: [u8; 16], port: u16) -> Result<SocketAddr, DecodeError> {
    let ip = match family {
        FAMILY_INET => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
        FAMILY_INET6 => IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical(),
        other => return Err(DecodeError::UnknownFamily(other)),
    };
    Ok(SocketAddr::new(ip, port))
}
