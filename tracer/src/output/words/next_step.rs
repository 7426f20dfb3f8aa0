//! What to do about a finding, in words.

use tracer_core::{Caveat, Confidence, Evidence, Finding, Options, Verdict};

use super::{listing::show_option, thresholds::threshold_arguments};
use crate::{output::quantity::argument, program};

/// The fix, as one sentence.
pub(crate) const fn remedy(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::BodyNotClosed => {
            "Close the body of every response on every path; in Go, put defer \
             response.Body.Close() right after the error check."
        }
        Verdict::Ghost => {
            "Close the socket when a read or write fails: the error path does not do so."
        }
        Verdict::NeverRead => {
            "Check what happens between accept and the first read: look for a handler that is \
             never started, a full queue, or an error path that does not close."
        }
        Verdict::CloseWait => {
            "Close the socket when a read returns EOF (0 bytes), and after errors."
        }
        Verdict::Undrained => {
            "Read each response to EOF or close the connection, even if only the status code is \
             needed."
        }
        Verdict::Abandoned => {
            "Close the connection or response on every path, including error paths, after its last \
             use."
        }
        Verdict::UnsharedPool => {
            "Create one HTTP client (in Go, one http.Transport) and share it between requests."
        }
        Verdict::Inherited => {
            "Open sockets with SOCK_CLOEXEC, and in a forked child close the fds it does not use."
        }
        Verdict::Orphaned => {
            "Set read and write timeouts, or TCP_USER_TIMEOUT, so that a lost peer is noticed."
        }
        Verdict::NeverReused => {
            "Check that responses are read to EOF and closed, and that HTTP clients are shared."
        }
        Verdict::PeerNotReading => {
            "Investigate the peer: it is not reading what the process sends."
        }
        Verdict::StalePool => {
            "No action is needed; an idle timeout shorter than the peer's would avoid such connections."
        }
        Verdict::Growing => "Find out which code uses the oldest connections, and what for.",
    }
}

/// If the time for which to watch is longer than this, in milliseconds, a recording is suggested
/// instead of an audit.
const HOUR_MS: u64 = 3_600_000;
/// Long enough to measure growth with the default `--growth-for`.
const GROWTH_MS: u64 = 300_000;

/// What to do next about a finding: find out whether it is a leak, or fix it.
pub(crate) fn next_step(finding: &Finding, options: &Options) -> String {
    confirm(finding, options).unwrap_or_else(|| remedy(finding.verdict).to_owned())
}

/// The fd limit of a process that has reached it, so that watching for longer does not help.
fn filled_limit(finding: &Finding) -> Option<u64> {
    let cannot_grow = finding.caveats.iter().any(|it| matches!(it, Caveat::CannotGrow));
    finding.evidence.iter().filter(|_| cannot_grow).find_map(|evidence| match evidence {
        Evidence::FdLimitReached { limit, .. } => Some(*limit),
        _ => None,
    })
}

/// For how long to watch, in milliseconds: at least `needed_ms`, in whole minutes if it is more than
/// 90 seconds, in whole seconds otherwise. The time is typed from a screen.
pub(super) const fn watch_for_ms(needed_ms: u64) -> u64 {
    const SECOND_MS: u64 = 1_000;
    const MINUTE_MS: u64 = 60 * SECOND_MS;
    let unit_ms = if needed_ms > 90 * SECOND_MS { MINUTE_MS } else { SECOND_MS };
    needed_ms.div_ceil(unit_ms).saturating_mul(unit_ms)
}

/// How to find out whether a *possible* finding is a leak, as one sentence; `None` for every other
/// confidence.
fn confirm(finding: &Finding, options: &Options) -> Option<String> {
    if finding.confidence != Confidence::Possible {
        return None;
    }
    let (tracer, pid) = (program::name(), finding.process.pid);
    // Uprobes slow a Go program down, and this one may be healthy.
    let uprobes = match finding.verdict {
        Verdict::BodyNotClosed => "",
        _ => " --no-uprobes",
    };
    // With other thresholds, the finding may be missing or mean something else.
    let arguments = format!("{uprobes}{}", threshold_arguments(options));
    let show = show_option(Confidence::Possible);
    if let Some(limit) = filled_limit(finding) {
        return Some(format!(
            "The process is at its fd limit, so the number of connections cannot grow. Save the \
             evidence: sudo {tracer} audit --pid {pid} -o json{arguments} > FILE. Check that there \
             is memory for more, and that the program does not use select(2); then raise the limit \
             and run this again: sudo prlimit --pid {pid} --nofile={}:. A leak fills the new \
             limit, too.",
            limit.saturating_mul(2)
        ));
    }
    let undecided = finding.caveats.iter().find_map(|caveat| match caveat {
        Caveat::Undecided { watch_ms } | Caveat::ShortSeries { watch_ms, .. } => Some(*watch_ms),
        _ => None,
    });
    if undecided.is_some_and(|watch_ms| watch_ms > HOUR_MS) {
        return Some(format!(
            "Watch for hours: sudo {tracer} record FILE --pid {pid}{arguments}, or two audits \
             hours apart and {tracer} diff. A leak leaves more each time; a pool does not."
        ));
    }
    // Twice `--idle` is enough for this; the others take longer.
    let brief = finding.caveats.iter().find_map(|caveat| match caveat {
        Caveat::WatchedTooBriefly { needed_ms } => Some(needed_ms.saturating_mul(2)),
        _ => None,
    });
    let longer_ms = undecided.or(brief).unwrap_or_else(|| options.idle_ms.saturating_mul(3));
    let longer_ms = watch_for_ms(longer_ms);
    let (longer, growth) = (argument(longer_ms), argument(longer_ms.max(GROWTH_MS)));
    Some(match finding.verdict {
        Verdict::Abandoned | Verdict::NeverReused | Verdict::UnsharedPool => format!(
            "Compare with the pool size in the configuration: a pool stops at its limit; a leak \
             does not. Watch it: sudo {tracer} audit --pid {pid} --for {growth} {show}{arguments}."
        ),
        Verdict::Growing => format!(
            "Compare with the load: connections needed for traffic are closed when it falls. \
             Watch it: sudo {tracer} audit --pid {pid} --for {growth} {show}{arguments}."
        ),
        _ => {
            let result = if undecided.is_some() {
                "A leak grows; a pool keeps these connections or closes them."
            } else {
                "A leak stays or grows; slow readers catch up and retries end."
            };
            format!(
                "Watch for longer: sudo {tracer} audit --pid {pid} --for {longer} \
                 {show}{arguments}. {result}"
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::watch_for_ms;

    #[test]
    fn times_to_watch_are_short_to_type() {
        assert_eq!(watch_for_ms(823_900), 14 * 60_000);
        assert_eq!(watch_for_ms(60_000), 60_000);
        assert_eq!(watch_for_ms(89_001), 90_000);
        assert_eq!(watch_for_ms(90_001), 120_000);
        assert_eq!(watch_for_ms(1_500), 2_000);
    }
}
