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
use crate::{
    Confidence, Evidence, Interval, SocketFacts, TcpState, Timer, Verdict,
    connection_view::ConnectionView,
};

pub(super) const RULE: Rule =
    Rule::new(RuleId::PeerNotReading, claims, occurred, assess).of_one_address();

fn claims(view: &ConnectionView<'_>) -> bool {
    is_stalled(view) && view.is_overdue(view.sent_ms())
}

/// It waits for the peer to read what was sent.
pub(crate) fn is_stalled(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && facts.unsent_bytes > 0
        && (facts.timer == Timer::WindowProbe || is_dropped(facts))
}

/// Data in flight is dropped by the peer, whose window is closed or whose TCP memory is short.
fn is_dropped(facts: &SocketFacts) -> bool {
    let is_closed = facts.timer == Timer::Retransmit && facts.peer_window == 0;
    // A kernel may retransmit into a closed window and count the backoff only (seen on Linux 6.18).
    let is_retransmitted = facts.retransmits > 0 || (is_closed && facts.backoff > 0);
    is_retransmitted && (is_closed || facts.remote.ip().is_loopback())
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
