//! **ghost** and **stale-pool**: a connection that was established is now in CLOSE, and its file
//! descriptor is still open.
//!
//! The kernel has removed the connection from its tables, so `ss` and sock_diag(7) do not show it;
//! only the process still holds it. A CLOSE_WAIT leak ends here once the peer answers a keepalive
//! probe with a reset, and so does a connection whose network failed while no code read from it.
//!
//! Claim: the connection has been in CLOSE for `--idle`, was established before, and nothing was
//! read within `--idle`.
//!
//! - *certain*: confirmed by heap search.
//! - *likely*: one of these accumulated ([`accumulation`](super::accumulation)):
//!   - more than `--pool-size` connections to one address that carried at most one request or were
//!     left unread;
//!   - more than four times `--pool-size` connections of any kind to one address; more than
//!     `--pool-size` connections are enough if they are beyond a pool that was watched
//!     ([`turnover`](crate::turnover));
//!   - at least `--min-count` connections on which EOF or the error was returned to the process.
//!
//!   Or the process is at its fd limit ([`fd_limit`](super::fd_limit)).
//! - *possible*: more than `--pool-size` connections; or at least `--min-count` connections on which
//!   EOF or the error was returned; or the heap search was incomplete.
//! - **stale-pool** *info*: fewer connections.
//!
//! Lookalikes: a pool whose server was restarted, if keepalive probes have been answered with
//! resets and the pool has not used the connections since; a pool with one connection per thread
//! while it shrinks.

use super::{Accumulation, Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{
    Confidence, Evidence, Interval, Occurrence, TcpState, Verdict, connection_view::ConnectionView,
};

pub(super) const RULE: Rule = Rule::new(RuleId::Ghost, claims, occurred, assess);

fn claims(view: &ConnectionView<'_>) -> bool {
    // On a socket that was never connected, the time of the last received data is not set: the
    // handshake sets it.
    view.facts.state == TcpState::Closed
        && view.facts.last_received_at.is_some()
        && view.can_run()
        && !view.is_being_read()
        && view.is_overdue(dead_ms(view))
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    view.tracked.died.unwrap_or(Interval::exact(view.tracked.seen_at))
}

fn dead_ms(view: &ConnectionView<'_>) -> u64 {
    view.now.ms_since(occurred(view).latest)
}

/// Whether EOF, or the error of the reset, was returned to the application.
fn is_reported(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    let no_eof_pending = facts.drained || facts.fin_received == Some(false);
    let nothing_pending = facts.pending_error == Some(false) && no_eof_pending;
    view.tracked.eof_received || nothing_pending
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let reported = claimed.count_where(is_reported);
    let is_many = count > claimed.pool_max();
    let accumulated = claimed.dead_accumulation(ConnectionView::is_unused, |_| true);
    let are_enough_reported = reported >= claimed.count_min();
    let noticed = claimed.accumulation(is_reported);
    let is_noticed_leak = are_enough_reported && noticed == Accumulation::OneByOne;
    let fd_limit = claimed.fd_limit(|_| true);
    let is_at_fd_limit = fd_limit.is_some_and(|fd_limit| fd_limit.is_witness);
    let (verdict, confidence) = if claimed.is_confirmed() {
        (Verdict::Ghost, Confidence::Certain)
    } else if accumulated == Accumulation::OneByOne || is_noticed_leak || is_at_fd_limit {
        (Verdict::Ghost, Confidence::Likely)
    } else if is_many || are_enough_reported || claimed.scan_incomplete() > 0 {
        (Verdict::Ghost, Confidence::Possible)
    } else {
        (Verdict::StalePool, Confidence::Info)
    };
    let is_exact =
        |member: &ConnectionView<'_>| occurred(member) == Interval::exact(occurred(member).latest);
    let is_lower_bound = claimed.count_where(is_exact) < count;
    let dead = claimed.range(dead_ms);
    let mut reasons = Reasons::new(Evidence::Dead { count, dead, is_lower_bound });
    reasons.add_times(claimed, Occurrence::Died);
    reasons.add(match reported {
        0 => Evidence::DeathUnnoticed { count },
        _ => Evidence::DeathReported(claimed.of_all(reported)),
    });
    reasons.add_readers(claimed);
    reasons.add_same_destination(claimed);
    if verdict == Verdict::Ghost && confidence == Confidence::Possible {
        reasons.add_undecided(claimed, accumulated);
    }
    reasons.add_fd_limit(claimed, fd_limit, confidence);
    let growth_raises_confidence =
        count >= claimed.count_min() && accumulated != Accumulation::AtOnce;
    Some(Assessment { verdict, confidence, growth_raises_confidence, reasons })
}
