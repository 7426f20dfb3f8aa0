//! What an incident document says, in words: who leaks what, since when, how sure, which line.

mod advice;

use tracer_core::{Confidence, Direction, Finding, Options, ProcessSummary, Report, Verdict};

use super::history::History;
use super::{
    Context, coverage, escape,
    quantity::{self, counted, grouped},
    words,
};
pub(crate) use advice::steps;

/// How a recorded run stood, how it came to that, and where all this is from.
pub(crate) struct Incident<'a> {
    pub(crate) report: &'a Report,
    pub(crate) history: &'a History,
    pub(crate) context: &'a Context,
    pub(crate) provenance: Provenance,
}

/// Where a document is from: what it takes to make it again.
pub(crate) struct Provenance {
    /// The recording.
    pub(crate) file: String,
    /// The arguments of the run that recorded.
    pub(crate) recorded_with: Vec<String>,
    /// The version that recorded.
    pub(crate) recorder: String,
    /// The recording and what it was judged by, as arguments.
    pub(crate) arguments: Vec<String>,
    /// All that it was judged by.
    pub(crate) options: Options,
}

impl Incident<'_> {
    /// The findings that stand and are leaks, or may be, the worst first.
    pub(crate) fn leaks(&self) -> impl Iterator<Item = &Finding> {
        self.report.findings.iter().filter(|it| it.retracted_at.is_none() && is_leak(it))
    }

    /// The findings that stand for information.
    pub(crate) fn information(&self) -> impl Iterator<Item = &Finding> {
        self.report.findings.iter().filter(|it| it.retracted_at.is_none() && !is_leak(it))
    }

    /// What was found and taken back, the latest first.
    pub(crate) fn taken_back(&self) -> impl Iterator<Item = &Finding> {
        self.report.findings.iter().filter(|it| it.retracted_at.is_some())
    }

    /// The headline of the process of a finding.
    pub(crate) fn process_of(&self, finding: &Finding) -> Option<&ProcessSummary> {
        self.report.processes.iter().find(|summary| summary.key == finding.process)
    }

    /// `2026-03-01 12:00:03 UTC`: so many milliseconds before the moment of the report.
    pub(crate) fn moment(&self, ms_ago: u64) -> String {
        self.wall(self.context.clock.wall_time(self.report.at.before_ms(ms_ago)))
    }

    /// When the process hits its limit of open files if it goes on as it did.
    pub(crate) fn limit_is_hit_at(&self, summary: &ProcessSummary) -> Option<String> {
        self.limit_moment(summary).map(|at| self.wall(at))
    }

    /// As [`limit_is_hit_at`](Self::limit_is_hit_at).
    pub(crate) fn limit_moment(&self, summary: &ProcessSummary) -> Option<jiff::Timestamp> {
        let seconds = i64::try_from(summary.seconds_to_fd_limit?).ok()?;
        let at = self.context.clock.wall_time(self.report.at);
        at.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()
    }

    #[expect(clippy::unused_self, reason = "it is how the document writes moments")]
    fn wall(&self, at: jiff::Timestamp) -> String {
        format!("{} UTC", at.strftime("%Y-%m-%d %H:%M:%S"))
    }

    /// The first line: who leaks what, since when, how sure, which line.
    pub(crate) fn headline(&self) -> String {
        if let Some(leak) = self.leaks().next() {
            return self.accusation(leak);
        }
        let gone = || self.taken_back().filter(|it| it.peak_confidence > Confidence::Info);
        if let Some(worst) = gone().max_by_key(|it| (it.peak_confidence, it.peak_count)) {
            let count = counted(gone().count() as u64, "finding was", "findings were");
            return format!("No leak stands any more; {count} taken back: {}", self.past(worst));
        }
        if self.report.coverage.complete {
            "No leaked connections found.".to_owned()
        } else {
            "No leaked connections found, but not everything could be seen.".to_owned()
        }
    }

    /// `api[4711] certainly leaks 1 204 connections to 10.0.3.7:443, since ..., requested at ....`
    fn accusation(&self, finding: &Finding) -> String {
        let how_sure = match finding.confidence {
            Confidence::Certain => "certainly leaks",
            Confidence::Likely => "likely leaks",
            Confidence::Possible | Confidence::Info => "possibly leaks",
        };
        format!(
            "{} {how_sure} {} {}, since {}{}.",
            process(finding),
            amount(finding, finding.count),
            whereto(finding),
            self.since(finding),
            line(finding).map_or_else(
                || "; the line of code is not known".to_owned(),
                |line| format!(", {line}")
            ),
        )
    }

    fn past(&self, finding: &Finding) -> String {
        let ago = finding.retracted_at.map_or(0, |at| self.report.at.ms_since(at));
        let line = line(finding).map(|line| format!(", {line}")).unwrap_or_default();
        format!(
            "{} had up to {} {}, {} ({}), which were closed or used again by {}{line}.",
            process(finding),
            amount(finding, finding.peak_count),
            whereto(finding),
            finding.verdict,
            finding.peak_confidence,
            self.moment(ago),
        )
    }

    /// When the oldest connection was opened.
    pub(crate) fn since(&self, finding: &Finding) -> String {
        let before = if finding.oldest_age_is_lower_bound { "before " } else { "" };
        format!("{before}{}", self.moment(finding.oldest_age_ms))
    }

    /// The sentences below the headline.
    pub(crate) fn lede(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if let Some(leak) = self.leaks().next() {
            sentences.push(words::meaning(leak.verdict).to_owned());
            sentences.extend(self.development(leak));
            let others = self.leaks().count() - 1;
            if others > 0 {
                let others = counted(others as u64, "other finding is", "other findings are");
                sentences.push(format!("{others} below."));
            }
        }
        if !self.report.coverage.complete {
            let gaps = coverage::gaps(&self.report.coverage).join(", ");
            let gaps = if gaps.is_empty() { "events were lost".to_owned() } else { gaps };
            sentences.push(format!("Not everything could be seen: {gaps}."));
        }
        sentences
    }

    /// How it grows, and where it leads that the process has ever more descriptors.
    fn development(&self, leak: &Finding) -> impl Iterator<Item = String> {
        let grows = leak.growth_per_min_milli.filter(|growth| *growth > 0).map(|_| {
            let rate = rate(leak.growth_per_min_milli, leak.growth_is_reconstructed);
            format!("Their number grows by {rate}.")
        });
        let limit = self.process_of(leak).and_then(|summary| {
            let rate = rate(summary.growth_per_min_milli, summary.growth_is_reconstructed);
            let limit = grouped(summary.fd_limit?);
            let left = quantity::duration_s(summary.seconds_to_fd_limit?);
            let at = self.limit_is_hit_at(summary)?;
            Some(format!(
                "If the descriptors of the process go on to grow by {rate}, its limit of {limit} \
                 open files is hit in {left}, at {at}."
            ))
        });
        grows.into_iter().chain(limit)
    }
}

