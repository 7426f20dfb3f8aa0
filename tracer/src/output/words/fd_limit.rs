//! Processes at their limit of open files, in words.

use tracer_core::{Confidence, ProcessSummary};

use super::{listing::show_option, subject::named};
use crate::output::quantity::{counted, duration_ms, grouped};

/// `AT ITS FD LIMIT: python3[7846] has 1,024 of 1,024 fds open; 1,019 are in finding #1`.
/// `in_findings` is the number of its connections in the `listed` findings; if none is listed, in
/// all findings. `idle_ms` is `--idle`.
pub(crate) fn at_fd_limit(
    summary: &ProcessSummary,
    in_findings: u64,
    listed: &[u64],
    idle_ms: u64,
) -> String {
    let (used, limit) = (summary.used_fds(), summary.fd_limit.unwrap_or_default());
    let state = if used < limit { "NEAR ITS FD LIMIT" } else { "AT ITS FD LIMIT" };
    let process = named(summary.key, &summary.comm.0);
    let ids: Vec<String> = listed.iter().map(|id| format!("#{id}")).collect();
    let verb = if in_findings == 1 { "is" } else { "are" };
    let findings = match (in_findings, ids.as_slice()) {
        (0, _) if summary.tcp_fds < used / 2 => {
            format!("only {} of them TCP, so look for leaked files", grouped(summary.tcp_fds))
        }
        (0, _) => {
            let (tcp, idle) = (grouped(summary.tcp_fds), duration_ms(idle_ms));
            format!(
                "{tcp} of them TCP, not reported yet: a connection must be idle for {idle} (--idle)"
            )
        }
        (count, []) => {
            let option = show_option(Confidence::Possible);
            format!("{} {verb} in findings that are not listed ({option})", grouped(count))
        }
        (count, [id]) => format!("{} {verb} in finding {id}", grouped(count)),
        (count, ids) => format!("{} {verb} in findings {}", grouped(count), ids.join(", ")),
    };
    let (used, limit) = (grouped(used), grouped(limit));
    format!("{state}: {process} has {used} of {limit} fds open; {findings}")
}

/// The processes beyond those that are listed.
pub(crate) fn more_at_fd_limit(count: usize) -> String {
    let processes = counted(count as u64, "more process is", "more processes are");
    format!("{processes} at or near the fd limit; -o json has all")
}
