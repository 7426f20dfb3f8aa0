//! The label of a case: what tracer must report about it, and the comparison with what it reported.

use std::fmt;

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

use super::confidence::Confidence;
use super::observed::{Finding, Observed};
use super::server::ServerName;

/// All verdicts. A label with another word is a mistake.
const VERDICTS: [&str; 13] = [
    "abandoned",
    "body-not-closed",
    "close-wait",
    "ghost",
    "growing",
    "inherited",
    "never-read",
    "never-reused",
    "orphaned",
    "peer-not-reading",
    "stale-pool",
    "undrained",
    "unshared-pool",
];

/// How many connections the findings must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// The label sets no number.
    Any,
    Exactly(u64),
    AtLeast(u64),
}

impl Count {
    /// The same requirement with a number that the program reported.
    #[must_use]
    pub(crate) fn with_number(self, number: u64) -> Self {
        match self {
            Self::AtLeast(_) => Self::AtLeast(number),
            Self::Any | Self::Exactly(_) => Self::Exactly(number),
        }
    }

    fn admits(self, number: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(expected) => number == expected,
            Self::AtLeast(least) => number >= least,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any number"),
            Self::Exactly(number) => write!(formatter, "{number}"),
            Self::AtLeast(number) => write!(formatter, "at least {number}"),
        }
    }
}

/// What tracer must report about one case with one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// Nothing above *possible*, and one of these verdicts as *info* if there are any.
    Healthy { info: Vec<String> },
    /// One of these verdicts.
    Leak {
        verdicts: Vec<String>,
        count: Count,
        live: Confidence,
        audit: Confidence,
        at_most: Confidence,
    },
    /// Nothing above *possible*, although it leaks: no evidence distinguishes it from a healthy
    /// program.
    Ambiguous { why: String },
}

/// How tracer was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Live,
    Audit,
}

/// How a report differs from the label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// A leak without a finding.
    Missed,
    /// A leak whose confidence is too low.
    TooWeak(Confidence),
    /// A confidence that the evidence does not justify.
    TooSure(Confidence),
    /// A leak with another verdict.
    WrongVerdict(String),
    /// The right verdict with another number of connections.
    WrongCount { found: u64, expected: Count },
    /// A flagged finding although there is no leak, or none that can be distinguished.
    Flagged(String, Confidence),
    /// Information that is missing.
    NotReported(String),
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed => formatter.write_str("missed"),
            Self::TooWeak(confidence) => write!(formatter, "only {confidence}"),
            Self::TooSure(confidence) => write!(formatter, "{confidence} is too high"),
            Self::WrongVerdict(verdict) => write!(formatter, "reported as {verdict}"),
            Self::WrongCount { found, expected } => {
                write!(formatter, "{found} connections instead of {expected}")
            }
            Self::Flagged(verdict, confidence) => {
                write!(formatter, "flagged as {verdict} ({confidence})")
            }
            Self::NotReported(verdict) => write!(formatter, "{verdict} not reported"),
        }
    }
}

/// The table `expect` of a case, after the keys for one server have replaced the general ones.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    verdicts: Vec<String>,
    count: Option<u64>,
    count_at_least: Option<u64>,
    live: Option<Confidence>,
    audit: Option<Confidence>,
    at_most: Option<Confidence>,
    ambiguous: Option<String>,
    healthy_info: Vec<String>,
}

impl Label {
    /// Reads the table `expect` of a case for one server.
    ///
    /// # Errors
    /// If a key or a word is not known, or keys contradict each other.
    pub(crate) fn resolve(table: &toml::Table, server: Option<ServerName>) -> Result<Self> {
        let mut resolved = table.clone();
        for name in ServerName::ALL {
            let ending = format!("_{}", name.word());
            for (key, value) in table {
                let Some(general) = key.strip_suffix(&ending) else { continue };
                resolved.remove(key);
                if Some(name) == server {
                    resolved.insert(general.to_owned(), value.clone());
                }
            }
        }
        Self::from_expect(resolved.try_into()?)
    }

