//! The peer is gone: probes or data are sent again and again, and nothing acknowledges them.
//!
//! The kernel gives up by itself after minutes (`tcp_keepalive_probes`, `tcp_retries2`), but a
//! process that does not read never learns of it. Without keepalive and without data in flight a
//! dead peer cannot be told from a silent one.

use alloc::{format, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{Confidence, Interval, TcpState, Timer, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess);

/// A single probe or segment may get lost.
const UNANSWERED_MIN: u8 = 2;

fn claims(sighting: &Sighting<'_>) -> bool {
    matches!(sighting.facts.state, TcpState::Established | TcpState::CloseWait)
        && (is_probing(sighting) || is_retransmitting(sighting))
        // This host cannot be out of its own reach.
        && !sighting.facts.remote.ip().is_loopback()
        && sighting.overdue(unacknowledged_ms(sighting))
}

fn is_probing(sighting: &Sighting<'_>) -> bool {
    sighting.facts.unanswered_probes >= UNANSWERED_MIN
}

fn is_retransmitting(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    facts.timer == Timer::Retransmit && facts.retransmits >= UNANSWERED_MIN
}

/// Time since the peer last acknowledged anything, a probe included.
fn unacknowledged_ms(sighting: &Sighting<'_>) -> u64 {
    let at = sighting.facts.last_ack_at.max(sighting.facts.last_received_at);
    sighting.now.ms_since(at.unwrap_or(sighting.now))
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    let at = sighting.facts.last_ack_at.max(sighting.facts.last_received_at);
    Interval::exact(at.unwrap_or(sighting.tracked.seen_at))
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let enough = claimed.count() >= claimed.options.count_min;
    let confidence = if enough { Confidence::Likely } else { Confidence::Possible };
    let mut evidence = vec![format!(
        "the peers of {} have acknowledged nothing for {}",
        wording::sockets(claimed.count()),
        wording::range(claimed.range_ms(unacknowledged_ms)),
    )];
    let probing = claimed.count_where(is_probing);
    if probing > 0 {
        let most = claimed.members.iter().map(|member| member.facts.unanswered_probes).max();
        evidence.push(format!(
            "up to {} probes in a row without an answer on {probing} of {}",
            most.unwrap_or_default(),
            claimed.count()
        ));
    }
    let sending = claimed.count_where(is_retransmitting);
    if sending > 0 {
        let most = claimed.members.iter().map(|member| member.facts.retransmits).max();
        evidence.push(format!(
            "the same data was sent again up to {} times on {sending} of {}",
            most.unwrap_or_default(),
            claimed.count()
        ));
    }
    evidence.extend(wording::readers(claimed));
    Some(Assessment { verdict: Verdict::Orphaned, confidence, growth_tells: false, evidence })
}
