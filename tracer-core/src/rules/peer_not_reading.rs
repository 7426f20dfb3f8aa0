//! **peer-not-reading**: the peer has closed its receive window and leaves it closed. The cause is at
//! the peer.
//!
//! Claim: data is waiting to be sent, the window is being probed, and nothing was sent for
//! `--idle`. Data that is in flight when the window closes is retransmitted instead, which counts
//! as well. On loopback, so does a peer that acknowledges nothing: when TCP memory is short
//! (`tcp_mem`), the kernel drops what arrives on a connection that is not being read.
//!
//! - *info*: always.

use super::{Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{Confidence, Evidence, Interval, Verdict, connection_view::ConnectionView, waits};

pub(super) const RULE: Rule =
    Rule::new(RuleId::PeerNotReading, claims, occurred, assess).single_address_only();

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
        growth_raises_confidence: false,
        reasons: Reasons::new(Evidence::SendStalled {
            count: claimed.count(),
            unsent_bytes: claimed.sum(|member| member.facts.unsent_bytes),
            stalled: claimed.range(ConnectionView::sent_ms),
        }),
    })
}
