//! The peer has closed its window and leaves it closed: what is wrong is over there.
//!
//! On loopback, a peer that acknowledges nothing is the same: the kernel drops what arrives on a
//! connection that nobody reads when memory for TCP is short (`tcp_mem`). And a window that closes
//! while data is on its way has that sent again and again in place of probes.

use alloc::{borrow::ToOwned, format, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{Confidence, Interval, SocketFacts, TcpState, Timer, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess).of_one_address();

fn claims(sighting: &Sighting<'_>) -> bool {
    is_stalled(sighting) && sighting.overdue(sighting.sent_ms())
}

/// It waits for the peer to read what it sent: data is unsent, and the window is probed.
pub(crate) fn is_stalled(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && facts.unsent_bytes > 0
        && (facts.timer == Timer::WindowProbe || is_dropped(facts))
}

fn is_dropped(facts: &SocketFacts) -> bool {
    let is_closed = facts.timer == Timer::Retransmit && facts.peer_window == 0;
    // Into a closed window, a kernel may send again without counting that (seen on Debian's 6.18).
    let is_sent_again = facts.retransmits > 0 || (is_closed && facts.backoff > 0);
    is_sent_again && (is_closed || facts.remote.ip().is_loopback())
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    Interval::exact(sighting.facts.last_sent_at.unwrap_or(sighting.tracked.opened_at))
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let unsent: u64 = claimed.members.iter().map(|member| member.facts.unsent_bytes).sum();
    let evidence = vec![
        format!(
            "{unsent} bytes cannot be sent on {}: the peer has read nothing for {}",
            wording::sockets(claimed.count()),
            wording::range(claimed.range_ms(Sighting::sent_ms)),
        ),
        "the fault is the peer's: look there".to_owned(),
    ];
    Some(Assessment {
        verdict: Verdict::PeerNotReading,
        confidence: Confidence::Info,
        growth_tells: false,
        evidence,
    })
}
