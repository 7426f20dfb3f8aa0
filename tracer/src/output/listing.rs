//! Decides which findings a table lists in full, which it only counts, and which share a row.
//!
//! JSON and CSV contain every finding.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use tracer_core::{
    Comm, Confidence, Direction, Finding, FindingFamily, ProcessKey, ProcessSummary, Reader,
    Report, Verdict,
};

/// A process is near its limit of open files if it uses this much of it, in percent,
const NEAR_LIMIT_PERCENT: u128 = 80;
/// or if it will reach the limit within this many seconds at its measured growth. Estimated growth
/// does not count: a single burst looks the same.
const NEAR_LIMIT_S: u64 = 3_600;

/// The lowest confidence of the findings that are listed: *likely*, or a lower one that was
/// requested or that decides about the exit code.
pub(crate) fn lowest(fail_on: Confidence, requested: Option<Confidence>) -> Confidence {
    Confidence::Likely.min(fail_on).min(requested.unwrap_or(Confidence::Likely))
}

/// Whether a retracted finding was ever listed.
pub(crate) fn was_listed(retracted: &Finding, least: Confidence) -> bool {
    retracted.peak_confidence >= least
}

/// The active findings that are listed: those with at least the confidence `least`, and *possible*
/// ones that [fill](Filling) their process.
pub(crate) fn listed(report: &Report, least: Confidence) -> impl Iterator<Item = &Finding> {
    let filling = Filling::new(report);
    active(report).filter(move |it| it.confidence >= least || filling.fills(it))
}

fn active(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|it| it.retracted_at.is_none())
}

/// The processes that are near their limit of open files. A *possible* finding that has most of
/// the file descriptors of one of them matters even if it is not a leak, and is listed.
pub(crate) struct Filling {
    /// With the number of file descriptors in use.
    processes: BTreeMap<ProcessKey, u64>,
}

impl Filling {
    pub(crate) fn new(report: &Report) -> Self {
        let near = report.processes.iter().filter(|it| uses_percent(it, NEAR_LIMIT_PERCENT));
        Self { processes: near.map(|it| (it.key, it.used_fds())).collect() }
    }

    /// Whether the finding is a *possible* one with most of the file descriptors of such a process.
    pub(crate) fn fills(&self, finding: &Finding) -> bool {
        let used = self.processes.get(&finding.process);
        finding.confidence == Confidence::Possible
            && used.is_some_and(|&used| (finding.count as u64).saturating_mul(2) > used)
    }
}

/// A finding, or equal findings of several processes of one program.
#[derive(Clone, Debug)]
pub(crate) struct Row<'a> {
    /// The finding. For several: the sums of their numbers, the id of the first one, and everything
    /// else, such as the evidence, from the largest.
    pub(crate) finding: Cow<'a, Finding>,
    /// The findings in it, each of another process, the largest first.
    pub(crate) parts: Vec<&'a Finding>,
}

impl<'a> Row<'a> {
    fn new(mut parts: Vec<&'a Finding>) -> Option<Self> {
        parts.sort_by_key(|it| (Reverse(size(it)), it.id));
        let finding = match *parts {
            [] => return None,
            [only] => Cow::Borrowed(only),
            [largest, ..] => Cow::Owned(sum(largest, &parts)),
        };
        Some(Self { finding, parts })
    }

    /// The largest of the findings, whose evidence is shown for all.
    pub(crate) fn largest(&self) -> &Finding {
        self.parts.first().copied().unwrap_or(&self.finding)
    }
}

/// The rows of these findings: the highest confidence first, then the largest, then the one that
/// grows most.
pub(crate) fn rows<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Row<'a>> {
    let mut occurrences = BTreeMap::new();
    let mut groups: BTreeMap<(Program<'a>, usize), Vec<&'a Finding>> = BTreeMap::new();
    for finding in findings {
        let program = Program::of(finding);
        // Several findings of one process stay apart.
        let occurrence: &mut usize =
            occurrences.entry((program.clone(), finding.process)).or_default();
        groups.entry((program, *occurrence)).or_default().push(finding);
        *occurrence += 1;
    }
    let mut rows: Vec<Row<'_>> = groups.into_values().filter_map(Row::new).collect();
    rows.sort_by_key(|it| {
        let finding = &it.finding;
        let growth = finding.growth_per_min_milli;
        (Reverse(finding.confidence), Reverse(size(finding)), Reverse(growth), finding.id)
    });
    rows
}

