//! Accepted, something arrived, and none of it was ever read.
//!
//! Idle clients that sent nothing are not this, and neither is a connection that waits in the
//! accept queue: it is in no process's descriptor table.

use alloc::{format, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{Confidence, Direction, Interval, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule { claims, moment, assess };

fn claims(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    let arrived = facts.rx_bytes > 0 || facts.fin_received;
    sighting.direction == Direction::Inbound
        && matches!(facts.state, TcpState::Established | TcpState::CloseWait)
        && arrived
        && !facts.drained
        && facts.unread_bytes == facts.rx_bytes
        && !sighting.stopped
        && sighting.overdue(waiting_ms(sighting))
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

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

fn assess(claimed: &Claimed<'_>) -> Assessment {
    let count = claimed.count();
    let confidence =
        if count >= claimed.options.count_min { Confidence::Likely } else { Confidence::Possible };
    let unread: u64 = claimed.members.iter().map(|member| member.facts.unread_bytes).sum();
    let closed = claimed.count_where(|member| member.facts.fin_received);
    let mut evidence = vec![format!(
        "{} accepted, {unread} bytes arrived, and not one was ever read for {}",
        wording::sockets(count),
        wording::range(claimed.range_ms(waiting_ms)),
    )];
    evidence.extend(wording::accumulation(claimed, "went silent"));
    if closed > 0 {
        evidence.push(format!("the peer has given up on {closed} of {count}"));
    }
    Assessment { verdict: Verdict::NeverRead, confidence, evidence }
}
