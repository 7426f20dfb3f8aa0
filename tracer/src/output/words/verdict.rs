//! What a verdict means, in one sentence.

use tracer_core::Verdict;

/// What is wrong, as one sentence.
pub(crate) const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::BodyNotClosed => {
            "The application received HTTP responses and neither read them to EOF nor closed them."
        }
        Verdict::Ghost => {
            "The connections are dead (TCP state CLOSE), and the process still has their file \
             descriptors open; ss does not list them."
        }
        Verdict::NeverRead => {
            "The process accepted the connections, data arrived, and none of it was ever read."
        }
        Verdict::CloseWait => "The peer has closed the connections, and the process has not.",
        Verdict::Undrained => {
            "Data has arrived on the connections, and the process is not reading it."
        }
        Verdict::Abandoned => "The connections are idle, and no reader is waiting on them.",
        Verdict::UnsharedPool => {
            "The process has many HTTP clients for one destination, each with idle connections of \
             its own."
        }
        Verdict::Inherited => {
            "The process that opened the connections no longer holds them; a process that did not \
             open them still does."
        }
        Verdict::Orphaned => "The peer no longer acknowledges data or keepalive probes.",
        Verdict::NeverReused => {
            "Each connection was used for one request and never again; small unread responses and \
             one client per request look the same from outside the process."
        }
        Verdict::PeerNotReading => {
            "The peer is not reading what the process sends: the problem is on the peer's side."
        }
        Verdict::StalePool => {
            "The peer closed a few connections; a client pool keeps them until it next uses them."
        }
        Verdict::Growing => "The number of connections keeps rising, and the oldest stay open.",
    }
}
