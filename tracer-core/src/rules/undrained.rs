//! **undrained**: data has arrived on an open connection, and no code reads it.
//!
//! Claim: ESTABLISHED, data is unread, and for `--idle` nothing was read and nothing sent.
//!
//! - *certain*: confirmed by heap search.
//! - *likely*: at least `--min-count` connections with more than
//!   [`unread_min_bytes`](crate::Options::unread_min_bytes) unread were watched for `--idle` without
//!   a read, and accumulated ([`accumulation`](super::accumulation)). Or, in a shorter run of at
//!   least two snapshots: at least `--min-count` such connections accumulated, no more was read from
//!   them than HTTP libraries buffer on their own, and only when the response began, and the process
//!   is not processing another connection of the group. Instead of accumulating, they may have
//!   brought the process to its fd limit ([`fd_limit`](super::fd_limit)) while it is not processing
//!   another connection of the group.
//! - *possible*: otherwise. Also, whatever the above says, if the process may return to the
//!   connections, or if a reader is waiting on most of them: the process is stuck and has not
//!   forgotten them.
//!
//! Lookalikes: a few hundred unread bytes can stay unread forever in a healthy program (TLS session
//! tickets). With a slow reader, nothing may be received for minutes, because the kernel lets the
//! peer send more only once much of the receive buffer is free. If the kernel has the time of the
//! last read ([`last_read_at`](crate::SocketFacts::last_read_at)), this reveals such a reader,
//! unless it has read only the beginning of the response so far. Of several downloads that are
//! opened together and processed one after another, all but one stay unread.

use super::{Accumulation, Assessment, Claimed, Reasons, Rule, RuleId};
use crate::{
    Caveat, Confidence, Evidence, Interval, Occurrence, TcpState, Timestamp, Verdict,
    connection_view::ConnectionView,
};

pub(super) const RULE: Rule = Rule::new(RuleId::Undrained, claims, occurred, assess);

/// How much of a response an HTTP library may buffer although the application does not read: 4 to 8
/// KiB in Go and Python, twice 64 KiB in Node.js, and 730 KiB in aiohttp 3.14, until it pauses. If
/// more was read, the application asked for it.
const FIRST_BUFFERS_BYTES: u64 = 1 << 20;

/// A read that is seen at most this long after the last send may be the immediate read of a
/// response: it happened up to one snapshot interval before it was seen.
const ANSWER_READ_MS: u64 = 2_000;

fn claims(view: &ConnectionView<'_>) -> bool {
    view.facts.state == TcpState::Established
        && view.facts.unread_bytes > 0
        && view.can_run()
        // A process that sends on the connection is using it, and may not need to read.
        && view.is_overdue(neglected_ms(view).min(view.sent_ms()))
}

/// How long the connection has not been read. If no goroutine is known to reference the response
/// and no read was seen, newly arriving data does not matter: the time counts from the request.
fn neglected_ms(view: &ConnectionView<'_>) -> u64 {
    if (view.is_confirmed() || view.is_scan_incomplete()) && view.tracked.never_seen_reading {
        view.sent_ms()
    } else {
        unread_ms(view)
    }
}

/// For how long nothing is known to have been read from the connection: for as long as it was
/// watched or, if no read was ever seen, since data was last received.
fn unread_ms(view: &ConnectionView<'_>) -> u64 {
    let watched_ms = watched_ms(view);
    if view.tracked.never_seen_reading { watched_ms.max(view.received_ms()) } else { watched_ms }
}

/// How long the connection was watched without a read, in milliseconds; 0 after a single snapshot.
fn watched_ms(view: &ConnectionView<'_>) -> u64 {
    let tracked = view.tracked;
    let since = tracked.unread_since.max(tracked.known_since);
    if tracked.snapshots_seen < 2 { 0 } else { view.now.ms_since(since) }
}

/// Whether a reader is waiting on most of the claimed connections and does not read what is there:
/// the process is stuck.
fn has_readers(claimed: &Claimed<'_, '_>) -> bool {
    2 * claimed.count_where(|member| member.reader().is_waiting()) > claimed.count()
}

/// Whether no more data was read from the connection than libraries buffer on their own, and only
/// when the response began. If the time of the last read is unknown, data that arrived long after
/// the request counts as a later read: it may have arrived because the process continued to read.
fn is_untouched(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    let touched_at = facts.last_read_at.or(facts.last_received_at);
    !is_partly_read(view) && !touched_at.is_some_and(|at| is_later(view, at))
}

/// Whether the application has read more from the connection than the beginning of the response.
fn is_partly_read(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    facts.rx_bytes.saturating_sub(facts.unread_bytes) > FIRST_BUFFERS_BYTES
        || facts.last_read_at.is_some_and(|at| is_later(view, at))
}

