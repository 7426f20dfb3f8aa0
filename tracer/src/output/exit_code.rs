//! Exit codes.

use tracer_core::{Confidence, Report};

/// No leak was found, and nothing was missed.
pub(crate) const CLEAN: u8 = 0;
/// At least one finding is active with the confidence of `--fail-on` or a higher one.
pub(crate) const LEAKS: u8 = 1;
/// `tracer` could not run, or could not complete everything that was requested.
pub(crate) const FAILED: u8 = 2;
/// No leak was found, but the data is incomplete.
pub(crate) const INCOMPLETE: u8 = 3;

/// The exit code of a run with this last report.
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
    fn findings_count_from_the_given_confidence_on() {
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
    fn a_retracted_finding_does_not_count() {
        assert_eq!(code(vec![fixture::retracted(1)], true, Confidence::Possible), CLEAN);
    }

    #[test]
    fn no_finding_in_incomplete_data_has_its_own_exit_code() {
        assert_eq!(code(Vec::new(), true, Confidence::Likely), CLEAN);
        assert_eq!(code(Vec::new(), false, Confidence::Likely), INCOMPLETE);
        assert_eq!(code(finding(Confidence::Likely), false, Confidence::Likely), LEAKS);
    }
}
