//! The peer has closed and the process has not.
//!
//! CLOSE_WAIT alone is no leak: client pools keep a few connections that the server closed until
//! they are next looked at, and a restart of the server leaves many at one time. A pool with a
//! connection for each thread may be large, and when the work ebbs its connections are closed one
//! after the other, as those of a leak are. Those have served before, and what leaks has served once
//! as a rule, or was left unread. Where the pool's have served once too, one look cannot tell.
//!
//! A peer may close its direction only, to say that its request is complete, and wait for the
//! answer. While nothing was answered, that cannot be told from one that is gone.

use alloc::{borrow::ToOwned as _, format, vec};

use super::{Assessment, Claimed, Rule, never_reused, wording};
use crate::{Confidence, Direction, Interval, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess);

fn claims(sighting: &Sighting<'_>) -> bool {
    // A half-closed connection on which the process still sends is in use.
    sighting.facts.state == TcpState::CloseWait
        && sighting.is_free_to_act()
        && !sighting.is_being_read()
        && sighting.overdue(sighting.peer_closed_ms().1.min(sighting.sent_ms()))
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.tracked.peer_closed.unwrap_or(Interval::exact(sighting.tracked.seen_at))
}

/// The peer certainly closed T ago. Where keepalive probes are answered, an audit cannot know.
fn surely_overdue(sighting: &Sighting<'_>) -> bool {
    sighting.overdue(sighting.peer_closed_ms().0)
}

/// The peer has asked, and the process has taken all of it and may be working on the answer.
fn may_be_answered(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    sighting.direction == Direction::Inbound
        && facts.rx_bytes > 0
        && facts.tx_bytes == 0
        && facts.unread_bytes == 0
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let sure = claimed.count_where(surely_overdue);
    let told = claimed.count_where(|member| member.tracked.told && surely_overdue(member));
    let taken = claimed.count_where(|member| member.facts.drained);
    let is_left = |member: &Sighting<'_>| never_reused::was_left(member) && surely_overdue(member);
    let accumulated = claimed.accumulated(claimed.count_where(is_left), sure);
    let unheld = claimed.proven() + claimed.unsearched();
    let working = claimed.count_where(may_be_answered);
    let (verdict, confidence) = if claimed.is_proven() {
        (Verdict::CloseWait, Confidence::Certain)
    } else if claimed.is_held_up() || 2 * working > count {
        (Verdict::CloseWait, Confidence::Possible)
    } else if accumulated || told >= claimed.options.count_min {
        (Verdict::CloseWait, Confidence::Likely)
    } else if count > claimed.pool_max()
        || told > 0
        || unheld > 0
        || taken >= claimed.options.count_min
    {
        (Verdict::CloseWait, Confidence::Possible)
    } else {
        (Verdict::StalePool, Confidence::Info)
    };
    let least = claimed.range_ms(|member| member.peer_closed_ms().0).0;
    let most = claimed.range_ms(|member| member.peer_closed_ms().1).1;
    let mut evidence = vec![format!(
        "the peer closed {} {} ago and nothing was sent since",
        wording::sockets(count),
        wording::range((least, most)),
    )];
    evidence.extend(wording::accumulation(claimed, "were closed", "been closed"));
    if told > 0 {
        evidence.push(format!("the process was seen to read the end of {told} of {count}"));
    } else if taken > 0 {
        evidence.push(format!(
            "nothing is unread on {taken} of {count}; whether the process knows of the end was not \
             seen"
        ));
    }
    if working > 0 {
        evidence.push(format!(
            "on {working} of {count} a request was read and nothing was answered yet: the peer may \
             have closed its side only, and wait for the answer"
        ));
    }
    let is_client = claimed.count_where(|it| it.direction == Direction::Outbound) == count;
    if accumulated && is_client && told < claimed.options.count_min && !claimed.is_proven() {
        let alike = "a pool with a connection for each thread looks the same while it ebbs";
        evidence.push(alike.to_owned());
    }
    evidence.extend(wording::readers(claimed));
    if sure < count {
        evidence.push(format!(
            "of {} it cannot be told when the peer closed: keepalive probes hide it",
            count - sure
        ));
    }
    let growth_tells = count >= claimed.options.count_min && 2 * working <= count;
    Some(Assessment { verdict, confidence, growth_tells, evidence })
}
