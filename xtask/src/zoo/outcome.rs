//! Compares the reports about an exhibit with the correct result.

use std::time::Duration;

use super::expectation::{Accepted, Expectation};
use super::finding::Finding;
use super::record::{Observation, Observations, Source};

/// Longest time from the last event of a twin until it is found, in multiples of `--idle`.
const FOUND_WITHIN: u32 = 5;

/// The result of one exhibit in one round.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Healthy {
        /// The findings above *possible*, as text; empty if there are none.
        flagged: Vec<String>,
        /// Findings that were accepted, with the reason.
        accepted: Vec<String>,
    },
    Twin {
        leaks: Vec<Leak>,
        /// The mistakes, as text.
        mistakes: Vec<String>,
    },
    /// The exhibit did not run correctly.
    Broken(String),
}

/// What was found for one line of `expect`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leak {
    /// The first verdict of the line.
    pub(crate) verdict: String,
    /// Time from the last event until the leak was first found live with the correct count, in
    /// seconds.
    pub(crate) found_after_s: Option<f64>,
    /// At the end: live, audit, audit of one snapshot.
    pub(crate) at_end: [bool; 3],
}

impl Leak {
    /// Whether the leak was found live, in time, and still at the end.
    pub(crate) fn is_found(&self, idle: Duration) -> bool {
        let within_s = (idle * FOUND_WITHIN).as_secs_f64();
        self.found_after_s.is_some_and(|after| after <= within_s) && self.at_end[0]
    }
}

impl Outcome {
    /// The mistakes; empty if there are none.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        match self {
            Self::Healthy { flagged, .. } => flagged.clone(),
            Self::Twin { mistakes, .. } => mistakes.clone(),
            Self::Broken(reason) => vec![format!("it is broken: {reason}")],
        }
    }

    /// Whether something healthy was flagged.
    pub(crate) fn is_flagged(&self) -> bool {
        matches!(self, Self::Healthy { flagged, .. } if !flagged.is_empty())
    }

    /// Judges a healthy exhibit. `began_s` is the beginning of the round.
    pub(crate) fn of_healthy(
        observations: &Observations,
        accept: Option<&Accepted>,
        began_s: f64,
    ) -> Self {
        let (mut flagged, mut accepted) = (Vec::new(), Vec::new());
        let (accepting, all): (Vec<_>, Vec<_>) = first_of_each(&observations.all)
            .into_iter()
            .partition(|(_, it)| accept.is_some_and(|accept| accept.accepts(it)));
        for (observation, finding) in all {
            flagged.push(describe(observation, finding, began_s));
        }
        for (observation, finding) in accepting {
            let reason = accept.map(|accept| accept.reason.as_str()).unwrap_or_default();
            accepted.push(format!(
                "{}\n      accepted: {reason}",
                describe(observation, finding, began_s)
            ));
        }
        Self::Healthy { flagged, accepted }
    }

    /// Judges a twin. `last_event_s` is in seconds since the epoch.
    pub(crate) fn of_twin(
        observations: &Observations,
        expectations: &[Expectation],
        last_event_s: f64,
        began_s: f64,
        idle: Duration,
    ) -> Self {
        let mut mistakes = Vec::new();
        let mut leaks = Vec::new();
        for expectation in expectations {
            let leak = leak(observations, expectation, last_event_s);
            mistakes.extend(mistakes_of(observations, expectation, &leak, idle));
            leaks.push(leak);
        }
        for (observation, finding) in first_of_each(&observations.all) {
            if !expectations.iter().any(|expectation| expectation.is_about(finding)) {
                let what = describe(observation, finding, began_s);
                mistakes.push(format!("flagged in addition to its leak: {what}"));
            }
        }
        Self::Twin { leaks, mistakes }
    }
}

fn leak(observations: &Observations, expectation: &Expectation, last_event_s: f64) -> Leak {
    let is_right = |findings: &[Finding]| expectation.counted(findings) == expectation.count;
    let live = observations.all.iter().filter(|observation| observation.source == Source::Live);
    let found = live.clone().find(|observation| is_right(&observation.findings));
    Leak {
        verdict: expectation.verdicts.first().cloned().unwrap_or_default(),
        found_after_s: found.map(|observation| observation.at_s - last_event_s),
        at_end: [Source::Live, Source::Audit, Source::Snapshot]
            .map(|source| is_right(&observations.last(source))),
    }
}

fn mistakes_of(
    observations: &Observations,
    expectation: &Expectation,
    leak: &Leak,
    idle: Duration,
) -> Vec<String> {
    let Expectation { verdicts, destination, count, audit } = expectation;
    let what = format!("{count} {} to {destination}", verdicts.join(" or "));
    let mut mistakes = Vec::new();
    let at_end = expectation.counted(&observations.last(Source::Live));
    match leak.found_after_s {
        None => {
            let most =
                observations.all.iter().filter(|observation| observation.source == Source::Live);
            let most = most.map(|observation| expectation.counted(&observation.findings)).max();
            mistakes.push(format!(
                "never found with this count: {what}; at most {}, and {at_end} at the end{}",
                most.unwrap_or_default(),
                described(&observations.possible)
            ));
        }
        Some(after) if !leak.is_found(idle) && leak.at_end[0] => mistakes.push(format!(
            "found too late: {what}, {after:.0} s after the last event; {} s are right",
            (idle * FOUND_WITHIN).as_secs()
        )),
        Some(_) if !leak.at_end[0] => {
            mistakes.push(format!("not found at the end: {what}; {at_end} were counted then"));
        }
        Some(_) => {}
    }
    // An audit cannot know which connections a pool will use again, or a slow reader will read.
    let counts = |source: Source| source == Source::Live || audit.is_some();
    let mut counted = observations.all.iter().filter(|observation| counts(observation.source));
    let over = counted.find(|it| expectation.counted(&it.findings) > *count);
    if let Some(observation) = over {
        let counted = expectation.counted(&observation.findings);
        mistakes.push(format!("too many: {what}; {}: {counted}", observation.source.name()));
    }
    if let Some(lowest) = audit {
        for source in [Source::Audit, Source::Snapshot] {
            let mut findings = observations.last(source);
            findings.retain(|finding| finding.confidence >= *lowest);
            let counted = expectation.counted(&findings);
            if counted != *count {
                let source = source.name();
                mistakes.push(format!("{source} at the end: {what}; {counted} as {lowest}"));
            }
        }
    }
    mistakes
}

/// What was only *possible* at the end.
fn described(possible: &[Finding]) -> String {
    possible
        .iter()
        .map(|finding| format!("\n      {}", finding.describe()))
        .collect::<Vec<_>>()
        .concat()
}

/// The first observation for each process, verdict, confidence and source.
fn first_of_each(all: &[Observation]) -> Vec<(&Observation, &Finding)> {
    let mut seen = Vec::new();
    let mut first = Vec::new();
    for observation in all {
        for finding in &observation.findings {
            let key = (observation.source, finding.pid, &finding.verdict, finding.confidence);
            if !seen.contains(&key) {
                seen.push(key);
                first.push((observation, finding));
            }
        }
    }
    first
}

fn describe(observation: &Observation, finding: &Finding, began_s: f64) -> String {
    let after = observation.at_s - began_s;
    format!("{}, at {after:.0} s: {}", observation.source.name(), finding.describe())
}

#[cfg(test)]
mod tests;
