//! **never-read**: a connection was accepted, data or a FIN arrived, and none of it was ever read.
//!
//! Claim: inbound, ESTABLISHED or CLOSE_WAIT, data or a FIN has been pending for `--idle`,
//! everything that was received is unread, and the process sends nothing on it.
//!
//! - *likely*: at least `--min-count` connections that accumulated
//!   ([`accumulation`](super::accumulation)), or that have brought the process to its fd limit
//!   ([`fd_limit`](super::fd_limit)).
//! - *possible*: otherwise; or the process was seen to serve other connections of the group within
//!   `--idle`.
//!
//! Lookalikes: a slow server that serves one client after another. Idle clients that sent nothing
//! are not claimed, and neither are connections in the accept queue, because no file descriptor
//! refers to them.

use super::{Accumulation, Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{
    Caveat, Confidence, Direction, Evidence, Interval, Occurrence, TcpState, Timestamp, Verdict,
    connection_view::ConnectionView,
};

pub(super) const RULE: Rule = Rule::new(RuleId::NeverRead, claims, occurred, assess);

fn claims(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    let has_arrived = facts.rx_bytes > 0 || facts.fin_received == Some(true);
    view.direction == Direction::Inbound
        && matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && has_arrived
        && !facts.drained
        && facts.unread_bytes == facts.rx_bytes
        && view.can_run()
        // A process that sends on the connection is using it, and may not need to read.
        && view.is_overdue(waiting_ms(view).min(view.sent_ms()))
}

/// The minimum time for which data or a FIN has been pending, in milliseconds.
fn waiting_ms(view: &ConnectionView<'_>) -> u64 {
    let closed_ms = view.peer_closed_ago().min_ms;
    if view.facts.rx_bytes == 0 {
        return closed_ms;
    }
    let watched_ms = view.now.ms_since(view.tracked.unread_since);
    closed_ms.max(watched_ms).max(view.received_ms())
}

/// Whether the process was seen to read from the connection or to answer on it within `--idle`: it
/// serves its clients, perhaps too slowly.
fn is_served(view: &ConnectionView<'_>) -> bool {
    let idle_ms = view.options.idle_ms;
    let is_recent = |at: Timestamp| view.now.ms_since(at) < idle_ms;
    let answered_at = view.facts.last_sent_at.filter(|_| view.facts.tx_bytes > 0);
    view.tracked.read_at.is_some_and(is_recent) || answered_at.is_some_and(is_recent)
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    // Only the FIN arrived.
    if view.facts.rx_bytes == 0 {
        return view.tracked.peer_closed.unwrap_or_else(|| view.last_received());
    }
    Interval::exact(view.tracked.unread_since)
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, enough) = (claimed.count(), claimed.count_min());
    let served = claimed.group.iter().filter(|member| is_served(member)).count();
    let accumulated = claimed.accumulation(|_| true);
    let fd_limit = claimed.fd_limit(|_| true);
    let is_at_fd_limit = fd_limit.is_some_and(|fd_limit| fd_limit.is_witness);
    let has_accumulated = accumulated == Accumulation::OneByOne || is_at_fd_limit;
    let is_leak = served == 0 && count >= enough && has_accumulated;
    let confidence = if is_leak { Confidence::Likely } else { Confidence::Possible };
    let received_bytes = claimed.sum(|member| member.facts.unread_bytes);
    let waiting = claimed.range(waiting_ms);
    let mut reasons = Reasons::new(Evidence::NeverRead { count, received_bytes, waiting });
    reasons.add_times(claimed, Occurrence::WentSilent);
    let gave_up = claimed.count_where(|member| member.facts.fin_received == Some(true));
    if gave_up > 0 {
        reasons.add(Evidence::PeerGaveUp(claimed.of_all(gave_up)));
    }
    reasons.add_readers(claimed);
    if served > 0 {
        reasons.add_caveat(Caveat::OthersBeingServed { count: served });
    }
    if !is_leak && count >= enough {
        reasons.add_undecided(claimed, accumulated);
    }
    reasons.add_fd_limit(claimed, fd_limit, confidence);
    let growth_raises_confidence =
        count >= enough && served == 0 && accumulated != Accumulation::AtOnce;
    Some(Assessment { verdict: Verdict::NeverRead, confidence, growth_raises_confidence, reasons })
}
