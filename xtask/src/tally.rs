//! How many tests passed, failed and were skipped.

use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;

/// A count of results, shown as the last line of a test run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// One check that passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One check that failed.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One check that this host does not allow.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// Reads the last line of a test program, `test result: ok. 12 passed; 0 failed; 3 ignored; …`.
    /// Ignored tests count as skipped.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut tally = Self::default();
        for part in counts.split("; ") {
            match part.split_once(' ') {
                Some((count, "passed")) => tally.passed = count.parse().ok()?,
                Some((count, "failed")) => tally.failed = count.parse().ok()?,
                Some((count, "ignored")) => tally.skipped = count.parse().ok()?,
                _ => {}
            }
        }
        Some(tally)
    }

    /// Parses the summary line at the end of these commands.
    pub(crate) fn parse_summary(line: &str) -> Option<Self> {
        let mut counts = line.split(", ");
        let mut count = |word: &str| counts.next()?.strip_suffix(word)?.trim_end().parse().ok();
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("skipped")?,
        })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(formatter, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn reads_the_last_line_of_a_test_program() {
        let line = "test result: FAILED. 12 passed; 2 failed; 3 ignored; 0 measured; \
                    7 filtered out; finished in 0.01s";
        assert_eq!(Tally::parse(line), Some(Tally { passed: 12, failed: 2, skipped: 3 }));
    }

    #[test]
    fn other_lines_are_not_results() {
        assert_eq!(Tally::parse("running 3 tests"), None);
        assert_eq!(Tally::parse("test result: ok"), None);
        assert_eq!(Tally::parse("test result: ok. many passed; 0 failed"), None);
    }

    #[test]
    fn a_summary_can_be_read_again() {
        let tally = Tally { passed: 12, failed: 1, skipped: 3 };
        assert_eq!(tally.to_string(), "12 passed, 1 failed, 3 skipped");
        assert_eq!(Tally::parse_summary(&tally.to_string()), Some(tally));
        assert_eq!(Tally::parse_summary("unit: 12 passed, 1 failed, 3 skipped"), None);
        assert_eq!(Tally::parse_summary("12 passed, 1 failed"), None);
    }

    #[test]
    fn the_sum_has_all_counts() {
        let sum: Tally = [Tally::PASSED, Tally::FAILED, Tally::PASSED].into_iter().sum();
        assert_eq!(sum, Tally { passed: 2, failed: 1, skipped: 0 });
    }
}