/// What equal findings share.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Program<'a> {
    verdict: Verdict,
    confidence: Confidence,
    family: FindingFamily,
    direction: Direction,
    remote: Option<SocketAddr>,
    remote_port: Option<u16>,
    local_port: Option<u16>,
    comm: &'a Comm,
    exe: Option<&'a str>,
    script: Option<&'a str>,
    container: Option<&'a str>,
    netns: u32,
    call_site: Option<&'a str>,
}

impl<'a> Program<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            verdict: finding.verdict,
            confidence: finding.confidence,
            family: finding.key.family,
            direction: finding.direction,
            remote: finding.remote,
            remote_port: finding.remote_port,
            local_port: finding.local_port,
            comm: &finding.comm,
            exe: finding.exe.as_deref(),
            script: finding.script.as_deref(),
            container: finding.container.as_ref().map(|it| &*it.id),
            netns: finding.netns,
            call_site: finding.call_site.as_deref(),
        }
    }
}

fn size(finding: &Finding) -> usize {
    finding.count.max(finding.responses)
}

fn sum(largest: &Finding, parts: &[&Finding]) -> Finding {
    let total = |number: fn(&Finding) -> usize| parts.iter().map(|it| number(it)).sum::<usize>();
    let oldest = parts.iter().max_by_key(|it| it.oldest_age_ms).copied().unwrap_or(largest);
    let growth = parts.iter().filter_map(|it| it.growth_per_min_milli).reduce(i64::saturating_add);
    let readers: BTreeSet<Reader> = parts.iter().map(|it| it.reader).collect();
    let connections: Vec<_> = parts.iter().flat_map(|it| &it.connections).cloned().collect();
    let remotes: BTreeSet<_> = connections.iter().map(|it| it.remote.ip()).collect();
    let is_same_request = parts.iter().all(|it| it.request == largest.request);
    Finding {
        id: parts.iter().map(|it| it.id).min().unwrap_or(largest.id),
        uid: largest.uid.filter(|uid| parts.iter().all(|it| it.uid == Some(*uid))),
        inner_pid: None,
        cmdline: None,
        remotes: if largest.remotes > 1 { remotes.len() } else { largest.remotes },
        count: total(|it| it.count),
        peak_count: total(|it| it.peak_count),
        oldest_age_ms: oldest.oldest_age_ms,
        oldest_age_is_lower_bound: oldest.oldest_age_is_lower_bound,
        growth_per_min_milli: growth,
        growth_is_reconstructed: parts.iter().any(|it| it.growth_is_reconstructed),
        responses: total(|it| it.responses),
        unread_bytes: parts.iter().map(|it| it.unread_bytes).sum(),
        held_bytes: parts.iter().map(|it| it.held_bytes).sum(),
        reader: if readers.len() == 1 { largest.reader } else { Reader::Mixed },
        request: largest.request.clone().filter(|_| is_same_request),
        connections,
        ..largest.clone()
    }
}

/// Active findings of one verdict and confidence that are only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Folded {
    pub(crate) verdict: Verdict,
    pub(crate) confidence: Confidence,
    pub(crate) findings: usize,
    pub(crate) connections: usize,
    pub(crate) processes: usize,
}

