//! What a socket shows of who waits: the process for a peer that reads slowly or not at all, or that
//! was sent a FIN and has not sent its own; and the connection for the application.

use crate::{Interval, SocketFacts, TcpState, Timer, Timestamp};

/// From this on, data that is unread or unsent at two snapshots is more than what is on its way. The
/// default window of a peer that reads; Linux starts with it (`net.ipv4.tcp_rmem`).
pub(crate) const BACKLOG_BYTES: u64 = 64 << 10;

/// What was seen of the peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    /// The latest snapshot that showed that the peer read more slowly than the process wrote.
    pub(crate) slow_at: Option<Timestamp>,
    /// When the process sent its FIN, while the peer's has not arrived.
    pub(crate) fin_sent: Option<Interval>,
}

/// It waits for the peer to read what was sent.
pub(crate) fn is_stalled(facts: &SocketFacts) -> bool {
    matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && facts.unsent_bytes > 0
        && (facts.timer == Timer::WindowProbe || is_dropped(facts))
}

/// Data in flight is dropped by the peer, whose window is closed or whose TCP memory is short.
fn is_dropped(facts: &SocketFacts) -> bool {
    let is_closed = facts.timer == Timer::Retransmit && facts.peer_window == 0;
    // A kernel may retransmit into a closed window and count the backoff only (seen on Linux 6.18).
    let is_retransmitted = facts.retransmits > 0 || (is_closed && facts.backoff > 0);
    is_retransmitted && (is_closed || facts.remote.ip().is_loopback())
}

/// The peer, or the path to it, takes less than the process writes: the window is closed, what waits
/// fills the window, or much waited at the snapshot before, too.
pub(crate) fn is_slow(facts: &SocketFacts, before: Option<&SocketFacts>) -> bool {
    let may_send =
        matches!(facts.state, TcpState::Established | TcpState::CloseWait | TcpState::FinWait1);
    let fills_window = facts.unsent_bytes > 1 && facts.unsent_bytes >= u64::from(facts.peer_window);
    let has_backlog = |facts: &SocketFacts| facts.unsent_bytes >= BACKLOG_BYTES;
    let is_backed_up = has_backlog(facts) && before.is_some_and(has_backlog);
    may_send && (is_stalled(facts) || fills_window || is_backed_up)
}

/// The process has sent its FIN (`shutdown(SHUT_WR)`), holds the socket, and the peer has not sent
/// its own FIN.
pub(crate) fn is_half_closed(facts: &SocketFacts) -> bool {
    matches!(facts.state, TcpState::FinWait1 | TcpState::FinWait2)
        && facts.fin_received != Some(true)
}

/// When the process sent the FIN of a half-closed socket that is seen at `at` and was last seen
/// without at `open_at`: after the last data, and not after the last segment. No event reports it.
pub(crate) fn fin_sent(facts: &SocketFacts, at: Timestamp, open_at: Option<Timestamp>) -> Interval {
    let latest = facts.last_segment_at.unwrap_or(at).min(at);
    let earliest = open_at.max(facts.last_sent_at).unwrap_or_default().min(latest);
    Interval { earliest, latest }
}

/// For how long the application had not used the connection when it used it again between the two
/// snapshots, the later of which began at `at`; 0 if it did not. `unread_since` is as of the earlier.
/// Exact if it was used once meanwhile, else an upper limit.
pub(crate) fn paused_ms(
    old: &SocketFacts,
    new: &SocketFacts,
    unread_since: Timestamp,
    at: Timestamp,
) -> u64 {
    // What was opened ahead of its first use has not paused.
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
