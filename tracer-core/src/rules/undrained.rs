//! Data has arrived on an open connection and nobody reads it.
//!
//! A connection with a few hundred unread bytes can be healthy for ever (TLS session tickets), and
//! a slow reader reads: so it takes many, a lot, and no movement at all. That nothing moves takes a
//! watch of T. A short look cannot see it, for the kernel lets a peer send more only once much of
//! its buffer is free, so that a slow reader may have got nothing for minutes either; there it takes
//! that they fell silent at separate times, and that nobody has read more of any than libraries do
//! by themselves. Downloads that are opened together and written one after the other lie unread for
//! as long as one of them is being read.

use alloc::{format, string::String, vec, vec::Vec};

use super::{Assessment, Claimed, Rule, wording};
use crate::{
    Confidence, Interval, Reader, TcpState, Verdict, duration::humane, sighting::Sighting,
};

pub(super) const RULE: Rule = Rule::new(claims, moment, assess);

fn claims(sighting: &Sighting<'_>) -> bool {
    sighting.facts.state == TcpState::Established
        && sighting.facts.unread_bytes > 0
        && sighting.is_free_to_act()
        // A process that sends on the connection uses it, and may have no need to read.
        && sighting.overdue(neglected_ms(sighting).min(sighting.sent_ms()))
}

/// How long nobody has cared. Where nobody was found to have the response, and nobody was seen to
/// read it, that more of it still comes says nothing: it counts from the request.
fn neglected_ms(sighting: &Sighting<'_>) -> u64 {
    if (sighting.is_proven() || sighting.is_unsearched()) && sighting.tracked.never_seen_reading {
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

/// What an HTTP library may take of a response that nobody reads, in bytes: Go and Python buffer 4
/// to 8 KiB, Node 64 KiB twice, and aiohttp (3.14) 730 KiB until it pauses. More than that the
/// application has asked for.
const FIRST_BUFFERS_BYTES: u64 = 1 << 20;

/// An answer that is seen to be read so soon after it was asked for was read at once: what is seen
/// was up to a look before, in milliseconds.
const MOMENT_MS: u64 = 2_000;

/// Nobody has read more of it than libraries do by themselves.
fn is_untouched(sighting: &Sighting<'_>) -> bool {
    let facts = sighting.facts;
    facts.rx_bytes.saturating_sub(facts.unread_bytes) <= FIRST_BUFFERS_BYTES
}

/// It was watched for T that nothing is read.
fn was_watched(sighting: &Sighting<'_>) -> bool {
    watched_ms(sighting) >= sighting.options.idle_ms
}

/// The process was seen to read within T what it had asked for before: not the answer of a moment,
/// but something that it works on.
fn is_in_work(sighting: &Sighting<'_>) -> bool {
    let (tracked, options) = (sighting.tracked, sighting.options);
    tracked.read_at.is_some_and(|read_at| {
        let asked_at = sighting.facts.last_sent_at.unwrap_or(tracked.opened_at);
        let is_recent = sighting.now.ms_since(read_at) < options.idle_ms;
        is_recent && read_at.ms_since(asked_at) > options.gap_ms().max(MOMENT_MS)
    })
}

fn moment(sighting: &Sighting<'_>) -> Interval {
    sighting.last_received()
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let count = claimed.count();
    let unread_min = claimed.options.unread_min_bytes;
    let is_large = |member: &Sighting<'_>| member.facts.unread_bytes > unread_min;
    let large = claimed.count_where(is_large);
    let watched = claimed.range_ms(watched_ms);
    let enough = claimed.options.count_min;
    let in_work = claimed.group.iter().filter(|member| is_in_work(member)).count();
    let seen = claimed.count_where(|member| is_large(member) && was_watched(member));
    let untouched = claimed.count_where(|member| is_large(member) && is_untouched(member));
    // One look is none: it takes two to see that nothing is read.
    let is_apparent = watched.1 > 0 && claimed.gathered() && untouched >= enough && in_work == 0;
    let is_seen = seen >= enough && (in_work == 0 || claimed.gathered());
    let unnoticed =
        claimed.count_where(|member| member.reader() == Reader::None && is_large(member));
    let confidence = if claimed.is_proven() {
        Confidence::Certain
    } else if claimed.is_held_up() || is_watched(claimed) {
        Confidence::Possible
    } else if unnoticed >= enough && claimed.gathered() && (is_seen || is_apparent) {
        Confidence::Certain
    } else if is_seen || is_apparent {
        Confidence::Likely
    } else {
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
    }
    if !proven && confidence < Confidence::Certain {
        evidence.extend(doubts(claimed, in_work));
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
    let growth_tells = is_seen && !claimed.is_held_up() && !is_watched(claimed);
    Some(Assessment { verdict: Verdict::Undrained, confidence, growth_tells, evidence })
}

/// Why it may be otherwise, and what would settle it.
fn doubts(claimed: &Claimed<'_, '_>, in_work: usize) -> Vec<String> {
    let mut sentences = Vec::new();
    let reading = claimed.count_where(|member| !is_untouched(member));
    if reading > 0 {
        sentences.push(format!(
            "more of {reading} of {} was read than a library does by itself: somebody has worked \
             on them",
            claimed.count()
        ));
    }
    if in_work > 0 {
        sentences.push(format!(
            "{} to the same peers being read meanwhile: these may have to wait for that",
            wording::sockets(in_work)
        ));
    }
    let idle_ms = claimed.options.idle_ms;
    if claimed.count_where(was_watched) < claimed.count().min(claimed.options.count_min) {
        sentences.push(format!(
            "whether somebody reads slowly takes {} of watching to tell",
            humane(idle_ms)
        ));
    }
    sentences
}
