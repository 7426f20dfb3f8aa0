//! What tracer reported about each exhibit.

use std::time::{SystemTime, UNIX_EPOCH};

use super::finding::{Coverage, Document, Finding};
use super::processes::Membership;
use super::verdicts::{Row, Verdicts};
use crate::corpus::Confidence;

/// The kind of run that reported something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Live,
    /// `tracer audit`, which observes for some seconds.
    Audit,
    /// `tracer audit --for 0s`: one snapshot.
    Snapshot,
}

impl Source {
    /// The name of the source.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Audit => "audit",
            Self::Snapshot => "audit --for 0s",
        }
    }
}

/// The findings above *possible* about one exhibit, from this time on until the next observation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observation {
    pub(crate) source: Source,
    /// Seconds since the epoch.
    pub(crate) at_s: f64,
    pub(crate) findings: Vec<Finding>,
}

/// Everything about one exhibit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observations {
    /// In chronological order. Those of the watching tracer are included only if they differ from
    /// the one before.
    pub(crate) all: Vec<Observation>,
    /// Whether there was a *possible* finding.
    pub(crate) was_possible: bool,
    /// The *possible* findings of the watching tracer when it ended.
    pub(crate) possible: Vec<Finding>,
}

impl Observations {
    fn add(&mut self, source: Source, at_s: f64, findings: Vec<Finding>) {
        let previous = self.all.iter().rev().find(|observation| observation.source == source);
        let is_same = match previous {
            Some(previous) => is_same(&previous.findings, &findings),
            None => findings.is_empty(),
        };
        // Each audit counts separately.
        if source != Source::Live || !is_same {
            self.all.push(Observation { source, at_s, findings });
        }
    }

    /// What the last document of this kind reported.
    pub(crate) fn last(&self, source: Source) -> Vec<Finding> {
        let last = self.all.iter().rev().find(|observation| observation.source == source);
        last.map(|observation| observation.findings.clone()).unwrap_or_default()
    }
}

fn is_same(one: &[Finding], other: &[Finding]) -> bool {
    let key = |finding: &Finding| {
        let Finding { pid, verdict, confidence, count, .. } = finding;
        (*pid, verdict.clone(), *confidence, *count, finding.destination())
    };
    one.iter().map(key).eq(other.iter().map(key))
}

/// What the tracers reported in a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) membership: Membership,
    pub(crate) exhibits: Vec<Observations>,
    /// Findings above *possible* about processes that belong to no exhibit.
    pub(crate) others: u64,
    /// The snapshots of the watching tracer.
    pub(crate) snapshots: u64,
    /// The largest number of sockets in a document.
    pub(crate) sockets: u64,
    /// Whether the coverage of the watching tracer is complete at the end.
    pub(crate) is_complete: bool,
    /// The verdicts of the watching tracer.
    verdicts: Verdicts,
}

impl Record {
    /// An empty record for exhibits with these supervisors.
    pub(crate) fn new(supervisors: Vec<u32>) -> Self {
        let exhibits = vec![Observations::default(); supervisors.len()];
        Self { membership: Membership::new(supervisors), exhibits, ..Self::default() }
    }

    /// Adds a row that the watching tracer has just written.
    pub(crate) fn add_row(&mut self, row: Row) {
        if self.verdicts.is_complete_before(&row) {
            self.add_verdicts();
        }
        self.verdicts.add(row, now_s());
    }

    /// Adds the processes that exist now, and the rows since the last call if no others belong to
    /// them.
    pub(crate) fn refresh(&mut self) {
        self.membership.refresh();
        if self.verdicts.is_complete_at(now_s()) {
            self.add_verdicts();
        }
    }

    /// Adds the rest of the rows.
    pub(crate) fn add_verdicts(&mut self) {
        if let Some((at_s, findings)) = self.verdicts.take() {
            self.add(Source::Live, at_s, findings);
        }
    }

    /// Adds the document of an audit that has just ended.
    pub(crate) fn add_audit(&mut self, source: Source, document: Document) {
        self.sockets = self.sockets.max(document.coverage.sockets);
        self.add(source, now_s(), document.findings);
    }

