//! **ghost** and **stale-pool**: it was connected, is in CLOSE now, and its file descriptor is still
//! open.
//!
//! The kernel has removed the connection from its tables, so `ss` and sock_diag(7) do not show it; only
//! the process still holds it. A CLOSE_WAIT leak ends here once the peer answers a keepalive probe with
//! a reset, and so does a connection whose network failed while no code read from it.
//!
//! Claim: CLOSE for `--idle`, was connected, and nothing read within `--idle`.
//!
//! - *certain*: confirmed by goroutine scan; or `--min-count` where EOF or the error was returned to the
//!   process; or more than twice `--pool-size` that carried at most one exchange and keep dying at
//!   separate times.
//! - *likely*: more than `--pool-size` that died at separate times after at most one exchange, or four
//!   times as many after more; or more than `--pool-size` that were likely leaked before they died.
//! - *possible*: more than `--pool-size`; or the goroutine scan was incomplete.
//! - **stale-pool** *info*: fewer.
//!
//! Looks alike: a pool whose server was restarted, if probes have told the kernel so and the pool has
//! not used them since; a pool with one connection per thread, while it shrinks.

use super::{Assessment, Claimed, Facts, Rule, RuleId, never_reused};
use crate::{
    Confidence, Evidence, Flag, Interval, Occurrence, TcpState, Verdict,
    connection_view::ConnectionView,
};

pub(super) const RULE: Rule = Rule::new(RuleId::Ghost, claims, occurred, assess);

fn claims(view: &ConnectionView<'_>) -> bool {
    // A socket that never was connected has no time of data received: the handshake sets it.
    view.facts.state == TcpState::Closed
        && view.facts.last_received_at.is_some()
        && view.is_free_to_act()
        && !view.is_being_read()
        && view.is_overdue(dead_ms(view))
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    view.tracked.died.unwrap_or(Interval::exact(view.tracked.seen_at))
}

fn dead_ms(view: &ConnectionView<'_>) -> u64 {
    view.now.ms_since(occurred(view).latest)
}

/// EOF, or the error of the reset, was returned to the application.
fn is_reported(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    let no_eof_pending = facts.drained || facts.fin_received == Some(false);
    let nothing_pending = facts.pending_error == Some(false) && no_eof_pending;
    view.tracked.eof_received || nothing_pending
}

/// Those that were likely to be leaked before they died, which is no less likely now.
fn were_likely(claimed: &Claimed<'_, '_>) -> usize {
    let is_likely = |flag: Flag| flag.confidence >= Confidence::Likely;
    claimed.count_where(|member| member.tracked.flag().is_some_and(is_likely))
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let reported = claimed.count_where(is_reported);
    let is_many = count > claimed.pool_max();
    let unused = claimed.count_where(never_reused::is_unused);
    let is_spread_out = claimed.is_spread_out() && !claimed.is_by_port;
    let is_rising = is_spread_out && unused > claimed.large_pool_max() && claimed.is_rising();
    let is_more = unused > claimed.pool_max() || count > claimed.large_pool_max().saturating_mul(2);
    let is_reported_leak = reported >= claimed.options.count_min;
    let (verdict, confidence) = if is_rising || claimed.is_confirmed() || is_reported_leak {
        (Verdict::Ghost, Confidence::Certain)
    } else if is_many && ((is_spread_out && is_more) || were_likely(claimed) > claimed.pool_max()) {
        (Verdict::Ghost, Confidence::Likely)
    } else if is_many || claimed.unsearched() > 0 {
        (Verdict::Ghost, Confidence::Possible)
    } else {
        (Verdict::StalePool, Confidence::Info)
    };
    let is_exact =
        |member: &ConnectionView<'_>| occurred(member) == Interval::exact(occurred(member).latest);
    let is_lower_bound = claimed.count_where(is_exact) < count;
    let dead = claimed.range(dead_ms);
    let mut facts = Facts::new(Evidence::Dead { count, dead, is_lower_bound });
    facts.add_times(claimed, Occurrence::Died);
    facts.add(match reported {
        0 => Evidence::DeathUnnoticed { count },
        _ => Evidence::DeathReported(claimed.of_all(reported)),
    });
    facts.add_readers(claimed);
    let growth_counts = count >= claimed.options.count_min;
    Some(Assessment { verdict, confidence, growth_counts, facts })
}
