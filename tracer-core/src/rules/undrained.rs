//! Data has arrived on an open connection and nobody reads it.
//!
//! A connection with a few hundred unread bytes can be healthy for ever (TLS session tickets), and
//! a slow reader reads: so it takes many, a lot, and no movement at all.

use alloc::{format, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{Confidence, Interval, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule { claims, moment, assess };

/// More unread data than tickets, greetings and closing notices amount to, in bytes.
const UNREAD_MIN: u64 = 4_096;

fn claims(sighting: &Sighting<'_>) -> bool {
    sighting.facts.state == TcpState::Established
        && sighting.facts.unread_bytes > 0
        && !sighting.stopped
        && sighting.overdue(unread_ms(sighting))
}

/// How long nothing has been read, as far as is known: watched, or, on a connection that has not
/// been read from since the tool looked, since the last data came.
fn unread_ms(sighting: &Sighting<'_>) -> u64 {
    let watched_ms = sighting.now.ms_since(sighting.tracked.unread_since);
    if sighting.tracked.never_seen_reading {
        watched_ms.max(sighting.received_ms())
    } else {
        watched_ms
    }
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

fn assess(claimed: &Claimed<'_>) -> Assessment {
    let count = claimed.count();
    let large = claimed.count_where(|member| member.facts.unread_bytes > UNREAD_MIN);
    let confidence =
        if large >= claimed.options.count_min { Confidence::Likely } else { Confidence::Possible };
    let unread: u64 = claimed.members.iter().map(|member| member.facts.unread_bytes).sum();
    let mut evidence = vec![format!(
        "{unread} bytes lie unread on {}, and nothing was read for {}",
        wording::sockets(count),
        wording::range(claimed.range_ms(unread_ms)),
    )];
    evidence.extend(wording::accumulation(claimed, "went silent"));
    if large < claimed.options.count_min {
        evidence.push(format!(
            "{large} of {count} hold more than {UNREAD_MIN} bytes, {} would be telling: \
             less can be TLS session tickets",
            claimed.options.count_min
        ));
    }
    Assessment { verdict: Verdict::Undrained, confidence, evidence }
}
