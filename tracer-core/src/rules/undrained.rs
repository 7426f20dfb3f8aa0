//! Data has arrived on an open connection and nobody reads it.
//!
//! A connection with a few hundred unread bytes can be healthy for ever (TLS session tickets), and
//! a slow reader reads: so it takes many, a lot, and no movement at all.

use alloc::{borrow::ToOwned, format, vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{Confidence, Interval, Reader, TcpState, Verdict, sighting::Sighting};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess);

fn claims(sighting: &Sighting<'_>) -> bool {
    sighting.facts.state == TcpState::Established
        && sighting.facts.unread_bytes > 0
        && sighting.is_free_to_act()
        // A process that sends on the connection uses it, and may have no need to read.
        && sighting.overdue(neglected_ms(sighting).min(sighting.sent_ms()))
}

/// How long nobody has cared. Where it is proved that nobody will read the response, and nobody was
/// seen to, that more of it still comes says nothing: it counts from the request.
fn neglected_ms(sighting: &Sighting<'_>) -> u64 {
    if sighting.is_proven() && sighting.tracked.never_seen_reading {
        sighting.sent_ms()
    } else {
        unread_ms(sighting)
    }
}

/// How long nothing has been read, as far as is known: watched, or, on a connection that has not
/// been read from since the tool looked, since the last data came.
fn unread_ms(sighting: &Sighting<'_>) -> u64 {
    let watched_ms = watched_ms(sighting);
    if sighting.tracked.never_seen_reading {
        watched_ms.max(sighting.received_ms())
    } else {
        watched_ms
    }
}

/// How long no more data has come.
fn silent_ms(sighting: &Sighting<'_>) -> u64 {
    sighting.received_ms()
}

/// How long it was watched that nothing is read; 0 after a single look.
fn watched_ms(sighting: &Sighting<'_>) -> u64 {
    let tracked = sighting.tracked;
    let since = tracked.unread_since.max(tracked.known_since);
    if tracked.looks < 2 { 0 } else { sighting.now.ms_since(since) }
}

/// Somebody waits for data on most of them and does not take what is there: a process that is
/// stuck, not one that forgot.
fn is_watched(claimed: &Claimed<'_, '_>) -> bool {
    2 * claimed.count_where(|member| member.reader().is_there()) > claimed.count()
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let unread_min = claimed.options.unread_min_bytes;
    let large = claimed.count_where(|member| member.facts.unread_bytes > unread_min);
    let watched = claimed.range_ms(watched_ms);
    let enough = claimed.options.count_min;
    let unnoticed = claimed.count_where(|member| {
        member.reader() == Reader::None && member.facts.unread_bytes > unread_min
    });
    let confidence = if claimed.is_proven() {
        Confidence::Certain
    } else if claimed.is_held_up() || is_watched(claimed) {
        Confidence::Possible
    } else if unnoticed >= enough && watched.1 > 0 && claimed.gathered() {
        Confidence::Certain
    } else if large >= enough && watched.1 > 0 {
        Confidence::Likely
    } else {
        // At a single look a slow reader looks the same.
        Confidence::Possible
    };
    let unread: u64 = claimed.members.iter().map(|member| member.facts.unread_bytes).sum();
    let proven = claimed.is_proven();
    let silent = claimed.range_ms(silent_ms);
    let is_stream = silent.1 < claimed.options.idle_ms;
    let sockets = wording::sockets(count);
    let mut evidence = vec![if is_stream {
        format!("{unread} bytes lie unread on {sockets}, and more still comes")
    } else {
        format!(
            "{unread} bytes lie unread on {sockets}, and no more came for {}",
            wording::range(silent)
        )
    }];
    if watched.1 > 0 {
        let watched = wording::range(watched);
        evidence.push(format!("nothing was read in the {watched} they were watched"));
    } else if !proven {
        let unknown = "whether somebody reads slowly cannot be told at a single look";
        evidence.push(unknown.to_owned());
    }
    if !is_stream {
        evidence.extend(wording::accumulation(claimed, "went silent", "gone silent"));
    }
    evidence.extend(wording::readers(claimed));
    if !proven && large < enough {
        evidence.push(format!(
            "{large} of {count} hold more than {unread_min} bytes, {enough} would be telling: \
             less can be TLS session tickets"
        ));
    }
    let growth_tells = large >= enough && !claimed.is_held_up() && !is_watched(claimed);
    Some(Assessment { verdict: Verdict::Undrained, confidence, growth_tells, evidence })
}
