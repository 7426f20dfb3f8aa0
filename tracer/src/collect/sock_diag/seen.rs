//! Converts the kernel's report on a socket to facts. It does no I/O.

use std::net::{IpAddr, SocketAddr};

use tracer_common::{FAMILY_INET, FAMILY_INET6, SocketRecord};
use tracer_core::{
    ConnectionId, Owners, SocketFacts, TcpState, Timestamp,
    decode::{self, DecodeError, FileDescriptor, KernelConstants},
};
use zerocopy::FromZeros as _;

use super::tcp_info::TcpInfo;

/// `tcp_info` has ages in milliseconds.
const CONSTANTS: KernelConstants = KernelConstants { jiffies_per_second: 1_000, fin_flag: FIN };
const FIN: u64 = 1;

/// A timestamp that is computed from an age is inexact, by a tick and by the time that the query
/// took. If two timestamps are within this distance and nothing was sent or received in between,
/// the first one is kept.
const SAME_MS: u64 = 200;

/// One socket, as the kernel reports it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) cookie: u64,
    pub(super) inode: u64,
    pub(super) netns: u32,
    /// Time of the report.
    pub(super) at: Timestamp,
    pub(super) endpoints: Endpoints,
    /// The kernel's number (`TCP_*`).
    pub(super) state: u8,
    pub(super) queue: Queue,
    pub(super) unsent_bytes: u32,
    /// The kernel's number (`ICSK_TIME_*`); 0 if it is not one that the list distinguishes.
    pub(super) timer: u8,
    pub(super) pending_error: Option<bool>,
    pub(super) info: TcpInfo,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoints {
    pub(super) local: SocketAddr,
    /// The remote address; `None` if the socket was never connected.
    pub(super) remote: Option<SocketAddr>,
}

/// What was received and not read, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Queue {
    /// An unread FIN counts as one byte.
    WithEnd(u32),
    /// An unread FIN does not count.
    WithoutEnd {
        bytes: u32,
        /// Whether the queue is not empty: it contains data or only a FIN.
        holds_any: bool,
    },
}

/// The facts about a socket that the next snapshot requires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    moved: (u64, u64),
    fin_received: Option<bool>,
    last_sent_at: Option<Timestamp>,
    last_received_at: Option<Timestamp>,
    last_ack_at: Option<Timestamp>,
}

impl Remembered {
    pub(super) const fn of(facts: &SocketFacts) -> Self {
        Self {
            moved: (facts.rx_bytes, facts.tx_bytes),
            fin_received: facts.fin_received,
            last_sent_at: facts.last_sent_at,
            last_received_at: facts.last_received_at,
            last_ack_at: facts.last_ack_at,
        }
    }
}

impl Seen {
    pub(super) const fn id(&self) -> ConnectionId {
        ConnectionId(self.cookie)
    }

    /// The facts that this source provides.
    ///
    /// # Errors
    /// The kernel reported an impossible value.
    pub(super) fn facts(
        &self,
        owners: Owners,
        before: Option<&Remembered>,
    ) -> Result<SocketFacts, DecodeError> {
        let FileDescriptor::Tcp(facts) = decode::file_descriptor(&self.record(), CONSTANTS)? else {
            return Err(DecodeError::UnknownState(self.state));
        };
        let drained = match self.queue {
            Queue::WithEnd(_) => facts.drained,
            Queue::WithoutEnd { bytes, holds_any } => bytes == 0 && !holds_any,
        };
        let facts = SocketFacts {
            owners,
            drained,
            fin_received: self.fin_received(),
            last_read_at: None,
            last_segment_at: None,
            pending_error: self.pending_error,
            ..facts
        };
        Ok(before.map_or_else(|| facts.clone(), |before| steadied(facts.clone(), before)))
    }

    /// Whether the peer's FIN was received, by the state; `None` if the socket is closed.
    fn fin_received(&self) -> Option<bool> {
        use TcpState::{CloseWait, Closed, Closing, LastAck, TimeWait};
        let state = TcpState::from_kernel(self.state)?;
        let had_end = matches!(state, CloseWait | LastAck | Closing | TimeWait);
        (state != Closed).then_some(had_end)
    }