    fn from_expect(expect: Expect) -> Result<Self> {
        for verdict in expect.verdicts.iter().chain(&expect.healthy_info) {
            if !VERDICTS.contains(&verdict.as_str()) {
                bail!("`{verdict}` is not a verdict");
            }
        }
        ensure!(
            expect.verdicts.is_empty() || expect.healthy_info.is_empty(),
            "`healthy_info` is only for healthy cases"
        );
        if let Some(why) = expect.ambiguous {
            return Ok(Self::Ambiguous { why });
        }
        if expect.verdicts.is_empty() {
            return Ok(Self::Healthy { info: expect.healthy_info });
        }
        let count = match (expect.count, expect.count_at_least) {
            (Some(_), Some(_)) => bail!("`count` and `count_at_least` exclude each other"),
            (Some(number), None) => Count::Exactly(number),
            (None, Some(number)) => Count::AtLeast(number),
            (None, None) => Count::Any,
        };
        let at_most = expect.at_most.unwrap_or(Confidence::Certain);
        let least = |wanted: Option<Confidence>| wanted.unwrap_or(Confidence::Likely.min(at_most));
        let (live, audit) = (least(expect.live), least(expect.audit));
        ensure!(live <= at_most && audit <= at_most, "`at_most` is below `live` or `audit`");
        Ok(Self::Leak { verdicts: expect.verdicts, count, live, audit, at_most })
    }

    /// The label with the number of connections that the program reported.
    #[must_use]
    pub(crate) fn with_number(mut self, number: Option<u64>) -> Self {
        if let (Self::Leak { count, .. }, Some(number)) = (&mut self, number) {
            *count = count.with_number(number);
        }
        self
    }

    /// Compares what tracer reported with the label.
    ///
    /// # Errors
    /// The most severe difference.
    pub(crate) fn compare(&self, mode: Mode, observed: &Observed) -> Result<(), Mistake> {
        match self {
            Self::Healthy { info } => {
                not_flagged(observed)?;
                let reported =
                    |verdict: &String| observed.active.iter().any(|it| it.verdict == *verdict);
                if info.is_empty() || info.iter().any(reported) {
                    Ok(())
                } else {
                    Err(Mistake::NotReported(info.join(" or ")))
                }
            }
            Self::Ambiguous { .. } => not_flagged(observed),
            Self::Leak { verdicts, count, live, audit, at_most } => {
                let least = if mode == Mode::Live { *live } else { *audit };
                compare_leak(&observed.active, verdicts, *count, least, *at_most)
            }
        }
    }
}

fn not_flagged(observed: &Observed) -> Result<(), Mistake> {
    match observed.highest_confidence_ever() {
        Some((verdict, confidence)) if confidence.is_flag() => {
            Err(Mistake::Flagged(verdict.to_owned(), confidence))
        }
        _ => Ok(()),
    }
}

fn compare_leak(
    findings: &[Finding],
    verdicts: &[String],
    count: Count,
    least: Confidence,
    at_most: Confidence,
) -> Result<(), Mistake> {
    let (right, wrong): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| verdicts.contains(&finding.verdict));
    let strongest_wrong = wrong.iter().max_by_key(|finding| finding.confidence);
    let wrongly_flagged = strongest_wrong.filter(|finding| finding.confidence.is_flag());
    let Some(strongest) = right.iter().map(|finding| finding.confidence).max() else {
        return Err(strongest_wrong
            .filter(|finding| finding.confidence > Confidence::Info)
            .map_or(Mistake::Missed, |finding| Mistake::WrongVerdict(finding.verdict.clone())));
    };
    if strongest < least {
        return Err(Mistake::TooWeak(strongest));
    }
    if strongest > at_most {
        return Err(Mistake::TooSure(strongest));
    }
    if let Some(finding) = wrongly_flagged {
        return Err(Mistake::WrongVerdict(finding.verdict.clone()));
    }
    let counted = right.iter().filter(|finding| finding.confidence >= least);
    let found = counted.map(|finding| finding.count).sum();
    if !count.admits(found) {
        return Err(Mistake::WrongCount { found, expected: count });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
