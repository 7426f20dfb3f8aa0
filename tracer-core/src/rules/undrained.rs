//! **undrained**: data has arrived on an open connection, and no code reads it.
//!
//! Claim: ESTABLISHED, data is unread, and for `--idle` nothing was read and nothing sent.
//!
//! - *certain*: confirmed by goroutine scan.
//! - *likely*: `--min-count` hold more than [`unread_min_bytes`](crate::Options::unread_min_bytes),
//!   were watched for `--idle` without a read, and accumulated ([`accumulation`](super::accumulation)).
//!   Or, in a shorter run of at least two snapshots: `--min-count` large ones of which no more was read
//!   than HTTP libraries buffer by themselves, and only when the response began, that accumulated while
//!   no other connection of the group is being worked on.
//! - *possible*: otherwise; and where the process may return to them, or a reader waits for most of
//!   them: the process is stuck and has not forgotten them.
//!
//! Looks alike: a few hundred unread bytes can be healthy for ever (TLS session tickets). A slow reader
//! reads, but the kernel lets the peer send more only once much of the receive buffer is free, so
//! nothing may be received for minutes. The kernel knows when it last read
//! ([`last_read_at`](crate::SocketFacts::last_read_at)); that a slow reader has not come back to the
//! beginning of a response yet looks the same. Downloads that are
//! opened together and written one after the other stay unread while one of them is being read.

use super::{Accumulation, Assessment, Claimed, Facts, Rule, RuleId};
use crate::{
    Caveat, Confidence, Evidence, Interval, Occurrence, TcpState, Timestamp, Verdict,
    connection_view::ConnectionView,
};

pub(super) const RULE: Rule = Rule::new(RuleId::Undrained, claims, occurred, assess);

/// What an HTTP library may buffer of a response that the application does not read: Go and Python 4
/// to 8 KiB, Node.js twice 64 KiB, and aiohttp 3.14 730 KiB until it pauses. The application has asked
/// for more than that.
const FIRST_BUFFERS_BYTES: u64 = 1 << 20;

/// A read seen at most this long after the last send may be the immediate read of an answer: it
/// happened up to one snapshot interval before it was seen.
const ANSWER_READ_MS: u64 = 2_000;

fn claims(view: &ConnectionView<'_>) -> bool {
    view.facts.state == TcpState::Established
        && view.facts.unread_bytes > 0
        && view.is_free_to_act()
        // A process that sends on the connection uses it, and may not need to read.
        && view.is_overdue(neglected_ms(view).min(view.sent_ms()))
}

/// How long the connection has been neglected. Where no goroutine is known to reference the response
/// and no read was seen, data that still arrives means nothing: the time counts from the request.
fn neglected_ms(view: &ConnectionView<'_>) -> u64 {
    if (view.is_confirmed() || view.is_unsearched()) && view.tracked.never_seen_reading {
        view.sent_ms()
    } else {
        unread_ms(view)
    }
}

/// How long nothing was read, as far as known: as watched, or since data was last received if no read
/// was ever seen.
fn unread_ms(view: &ConnectionView<'_>) -> u64 {
    let watched_ms = watched_ms(view);
    if view.tracked.never_seen_reading { watched_ms.max(view.received_ms()) } else { watched_ms }
}

/// How long it was watched without a read; 0 after a single snapshot.
fn watched_ms(view: &ConnectionView<'_>) -> u64 {
    let tracked = view.tracked;
    let since = tracked.unread_since.max(tracked.known_since);
    if tracked.snapshots_seen < 2 { 0 } else { view.now.ms_since(since) }
}

/// A reader waits on most of them and does not take what is there: the process is stuck.
fn has_readers(claimed: &Claimed<'_, '_>) -> bool {
    2 * claimed.count_where(|member| member.reader().is_waiting()) > claimed.count()
}

/// No more of it was read than libraries buffer by themselves, and only when the response began. If it
/// is unknown when it was last read, data that came long after the request may have come because the
/// process had read on.
fn is_untouched(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    let touched_at = facts.last_read_at.or(facts.last_received_at);
    !is_partly_read(view) && !touched_at.is_some_and(|at| is_later(view, at))
}

/// The application has read more than the beginning of it.
fn is_partly_read(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    facts.rx_bytes.saturating_sub(facts.unread_bytes) > FIRST_BUFFERS_BYTES
        || facts.last_read_at.is_some_and(|at| is_later(view, at))
}

