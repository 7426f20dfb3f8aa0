//! Matches the findings of two reports that are about the same leak, and says how it changed. It does no I/O.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;
use tracer_core::Confidence;

use super::{
    finding::Finding,
    gap::{Gap, gap},
    side::Side,
};

/// The differences between two reports. The names of the fields are a contract with users.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Difference {
    pub(crate) schema: u32,
    pub(crate) tool: String,
    pub(crate) before: Side,
    pub(crate) after: Side,
    /// Findings below this confidence are not leaks.
    pub(crate) fail_on: String,
    /// The leaks of both reports, new ones first.
    pub(crate) changes: Vec<Row>,
    pub(crate) not_compared: NotCompared,
}

/// Findings below `--fail-on` that belong to no leak of either report, without those for
/// information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct NotCompared {
    pub(crate) before: Below,
    pub(crate) after: Below,
}

/// How many findings of one report are not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Below {
    pub(crate) findings: u64,
    pub(crate) connections: u64,
}

impl Below {
    fn add(&mut self, findings: &[&Finding]) {
        for finding in findings {
            self.findings += 1;
            self.connections = self.connections.saturating_add(finding.count);
        }
    }
}

/// How a leak changed, the worst change first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    New,
    Grown,
    Same,
    /// The leak has fewer connections, or a lower confidence.
    Shrunk,
    /// The later report could not have shown it.
    NotObserved,
    /// The later report was made too soon after the start of the process to show it.
    TooEarly,
    Gone,
}

impl Change {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grown => "grown",
            Self::Same => "same",
            Self::Shrunk => "shrunk",
            Self::NotObserved => "not observed",
            Self::TooEarly => "too early",
            Self::Gone => "gone",
        }
    }
}

/// One leak in the two reports.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    pub(crate) change: Change,
    /// Why it is [`Change::NotObserved`] or [`Change::TooEarly`]; `None` for all others.
    pub(crate) reason: Option<Gap>,
    /// The key in the later report if that has the leak, else in the earlier one.
    pub(crate) key: String,
    pub(crate) comm: String,
    pub(crate) direction: String,
    /// The remote address, or the local port to which others connected.
    pub(crate) destination: String,
    pub(crate) call_site: Option<String>,
    pub(crate) before: Option<Tally>,
    pub(crate) after: Option<Tally>,
}

/// The extent of a leak in one report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    /// The highest one.
    pub(crate) verdict: String,
    pub(crate) confidence: String,
    pub(crate) pids: BTreeSet<u32>,
}

/// Verdicts that the same bug can lead to, depending on what the peer does and on what can be
/// observed.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum VerdictKind {
    /// Connections that are not closed, although no code will read from them or close them.
    NotClosed,
    /// A bug of its own, by the name of the verdict.
    Own(String),
}

/// Findings of the two reports that are compared with each other.
#[derive(Default)]
struct Pair<'a> {
    before: Vec<&'a Finding>,
    after: Vec<&'a Finding>,
}

impl Difference {
    /// Whether the later report says for every leak of the earlier one whether it is gone.
    pub(crate) fn is_comparable(&self) -> bool {
        self.changes.iter().all(|row| row.reason.is_none())
    }

    /// Compares two reports. Findings of at least the confidence `fail_on` are leaks.
    pub(crate) fn between(before: Side, after: Side, fail_on: Confidence) -> Self {
        let all = Pair { before: active(&before).collect(), after: active(&after).collect() };
        let mut not_compared = NotCompared::default();
        let mut changes = Vec::new();
        for pair in all.by_leak() {
            if let Some(row) = pair.row(fail_on, |findings| gap(&before, &after, findings)) {
                changes.push(row);
            } else {
                not_compared.before.add(&pair.before);
                not_compared.after.add(&pair.after);
            }
        }
        let size = |row: &Row| row.after.as_ref().or(row.before.as_ref()).map(|it| it.count);
        changes.sort_by_key(|row| (row.change, Reverse(size(row))));
        let tool = format!("tracer {}", env!("CARGO_PKG_VERSION"));
        let fail_on = fail_on.name().to_owned();
        Self { schema: 2, tool, before, after, fail_on, changes, not_compared }
    }
}

