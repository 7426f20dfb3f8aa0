//! Which findings of two reports are about the same leak, and what became of it. Pure.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;
use tracer_core::Confidence;

use super::side::{Finding, Side};

/// What differs between two reports. The names of the fields are a contract with users.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Difference {
    schema: u32,
    tool: String,
    pub(crate) before: Side,
    pub(crate) after: Side,
    /// The leaks of either, what is new first.
    pub(crate) changes: Vec<Row>,
}

/// What became of a leak, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    New,
    Grown,
    Same,
    /// There is less of it, or it is less sure.
    Shrunk,
    Gone,
}

impl Change {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grown => "grown",
            Self::Same => "same",
            Self::Shrunk => "shrunk",
            Self::Gone => "gone",
        }
    }
}

/// One leak in the two reports.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    pub(crate) change: Change,
    pub(crate) comm: String,
    pub(crate) direction: String,
    /// Where it leads, or the port here that others opened it to.
    pub(crate) destination: String,
    pub(crate) call_site: Option<String>,
    pub(crate) before: Option<Tally>,
    pub(crate) after: Option<Tally>,
}

/// How much of a leak a report shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    /// The surest one.
    pub(crate) verdict: String,
    pub(crate) confidence: String,
    pub(crate) pids: BTreeSet<u32>,
}

/// What is the same of a leak when processes are started anew: not their pids.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    comm: String,
    direction: String,
    destination: String,
    family: Family,
}

/// Verdicts that one and the same mistake leads to, depending on what the peer does and on what can
/// be seen.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    /// Not closed, and nobody comes back for it.
    NotClosed,
    /// Named so.
    Own(String),
}

/// The findings of both reports.
#[derive(Default)]
struct Pair<'a> {
    before: Vec<&'a Finding>,
    after: Vec<&'a Finding>,
}

impl Difference {
    /// What differs, where findings from `fail_on` on are leaks.
    pub(crate) fn between(before: Side, after: Side, fail_on: Confidence) -> Self {
        let mut leaks: BTreeMap<Key, Pair<'_>> = BTreeMap::new();
        for finding in standing(&before) {
            leaks.entry(Key::of(finding)).or_default().before.push(finding);
        }
        for finding in standing(&after) {
            leaks.entry(Key::of(finding)).or_default().after.push(finding);
        }
        let pairs = leaks.into_iter().flat_map(|(key, pair)| {
            pair.by_call_site().into_iter().filter_map(move |pair| pair.row(&key, fail_on))
        });
        let mut changes: Vec<Row> = pairs.collect();
        let size = |row: &Row| row.after.as_ref().or(row.before.as_ref()).map(|it| it.count);
        changes.sort_by_key(|row| (row.change, Reverse(size(row))));
        Self::of(before, after, changes)
    }

    /// These changes between two reports.
    pub(crate) fn of(before: Side, after: Side, changes: Vec<Row>) -> Self {
        let tool = format!("tracer {}", env!("CARGO_PKG_VERSION"));
        Self { schema: 1, tool, before, after, changes }
    }
}

/// The findings that stand, those for information left out.
fn standing(side: &Side) -> impl Iterator<Item = &Finding> {
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

impl Key {
    fn of(finding: &Finding) -> Self {
        let port = |port: Option<u16>| port.map_or("*".to_owned(), |port| format!("*:{port}"));
        let destination = match finding.direction.as_str() {
            "inbound" => port(finding.local_port),
            _ => finding.remote.clone().unwrap_or_else(|| port(finding.remote_port)),
        };
        let family = match finding.verdict.as_str() {
            "body-not-closed" | "abandoned" | "undrained" | "close-wait" | "ghost" | "orphaned"
            | "never-reused" | "growing" => Family::NotClosed,
            other => Family::Own(other.to_owned()),
        };
        let (comm, direction) = (finding.comm.clone(), finding.direction.clone());
        Self { comm, direction, destination, family }
    }
}

impl<'a> Pair<'a> {
    /// One pair for each call site that both know. Where one of them does not know it of all, the
    /// rest cannot be told apart.
    fn by_call_site(self) -> Vec<Self> {
        let is_known = |it: &&&Finding| it.call_site.is_some();
        let all = self.before.iter().chain(&self.after).count();
        let known = self.before.iter().chain(&self.after).filter(is_known).count();
        let mut sites: BTreeMap<Option<&str>, Self> = BTreeMap::new();
        for finding in self.before {
            sites.entry(function(finding)).or_default().before.push(finding);
        }
        for finding in self.after {
            sites.entry(function(finding)).or_default().after.push(finding);
        }
        if known == all {
            return sites.into_values().collect();
        }
        let mut rest = Self::default();
        let mut pairs = Vec::new();
        for (site, pair) in sites {
            if site.is_some() && !pair.before.is_empty() && !pair.after.is_empty() {
                pairs.push(pair);
            } else {
                rest.before.extend(pair.before);
                rest.after.extend(pair.after);
            }
        }
        pairs.push(rest);
        pairs
    }

    /// What became of it; `None` if it is a leak in neither.
    fn row(self, key: &Key, fail_on: Confidence) -> Option<Row> {
        let is_leak = |findings: &[&Finding]| findings.iter().any(|it| confidence(it) >= fail_on);
        let (before, after) = (tally(&self.before), tally(&self.after));
        let count = |tally: &Option<Tally>| tally.as_ref().map_or(0, |tally| tally.count);
        let change = match (is_leak(&self.before), is_leak(&self.after)) {
            (false, false) => return None,
            (false, true) => Change::New,
            (true, false) if after.is_some() => Change::Shrunk,
            (true, false) => Change::Gone,
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
            comm: key.comm.clone(),
            direction: key.direction.clone(),
            destination: key.destination.clone(),
            call_site: call_site.map(|site| (*site).to_owned()),
            before,
            after,
        })
    }

    /// The lines of code, of the later report if it knows any.
    fn sites(&self) -> impl Iterator<Item = &'a str> {
        let sites = |findings: &[&'a Finding]| -> Vec<&'a str> {
            findings.iter().filter_map(|finding| finding.call_site.as_deref()).collect()
        };
        let after = sites(&self.after);
        if after.is_empty() { sites(&self.before).into_iter() } else { after.into_iter() }
    }
}

/// The call site without the line, which moves when something else in the file is changed.
fn function(finding: &Finding) -> Option<&str> {
    let site = finding.call_site.as_deref()?;
    Some(site.rsplit_once(':').map_or(site, |(function, _)| function))
}

fn tally(findings: &[&Finding]) -> Option<Tally> {
    let surest = findings.iter().max_by_key(|finding| (confidence(finding), finding.count))?;
    Some(Tally {
        count: findings.iter().map(|finding| finding.count).sum(),
        verdict: surest.verdict.clone(),
        confidence: surest.confidence.clone(),
        pids: findings.iter().map(|finding| finding.pid).collect(),
    })
}

#[cfg(test)]
mod tests;
