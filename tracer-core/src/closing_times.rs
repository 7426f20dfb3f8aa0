//! When a socket died, and when its peer closed it, derived from snapshots.

use crate::{Interval, SocketFacts, Timestamp, time::JIFFIES_MARGIN_MS};

/// Whether a read between the two snapshots returned EOF and no data. An empty receive queue alone
/// does not show that: a FIN that arrives with the last data, or while it is unread, is consumed by
/// the read of exactly that data, and the application does not learn of it.
pub(crate) const fn has_read_eof(old: &SocketFacts, new: &SocketFacts) -> bool {
    let nothing_else_to_read = old.unread_bytes == 0 && old.rx_bytes == new.rx_bytes;
    let was_read_before = has_fin(old) && old.drained;
    nothing_else_to_read && !was_read_before && has_fin(new) && new.drained
}

/// Whether the peer's FIN is known to have been received.
pub(crate) const fn has_fin(facts: &SocketFacts) -> bool {
    matches!(facts.fin_received, Some(true))
}

/// When a socket died that was found dead at `at` and last found alive at `alive_at`: at its last
/// segment, because `tcp_mstamp` of a dead socket is not updated. If that is unknown: after every
/// known event of the connection.
pub(crate) fn death(facts: &SocketFacts, at: Timestamp, alive_at: Option<Timestamp>) -> Interval {
    let unknown = || {
        let lived = [alive_at, facts.last_sent_at, facts.last_received_at, facts.last_ack_at];
        let earliest = lived.into_iter().max().flatten().unwrap_or_default().min(at);
        Interval { earliest, latest: at }
    };
    facts.last_segment_at.map_or_else(unknown, Interval::exact)
}

/// When the FIN that is seen at `at` arrived: after the last data, after the last snapshot that did
/// not show it (`open_at`), and not after the last segment or ACK. Answered keepalive probes
/// refresh both of those, so the interval may be wide.
///
/// Probes are periodic, and the first one is sent one period after the last segment. If the last
/// segment were the answer to a probe, the period would be shorter than the interval, and another
/// probe would have followed within it. So if nothing has arrived for longer than that, the last
/// segment was the FIN.
pub(crate) fn closed_by_peer(
    facts: &SocketFacts,
    at: Timestamp,
    open_at: Option<Timestamp>,
) -> Interval {
    let latest = facts.last_segment_at.or(facts.last_ack_at).unwrap_or(at);
    let earliest = open_at.max(facts.last_received_at).unwrap_or_default().min(latest);
    let quiet_ms = at.ms_since(latest);
    let sent_nothing_since = facts.last_sent_at <= facts.last_received_at;
    if facts.last_segment_at.is_some()
        && sent_nothing_since
        && quiet_ms > latest.ms_since(earliest) + JIFFIES_MARGIN_MS
    {
        return Interval::exact(latest);
    }
    Interval { earliest, latest }
}
