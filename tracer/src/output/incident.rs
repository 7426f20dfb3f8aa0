//! The beginning of an incident report: which process leaks what, for how long, with which
//! confidence, at which call site.

mod advice;

use tracer_core::{Confidence, Finding, Options, ProcessSummary, Report};

use super::{
    Context, coverage, escape,
    history::History,
    listing::{self, Row},
    words,
};
use crate::program;
pub(crate) use advice::steps;

/// A recorded run: its last report, its history, and their origin.
pub(crate) struct Incident<'a> {
    pub(crate) report: &'a Report,
    pub(crate) history: &'a History,
    pub(crate) context: &'a Context,
    pub(crate) provenance: Provenance,
    /// The lowest confidence of the findings that are listed; the others are counted.
    pub(crate) least: Confidence,
}

/// The origin of an incident report: everything needed to create it again.
pub(crate) struct Provenance {
    /// The recording.
    pub(crate) file: String,
    /// The arguments of the recorded run.
    pub(crate) recorded_with: Vec<String>,
    /// The version of tracer that recorded it.
    pub(crate) recorder: String,
    /// The recording and the thresholds given for it, as arguments.
    pub(crate) arguments: Vec<String>,
    /// All thresholds that were applied.
    pub(crate) options: Options,
}

impl Incident<'_> {
    /// The listed findings that are or may be leaks, the highest confidence first.
    pub(crate) fn leaks(&self) -> impl Iterator<Item = &Finding> {
        listing::listed(self.report, self.least).filter(|it| is_leak(it))
    }

    /// Like [`leaks`](Self::leaks), with equal findings of several processes combined.
    pub(crate) fn leak_rows(&self) -> Vec<Row<'_>> {
        listing::rows(self.leaks())
    }

    /// The listed findings with confidence *info*, with equal findings of several processes
    /// combined.
    pub(crate) fn information_rows(&self) -> Vec<Row<'_>> {
        listing::rows(listing::listed(self.report, self.least).filter(|it| !is_leak(it)))
    }

    /// The processes whose file descriptors are shown.
    pub(crate) fn processes(&self) -> Vec<&ProcessSummary> {
        listing::processes(self.report, &[self.leak_rows(), self.information_rows()].concat())
    }

    /// The number of active findings that are *possible* and not listed.
    pub(crate) fn possible_not_listed(&self) -> usize {
        let folded = listing::folded(self.report, self.least).into_iter();
        folded.filter(|it| it.confidence > Confidence::Info).map(|it| it.findings).sum()
    }

    /// The retracted findings that were ever listed, the latest first.
    pub(crate) fn retracted(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.report.findings.iter();
        findings.filter(|it| it.retracted_at.is_some() && listing::was_listed(it, self.least))
    }

    /// The summary of the process of a finding.
    pub(crate) fn process_of(&self, finding: &Finding) -> Option<&ProcessSummary> {
        self.report.processes.iter().find(|summary| summary.key == finding.process)
    }

    /// `2026-03-01 12:00:03 UTC`: the given number of milliseconds before the time of the report.
    pub(crate) fn time(&self, ms_ago: u64) -> String {
        self.wall(self.context.clock.wall_time(self.report.at.before_ms(ms_ago)))
    }

    /// When the process reaches its fd limit if its growth continues.
    pub(crate) fn limit_reached_at(&self, summary: &ProcessSummary) -> Option<String> {
        self.limit_time(summary).map(|at| self.wall(at))
    }

    /// Like [`limit_reached_at`](Self::limit_reached_at), as text.
    pub(crate) fn limit_time(&self, summary: &ProcessSummary) -> Option<jiff::Timestamp> {
        let seconds = i64::try_from(summary.seconds_to_fd_limit?).ok()?;
        let at = self.context.clock.wall_time(self.report.at);
        at.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()
    }

    #[expect(clippy::unused_self, reason = "all times of the report are formatted by it")]
    fn wall(&self, at: jiff::Timestamp) -> String {
        format!("{} UTC", at.strftime("%Y-%m-%d %H:%M:%S"))
    }

    /// The first line: which process leaks what, for how long, with which confidence, where.
    pub(crate) fn headline(&self) -> String {
        if let Some(leak) = self.leak_rows().first() {
            return words::leak_headline(leak, &self.since(&leak.finding));
        }
        let retracted = || self.retracted().filter(|it| it.peak_confidence > Confidence::Info);
        let worst = retracted().max_by_key(|it| (it.peak_confidence, it.peak_count));
        if let Some(worst) = worst {
            let ago = worst.retracted_at.map_or(0, |at| self.report.at.ms_since(at));
            return words::retracted_headline(retracted().count(), worst, &self.time(ago));
        }
        let has_possible = self.possible_not_listed() > 0;
        words::nothing_listed(has_possible, self.report.coverage.complete).to_owned()
    }

    /// When the oldest connection was opened: a time, or `before` one.
    pub(crate) fn since(&self, finding: &Finding) -> String {
        let before = if finding.oldest_age_is_lower_bound { "before " } else { "" };
        format!("{before}{}", self.time(finding.oldest_age_ms))
    }

    /// The sentences below the headline. `others` says where the other findings are.
    pub(crate) fn lede(&self, others_are: fn(usize) -> String) -> Vec<String> {
        let mut sentences = Vec::new();
        let rows = self.leak_rows();
        if let Some((leak, others)) = rows.split_first() {
            sentences.push(words::meaning(leak.finding.verdict).to_owned());
            sentences.extend(self.growth(leak));
            if !others.is_empty() {
                sentences.push(others_are(others.len()));
            }
            let possible = self.possible_not_listed();
            if possible > 0 {
                sentences.push(words::possible_leaks(possible));
            }
        }
        if !self.report.coverage.complete {
            sentences.push(coverage::completeness(&self.report.coverage));
        }
        sentences
    }

    /// How fast the finding grows, and when its process reaches its fd limit.
    fn growth(&self, leak: &Row<'_>) -> impl Iterator<Item = String> {
        let limit = self
            .process_of(leak.largest())
            .and_then(|summary| words::limit_forecast(summary, &self.limit_reached_at(summary)?));
        words::growth(&leak.finding).into_iter().chain(limit)
    }
}

impl Provenance {
    /// The command that shows whether the leak was fixed.
    pub(crate) fn comparison(&self) -> String {
        let before = command_line(std::slice::from_ref(&self.file));
        format!("{} diff {before} AFTER.rec", program::name())
    }
}

/// Arguments as a shell takes them, on one line.
pub(crate) fn command_line(arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|argument| {
        let visible = escape::visible(argument);
        shlex::try_quote(&visible).map_or_else(|_| visible.clone(), Into::into).into_owned()
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Whether the finding is or may be a leak: every confidence but *info*.
pub(crate) fn is_leak(finding: &Finding) -> bool {
    finding.confidence > Confidence::Info
}

#[cfg(test)]
mod tests;
