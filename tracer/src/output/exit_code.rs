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

#[cfg(test)]
mod tests {
    use tracer_core::{Coverage, Finding};

    use super::*;
    use crate::output::fixture;

    fn code(findings: Vec<Finding>, complete: bool, fail_on: Confidence) -> u8 {
        let coverage = Coverage { complete, ..Coverage::default() };
        of(&Report { findings, coverage, ..Report::default() }, fail_on)
    }

    fn finding(confidence: Confidence) -> Vec<Finding> {
        vec![Finding { confidence, ..fixture::inbound(1) }]
    }

    #[test]
    fn a_finding_counts_from_its_confidence_on() {
        for (found, fail_on, expected) in [
            (Confidence::Certain, Confidence::Certain, LEAKS),
            (Confidence::Likely, Confidence::Certain, CLEAN),
            (Confidence::Likely, Confidence::Likely, LEAKS),
            (Confidence::Possible, Confidence::Likely, CLEAN),
            (Confidence::Possible, Confidence::Possible, LEAKS),
            (Confidence::Info, Confidence::Info, CLEAN),
        ] {
            assert_eq!(code(finding(found), true, fail_on), expected, "{found} at {fail_on}");
        }
    }

    #[test]
    fn one_that_was_taken_back_does_not() {
        assert_eq!(code(vec![fixture::retracted(1)], true, Confidence::Possible), CLEAN);
    }

    #[test]
    fn nothing_found_is_no_all_clear_if_something_was_not_seen() {
        assert_eq!(code(Vec::new(), true, Confidence::Likely), CLEAN);
        assert_eq!(code(Vec::new(), false, Confidence::Likely), INCOMPLETE);
        assert_eq!(code(finding(Confidence::Likely), false, Confidence::Likely), LEAKS);
    }
}