    /// The report as a record of the iterator. The kernel does not report sequence numbers here;
    /// since only their differences matter, they count from 0.
    #[expect(clippy::cast_possible_truncation, reason = "sequence numbers and ages wrap")]
    fn record(&self) -> SocketRecord {
        let (info, has_fin) = (&self.info, self.fin_received() == Some(true));
        let queued = match self.queue {
            Queue::WithEnd(bytes) => bytes,
            Queue::WithoutEnd { bytes, holds_any } => {
                bytes.saturating_add(u32::from(has_fin && (bytes > 0 || holds_any)))
            }
        };
        let now_ms = self.at.as_ns() / 1_000_000;
        let stamp = |age_ms: u32| (now_ms as u32).wrapping_sub(age_ms).max(1);
        let is_connected = match TcpState::from_kernel(self.state) {
            None | Some(TcpState::SynSent | TcpState::Listen) => false,
            Some(TcpState::Closed) => self.endpoints.remote.is_some() && info.was_connected(),
            Some(_) => true,
        };
        let data_at = |age_ms| if is_connected { stamp(age_ms) } else { 0 };
        let mut record = SocketRecord::new_zeroed();
        record.cookie = self.cookie;
        record.inode = self.inode;
        record.at_ns = self.at.as_ns();
        record.jiffies = now_ms;
        record.bytes_received = info.bytes_received;
        record.bytes_acked = info.bytes_acked;
        record.bytes_sent = info.bytes_sent;
        record.bytes_retransmitted = info.bytes_retransmitted;
        record.flags = if has_fin { FIN } else { 0 };
        record.netns = self.netns;
        record.rcv_nxt = info.bytes_received as u32;
        record.copied_seq = record.rcv_nxt.wrapping_sub(queued);
        record.snd_una = info.bytes_acked as u32;
        record.write_seq = record.snd_una.wrapping_add(self.unsent_bytes);
        record.last_sent_jiffies = data_at(info.last_data_sent_ms);
        record.last_received_jiffies = data_at(info.last_data_received_ms);
        record.last_ack_jiffies = data_at(info.last_ack_received_ms);
        record.data_segments_sent = info.data_segments_out;
        record.data_segments_received = info.data_segments_in;
        record.peer_window = info.send_window;
        record.socket_type = 1;
        record.protocol = 6;
        record.state = self.state;
        record.timer = self.timer;
        record.retransmits = info.retransmits;
        record.backoff = info.backoff;
        record.probes_out = info.probes;
        record.family = match self.endpoints.local.ip() {
            IpAddr::V4(_) => FAMILY_INET,
            IpAddr::V6(_) => FAMILY_INET6,
        };
        record.local_port = self.endpoints.local.port();
        record.local_address = address(self.endpoints.local.ip());
        if let Some(remote) = self.endpoints.remote {
            record.remote_port = remote.port();
            record.remote_address = address(remote.ip());
        }
        record
    }
}

fn address(ip: IpAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match ip {
        IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes = ip.octets(),
    }
    bytes
}

/// Keeps timestamps that have not changed and, for a closed socket, that a FIN was received
/// earlier.
fn steadied(mut facts: SocketFacts, before: &Remembered) -> SocketFacts {
    let was_connected = facts.last_received_at.is_some();
    if facts.fin_received.is_none() && before.fin_received == Some(true) && was_connected {
        facts.fin_received = Some(true);
        facts.rx_bytes = facts.rx_bytes.saturating_sub(1);
        if !facts.drained {
            // The unread bytes of a closed socket do not include the FIN, as they did before.
            facts.read_sequence = facts.read_sequence.wrapping_sub(1);
        }
    }
    if (facts.rx_bytes, facts.tx_bytes) == before.moved {
        for (now, before) in [
            (&mut facts.last_sent_at, before.last_sent_at),
            (&mut facts.last_received_at, before.last_received_at),
            (&mut facts.last_ack_at, before.last_ack_at),
        ] {
            *now = now.map(|now| before.filter(|before| are_same(*before, now)).unwrap_or(now));
        }
    }
    facts
}

