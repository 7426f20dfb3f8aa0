//! **peer-not-reading**: the peer has closed its receive window and leaves it closed. The cause is at
//! the peer.
//!
//! Claim: data waits to be sent, the window is probed, and nothing was sent for `--idle`. On loopback, a
//! peer that acknowledges nothing counts as well: the kernel drops what arrives on a connection that is
//! not read when TCP memory is short (`tcp_mem`). Data that is in flight when the window closes is
//! retransmitted in place of probes.
//!
//! - *info*: always.

use super::{Assessment, Claimed, Facts, Rule, RuleId};
use crate::{Confidence, Evidence, Interval, Verdict, connection_view::ConnectionView, waits};

pub(super) const RULE: Rule =
    Rule::new(RuleId::PeerNotReading, claims, occurred, assess).of_one_address();

fn claims(view: &ConnectionView<'_>) -> bool {
    waits::is_stalled(view.facts) && view.is_idle_over(view.sent_ms())
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    Interval::exact(view.facts.last_sent_at.unwrap_or(view.tracked.opened_at))
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    Some(Assessment {
        verdict: Verdict::PeerNotReading,
        confidence: Confidence::Info,
        growth_counts: false,
        facts: Facts::new(Evidence::SendStalled {
            count: claimed.count(),
            unsent_bytes: claimed.sum(|member| member.facts.unsent_bytes),
            stalled: claimed.range(ConnectionView::sent_ms),
        }),
    })
}
