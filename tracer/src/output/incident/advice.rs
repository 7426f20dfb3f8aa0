//! What a verdict means, and what to do about it.

use tracer_core::{Confidence, Finding, Verdict};

use super::{Incident, process};
use crate::output::{escape, quantity};

/// What is wrong, as one sentence.
pub(crate) const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::BodyNotClosed => {
            "Responses were handed to the application, which neither read them to the end nor \
             closed them."
        }
        Verdict::Ghost => {
            "The connections are dead and the process still holds their descriptors; ss does not \
             show these."
        }
        Verdict::NeverRead => {
            "The connections were accepted, something arrived, and nothing of it was ever read."
        }
        Verdict::CloseWait => {
            "The peer has closed its end, and the process has not closed its own."
        }
        Verdict::Undrained => "Data has arrived on the connections, and nobody reads it.",
        Verdict::Abandoned => {
            "The connections have fallen silent, and nobody waits to read from them."
        }
        Verdict::UnsharedPool => {
            "Each user of the destination has a client with connections of its own, which sit idle."
        }
        Verdict::Inherited => {
            "The process that opened the connections is done with them; one that did not open them \
             still holds them."
        }
        Verdict::Orphaned => {
            "The peer acknowledges nothing any more, neither data nor keepalive probes."
        }
        Verdict::NeverReused => {
            "Each connection served once and was never used again; an unread small response and a \
             private pool look the same from outside."
        }
        Verdict::PeerNotReading => "The peer does not take what is sent: the fault is there.",
        Verdict::StalePool => {
            "The peer closed a few connections: what a pool keeps until its next use."
        }
        Verdict::Growing => "There are more and more connections, and the oldest stay.",
    }
}

/// What mends it, as one sentence.
const fn remedy(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::BodyNotClosed => {
            "Close the body of every response, on every path: in Go, defer response.Body.Close() \
             right after the check of the error."
        }
        Verdict::Ghost => {
            "Close the socket where a read or a write fails: it is the error path that does not."
        }
        Verdict::NeverRead => {
            "Look at what lies between accepting a connection and reading from it: a handler that \
             is not started, a queue that nobody serves, an error path that does not close."
        }
        Verdict::CloseWait => {
            "Close the socket when a read gives the end of the stream (0 bytes, EOF), and after \
             errors."
        }
        Verdict::Undrained => {
            "Read what arrives to its end or close the connection, also where only the status of a \
             response is of interest."
        }
        Verdict::Abandoned => {
            "Close the connection or response when its user is done with it, on every path."
        }
        Verdict::UnsharedPool => {
            "Make one client (in Go, one http.Transport) and share it, not one for each request."
        }
        Verdict::Inherited => {
            "Open sockets with close-on-exec (SOCK_CLOEXEC), and close in a forked child what it \
             has no use for."
        }
        Verdict::Orphaned => {
            "Set deadlines on reads and writes, or TCP_USER_TIMEOUT, so that it is noticed when a \
             peer is gone."
        }
        Verdict::NeverReused => {
            "Check that responses are read to the end and closed, and that clients are shared."
        }
        Verdict::PeerNotReading => "Look at the peer: it is the one that does not read.",
        Verdict::StalePool => "Nothing: an idle timeout below the peer's would avoid it.",
        Verdict::Growing => "Find out who still uses the oldest connections, and what for.",
    }
}

/// What to do next, the most urgent first.
pub(crate) fn steps(incident: &Incident<'_>) -> Vec<String> {
    let Some(leak) = incident.leaks().next() else { return without_leak(incident) };
    let mut steps = Vec::new();
    let is_doubtful = leak.confidence <= Confidence::Possible;
    if is_doubtful {
        steps.push(format!(
            "Find out whether it is a leak: something healthy can look the same. The evidence of \
             finding {} says what is known.",
            leak.id
        ));
    }
    let if_so = if is_doubtful { "If it is one: " } else { "" };
    steps.push(format!("{if_so}{}", mend(leak)));
    let limit = incident.process_of(leak).and_then(|summary| incident.limit_is_hit_at(summary));
    let limit = limit.map(|at| format!(" If it goes on as it did, it has none left at {at}."));
    steps.push(format!(
        "Until that is deployed: a restart of {} gives its descriptors back.{}",
        process(leak),
        limit.unwrap_or_default()
    ));
    let compare = incident.provenance.comparison();
    steps.push(format!("Then record again, and see that it is gone: {compare}"));
    steps
}

fn mend(leak: &Finding) -> String {
    let remedy = remedy(leak.verdict);
    match &leak.call_site {
        Some(site) if leak.verdict == Verdict::BodyNotClosed => {
            format!("Mend {}: {}", escape::visible(site), lower_case(remedy))
        }
        // Where it was opened is not where it ought to be closed, but leads there.
        Some(site) => format!("{remedy} The connections come from {}.", escape::visible(site)),
        None => format!(
            "{remedy} Where in the code is not known: tracer --pid {} names the line for \
             connections that it sees being made.",
            leak.process.pid
        ),
    }
}

fn lower_case(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_lowercase(), characters.as_str())
    })
}

fn without_leak(incident: &Incident<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(at) = incident.taken_back().find_map(|gone| gone.retracted_at) {
        // The last report before it was taken back is the one that had it; moments are compared in
        // whole milliseconds.
        let moment = incident.context.clock.rfc3339(at.before_ms(1));
        steps.push(format!("Make this document as of when it stood: --at {moment}"));
    }
    let idle = quantity::duration_ms(incident.provenance.options.idle_ms);
    steps.push(format!(
        "If connections are still suspected: only what was silent for {idle} counts; a lower \
         --idle may show more, and so may a longer recording."
    ));
    if !incident.report.coverage.complete {
        steps.push("See below what could not be seen, and record again without that.".to_owned());
    }
    steps
}