    /// Adds what the watching tracer had found when it ended.
    pub(crate) fn add_end(&mut self, document: Document) {
        let Coverage { complete, sockets, snapshots } = document.coverage;
        (self.snapshots, self.is_complete) = (snapshots, complete);
        self.sockets = self.sockets.max(sockets);
        let active = document.findings.into_iter().filter(Finding::is_active);
        for finding in active.filter(|it| it.confidence == Confidence::Possible) {
            if let Some(exhibit) = self.membership.of(finding.pid) {
                self.exhibits[exhibit].possible.push(finding);
            }
        }
    }

    fn add(&mut self, source: Source, at_s: f64, findings: Vec<Finding>) {
        self.membership.refresh();
        let mut of_exhibits = vec![Vec::new(); self.exhibits.len()];
        for finding in findings.into_iter().filter(Finding::is_active) {
            let Some(exhibit) = self.membership.of(finding.pid) else {
                self.others += u64::from(finding.confidence.is_flag());
                continue;
            };
            if finding.confidence.is_flag() {
                of_exhibits[exhibit].push(finding);
            } else if finding.confidence == Confidence::Possible {
                self.exhibits[exhibit].was_possible = true;
            }
        }
        for (observations, findings) in self.exhibits.iter_mut().zip(of_exhibits) {
            observations.add(source, at_s, findings);
        }
    }
}

/// The current time, in seconds since the epoch.
pub(crate) fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::{Record, Source};
    use crate::corpus::Confidence;
    use crate::zoo::finding::{Coverage, Document, Finding};

    fn finding(confidence: Confidence, count: u64) -> Finding {
        let finding = Finding::made_up("ghost", confidence, count, "127.0.0.1:1");
        Finding { pid: std::process::id(), ..finding }
    }

    fn document(confidence: Confidence, count: u64) -> Document {
        Document { findings: vec![finding(confidence, count)], coverage: Coverage::default() }
    }

    /// The record of a single exhibit, to which this process belongs.
    fn record() -> Record {
        Record::new(vec![
            rustix::process::getppid().unwrap().as_raw_nonzero().get().cast_unsigned(),
        ])
    }

    #[test]
    fn live_verdicts_are_kept_when_they_differ() {
        let mut record = record();
        for count in [1, 1, 2, 2] {
            record.add(Source::Live, 1.0, vec![finding(Confidence::Likely, count)]);
        }
        record.add(Source::Live, 2.0, vec![finding(Confidence::Possible, 2)]);
        let counts: Vec<_> = record.exhibits[0].all.iter().map(|it| it.findings.len()).collect();
        assert_eq!(counts, [1, 1, 0]);
        assert!(record.exhibits[0].was_possible);
        assert!(record.exhibits[0].last(Source::Live).is_empty());
    }

    #[test]
    fn every_audit_is_kept() {
        let mut record = record();
        record.add_audit(Source::Audit, document(Confidence::Certain, 1));
        record.add_audit(Source::Audit, document(Confidence::Certain, 1));
        record.add_audit(Source::Snapshot, document(Confidence::Info, 1));
        assert_eq!(record.exhibits[0].all.len(), 3);
        assert_eq!(record.exhibits[0].last(Source::Audit).len(), 1);
        assert!(record.exhibits[0].last(Source::Snapshot).is_empty());
    }

    #[test]
    fn what_was_possible_at_the_end_is_kept_with_its_sentences() {
        let mut record = record();
        record.refresh();
        record.add_end(document(Confidence::Possible, 3));
        assert_eq!(record.exhibits[0].possible, [finding(Confidence::Possible, 3)]);
        assert!(record.exhibits[0].all.is_empty());
    }

    #[test]
    fn other_processes_belong_to_no_exhibit() {
        let mut record = Record::new(vec![u32::MAX]);
        record.add(Source::Live, 1.0, vec![finding(Confidence::Likely, 1)]);
        assert!(record.exhibits[0].all.is_empty());
        assert_eq!(record.others, 1);
    }
}
