//! **abandoned**: a connection is open and idle, with little or nothing unread, and no reader is
//! waiting.
//!
//! To the kernel, the connection of a forgotten response is the same as an idle connection of a
//! healthy pool. What distinguishes them is in the process: Go's HTTP client keeps a goroutine
//! waiting for the response body to be read or closed.
//!
//! Claim: the connection is ESTABLISHED, with at most
//! [`unread_min_bytes`](crate::Options::unread_min_bytes) unread (more
//! is *undrained*), idle for `--idle`, and certainly no reader.
//!
//! - *certain*: confirmed by heap search.
//! - *likely*: the scan was incomplete, and at least `--min-count` connections went idle at separate
//!   times.
//! - *possible*: fewer confirmed connections; or at least `--min-count` connections to one address
//!   that are not confirmed.
//!
//! Lookalikes: many database and cache drivers leave idle connections without a reader; a response
//! that a goroutine references may still be read.

use super::{Assessment, Claimed, Reasons, Rule, RuleId, ScanSubset};
use crate::{
    Caveat, Confidence, Evidence, Interval, Occurrence, Reader, TcpState, Verdict,
    connection_view::ConnectionView,
};

pub(super) const NEARLY_CONFIRMED: Rule =
    Rule::new(RuleId::Abandoned, claims, occurred, assess_confirmed)
        .restricted_to(ScanSubset::NearlyConfirmed);
pub(super) const SCAN_INCOMPLETE: Rule =
    Rule::new(RuleId::Abandoned, claims, occurred, assess_confirmed)
        .restricted_to(ScanSubset::ScanIncomplete);
pub(super) const CONFIRMED: Rule =
    Rule::new(RuleId::Abandoned, claims_confirmed, occurred, assess_confirmed)
        .selecting(ScanSubset::Confirmed);
pub(super) const UNCONFIRMED: Rule =
    Rule::new(RuleId::Abandoned, claims_unconfirmed, occurred, assess_unconfirmed)
        .selecting(ScanSubset::Unconfirmed)
        .single_address_only();

fn claims(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    facts.state == TcpState::Established
        && facts.unread_bytes <= view.options.unread_min_bytes
        && view.reader() == Reader::None
        && view.can_run()
        && view.is_overdue(view.idle_ms())
}

fn claims_confirmed(view: &ConnectionView<'_>) -> bool {
    claims(view) && view.is_confirmed()
}

fn claims_unconfirmed(view: &ConnectionView<'_>) -> bool {
    claims(view) && !view.is_confirmed()
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    view.last_received()
}

fn assess_confirmed(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, count_min) = (claimed.count(), claimed.options.count_min);
    let is_enough = claimed.is_confirmed();
    let confidence = if is_enough { Confidence::Certain } else { Confidence::Possible };
    let silent = claimed.range(ConnectionView::idle_ms);
    let mut reasons = Reasons::new(Evidence::ResponseSilent { count, silent });
    reasons.add_readers(claimed);
    reasons.add_same_destination(claimed);
    reasons.add_times(claimed, Occurrence::WentSilent);
    if count < count_min && !is_enough {
        reasons.add_caveat(Caveat::TooFewResponses { count, count_min });
    }
    Some(Assessment {
        verdict: Verdict::Abandoned,
        confidence,
        growth_raises_confidence: is_enough,
        reasons,
    })
}

fn assess_unconfirmed(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, confidence) = (claimed.count(), Confidence::Possible);
    if count < claimed.options.count_min {
        return None;
    }
    let silent = claimed.range(ConnectionView::idle_ms);
    let mut reasons = Reasons::new(Evidence::SilentWithoutReader { count, silent });
    reasons.add_readers(claimed);
    reasons.add_times(claimed, Occurrence::WentSilent);
    if claimed.held() + claimed.scan_incomplete() == 0 {
        reasons.add_caveat(Caveat::IdlePoolPossible);
    }
    Some(Assessment {
        verdict: Verdict::Abandoned,
        confidence,
        growth_raises_confidence: false,
        reasons,
    })
}
