//! Why a finding does not have a higher confidence, in words.

use tracer_core::{Caveat, Confidence, CountOf, Finding};

use super::{any_connections, connections, next_step::watch_for_ms, part};
use crate::output::quantity::{argument, bytes, counted, duration_ms, grouped};

const SLOW_READER: &str = "a slow reader looks the same";

/// The label of the caveats: `only likely`.
pub(crate) const fn caveats_label(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Possible => "only possible",
        Confidence::Likely => "only likely",
        Confidence::Certain | Confidence::Info => "caveat",
    }
}

/// All reasons why a finding does not have a higher confidence, as phrases; none for *certain* and
/// *info* without caveats.
pub(crate) fn caveats(finding: &Finding) -> Vec<String> {
    if !finding.caveats.is_empty() {
        let has_longer_time = finding.caveats.iter().any(Caveat::is_about_watching);
        return finding
            .caveats
            .iter()
            .map(|it| match it {
                // The finding names one time for which to watch: the longer one.
                Caveat::WatchedTooBriefly { .. } if has_longer_time => SLOW_READER.to_owned(),
                it => caveat(it),
            })
            .collect();
    }
    let reason = match finding.confidence {
        Confidence::Certain | Confidence::Info => return Vec::new(),
        Confidence::Likely => "inferred from timing and counts, not verified inside the process",
        Confidence::Possible => "a healthy program can show the same timing and counts",
    };
    vec![reason.to_owned()]
}

/// One reason, as a phrase.
#[expect(clippy::too_many_lines, reason = "one arm for each variant")]
pub(crate) fn caveat(caveat: &Caveat) -> String {
    match caveat {
        Caveat::SingleCausePossible => {
            "a single cause, such as a restart of the peer or a burst of load, may explain all of \
             them"
                .to_owned()
        }
        Caveat::SingleBurstPossible => "a single burst of load may explain all of them".to_owned(),
        Caveat::HalfClosePossible(of) => format!(
            "on {}, a request was read and has not been answered, so the peer may have closed only \
             its sending side and still be waiting for the response",
            connections(*of)
        ),
        Caveat::EofUnconfirmed(of) => format!(
            "nothing is unread on {}, but no read was seen to return EOF, so the process may not \
             know that the peer closed",
            any_connections(*of)
        ),
        Caveat::CloseTimeUnknown(of) => format!(
            "it is unknown when the peer closed {}, because each answered keepalive probe \
             overwrites the timestamp",
            any_connections(*of)
        ),
        Caveat::ThreadPoolPossible => {
            "a client pool with one connection per thread looks the same while it shrinks"
                .to_owned()
        }
        Caveat::IdlePoolPossible => {
            "the idle pool of a database or cache driver looks the same".to_owned()
        }
        Caveat::StreamPossible => {
            "idle streams (WebSocket, server-sent events, long polling) look the same".to_owned()
        }
        Caveat::CauseAmbiguous => {
            "small unread responses and a new client for each request look the same from outside \
             the process"
                .to_owned()
        }
        Caveat::ResponseReferenced { count, total, holder } => {
            let holder = holder.as_ref().map(|it| format!(" ({})", super::holder(it)));
            format!(
                "something in the program{} still references the response on {}, and may read or \
                 close it",
                holder.unwrap_or_default(),
                connections(CountOf { count: *count, total: *total }),
            )
        }
        Caveat::ScanIncomplete(of) => format!(
            "on {}, Go's HTTP client is waiting for the response to be read or closed, but not \
             all goroutine stacks could be searched for references to it",
            connections(*of)
        ),
        Caveat::ReaderWaiting(of) => format!("a reader is waiting on {}", connections(*of)),
        Caveat::ReaderUnknown(of) => {
            format!("for {} it is unknown whether a reader is waiting", connections(*of))
        }
        Caveat::SendBlocked { connections: blocked } => format!(
            "the process is itself blocked sending on {}, so it may be forwarding data to slow \
             clients",
            some(*blocked)
        ),
        Caveat::HalfClosedPeers { connections: waiting } => {
            let (peers_have, them) = match waiting {
                1 => ("peer has", "that peer"),
                _ => ("peers have", "those peers"),
            };
            format!(
                "the process has sent its FIN on {}, whose {peers_have} not closed yet, so the \
                 process may have forwarded EOF and be waiting for {them}",
                some(*waiting)
            )
        }
        Caveat::ProcessStopped => {
            "the process is stopped (signal, debugger or cgroup freezer), so it cannot read or \
             close anything"
                .to_owned()
        }
        Caveat::ProcessResumed { ago_ms } => format!(
            "the process was stopped until {} ago and may not have handled these connections yet",
            duration_ms(*ago_ms)
        ),
        Caveat::NotInspected(of) => not_inspected(*of),
        Caveat::PausePossible(of) => {
            format!(
                "{} responses {} previously read in several chunks, so reading may just be paused",
                part(*of),
                if of.count == 1 { "was" } else { "were" }
            )
        }
        Caveat::PartlyRead(of) => format!(
            "the application has been reading {} (more was read than an HTTP library buffers on \
             its own, or data was read long after the request)",
            connections(*of)
        ),
        Caveat::OthersBeingRead { count } => format!(
            "the process is reading {} to the same destination, and those in this finding may be \
             next",
            some(*count)
        ),
        Caveat::OthersBeingServed { count } => format!(
            "the process is serving {} on the same port, and those in this finding may be next",
            some(*count)
        ),
        Caveat::CleanedUp { alive_max } => format!(
            "the process has closed or used other idle or dead connections to this destination, as \
             a pool does; so up to {} of these may belong to a pool (the most that were alive at \
             one time)",
            grouped(*alive_max as u64)
        ),
        Caveat::AwaitsCollection { connections: count } => format!(
            "a garbage collector seems to close connections to this destination in batches; {} of \
             those in this finding died after the latest batch, and the next may close {}",
            grouped(*count as u64),
            if *count == 1 { "it" } else { "them" }
        ),
        Caveat::UsedAgain { count_min } => format!(
            "connections to this destination were used again after a pause, so --min-count is \
             raised to {count_min} for now"
        ),
        Caveat::Undecided { watch_ms } => format!(
            "a connection pool after bursts of load looks the same; watch for about {} to see \
             whether more connections accumulate",
            duration_ms(watch_for_ms(*watch_ms))
        ),
        Caveat::ShortSeries { lasted_ms, needed_ms, watch_ms } => format!(
            "a burst of load looks the same, but does not last {} (three times --idle); this has \
             lasted {} so far; watch for {} to see whether it continues",
            duration_ms(*needed_ms),
            duration_ms(*lasted_ms),
            duration_ms(watch_for_ms(*watch_ms))
        ),
        Caveat::WatchedTooBriefly { needed_ms } => format!(
            "{SLOW_READER}; watching for longer than --idle (--for {}) rules out most slow readers",
            argument(watch_for_ms(needed_ms.saturating_mul(2)))
        ),
        Caveat::CannotGrow => {
            "the process is at its fd limit, so the number of connections cannot grow; watching for \
             longer will not help"
                .to_owned()
        }
        Caveat::AliveTogether { alive_max } => format!(
            "up to {} to this destination may have been in use at one time: a pool that large looks \
             the same",
            some(*alive_max)
        ),
        Caveat::TooLittleUnread { count, total, unread_min_bytes, count_min } => too_little_unread(
            CountOf { count: *count, total: *total },
            *unread_min_bytes,
            *count_min,
        ),
        Caveat::TooFewResponses { count, count_min } => format!(
            "only {} open (--min-count is {count_min}), and the application may still read {}",
            counted(*count as u64, "response is", "responses are"),
            if *count == 1 { "it" } else { "them" }
        ),
        Caveat::TooFewInherited { count, count_min } => format!(
            "only {} inherited (--min-count is {count_min}), and {} may have been passed on purpose",
            counted(*count as u64, "connection is", "connections are"),
            if *count == 1 { "it" } else { "they" }
        ),
        Caveat::OpenerNotSeen => {
            "this process was forked from the one that opened the connections, which was not found \
             (it may have exited or closed its sockets); a daemon that uses a pool opened before \
             its fork looks the same"
                .to_owned()
        }
        Caveat::ExecUnknown => {
            "it is unknown whether this process has called execve since it was forked".to_owned()
        }
    }
}

