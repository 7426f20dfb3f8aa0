//! **orphaned**: the peer is gone. Keepalive probes or data are sent repeatedly, and nothing is
//! acknowledged.
//!
//! Claim: ESTABLISHED or CLOSE_WAIT with at least two unanswered keepalive or window probes or
//! retransmissions, nothing acknowledged for `--idle`, and not on loopback.
//!
//! - *likely*: at least `--min-count` connections.
//! - *possible*: fewer connections.
//!
//! The kernel gives up after minutes (`tcp_keepalive_probes`, `tcp_retries2`), but a process that
//! does not read never learns of it. Without keepalive and without data in flight, a dead peer
//! cannot be distinguished from an idle one.
//!
//! Lookalikes: a network that is down for longer than `--idle`.

use super::{Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{
    Confidence, Evidence, Interval, TcpState, Timer, Verdict, connection_view::ConnectionView,
};

pub(super) const RULE: Rule = Rule::new(RuleId::Orphaned, claims, occurred, assess);

/// A single probe or segment may be lost.
const UNANSWERED_MIN: u8 = 2;

fn claims(view: &ConnectionView<'_>) -> bool {
    matches!(view.facts.state, TcpState::Established | TcpState::CloseWait)
        && (is_probing(view) || is_retransmitting(view))
        // A host can always reach itself.
        && !view.facts.remote.ip().is_loopback()
        && view.is_idle_over(unacknowledged_ms(view))
}

fn is_probing(view: &ConnectionView<'_>) -> bool {
    view.facts.unanswered_probes >= UNANSWERED_MIN
}

fn is_retransmitting(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    facts.timer == Timer::Retransmit && facts.retransmits >= UNANSWERED_MIN
}

/// Time since the peer last acknowledged anything, including a probe.
fn unacknowledged_ms(view: &ConnectionView<'_>) -> u64 {
    let at = view.facts.last_ack_at.max(view.facts.last_received_at);
    view.now.ms_since(at.unwrap_or(view.now))
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    let at = view.facts.last_ack_at.max(view.facts.last_received_at);
    Interval::exact(at.unwrap_or(view.tracked.seen_at))
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, members) = (claimed.count(), &claimed.members);
    let is_enough = count >= claimed.options.count_min;
    let confidence = if is_enough { Confidence::Likely } else { Confidence::Possible };
    let silent = claimed.range(unacknowledged_ms);
    let mut reasons = Reasons::new(Evidence::NothingAcknowledged { count, silent });
    let probing = claimed.count_where(is_probing);
    if probing > 0 {
        let max = members.iter().map(|member| member.facts.unanswered_probes).max();
        let consecutive_max = max.unwrap_or_default();
        reasons.add(Evidence::ProbesUnanswered { count: probing, total: count, consecutive_max });
    }
    let sending = claimed.count_where(is_retransmitting);
    if sending > 0 {
        let max = members.iter().map(|member| member.facts.retransmits).max();
        let retransmits_max = max.unwrap_or_default();
        reasons.add(Evidence::DataRetransmitted { count: sending, total: count, retransmits_max });
    }
    reasons.add_readers(claimed);
    Some(Assessment {
        verdict: Verdict::Orphaned,
        confidence,
        growth_raises_confidence: false,
        reasons,
    })
}
