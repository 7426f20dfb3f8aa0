//! **never-reused**: each connection carried one request and was never used again.
//!
//! Claim: outbound, ESTABLISHED, at most [`unread_min_bytes`](crate::Options::unread_min_bytes)
//! unread, data was received, at most four data segments were sent, idle for `--idle`, and either
//! unknown to Go's HTTP client or in its idle pool.
//!
//! - *possible*: at least `--min-count` connections that are still accumulating, none of them known to
//!   Go's HTTP client.
//!
//! The kernel's data cannot distinguish a small response that is never read to EOF from a private
//! pool that is never used again. Both are worth fixing.

use super::{Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{
    Caveat, Confidence, Direction, Evidence, HttpStage, Interval, Occurrence, TcpState, Verdict,
    connection_view::ConnectionView,
};

pub(super) const RULE: Rule =
    Rule::new(RuleId::NeverReused, claims, occurred, assess).single_address_only();

fn claims(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    view.direction == Direction::Outbound
        && facts.state == TcpState::Established
        && facts.unread_bytes <= view.options.unread_min_bytes
        && facts.rx_bytes > 0
        && view.was_used_once()
        // A stream that a goroutine is reading is in use.
        && view.http().is_none_or(|http| http.stage == HttpStage::Idle)
        && view.can_run()
        && view.is_overdue(view.idle_ms())
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    view.last_received()
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, confidence) = (claimed.count(), Confidence::Possible);
    // A pool of Go's HTTP client is recognized as such.
    let pooled = claimed.count_where(|member| member.http().is_some());
    let is_enough = count >= claimed.options.count_min && pooled == 0;
    if !is_enough || !claimed.is_still_accumulating() {
        return None;
    }
    let silent = claimed.range(ConnectionView::idle_ms);
    let mut reasons = Reasons::new(Evidence::ServedOnce { count, silent });
    reasons.add_times(claimed, Occurrence::WentSilent);
    reasons.add_caveat(Caveat::CauseAmbiguous);
    Some(Assessment {
        verdict: Verdict::NeverReused,
        confidence,
        growth_raises_confidence: false,
        reasons,
    })
}
