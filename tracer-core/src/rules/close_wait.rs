//! The peer has closed and the process has not.
//!
//! CLOSE_WAIT alone is no leak: client pools keep a few connections that the server closed until
//! they are next looked at, and a restart of the server leaves many at one time.

use alloc::{format, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{Confidence, Interval, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess);

fn claims(sighting: &Sighting<'_>) -> bool {
    // A half-closed connection on which the process still sends is in use.
    sighting.facts.state == TcpState::CloseWait
        && sighting.is_free_to_act()
        && !sighting.is_being_read()
        && sighting.overdue(sighting.peer_closed_ms().1.min(sighting.sent_ms()))
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.tracked.peer_closed.unwrap_or(Interval::exact(sighting.facts.at))
}

/// The peer certainly closed T ago. Where keepalive probes are answered, an audit cannot know.
fn surely_overdue(sighting: &Sighting<'_>) -> bool {
    sighting.overdue(sighting.peer_closed_ms().0)
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let sure = claimed.count_where(surely_overdue);
    let told = claimed.count_where(|member| member.tracked.told && surely_overdue(member));
    let taken = claimed.count_where(|member| member.facts.drained);
    let accumulated = !claimed.is_spread
        && ((sure > claimed.pool_max() && claimed.rising())
            || (sure > claimed.large_pool_max() && claimed.gathered()));
    let proven = claimed.proven();
    let (verdict, confidence) = if claimed.is_proven() {
        (Verdict::CloseWait, Confidence::Certain)
    } else if claimed.is_held_up() {
        (Verdict::CloseWait, Confidence::Possible)
    } else if accumulated || told >= claimed.options.count_min {
        (Verdict::CloseWait, Confidence::Likely)
    } else if count > claimed.pool_max()
        || told > 0
        || proven > 0
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
    evidence.extend(wording::readers(claimed));
    if sure < count {
        evidence.push(format!(
            "of {} it cannot be told when the peer closed: keepalive probes hide it",
            count - sure
        ));
    }
    let growth_tells = count >= claimed.options.count_min;
    Some(Assessment { verdict, confidence, growth_tells, evidence })
}
