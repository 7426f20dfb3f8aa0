//! What the exit code says.

use tracer_core::{Confidence, Report};

/// Nothing leaked, and everything could be seen.
pub(crate) const CLEAN: u8 = 0;
/// At least one finding stands at the confidence asked for or above.
pub(crate) const LEAKS: u8 = 1;
/// The tool could not run, or not do all that it was asked to.
pub(crate) const FAILED: u8 = 2;
/// Nothing was found, but not everything could be seen.
pub(crate) const INCOMPLETE: u8 = 3;

/// The exit code of a run that ended with this report.
pub(crate) fn of(report: &Report, fail_on: Confidence) -> u8 {
    let leaked = report.findings.iter().any(|finding| {
        finding.retracted_at.is_none()
            && finding.confidence >= fail_on
            && finding.confidence > Confidence::Info
    });
    match (leaked, report.coverage.complete) {
        (true, _) => LEAKS,
        (false, true) => CLEAN,
        (false, false) => INCOMPLETE,
    }
}