/// The active findings, except those for information.
fn active(side: &Side) -> impl Iterator<Item = &Finding> {
    side.findings.iter().filter(|it| it.retracted_at.is_none() && confidence(it) > Confidence::Info)
}

fn confidence(finding: &Finding) -> Confidence {
    match finding.confidence.as_str() {
        "certain" => Confidence::Certain,
        "likely" => Confidence::Likely,
        "possible" => Confidence::Possible,
        _ => Confidence::Info,
    }
}

/// Where the connections go, or the local port that they were opened to.
fn destination(finding: &Finding) -> String {
    let port = |port: Option<u16>| port.map_or("*".to_owned(), |port| format!("*:{port}"));
    match finding.direction.as_str() {
        "inbound" => port(finding.local_port),
        _ => finding.remote.clone().unwrap_or_else(|| port(finding.remote_port)),
    }
}

fn verdict_kind(finding: &Finding) -> VerdictKind {
    match finding.verdict.as_str() {
        "body-not-closed" | "abandoned" | "undrained" | "close-wait" | "ghost" | "orphaned"
        | "never-reused" | "growing" => VerdictKind::NotClosed,
        other => VerdictKind::Own(other.to_owned()),
    }
}

/// An identity that does not depend on the family of the key, because the family depends on what
/// could be observed.
fn place(finding: &Finding) -> (&str, &str, String, VerdictKind) {
    (&finding.comm, &finding.direction, destination(finding), verdict_kind(finding))
}

impl<'a> Pair<'a> {
    /// One pair for each value that both reports have, and one for the rest.
    fn split<K: Ord>(self, value: impl Fn(&'a Finding) -> K) -> (Vec<Self>, Self) {
        let mut rest = Self::default();
        let mut common = Vec::new();
        for pair in self.grouped(value) {
            if pair.is_one_sided() {
                rest.before.extend(pair.before);
                rest.after.extend(pair.after);
            } else {
                common.push(pair);
            }
        }
        (common, rest)
    }

    /// One pair for each value.
    fn grouped<K: Ord>(self, value: impl Fn(&'a Finding) -> K) -> Vec<Self> {
        let mut groups: BTreeMap<K, Self> = BTreeMap::new();
        for finding in self.before {
            groups.entry(value(finding)).or_default().before.push(finding);
        }
        for finding in self.after {
            groups.entry(value(finding)).or_default().after.push(finding);
        }
        groups.into_values().collect()
    }

    /// One pair for each leak and call site: first by key and kind of verdict, if both reports have
    /// them; then by place, because a report that could observe less has a different key for the
    /// same leak. If one report has several keys for a leak that has one key in the other, the
    /// remaining findings belong to a pair of the same place.
    fn by_leak(self) -> Vec<Self> {
        let key = |finding: &'a Finding| (finding.key.as_str(), verdict_kind(finding));
        let (mut leaks, rest) = self.split(key);
        let (same_place, rest) = rest.split(place);
        leaks.extend(same_place);
        let mut pairs: Vec<Self> = leaks.into_iter().flat_map(Self::by_call_site).collect();
        let mut alone = Vec::new();
        for group in rest.grouped(key) {
            match group.of_same_place(&mut pairs) {
                Some(pair) => {
                    pair.before.extend(group.before);
                    pair.after.extend(group.after);
                }
                None => alone.push(group),
            }
        }
        pairs.extend(alone.into_iter().flat_map(Self::by_call_site));
        pairs
    }

    /// The pair to which findings of one report belong: one of the same place, preferably one that
    /// so far contains only findings of the other report.
    fn of_same_place<'p>(&self, pairs: &'p mut [Self]) -> Option<&'p mut Self> {
        let here = self.findings().next().map(place)?;
        let is_other_only = |pair: &Self| {
            if self.before.is_empty() { pair.after.is_empty() } else { pair.before.is_empty() }
        };
        pairs
            .iter_mut()
            .filter(|pair| pair.findings().any(|finding| place(finding) == here))
            .max_by_key(|pair| (is_other_only(pair), !pair.is_one_sided()))
    }

