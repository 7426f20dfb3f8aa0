//! The facts behind a finding, in words.

use std::fmt::Display;

use tracer_core::{CountOf, Counted, DurationRange, Evidence, Occurrence, Recurrence};

use super::{connections as some_of, part};
use crate::output::quantity::{bytes, counted, duration_ms, grouped, range};

/// One fact, as a phrase.
#[expect(clippy::too_many_lines, reason = "one arm for each variant")]
pub(crate) fn evidence(evidence: &Evidence) -> String {
    match evidence {
        Evidence::PeerClosed { count, ago } => {
            let ago = range(*ago);
            format!(
                "the peer closed {} {ago} ago; the process has sent nothing since",
                connections(*count)
            )
        }
        Evidence::EofReceived(of) => format!("the process received EOF on {}", some_of(*of)),
        Evidence::Dead { count, dead, is_lower_bound } => {
            let at_least = if *is_lower_bound { "at least " } else { "" };
            let (fds, them) = if *count == 1 { ("its fd", "it") } else { ("their fds", "them") };
            format!(
                "{} been in CLOSE for {at_least}{} with {fds} still open; ss does not list {them}",
                connections_have(*count),
                range(*dead)
            )
        }
        Evidence::DeathReported(of) => {
            format!("the process received an error or EOF on {} and closed none", some_of(*of))
        }
        Evidence::DeathUnnoticed { count: 1 } => {
            "the process has received no error or EOF: it has not used the connection since \
             it died"
                .to_owned()
        }
        Evidence::DeathUnnoticed { count } => format!(
            "the process has received no error or EOF on any of the {} connections: it has not \
             used them since they died",
            grouped(*count as u64)
        ),
        Evidence::NeverRead { count, received_bytes, waiting } => {
            never_read(*count, *received_bytes, *waiting)
        }
        Evidence::PeerGaveUp(of) => format!("the peer has already closed {}", some_of(*of)),
        Evidence::UnreadSilent { count, unread_bytes, silent } => format!(
            "{} unread on {}; nothing received for {}",
            bytes(*unread_bytes),
            connections(*count),
            range(*silent)
        ),
        Evidence::UnreadGrowing { count, unread_bytes } => format!(
            "{} unread on {}; more data is still arriving",
            bytes(*unread_bytes),
            connections(*count)
        ),
        Evidence::NothingRead { watched } => {
            format!("the process read nothing while watched ({})", range(*watched))
        }
        Evidence::ResponseSilent { count, silent } => format!(
            "{} been idle for {}; an HTTP response on {} was neither read to EOF nor closed",
            connections_have(*count),
            range(*silent),
            if *count == 1 { "it" } else { "each" }
        ),
        Evidence::SilentWithoutReader { count, silent } => {
            format!(
                "{} been idle for {}; no reader is waiting",
                connections_have(*count),
                range(*silent)
            )
        }
        Evidence::OpenResponses { count, age } => format!(
            "{} requested {} ago, neither read to EOF nor closed",
            responses(*count),
            range(*age)
        ),
        Evidence::StreamsUnread { streams, connections: on, buffered_bytes, unread } => format!(
            "{} buffered in the process for {} on {}; the application has read none of it for {}",
            bytes(*buffered_bytes),
            counted(*streams as u64, "HTTP/2 stream", "HTTP/2 streams"),
            connections(*on),
            range(*unread)
        ),
        Evidence::DataPending(of) => format!(
            "data or EOF has been pending on {} for longer than --idle, so no reader is waiting",
            some_of(*of)
        ),
        Evidence::SameDestination { count } => format!(
            "including other call sites, {} from this destination have leaked",
            responses(*count)
        ),
        Evidence::ResponseUnreferenced(of) => format!(
            "heap search, {}: Go's HTTP client is waiting for the response body to be read or \
             closed, and nothing in the program can reach it any more",
            part(*of)
        ),
        Evidence::NoReader(CountOf { count, total }) if count == total && *total > 1 => {
            format!("none of the {} connections has a reader waiting", grouped(*total as u64))
        }
        Evidence::NoReader(of) => {
            let have = if of.count == 1 { "has" } else { "have" };
            format!("{} {have} no reader waiting", some_of(*of))
        }
        Evidence::NoReaderNoEpoll { count } => {
            let them = it_or_them(*count);
            format!("no reader is waiting on {them}, and no epoll instance watches {them}")
        }
        Evidence::NoThreadNoEpoll { count } => {
            let them = it_or_them(*count);
            format!("no thread was found waiting on {them}, and no epoll instance watches {them}")
        }
        Evidence::Requests { top, others } => {
            format!("requests: {}", list(top, *others))
        }
        Evidence::Destinations { top, others } => format!("destinations: {}", list(top, *others)),
        Evidence::CallSites { top, others } => format!("call sites: {}", list(top, *others)),
        Evidence::Rising { recurrence, since_last_ms } => {
            format!("{}, the latest {} ago", one_by_one(*recurrence), duration_ms(*since_last_ms))
        }
        Evidence::Ceased { recurrence, since_last_ms } => format!(
            "{}, but none in the last {}",
            one_by_one(*recurrence),
            duration_ms(*since_last_ms)
        ),
        Evidence::SeparateTimes(recurrence) => {
            let clusters = counted(recurrence.times as u64, "cluster", "clusters");
            let span = duration_ms(recurrence.span_ms);
            format!("{} in {clusters} over {span}", happened(recurrence.occurrence))
        }
        Evidence::Series { occurrence, span_ms, pause_max_ms, since_last_ms, .. } => format!(
            "{} one after another over {}, never more than {} apart, the latest {} ago",
            happened(*occurrence),
            duration_ms(*span_ms),
            duration_ms(rounded_up(*pause_max_ms)),
            duration_ms(*since_last_ms)
        ),
        Evidence::FdLimitReached { count, open, limit } => format!(
            "the process is at its fd limit ({} of {} fds open) and has not closed {}",
            grouped(*open),
            grouped(*limit),
            match count {
                1 => "this connection".to_owned(),
                count => format!("these {}", connections(*count)),
            }
        ),
        Evidence::CountRose { windows, from, to } => format!(
            "the number of connections rose in {windows} consecutive time windows, from {} to {}, \
             and the oldest stayed open",
            grouped(*from as u64),
            grouped(*to as u64)
        ),
        Evidence::HalfClosedRose { windows, from, to } => format!(
            "connections that may be waiting for another peer to close rose from {} to {} over \
             {windows} consecutive time windows; tunnels whose other end never closes leak like this",
            grouped(*from as u64),
            grouped(*to as u64)
        ),
        Evidence::NothingAcknowledged { count, silent } => format!(
            "the peer has acknowledged nothing on {} for {}",
            connections(*count),
            range(*silent)
        ),
        Evidence::ProbesUnanswered { count, total, consecutive_max } => format!(
            "{} unanswered on {}",
            match consecutive_max {
                1 => "a keepalive or window probe is".to_owned(),
                max => format!("up to {max} consecutive keepalive or window probes are"),
            },
            some_of(CountOf { count: *count, total: *total })
        ),
        Evidence::DataRetransmitted { count, total, retransmits_max } => format!(
            "the same data was retransmitted {} on {}",
            match retransmits_max {
                1 => "once".to_owned(),
                max => format!("up to {max} times"),
            },
            some_of(CountOf { count: *count, total: *total })
        ),
        Evidence::IdleWithReader { count, idle } => {
            format!(
                "{} been idle for {}; a reader is waiting on {}",
                connections_have(*count),
                range(*idle),
                if *count == 1 { "it" } else { "each" }
            )
        }
        Evidence::SeparateTransports { transports } => format!(
            "they belong to {}; a shared http.Transport would reuse connections",
            counted(*transports as u64, "http.Transport", "different http.Transports")
        ),
        Evidence::OpenedWhileOthersIdle(of) => format!(
            "{} {} opened while another connection to the same destination was idle",
            some_of(*of),
            if of.count == 1 { "was" } else { "were" }
        ),
        Evidence::ServedAtMostOnce(of) => format!("{} carried at most one request", some_of(*of)),
        Evidence::ServedOnce { count: 1, silent } => format!(
            "{} carried one request and has been idle since ({})",
            connections(1),
            range(*silent)
        ),
        Evidence::ServedOnce { count, silent } => format!(
            "{} carried one request each and have been idle since ({})",
            connections(*count),
            range(*silent)
        ),
        Evidence::OpenedByAnother { count, silent } => format!(
            "{} opened before this process started, by a process that no longer holds {}; idle \
             for {}",
            counted(*count as u64, "connection was", "connections were"),
            it_or_them(*count),
            range(*silent)
        ),
        Evidence::Opener { pid } => format!("opened by pid {pid}"),
        Evidence::CloseOnExecMissing => "this process has called execve since it was forked, so \
             close-on-exec was not set"
            .to_owned(),
        Evidence::ForkedFromOpener => {
            "this process was forked from the opener, which is still running".to_owned()
        }
        Evidence::SendStalled { count, unsent_bytes, stalled } => format!(
            "{} cannot be sent on {}: the peer has read nothing for {}",
            bytes(*unsent_bytes),
            connections(*count),
            range(*stalled)
        ),
    }
}