/// `1 connection`, `23 connections`.
fn some(count: usize) -> String {
    counted(count as u64, "connection", "connections")
}

fn not_inspected(of: CountOf) -> String {
    let (those, it) = match of {
        CountOf { count: 1, total: 1 } => ("the connection has".to_owned(), "it"),
        CountOf { count, total } if count == total => {
            (format!("none of the {} connections has", grouped(total as u64)), "it")
        }
        CountOf { count: 1, .. } => (format!("{} has", connections(of)), "it"),
        _ => (format!("{} have", connections(of)), "they"),
    };
    let not = if of.count == of.total && of.total > 1 { "" } else { "not " };
    format!(
        "{those} {not}been checked for a waiting reader since {it} last changed, so a reader may \
         be waiting"
    )
}

fn too_little_unread(of: CountOf, unread_min_bytes: u64, needed: usize) -> String {
    let CountOf { count, total } = of;
    if count == total {
        return format!(
            "only {} more than {} unread ({needed} are required)",
            counted(count as u64, "connection has", "connections have"),
            bytes(unread_min_bytes)
        );
    }
    let (those, have) = match count {
        0 => (format!("none of the {total} connections"), "has"),
        1 => (format!("only 1 of {total} connections"), "has"),
        count => (format!("only {count} of {total} connections"), "have"),
    };
    format!(
        "{those} {have} more than {} unread ({needed} are required); smaller amounts can be TLS \
         session tickets",
        bytes(unread_min_bytes)
    )
}