    fn findings(&self) -> impl Iterator<Item = &'a Finding> {
        self.before.iter().chain(&self.after).copied()
    }

    /// Whether only one of the reports has findings of this leak.
    fn is_one_sided(&self) -> bool {
        self.before.is_empty() || self.after.is_empty()
    }

    /// One pair for each call site that both reports have. If some call sites are unknown, the rest
    /// is one pair.
    fn by_call_site(self) -> Vec<Self> {
        let is_known = |it: &&&Finding| it.call_site.is_some();
        let all = self.before.iter().chain(&self.after).count();
        let known = self.before.iter().chain(&self.after).filter(is_known).count();
        if known == all {
            return self.grouped(function);
        }
        let (mut unknown, mut known) = (Self::default(), Self::default());
        let is_known = |finding: &&Finding| finding.call_site.is_some();
        (known.before, unknown.before) = self.before.into_iter().partition(is_known);
        (known.after, unknown.after) = self.after.into_iter().partition(is_known);
        let (mut pairs, rest) = known.split(function);
        unknown.before.extend(rest.before);
        unknown.after.extend(rest.after);
        pairs.push(unknown);
        pairs
    }

    /// How the leak changed; `None` if it is not a leak in either report.
    ///
    /// `gap` says why the later report could not have shown findings of the earlier one.
    fn row(&self, fail_on: Confidence, gap: impl Fn(&[&Finding]) -> Option<Gap>) -> Option<Row> {
        let finding = self.after.first().or(self.before.first())?;
        let is_leak = |findings: &[&Finding]| findings.iter().any(|it| confidence(it) >= fail_on);
        let (before, after) = (tally(&self.before), tally(&self.after));
        let count = |tally: &Option<Tally>| tally.as_ref().map_or(0, |tally| tally.count);
        let both = (is_leak(&self.before), is_leak(&self.after));
        let reason = match both {
            // A leak that has begun again is at first below --fail-on.
            (true, false) => {
                gap(&self.before).filter(|gap| after.is_none() || matches!(gap, Gap::TooEarly(_)))
            }
            _ => None,
        };
        let change = match both {
            (false, false) => return None,
            (false, true) => Change::New,
            (true, false) => match &reason {
                Some(Gap::TooEarly(_)) => Change::TooEarly,
                Some(_) => Change::NotObserved,
                None if after.is_some() => Change::Shrunk,
                None => Change::Gone,
            },
            (true, true) => match count(&after).cmp(&count(&before)) {
                Ordering::Greater => Change::Grown,
                Ordering::Equal => Change::Same,
                Ordering::Less => Change::Shrunk,
            },
        };
        let sites: BTreeSet<&str> = self.sites().collect();
        let call_site = sites.iter().next_back().filter(|_| sites.len() == 1);
        Some(Row {
            change,
            reason,
            key: finding.key.clone(),
            comm: finding.comm.clone(),
            direction: finding.direction.clone(),
            destination: destination(finding),
            call_site: call_site.map(|site| (*site).to_owned()),
            before,
            after,
        })
    }

    /// The lines of code, from the later report if it has any.
    fn sites(&self) -> impl Iterator<Item = &'a str> {
        let sites = |findings: &[&'a Finding]| -> Vec<&'a str> {
            findings.iter().filter_map(|finding| finding.call_site.as_deref()).collect()
        };
        let after = sites(&self.after);
        if after.is_empty() { sites(&self.before).into_iter() } else { after.into_iter() }
    }
}

/// The call site without the line number, which changes when something else in the file is edited.
fn function(finding: &Finding) -> Option<&str> {
    let site = finding.call_site.as_deref()?;
    Some(site.rsplit_once(':').map_or(site, |(function, _)| function))
}

fn tally(findings: &[&Finding]) -> Option<Tally> {
    let strongest = findings.iter().max_by_key(|finding| (confidence(finding), finding.count))?;
    Some(Tally {
        count: findings.iter().map(|finding| finding.count).sum(),
        verdict: strongest.verdict.clone(),
        confidence: strongest.confidence.clone(),
        pids: findings.iter().map(|finding| finding.pid).collect(),
    })
}

#[cfg(test)]
mod tests;