fn never_read(count: usize, received_bytes: u64, waiting: DurationRange) -> String {
    let (accepted, waiting) = (connections(count), range(waiting));
    if received_bytes == 0 {
        return format!("{accepted} accepted; EOF has been unread for {waiting}");
    }
    let received = bytes(received_bytes);
    format!("{accepted} accepted, {received} received; none of it has been read in {waiting}")
}

/// `they went idle one by one (at 37 separate times over 3m 36s)`.
fn one_by_one(Recurrence { occurrence, times, span_ms, .. }: Recurrence) -> String {
    let times = counted(times as u64, "separate time", "separate times");
    format!("{} one by one (at {times} over {})", happened(occurrence), duration_ms(span_ms))
}

const fn happened(occurrence: Occurrence) -> &'static str {
    match occurrence {
        Occurrence::PeerClosed => "the peer closed them",
        Occurrence::WentSilent => "they went idle",
        Occurrence::Died => "they entered CLOSE",
        Occurrence::Requested => "they were requested",
    }
}

/// `1 connection has`, `23 connections have`.
fn connections_have(count: usize) -> String {
    counted(count as u64, "connection has", "connections have")
}

/// Whole seconds above one second.
const fn rounded_up(milliseconds: u64) -> u64 {
    if milliseconds < 1_000 { milliseconds } else { milliseconds.div_ceil(1_000) * 1_000 }
}

const fn it_or_them(count: usize) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

fn connections(count: usize) -> String {
    counted(count as u64, "connection", "connections")
}

fn responses(count: usize) -> String {
    counted(count as u64, "HTTP response", "HTTP responses")
}

/// `10.0.0.1:443 (3), 10.0.0.2:443 (2), 4 more`.
fn list<T: Display>(top: &[Counted<T>], others: usize) -> String {
    let mut parts: Vec<String> = top
        .iter()
        .map(|Counted { value, count }| format!("{value} ({})", grouped(*count as u64)))
        .collect();
    if others > 0 {
        parts.push(format!("{others} more"));
    }
    parts.join(", ")
}
