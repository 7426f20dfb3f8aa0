//! Why a finding does not have a higher confidence, in words.

use tracer_core::{Caveat, Confidence, CountOf, Finding};

use super::{any_part, part};
use crate::output::quantity::{argument, bytes, counted};

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
        return finding.caveats.iter().map(caveat).collect();
    }
    let reason = match finding.confidence {
        Confidence::Certain | Confidence::Info => return Vec::new(),
        Confidence::Likely => "inferred from timing and counts, not verified inside the process",
        Confidence::Possible => "a healthy program can show the same timing and counts",
    };
    vec![reason.to_owned()]
}

/// One reason, as a phrase.
pub(crate) fn caveat(caveat: &Caveat) -> String {
    let connections = |count: usize| counted(count as u64, "connection", "connections");
    match caveat {
        Caveat::SingleEventPossible => {
            "all of it may have a single cause, such as a restart of the peer".to_owned()
        }
        Caveat::HalfClosePossible(of) => format!(
            "on {} a request was read and has not been answered: the peer may have closed only \
             its sending side and still wait for the answer",
            part(*of)
        ),
        Caveat::EofUnconfirmed(of) => format!(
            "nothing is unread on {}, but no read was seen to return EOF, so the process may not \
             know that the peer closed",
            any_part(*of)
        ),
        Caveat::CloseTimeUnknown(of) => format!(
            "the time at which the peer closed {} is unknown: answered keepalive probes overwrite it",
            any_part(*of)
        ),
        Caveat::ThreadPoolPossible => {
            "a client pool with one connection per thread looks the same while it shrinks"
                .to_owned()
        }
        Caveat::IdlePoolPossible => {
            "the idle pool of a database or cache driver looks the same".to_owned()
        }
        Caveat::StreamPossible => {
            "silent streams (WebSocket, server-sent events, long polling) look the same".to_owned()
        }
        Caveat::CauseAmbiguous => {
            "small unread responses and a new client for each request look the same from outside"
                .to_owned()
        }
        Caveat::ResponseReferenced(of) => {
            format!("a goroutine references the response on {} and may still read it", part(*of))
        }
        Caveat::ScanIncomplete(of) => format!(
            "on {} Go's HTTP client waits for the response to be read or closed, but not all \
             goroutine stacks could be searched for references to it",
            part(*of)
        ),
        Caveat::ReaderWaiting(of) => format!("a reader waits on {}", part(*of)),
        Caveat::ReaderUnknown(of) => {
            format!("whether a reader waits on {} is unknown", any_part(*of))
        }
        Caveat::SendBlocked { connections: blocked } => format!(
            "the process itself waits on {} for the peer to read: it may be forwarding data at \
             the pace of slow clients",
            connections(*blocked)
        ),
        Caveat::PausePossible(of) => {
            format!(
                "{} responses were read in several parts before, so reading may be paused",
                part(*of)
            )
        }
        Caveat::PartlyRead(of) => format!(
            "more data was read on {} than an HTTP library buffers by itself, so the application has \
             used them",
            part(*of)
        ),
        Caveat::OthersBeingRead { count } => format!(
            "the process is reading {} to the same destination: these may be next",
            connections(*count)
        ),
        Caveat::OthersBeingServed { count } => format!(
            "the process is serving {} on the same port: these may be next",
            connections(*count)
        ),
        Caveat::WatchedTooBriefly { needed_ms } => format!(
            "a slow reader looks the same; watching for longer than --idle (--for {}) rules out \
             most slow readers",
            argument(needed_ms.saturating_mul(2))
        ),
        Caveat::TooLittleUnread { count, total, unread_min_bytes, count_min } => too_little_unread(
            CountOf { count: *count, total: *total },
            *unread_min_bytes,
            &connections(*count_min),
        ),
        Caveat::TooFewResponses { count, count_min } => format!(
            "{} of {count_min} responses (--min-count): the application may still read so few",
            only(*count)
        ),
        Caveat::TooFewInherited { count, count_min } => format!(
            "{} of {count_min} connections (--min-count): so few may have been passed on purpose",
            only(*count)
        ),
        Caveat::OpenerNotSeen => {
            "this process was forked from the one that opened them, which was \
             not seen (it may have exited, or hold no sockets any more): this process may be a \
             daemon with its pool"
                .to_owned()
        }
        Caveat::ExecUnknown => {
            "whether this process has called execve since it was forked is unknown".to_owned()
        }
    }
}

fn too_little_unread(of: CountOf, unread_min_bytes: u64, needed: &str) -> String {
    let CountOf { count, total } = of;
    let (holders, hold) = match count {
        0 => (format!("none of {total}"), "holds"),
        1 => (format!("only 1 of {total}"), "holds"),
        count => (format!("only {count} of {total}"), "hold"),
    };
    format!(
        "{holders} {hold} more than {} unread ({needed} needed); less can be TLS session tickets",
        bytes(unread_min_bytes)
    )
}

fn only(count: usize) -> String {
    format!("only {count}")
}
