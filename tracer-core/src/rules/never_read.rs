//! Accepted, something arrived, and none of it was ever read.
//!
//! Idle clients that sent nothing are not this, and neither is a connection that waits in the
//! accept queue: it is in no process's descriptor table.

use alloc::{format, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{
    Confidence, Direction, Interval, Reader, TcpState, Timestamp, Verdict, sighting::Sighting,
};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess);

fn claims(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    let arrived = facts.rx_bytes > 0 || facts.fin_received == Some(true);
    sighting.direction == Direction::Inbound
        && matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && arrived
        && !facts.drained
        && facts.unread_bytes == facts.rx_bytes
        && sighting.is_free_to_act()
        // A process that sends on the connection uses it, and may have no need to read.
        && sighting.overdue(waiting_ms(sighting).min(sighting.sent_ms()))
}

/// How long something has lain there, at the least.
fn waiting_ms(sighting: &Sighting<'_>) -> u64 {
    let closed_ms = sighting.peer_closed_ms().0;
    if sighting.facts.rx_bytes == 0 {
        return closed_ms;
    }
    let watched_ms = sighting.now.ms_since(sighting.tracked.unread_since);
    closed_ms.max(watched_ms).max(sighting.received_ms())
}

/// The process was seen to read from it within T, or answered: it serves its clients, perhaps too
/// slowly.
fn is_served(sighting: &Sighting<'_>) -> bool {
    let idle_ms = sighting.options.idle_ms;
    let is_recent = |at: Timestamp| sighting.now.ms_since(at) < idle_ms;
    let answered_at = sighting.facts.last_sent_at.filter(|_| sighting.facts.tx_bytes > 0);
    sighting.tracked.read_at.is_some_and(is_recent) || answered_at.is_some_and(is_recent)
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let enough = claimed.options.count_min;
    let unnoticed = claimed.count_where(|member| member.reader() == Reader::None);
    let served = claimed.group.iter().filter(|member| is_served(member)).count();
    let confidence = match count {
        _ if served > 0 => Confidence::Possible,
        _ if unnoticed >= enough => Confidence::Certain,
        _ if count >= enough => Confidence::Likely,
        _ => Confidence::Possible,
    };
    let unread: u64 = claimed.members.iter().map(|member| member.facts.unread_bytes).sum();
    let closed = claimed.count_where(|member| member.facts.fin_received == Some(true));
    let mut evidence = vec![format!(
        "{} accepted, {unread} bytes arrived, and not one was ever read for {}",
        wording::sockets(count),
        wording::range(claimed.range_ms(waiting_ms)),
    )];
    evidence.extend(wording::accumulation(claimed, "went silent", "gone silent"));
    if closed > 0 {
        evidence.push(format!("the peer has given up on {closed} of {count}"));
    }
    evidence.extend(wording::readers(claimed));
    if served > 0 {
        evidence.push(format!(
            "{} of the same port being served meanwhile: these may wait for their turn",
            wording::sockets(served)
        ));
    }
    let growth_tells = count >= claimed.options.count_min && served == 0;
    Some(Assessment { verdict: Verdict::NeverRead, confidence, growth_tells, evidence })
}
