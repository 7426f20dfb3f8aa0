//! What a socket shows about waiting: whether the process is waiting for a peer (one that reads
//! slowly or not at all, or that received a FIN and has not sent its own), and how long the
//! connection has been waiting for the application.

use crate::{Interval, SocketFacts, TcpState, Timer, Timestamp, time::JIFFIES_MARGIN_MS};

/// At least this much unread or unsent data at two snapshots is more than data on its way. It is
/// the initial window of a peer on Linux (`net.ipv4.tcp_rmem`).
const BACKLOG_BYTES: u64 = 64 << 10;

/// What was seen of the peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    /// The latest snapshot that showed that the peer read more slowly than the process wrote.
    pub(crate) slow_at: Option<Timestamp>,
    /// The latest snapshot that showed that the process had written to the slow peer. What it wrote
    /// may not have been sent.
    pub(crate) written_at: Option<Timestamp>,
    /// When the process sent its FIN, as long as the peer's has not arrived.
    pub(crate) fin_sent: Option<Interval>,
}

/// Whether the socket is waiting for the peer to read what was sent.
pub(crate) fn is_stalled(facts: &SocketFacts) -> bool {
    matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && facts.unsent_bytes > 0
        && (facts.timer == Timer::WindowProbe || is_dropped(facts))
}

/// Whether the peer is dropping data in flight, because its window is closed or its TCP memory is
/// short.
fn is_dropped(facts: &SocketFacts) -> bool {
    let is_closed = facts.timer == Timer::Retransmit && facts.peer_window == 0;
    // A kernel may retransmit into a closed window and count only the backoff (seen on Linux 6.18).
    let is_retransmitted = facts.retransmits > 0 || (is_closed && facts.backoff > 0);
    is_retransmitted && (is_closed || facts.remote.ip().is_loopback())
}

/// Whether the peer, or the path to it, accepts less than the process writes: the window is closed,
/// the waiting data fills the window, or much data was already waiting at the previous snapshot.
pub(crate) fn is_slow(facts: &SocketFacts, before: Option<&SocketFacts>) -> bool {
    let may_send =
        matches!(facts.state, TcpState::Established | TcpState::CloseWait | TcpState::FinWait1);
    let fills_window = facts.unsent_bytes > 1 && facts.unsent_bytes >= u64::from(facts.peer_window);
    let has_backlog = |facts: &SocketFacts| facts.unsent_bytes >= BACKLOG_BYTES;
    let is_backed_up = has_backlog(facts) && before.is_some_and(has_backlog);
    may_send && (is_stalled(facts) || fills_window || is_backed_up)
}

/// Whether the process has sent its FIN (`shutdown(SHUT_WR)`) and holds the socket, and the peer
/// has not sent its own FIN.
pub(crate) fn is_half_closed(facts: &SocketFacts) -> bool {
    matches!(facts.state, TcpState::FinWait1 | TcpState::FinWait2)
        && facts.fin_received != Some(true)
}

/// When the process sent the FIN of a half-closed socket that is seen at `at`, if `known` was known
/// at the previous snapshot and `open_at` is the latest one that showed no FIN: after the last
/// data, and not after the last segment. No event reports it. As in
/// [`closed_by_peer`](crate::closing_times::closed_by_peer), if nothing has arrived for longer than
/// this interval, the last segment was the answer to the FIN and not to a keepalive probe.
pub(crate) fn fin_sent(
    known: Option<Interval>,
    facts: &SocketFacts,
    at: Timestamp,
    open_at: Option<Timestamp>,
) -> Interval {
    let first = || {
        let latest = facts.last_segment_at.unwrap_or(at).min(at);
        let earliest = open_at.max(facts.last_sent_at).unwrap_or_default().min(latest);
        Interval { earliest, latest }
    };
    let interval = known.unwrap_or_else(first);
    let length_ms = interval.latest.ms_since(interval.earliest);
    let is_last = facts.last_segment_at.is_some_and(|segment_at| segment_at <= interval.latest);
    if is_last && at.ms_since(interval.latest) > length_ms + JIFFIES_MARGIN_MS {
        return Interval::exact(interval.latest);
    }
    interval
}

/// The pause, in milliseconds, after which the application used the connection between two
/// snapshots, the later of which began at `at`; 0 if it did not. `unread_since` is as of the
/// earlier snapshot. Exact if the connection was used once in between, else an upper bound.
pub(crate) fn paused_ms(
    old: &SocketFacts,
    new: &SocketFacts,
    unread_since: Timestamp,
    at: Timestamp,
) -> u64 {
    // A connection that was opened ahead of its first use has not paused.
    if old.data_segments_sent == 0 && old.data_segments_received == 0 {
        return 0;
    }
    let used_at = old.last_sent_at.max(old.last_received_at);
    let pause = if old.write_sequence != new.write_sequence {
        new.last_sent_at.zip(used_at)
    } else if old.read_sequence == new.read_sequence {
        None
    } else if old.unread_bytes > 0 {
        Some((new.last_read_at.unwrap_or(at), unread_since))
    } else if old.rx_bytes != new.rx_bytes {
        new.last_received_at.zip(used_at)
    } else {
        // EOF.
        None
    };
    pause.map_or(0, |(again_at, used_at)| again_at.ms_since(used_at))
}
