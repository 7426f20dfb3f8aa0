//! **unshared-pool**: each request, or each user, opens connections of its own and leaves them
//! idle.
//!
//! The usual cause is an HTTP client that is created for each request. A reader is waiting for EOF
//! on each connection, so nothing is unread and nothing is closed; there are simply too many.
//!
//! Claim: outbound, ESTABLISHED, data was received and read, idle for `--pool-idle`, a reader is
//! waiting, and Go's HTTP client has it in its idle pool or does not know it.
//!
//! - *certain*: all connections belong to Go's HTTP client, to more than twice `--pool-size`
//!   `http.Transport` values; they went idle at separate times, and at least `--min-count` of them
//!   carried at most one request.
//! - *possible*: at least `--min-count` `http.Transport` values; or, outside Go's HTTP client, at
//!   least `--min-count` connections that were opened while another one was idle.
//!
//! Lookalikes: one client for each of a dozen tenants, which is a design and not a leak; after
//! first use, each has carried one request. Outside Go, idle streams (WebSocket, server-sent
//! events, long polling).

use alloc::collections::BTreeSet;

use super::{Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{
    Caveat, Confidence, Direction, Evidence, HttpStage, Interval, Occurrence, TcpState, Timestamp,
    Verdict, connection_view::ConnectionView,
};

pub(super) const RULE: Rule =
    Rule::new(RuleId::UnsharedPool, claims, occurred, assess).single_address_only();

/// A connection whose last use was less than this before another one was opened may have been busy
/// at that time.
const BUSY_MS: u64 = 1_000;

fn claims(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    let is_idle_client = view.http().is_none_or(|http| http.stage == HttpStage::Idle);
    view.direction == Direction::Outbound
        && facts.state == TcpState::Established
        && facts.unread_bytes == 0
        && facts.rx_bytes > 0
        && view.reader().is_waiting()
        && is_idle_client
        && view.can_run()
        && view.idle_ms() >= view.options.pool_idle_ms
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    view.last_received()
}

/// The number of claimed connections that were opened although another connection to the same
/// destination was idle, and has been idle since. The opening time is known if it was seen, or if
/// the connection carried only one request.
fn missed_reuses(claimed: &Claimed<'_, '_>) -> usize {
    let last_used_at = |view: &ConnectionView<'_>| -> Timestamp { view.last_used_at() };
    let Some(longest_idle) = claimed.group.iter().map(last_used_at).min() else { return 0 };
    claimed.count_where(|member| {
        let is_dated = member.saw_open() || member.was_used_once();
        is_dated && member.tracked.opened_at.ms_since(longest_idle) > BUSY_MS
    })
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, enough) = (claimed.count(), claimed.options.count_min);
    let transports: BTreeSet<u64> = claimed
        .members
        .iter()
        .filter_map(ConnectionView::http)
        .map(|http| http.transport)
        .collect();
    let used_once = claimed.count_where(ConnectionView::was_used_once);
    let missed = missed_reuses(claimed);
    let known = claimed.count_where(|member| member.http().is_some());
    let is_served_once = transports.len() > claimed.pool_max() && used_once >= enough;
    let confidence = if known == count {
        let exceeds_large_pool = transports.len() > claimed.large_pool_max();
        if exceeds_large_pool && is_served_once && claimed.is_at_separate_times() {
            Confidence::Certain
        } else if transports.len() >= enough {
            Confidence::Possible
        } else {
            return None;
        }
    } else if count >= enough && missed >= enough {
        Confidence::Possible
    } else {
        return None;
    };
    let idle = claimed.range(ConnectionView::idle_ms);
    let mut reasons = Reasons::new(Evidence::IdleWithReader { count, idle });
    if known == count {
        reasons.add(Evidence::SeparateTransports { transports: transports.len() });
    }
    if missed > 0 {
        reasons.add(Evidence::OpenedWhileOthersIdle(claimed.of_all(missed)));
    }
    reasons.add(Evidence::ServedAtMostOnce(claimed.of_all(used_once)));
    reasons.add_times(claimed, Occurrence::WentSilent);
    if known < count {
        reasons.add_caveat(Caveat::StreamPossible);
    }
    let growth_raises_confidence = known == count && is_served_once;
    Some(Assessment {
        verdict: Verdict::UnsharedPool,
        confidence,
        growth_raises_confidence,
        reasons,
    })
}
