//! The output of the functions `expect` and `accept` of an exhibit.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use super::finding::Finding;
use crate::corpus::Confidence;

/// One leak of a twin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expectation {
    /// The verdicts, any of which is correct.
    pub(crate) verdicts: Vec<String>,
    /// As in [`Finding::destination`]; `*` is any destination.
    pub(crate) destination: String,
    /// The exact number of connections.
    pub(crate) count: u64,
    /// The lowest confidence of an audit, if that is checked.
    pub(crate) audit: Option<Confidence>,
}

impl Expectation {
    /// Reads the lines of `expect`.
    ///
    /// # Errors
    /// If one is not in the format, or there is none.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let all: Vec<_> = lines
            .map(|line| Self::parse(line).with_context(|| format!("`{line}`")))
            .collect::<Result<_>>()?;
        ensure!(!all.is_empty(), "`expect` printed nothing");
        Ok(all)
    }

    fn parse(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace();
        let mut word = || words.next().context("it is not `verdicts destination count [audit]`");
        let verdicts = word()?.split(',').map(str::to_owned).collect();
        let destination = word()?.to_owned();
        let count = word()?.parse().context("the count is not a number")?;
        let audit = words.next().map(confidence).transpose()?;
        ensure!(words.next().is_none(), "it has more than four words");
        Ok(Self { verdicts, destination, count, audit })
    }

    /// Whether the finding is about this leak.
    pub(crate) fn is_about(&self, finding: &Finding) -> bool {
        self.verdicts.contains(&finding.verdict)
            && (self.destination == "*" || self.destination == finding.destination())
    }

    /// The connections in the findings that are about this leak.
    pub(crate) fn counted(&self, findings: &[Finding]) -> u64 {
        findings.iter().filter(|finding| self.is_about(finding)).map(|finding| finding.count).sum()
    }
}

fn confidence(word: &str) -> Result<Confidence> {
    let word: serde::de::value::StrDeserializer<'_, Error> = word.into_deserializer();
    Confidence::deserialize(word).context("the confidence of audits")
}

/// An accepted finding of a healthy exhibit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) verdict: String,
    pub(crate) reason: String,
}

impl Accepted {
    /// Parses the output of `accept`.
    ///
    /// # Errors
    /// The line has no reason.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (verdict, reason) =
            text.trim().split_once(' ').context("`accept` prints a verdict and a reason")?;
        Ok(Self { verdict: verdict.to_owned(), reason: reason.to_owned() })
    }

    /// Whether the finding is accepted.
    pub(crate) fn accepts(&self, finding: &Finding) -> bool {
        finding.verdict == self.verdict && finding.confidence < Confidence::Certain
    }
}

#[cfg(test)]
mod tests {
    use super::{Accepted, Expectation};
    use crate::corpus::Confidence;
    use crate::zoo::finding::Finding;

    #[test]
    fn reads_the_lines_of_expect() {
        let text = "close-wait,ghost 127.0.0.1:81 25\n\nnever-read :82 10 likely\n";
        let all = Expectation::parse_all(text).unwrap();
        assert_eq!(all[0].verdicts, ["close-wait", "ghost"]);
        assert_eq!((all[0].count, all[0].audit), (25, None));
        assert_eq!((all[1].count, all[1].audit), (10, Some(Confidence::Likely)));
        for wrong in ["", "ghost * many", "ghost *", "ghost * 1 sure", "ghost * 1 likely x"] {
            assert!(Expectation::parse_all(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_what_is_about_the_leak() {
        let expectation = Expectation::parse("close-wait,ghost 127.0.0.1:81 25").unwrap();
        let finding =
            |verdict, count, remote| Finding::made_up(verdict, Confidence::Likely, count, remote);
        let findings = [
            finding("ghost", 5, "127.0.0.1:81"),
            finding("close-wait", 20, "127.0.0.1:81"),
            finding("undrained", 1, "127.0.0.1:81"),
            finding("ghost", 1, "127.0.0.1:82"),
        ];
        assert_eq!(expectation.counted(&findings), 25);
    }

    #[test]
    fn nothing_certain_is_accepted() {
        let accepted = Accepted::parse("close-wait it keeps them for 300 s\n").unwrap();
        let finding =
            |verdict, confidence| Finding::made_up(verdict, confidence, 1, "127.0.0.1:81");
        assert!(accepted.accepts(&finding("close-wait", Confidence::Likely)));
        assert!(!accepted.accepts(&finding("close-wait", Confidence::Certain)));
        assert!(!accepted.accepts(&finding("ghost", Confidence::Likely)));
        assert!(Accepted::parse("close-wait").is_err());
    }
}