const fn are_same(one: Timestamp, other: Timestamp) -> bool {
    one.as_ns().abs_diff(other.as_ns()) <= SAME_MS * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(10_000_000);

    /// A connection that sent 100 bytes and received 50, a minute ago.
    fn seen(state: TcpState, queue: Queue) -> Seen {
        let mut info = TcpInfo::default();
        (info.last_data_sent_ms, info.last_data_received_ms) = (61_000, 60_000);
        info.last_ack_received_ms = 59_000;
        (info.bytes_acked, info.bytes_sent, info.bytes_received) = (101, 100, 50);
        info.send_window = 65_536;
        let state = (1..=11).find(|it| TcpState::from_kernel(*it) == Some(state)).unwrap();
        Seen {
            cookie: 7,
            inode: 8,
            netns: 9,
            at: NOW,
            endpoints: Endpoints {
                local: ([127, 0, 0, 1], 40_000).into(),
                remote: Some(([10, 0, 0, 1], 443).into()),
            },
            state,
            queue,
            unsent_bytes: 0,
            timer: 0,
            pending_error: None,
            info,
        }
    }

    fn facts(seen: &Seen) -> SocketFacts {
        seen.facts(Owners::new(), None).unwrap()
    }

    fn ago(milliseconds: u64) -> Timestamp {
        NOW.before_ms(milliseconds)
    }

    #[test]
    fn ages_and_counts_are_converted() {
        let facts = facts(&seen(TcpState::Established, Queue::WithEnd(20)));
        assert_eq!((facts.rx_bytes, facts.tx_bytes, facts.unread_bytes), (50, 100, 20));
        assert_eq!(facts.last_sent_at, Some(ago(61_000)));
        assert_eq!(facts.last_received_at, Some(ago(60_000)));
        assert_eq!(facts.last_ack_at, Some(ago(59_000)));
        assert_eq!((facts.fin_received, facts.drained), (Some(false), false));
        assert_eq!(facts.opened_actively, Some(true));
        assert_eq!((facts.last_segment_at, facts.pending_error), (None, None));
    }

    #[test]
    fn a_read_moves_the_sequence_and_an_arrival_does_not() {
        let mut seen = seen(TcpState::Established, Queue::WithEnd(20));
        let before = facts(&seen).read_sequence;
        (seen.queue, seen.info.bytes_received) = (Queue::WithEnd(30), 60);
        assert_eq!(facts(&seen).read_sequence, before);
        seen.queue = Queue::WithEnd(29);
        assert_eq!(facts(&seen).read_sequence, before + 1);
    }

    #[test]
    fn a_fin_is_no_data() {
        let close_wait = |queue| facts(&seen(TcpState::CloseWait, queue));
        for (queue, unread, drained) in [
            (Queue::WithEnd(0), 0, true),
            (Queue::WithEnd(1), 0, false),
            (Queue::WithEnd(11), 10, false),
            (Queue::WithoutEnd { bytes: 0, holds_any: false }, 0, true),
            (Queue::WithoutEnd { bytes: 0, holds_any: true }, 0, false),
            (Queue::WithoutEnd { bytes: 10, holds_any: true }, 10, false),
        ] {
            let facts = close_wait(queue);
            assert_eq!((facts.unread_bytes, facts.drained), (unread, drained), "{queue:?}");
            assert_eq!((facts.rx_bytes, facts.fin_received), (49, Some(true)), "{queue:?}");
        }
    }

    #[test]
    fn a_fin_of_a_closed_socket_is_known_if_it_was_seen_before() {
        let dead = seen(TcpState::Closed, Queue::WithoutEnd { bytes: 0, holds_any: false });
        assert_eq!(facts(&dead).fin_received, None);
        let before = facts(&seen(TcpState::CloseWait, Queue::WithEnd(1)));
        let after = dead.facts(Owners::new(), Some(&Remembered::of(&before))).unwrap();
        assert_eq!((after.fin_received, after.rx_bytes), (Some(true), 49));
        let before = facts(&seen(TcpState::Established, Queue::WithEnd(0)));
        let after = dead.facts(Owners::new(), Some(&Remembered::of(&before))).unwrap();
        assert_eq!(after.fin_received, None, "it may have come since");
    }

    #[test]
    fn a_socket_that_was_never_connected_has_no_timestamps() {
        let mut refused = seen(TcpState::Closed, Queue::WithoutEnd { bytes: 0, holds_any: false });
        (refused.info.bytes_acked, refused.info.bytes_received) = (0, 0);
        (refused.info.bytes_sent, refused.info.send_window) = (0, 0);
        assert_eq!(facts(&refused).last_received_at, None);
        refused.info.send_window = 1;
        assert_ne!(facts(&refused).last_received_at, None);
        refused.endpoints.remote = None;
        assert_eq!(facts(&refused).last_received_at, None, "it was disconnected (AF_UNSPEC)");
        let listener = seen(TcpState::Listen, Queue::WithEnd(3));
        assert_eq!(facts(&listener).last_sent_at, None);
    }

    #[test]
    fn a_timestamp_that_differs_slightly_is_the_same() {
        let mut later = seen(TcpState::Established, Queue::WithEnd(0));
        let before = facts(&later);
        later.at = Timestamp::from_ms(10_001_000);
        later.info.last_data_sent_ms += 1_003;
        later.info.last_data_received_ms += 990;
        later.info.last_ack_received_ms = 0;
        let after = later.facts(Owners::new(), Some(&Remembered::of(&before))).unwrap();
        assert_eq!(after.last_sent_at, before.last_sent_at);
        assert_eq!(after.last_received_at, before.last_received_at);
        assert_eq!(after.last_ack_at, Some(later.at), "a keepalive probe was answered");
    }
}
