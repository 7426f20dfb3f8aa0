//! Was connected, is in CLOSE now, and its descriptor is still open.
//!
//! The kernel has forgotten the connection, so `ss` and `sock_diag` do not show it; only the
//! process holds on. This is where a CLOSE_WAIT leak ends once a keepalive probe is answered with
//! a reset, and a network cut while nobody reads.

use alloc::{format, vec};

use super::{Assessment, Claimed, Rule, never_reused, wording};
use crate::{Confidence, Flag, Interval, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess);

fn claims(sighting: &Sighting<'_>) -> bool {
    // A socket that never was connected has received nothing, not even at the handshake.
    sighting.facts.state == TcpState::Closed
        && sighting.facts.last_received_at.is_some()
        && sighting.is_free_to_act()
        && !sighting.is_being_read()
        && sighting.overdue(dead_ms(sighting))
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.tracked.died.unwrap_or(Interval::exact(sighting.tracked.seen_at))
}

fn dead_ms(sighting: &Sighting<'_>) -> u64 {
    sighting.now.ms_since(moment(sighting).latest)
}

/// The application was given the end of the stream, or the error of the reset.
fn told(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    let no_end_pending = facts.drained || facts.fin_received == Some(false);
    let nothing_pending = facts.pending_error == Some(false) && no_end_pending;
    sighting.tracked.told || nothing_pending
}

/// Those that were likely to be leaked before they died, which is no less so now.
fn were_likely(claimed: &Claimed<'_, '_>) -> usize {
    let is_likely = |flag: Flag| flag.confidence >= Confidence::Likely;
    claimed.count_where(|member| member.tracked.flag().is_some_and(is_likely))
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let told = claimed.count_where(told);
    let many = count > claimed.pool_max();
    // What served before may be a pool with a connection for each of many threads, as it ebbs.
    let left = claimed.count_where(never_reused::was_left);
    let gathered = claimed.gathered() && !claimed.is_spread;
    let leaked = gathered && left > claimed.large_pool_max() && claimed.rising();
    let is_more = left > claimed.pool_max() || count > claimed.large_pool_max().saturating_mul(2);
    let proven = claimed.is_proven();
    let (verdict, confidence) = if leaked || proven || told >= claimed.options.count_min {
        (Verdict::Ghost, Confidence::Certain)
    } else if many && ((gathered && is_more) || were_likely(claimed) > claimed.pool_max()) {
        (Verdict::Ghost, Confidence::Likely)
    } else if many || claimed.unsearched() > 0 {
        // A pool whose server was restarted looks the same, if probes told the kernel so and its
        // owner has not come by since.
        (Verdict::Ghost, Confidence::Possible)
    } else {
        (Verdict::StalePool, Confidence::Info)
    };
    let is_exact = |member: &Sighting<'_>| moment(member) == Interval::exact(moment(member).latest);
    let at_least = if claimed.count_where(is_exact) == count { "" } else { "at least " };
    let mut evidence = vec![format!(
        "{} dead for {at_least}{} with the descriptor still open; ss does not show them",
        wording::sockets(count),
        wording::range(claimed.range_ms(dead_ms)),
    )];
    evidence.extend(wording::accumulation(claimed, "died", "died"));
    evidence.push(match told {
        0 => format!("the process has not noticed on any of {count}: it never looked again"),
        _ => format!("the process was told on {told} of {count} and closed none"),
    });
    evidence.extend(wording::readers(claimed));
    let growth_tells = count >= claimed.options.count_min;
    Some(Assessment { verdict, confidence, growth_tells, evidence })
}