impl Provenance {
    /// The command that shows whether it was mended.
    pub(crate) fn comparison(&self) -> String {
        format!("tracer diff {} AFTER.rec", command_line(std::slice::from_ref(&self.file)))
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

/// `23/min`, `about 24/h`.
fn rate(per_min_milli: Option<i64>, is_reconstructed: bool) -> String {
    let growth = quantity::growth(per_min_milli, is_reconstructed);
    let about = if is_reconstructed { "about " } else { "" };
    format!("{about}{}", growth.trim_start_matches(['~', '+']))
}

/// It is one, or may be.
pub(crate) fn is_leak(finding: &Finding) -> bool {
    finding.confidence > Confidence::Info
}

/// `api[4711]`.
pub(crate) fn process(finding: &Finding) -> String {
    format!("{}[{}]", escape::visible(&finding.comm.0), finding.process.pid)
}

/// `1 204 connections`, or `14 responses on 1 connection` where one has several.
pub(crate) fn amount(finding: &Finding, count: usize) -> String {
    let connections = counted(count as u64, "connection", "connections");
    if finding.verdict == Verdict::BodyNotClosed && finding.responses > count {
        let responses = counted(finding.responses as u64, "response", "responses");
        return format!("{responses} on {connections}");
    }
    connections
}

/// `to 10.0.3.7:443`, `to port 443 of 200 addresses`, `accepted on port 8080`.
pub(crate) fn whereto(finding: &Finding) -> String {
    match (finding.direction, finding.remote, finding.remote_port, finding.local_port) {
        (_, Some(remote), ..) => format!("to {remote}"),
        (Direction::Outbound, None, Some(port), _) => {
            let addresses = counted(finding.remotes as u64, "address", "addresses");
            format!("to port {port} of {addresses}")
        }
        (Direction::Inbound, None, _, Some(port)) => format!("accepted on port {port}"),
        (Direction::Inbound, None, _, None) => "accepted".to_owned(),
        (Direction::Outbound, None, None, _) => "to several places".to_owned(),
    }
}

/// `requested at main.doSomething billing.go:23`.
fn line(finding: &Finding) -> Option<String> {
    let done = match (finding.verdict, finding.direction) {
        (Verdict::BodyNotClosed, _) => "requested",
        (_, Direction::Outbound) => "opened",
        (_, Direction::Inbound) => "accepted",
    };
    finding.call_site.as_deref().map(|site| format!("{done} at {}", escape::visible(site)))
}

#[cfg(test)]
mod tests;
