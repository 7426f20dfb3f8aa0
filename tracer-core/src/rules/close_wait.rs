//! **close-wait** and **stale-pool**: the peer closed, and the process did not.
//!
//! Claim: the connection has been in CLOSE_WAIT for `--idle`, nothing was sent since the peer closed,
//! and nothing was read within `--idle`.
//!
//! - *certain*: confirmed by heap search.
//! - *likely*: one of these accumulated ([`accumulation`](super::accumulation)):
//!   - more than `--pool-size` connections to one address that carried at most one request or were
//!     left unread;
//!   - more than four times `--pool-size` connections of any kind to one address; more than
//!     `--pool-size` connections are enough if they are beyond a pool that was watched
//!     ([`turnover`](crate::turnover));
//!   - at least `--min-count` connections on which the process was seen to receive EOF.
//!
//!   Or the process is at its fd limit ([`fd_limit`](super::fd_limit)).
//! - *possible*: more than `--pool-size` connections; or at least `--min-count` connections with
//!   nothing unread; or any number of connections if on one of them the process received EOF, or
//!   the heap search found no reference to the response, or if the process may return to most of
//!   the connections or still answer the requests on most of them.
//! - **stale-pool** *info*: fewer connections.
//!
//! Lookalikes: a client pool keeps the connections that the server closed until it next uses them,
//! and a restart of the server leaves many at once. A forwarder that has forwarded the FIN
//! keeps its side until its client closes. A pool with one connection per thread may be large, and
//! when load drops its connections are closed one after the other, as those of a leak are. Pool
//! connections have usually carried several requests, while leaked connections have usually
//! carried one or were left unread; if the pool's carried one as well, a snapshot cannot
//! distinguish them. A peer may also close only its sending direction to mark the end of its
//! request and wait for the response; until the response is sent, that cannot be distinguished from
//! a peer that is gone.

use super::{Accumulation, Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{
    Caveat, Confidence, Direction, DurationRange, Evidence, Interval, Occurrence, SocketFacts,
    TcpState, Verdict, connection_view::ConnectionView,
};

pub(super) const RULE: Rule = Rule::new(RuleId::CloseWait, claims, occurred, assess);

fn claims(view: &ConnectionView<'_>) -> bool {
    // A half-closed connection on which the process still sends is in use.
    view.facts.state == TcpState::CloseWait
        && view.can_run()
        && !view.is_being_read()
        && view.is_overdue(view.peer_closed_ago().max_ms.min(view.sent_ms()))
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    view.tracked.peer_closed.unwrap_or(Interval::exact(view.tracked.seen_at))
}

/// Whether the peer certainly closed at least `--idle` ago. If keepalive probes are answered, an
/// audit cannot know.
fn is_certainly_overdue(view: &ConnectionView<'_>) -> bool {
    view.is_overdue(view.peer_closed_ago().min_ms)
}

/// Whether the peer has sent a request that the process has read completely, so that the process
/// may be preparing the response.
pub(crate) fn may_be_answered(direction: Direction, facts: &SocketFacts) -> bool {
    facts.state == TcpState::CloseWait
        && direction == Direction::Inbound
        && facts.rx_bytes > 0
        && facts.tx_bytes == 0
        && facts.unread_bytes == 0
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, enough) = (claimed.count(), claimed.count_min());
    let certain = claimed.count_where(is_certainly_overdue);
    let has_received_eof =
        |member: &ConnectionView<'_>| member.tracked.eof_received && is_certainly_overdue(member);
    let received_eof = claimed.count_where(has_received_eof);
    let drained = claimed.count_where(|member| member.facts.drained);
    let is_unused =
        |member: &ConnectionView<'_>| member.is_unused() && is_certainly_overdue(member);
    let accumulated = claimed.dead_accumulation(is_unused, is_certainly_overdue);
    let noticed = match claimed.accumulation(has_received_eof) {
        Accumulation::OneByOne if received_eof < enough => Accumulation::AtOnce,
        noticed => noticed,
    };
    let has_accumulated = accumulated == Accumulation::OneByOne;
    let fd_limit = claimed.fd_limit(is_certainly_overdue);
    let is_at_fd_limit = fd_limit.is_some_and(|fd_limit| fd_limit.is_witness);
    let unreferenced = claimed.confirmed() + claimed.scan_incomplete();
    let working = claimed.count_where(|it| may_be_answered(it.direction, it.facts));
    let (verdict, confidence) = if claimed.is_confirmed() {
        (Verdict::CloseWait, Confidence::Certain)
    } else if claimed.may_be_resumed() || 2 * working > count {
        (Verdict::CloseWait, Confidence::Possible)
    } else if has_accumulated || noticed == Accumulation::OneByOne || is_at_fd_limit {
        (Verdict::CloseWait, Confidence::Likely)
    } else if count > claimed.pool_max()
        || received_eof > 0
        || unreferenced > 0
        || drained >= enough
    {
        (Verdict::CloseWait, Confidence::Possible)
    } else {
        (Verdict::StalePool, Confidence::Info)
    };
    let ago = DurationRange {
        min_ms: claimed.range(|member| member.peer_closed_ago().min_ms).min_ms,
        max_ms: claimed.range(|member| member.peer_closed_ago().max_ms).max_ms,
    };
    let mut reasons = Reasons::new(Evidence::PeerClosed { count, ago });
    reasons.add_times(claimed, Occurrence::PeerClosed);
    if received_eof > 0 {
        reasons.add(Evidence::EofReceived(claimed.of_all(received_eof)));
    } else if drained > 0 {
        reasons.add_caveat(Caveat::EofUnconfirmed(claimed.of_all(drained)));
    }
    if working > 0 {
        reasons.add_caveat(Caveat::HalfClosePossible(claimed.of_all(working)));
    }
    let is_client = claimed.count_where(|it| it.direction == Direction::Outbound) == count;
    if has_accumulated && is_client && received_eof < enough && !claimed.is_confirmed() {
        reasons.add_caveat(Caveat::ThreadPoolPossible);
    }
    if verdict == Verdict::CloseWait && confidence == Confidence::Possible {
        reasons.add_undecided(claimed, accumulated);
    }
    reasons.add_fd_limit(claimed, fd_limit, confidence);
    reasons.add_readers(claimed);
    reasons.add_same_destination(claimed);
    if certain < count {
        reasons.add_caveat(Caveat::CloseTimeUnknown(claimed.of_all(count - certain)));
    }
    let growth_raises_confidence =
        count >= enough && 2 * working <= count && accumulated != Accumulation::AtOnce;
    Some(Assessment { verdict, confidence, growth_raises_confidence, reasons })
}