/// Whether `at` is too long after the request for an immediate read of the response.
fn is_later(view: &ConnectionView<'_>, at: Timestamp) -> bool {
    let requested_at = view.facts.last_sent_at.unwrap_or(view.tracked.opened_at);
    at.ms_since(requested_at) > view.options.gap_ms().max(ANSWER_READ_MS)
}

/// Whether the connection was watched for `--idle` without a read.
fn was_watched(view: &ConnectionView<'_>) -> bool {
    watched_ms(view) >= view.options.idle_ms
}

/// Whether the process, within `--idle`, was seen to read what it had requested some time before:
/// it is processing the data, not just reading a response immediately.
fn is_being_processed(view: &ConnectionView<'_>) -> bool {
    view.tracked.read_at.is_some_and(|read_at| {
        let is_recent = view.now.ms_since(read_at) < view.options.idle_ms;
        is_recent && is_later(view, read_at)
    })
}

/// When the unread data began to wait. On a stream that kept receiving, this is the time of the first
/// snapshot that showed unread data, or the time of a use by the application shortly before it.
fn occurred(view: &ConnectionView<'_>) -> Interval {
    let (facts, unread_since) = (view.facts, view.tracked.unread_since);
    let kept_receiving = facts.last_received_at > Some(unread_since);
    let used_at = facts.last_sent_at.max(facts.last_read_at).filter(|at| {
        kept_receiving
            && view.tracked.never_seen_reading
            && unread_since.ms_since(*at) <= view.options.idle_ms
    });
    Interval::exact(used_at.map_or(unread_since, |at| at.min(unread_since)))
}

fn assess(claimed: &Claimed<'_, '_>) -> Option<Assessment> {
    let (count, count_min) = (claimed.count(), claimed.count_min());
    let unread_min_bytes = claimed.options.unread_min_bytes;
    let is_large = |member: &ConnectionView<'_>| member.facts.unread_bytes > unread_min_bytes;
    let large = claimed.count_where(is_large);
    let watched = claimed.range(watched_ms);
    let being_processed = claimed.group.iter().filter(|member| is_being_processed(member)).count();
    let seen = claimed.count_where(|member| is_large(member) && was_watched(member));
    let untouched = claimed.count_where(|member| is_large(member) && is_untouched(member));
    let accumulated = claimed.accumulation(is_large);
    let fd_limit = claimed.fd_limit(is_large);
    let is_at_fd_limit = fd_limit.is_some_and(|fd_limit| fd_limit.is_witness);
    let has_accumulated =
        accumulated == Accumulation::OneByOne || (is_at_fd_limit && being_processed == 0);
    // Two snapshots are needed to see that nothing is read.
    let is_apparent =
        watched.max_ms > 0 && has_accumulated && untouched >= count_min && being_processed == 0;
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
    let mut reasons = Reasons::new(if is_stream {
        Evidence::UnreadGrowing { count, unread_bytes }
    } else {
        Evidence::UnreadSilent { count, unread_bytes, silent }
    });
    if watched.max_ms > 0 {
        reasons.add(Evidence::NothingRead { watched });
    }
    if confidence < Confidence::Certain {
        add_doubts(&mut reasons, claimed, being_processed);
    }
    if !is_stream {
        reasons.add_times(claimed, Occurrence::WentSilent);
    }
    reasons.add_readers(claimed);
    reasons.add_same_destination(claimed);
    if !is_confirmed && large < claimed.options.count_min {
        let (count, total, count_min) = (large, count, claimed.options.count_min);
        reasons.add_caveat(Caveat::TooLittleUnread { count, total, unread_min_bytes, count_min });
    }
    if confidence == Confidence::Possible && large >= count_min {
        reasons.add_undecided(claimed, accumulated);
    }
    reasons.add_fd_limit(claimed, fd_limit, confidence);
    let growth_raises_confidence = seen >= count_min
        && accumulated != Accumulation::AtOnce
        && !claimed.may_be_resumed()
        && !has_readers(claimed);
    Some(Assessment { verdict: Verdict::Undrained, confidence, growth_raises_confidence, reasons })
}

/// Adds healthy explanations, and what would rule them out.
fn add_doubts(reasons: &mut Reasons, claimed: &Claimed<'_, '_>, being_processed: usize) {
    let partly_read = claimed.count_where(is_partly_read);
    if partly_read > 0 {
        reasons.add_caveat(Caveat::PartlyRead(claimed.of_all(partly_read)));
    }
    if being_processed > 0 {
        reasons.add_caveat(Caveat::OthersBeingRead { count: being_processed });
    }
    if claimed.count_where(was_watched) < claimed.count().min(claimed.options.count_min) {
        reasons.add_caveat(Caveat::WatchedTooBriefly { needed_ms: claimed.options.idle_ms });
    }
}