/// What is not listed, by verdict: the highest confidence first, then by number of connections.
pub(crate) fn folded(report: &Report, least: Confidence) -> Vec<Folded> {
    let mut groups: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
    let filling = Filling::new(report);
    for finding in active(report).filter(|it| it.confidence < least && !filling.fills(it)) {
        groups.entry((finding.confidence, finding.verdict)).or_default().push(finding);
    }
    let folded = groups.into_iter().map(|((confidence, verdict), findings)| {
        let processes: BTreeSet<_> = findings.iter().map(|it| it.process).collect();
        // Several findings can share an HTTP/2 connection.
        let connections: BTreeSet<_> =
            findings.iter().flat_map(|it| &it.connections).map(|it| it.id).collect();
        Folded {
            verdict,
            confidence,
            findings: findings.len(),
            connections: connections.len(),
            processes: processes.len(),
        }
    });
    let mut folded: Vec<Folded> = folded.collect();
    folded.sort_by_key(|it| (Reverse(it.confidence), Reverse(it.connections), it.verdict));
    folded
}

/// How many retracted findings are not listed, and the lowest confidence that lists them all;
/// `None` if there are none.
pub(crate) fn folded_retracted(report: &Report, least: Confidence) -> Option<(usize, Confidence)> {
    let retracted = report.findings.iter().filter(|it| it.retracted_at.is_some());
    let folded = || retracted.clone().filter(|it| !was_listed(it, least));
    folded().map(|it| it.peak_confidence).min().map(|lowest| (folded().count(), lowest))
}

/// The processes whose file descriptors are shown: those that the user named; those in rows that
/// are likely or certain, or whose file descriptors increase (for a row of several processes, the
/// one nearest to its limit); and others in the report that are near their limit.
pub(crate) fn processes<'a>(report: &'a Report, rows: &[Row<'_>]) -> Vec<&'a ProcessSummary> {
    let summaries: BTreeMap<ProcessKey, &ProcessSummary> =
        report.processes.iter().map(|it| (it.key, it)).collect();
    let nearest = |row: &Row<'_>| {
        let parts = row.parts.iter().filter_map(|it| summaries.get(&it.process).copied());
        let nearest = parts.min_by_key(|it| distance_to_limit(it))?;
        let grows = nearest.growth_per_min_milli.is_some_and(|growth| growth > 0);
        (grows || row.finding.confidence >= Confidence::Likely).then_some(nearest.key)
    };
    let in_rows: BTreeSet<_> = rows.iter().filter_map(nearest).collect();
    let is_shown = |it: &&ProcessSummary| {
        report.options.scoped || in_rows.contains(&it.key) || is_near_limit(it)
    };
    report.processes.iter().filter(is_shown).collect()
}

/// The processes that are at their limit of open files, the one with the least left first.
pub(crate) fn at_limit(report: &Report) -> Vec<&ProcessSummary> {
    let processes = report.processes.iter();
    let mut processes: Vec<_> = processes.filter(|it| it.is_at_fd_limit()).collect();
    processes.sort_by_key(|it| (fds_left(it), it.key));
    processes
}

/// How far a process is from its limit of open files: in seconds if it grows, and in file
/// descriptors.
pub(crate) fn distance_to_limit(summary: &ProcessSummary) -> (u64, u64) {
    let seconds = summary.seconds_to_fd_limit.unwrap_or(u64::MAX);
    (seconds, fds_left(summary))
}

fn fds_left(summary: &ProcessSummary) -> u64 {
    let left = summary.fd_limit.map(|limit| limit.saturating_sub(summary.used_fds()));
    left.unwrap_or(u64::MAX)
}

/// Whether a process is known to be near its limit of open files.
fn is_near_limit(summary: &ProcessSummary) -> bool {
    let is_used = uses_percent(summary, NEAR_LIMIT_PERCENT);
    let is_soon = summary.seconds_to_fd_limit.is_some_and(|seconds| seconds <= NEAR_LIMIT_S);
    is_used || (is_soon && !summary.growth_is_reconstructed)
}

/// Whether a process uses at least this much of its limit of open files, in percent.
fn uses_percent(summary: &ProcessSummary, percent: u128) -> bool {
    summary
        .fd_limit
        .is_some_and(|limit| u128::from(summary.used_fds()) * 100 >= u128::from(limit) * percent)
}

#[cfg(test)]
mod tests;