/// It is too long after the request to be the immediate read of an answer.
fn is_later(view: &ConnectionView<'_>, at: Timestamp) -> bool {
    let requested_at = view.facts.last_sent_at.unwrap_or(view.tracked.opened_at);
    at.ms_since(requested_at) > view.options.gap_ms().max(ANSWER_READ_MS)
}

/// It was watched for `--idle` without a read.
fn was_watched(view: &ConnectionView<'_>) -> bool {
    watched_ms(view) >= view.options.idle_ms
}

/// Within `--idle`, the process was seen to read what it had requested some time before: it works on
/// the data, and does not just take an answer at once.
fn is_in_work(view: &ConnectionView<'_>) -> bool {
    view.tracked.read_at.is_some_and(|read_at| {
        let is_recent = view.now.ms_since(read_at) < view.options.idle_ms;
        is_recent && is_later(view, read_at)
    })
}

fn occurred(view: &ConnectionView<'_>) -> Interval {
    Interval::exact(view.tracked.unread_since)
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, count_min) = (claimed.count(), claimed.count_min());
    let unread_min_bytes = claimed.options.unread_min_bytes;
    let is_large = |member: &ConnectionView<'_>| member.facts.unread_bytes > unread_min_bytes;
    let large = claimed.count_where(is_large);
    let watched = claimed.range(watched_ms);
    let in_work = claimed.group.iter().filter(|member| is_in_work(member)).count();
    let seen = claimed.count_where(|member| is_large(member) && was_watched(member));
    let untouched = claimed.count_where(|member| is_large(member) && is_untouched(member));
    let accumulated = claimed.accumulation(is_large);
    let has_accumulated = accumulated == Accumulation::OneByOne;
    // It takes two snapshots to see that nothing is read.
    let is_apparent =
        watched.max_ms > 0 && has_accumulated && untouched >= count_min && in_work == 0;
    let is_seen = seen >= count_min && has_accumulated;
    let is_confirmed = claimed.is_confirmed();
    let confidence = if is_confirmed {
        Confidence::Certain
    } else if claimed.may_be_resumed() || has_readers(claimed) {
        Confidence::Possible
    } else if is_seen || is_apparent {
        Confidence::Likely
    } else {
        Confidence::Possible
    };
    let unread_bytes = claimed.sum(|member| member.facts.unread_bytes);
    let silent = claimed.range(ConnectionView::received_ms);
    let is_stream = silent.max_ms < claimed.options.idle_ms;
    let mut facts = Facts::new(if is_stream {
        Evidence::UnreadGrowing { count, unread_bytes }
    } else {
        Evidence::UnreadSilent { count, unread_bytes, silent }
    });
    if watched.max_ms > 0 {
        facts.add(Evidence::NothingRead { watched });
    }
    if confidence < Confidence::Certain {
        add_doubts(&mut facts, claimed, in_work);
    }
    if !is_stream {
        facts.add_times(claimed, Occurrence::WentSilent);
    }
    facts.add_readers(claimed);
    facts.add_same_destination(claimed);
    if !is_confirmed && large < claimed.options.count_min {
        let (count, total, count_min) = (large, count, claimed.options.count_min);
        facts.doubt(Caveat::TooLittleUnread { count, total, unread_min_bytes, count_min });
    }
    if confidence == Confidence::Possible && large >= count_min {
        facts.add_undecided(claimed, accumulated);
    }
    let growth_counts = seen >= count_min
        && accumulated != Accumulation::AtOnce
        && !claimed.may_be_resumed()
        && !has_readers(claimed);
    Some(Assessment { verdict: Verdict::Undrained, confidence, growth_counts, facts })
}

/// What a healthy explanation would be, and what would rule it out.
fn add_doubts(facts: &mut Facts, claimed: &Claimed<'_, '_>, in_work: usize) {
    let partly_read = claimed.count_where(is_partly_read);
    if partly_read > 0 {
        facts.doubt(Caveat::PartlyRead(claimed.of_all(partly_read)));
    }
    if in_work > 0 {
        facts.doubt(Caveat::OthersBeingRead { count: in_work });
    }
    if claimed.count_where(was_watched) < claimed.count().min(claimed.options.count_min) {
        facts.doubt(Caveat::WatchedTooBriefly { needed_ms: claimed.options.idle_ms });
    }
}
