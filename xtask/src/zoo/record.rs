//! What tracer reported about each exhibit.

use std::time::{SystemTime, UNIX_EPOCH};

use super::finding::{Coverage, Document, Finding};
use super::processes::Membership;
use crate::corpus::Confidence;

/// The kind of run that produced a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Live,
    /// `tracer audit`, which observes for some seconds.
    Audit,
    /// `tracer audit --for 0s`: one snapshot.
    Snapshot,
}

impl Source {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Audit => "audit",
            Self::Snapshot => "audit --for 0s",
        }
    }
}

/// The findings above *possible* about one exhibit, from this document on until the next sighting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sighting {
    pub(crate) source: Source,
    /// Seconds since the epoch.
    pub(crate) at_s: f64,
    pub(crate) findings: Vec<Finding>,
}

/// Everything about one exhibit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sightings {
    /// In chronological order. Live documents are included only if they differ from the previous
    /// one in more than sentences.
    pub(crate) all: Vec<Sighting>,
    /// Whether there was a *possible* finding.
    pub(crate) was_possible: bool,
    /// The *possible* findings of the last live document.
    pub(crate) possible: Vec<Finding>,
}

impl Sightings {
    fn add(&mut self, source: Source, at_s: f64, findings: Vec<Finding>) {
        let previous = self.all.iter().rev().find(|sighting| sighting.source == source);
        let is_same = match previous {
            Some(previous) => is_same(&previous.findings, &findings),
            None => findings.is_empty(),
        };
        // Each audit counts separately.
        if source != Source::Live || !is_same {
            self.all.push(Sighting { source, at_s, findings });
        }
    }

    /// What the last document of this kind reported.
    pub(crate) fn last(&self, source: Source) -> Vec<Finding> {
        let last = self.all.iter().rev().find(|sighting| sighting.source == source);
        last.map(|sighting| sighting.findings.clone()).unwrap_or_default()
    }
}

fn is_same(one: &[Finding], other: &[Finding]) -> bool {
    let key = |finding: &Finding| {
        let Finding { pid, verdict, confidence, count, .. } = finding;
        (*pid, verdict.clone(), *confidence, *count, finding.destination())
    };
    one.iter().map(key).eq(other.iter().map(key))
}

/// What all documents of a round reported.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) membership: Membership,
    pub(crate) exhibits: Vec<Sightings>,
    /// Findings above *possible* about processes that belong to no exhibit.
    pub(crate) others: u64,
    /// Live documents.
    pub(crate) documents: u64,
    /// The largest number of sockets in a live document.
    pub(crate) sockets: u64,
    /// Whether the coverage of the last live document is complete.
    pub(crate) is_complete: bool,
}

impl Record {
    /// An empty record for exhibits with these supervisors.
    pub(crate) fn new(supervisors: Vec<u32>) -> Self {
        let exhibits = vec![Sightings::default(); supervisors.len()];
        Self { membership: Membership::new(supervisors), exhibits, ..Self::default() }
    }

    /// Adds a document that has just been written.
    pub(crate) fn add(&mut self, source: Source, document: Document) {
        let Document { findings, coverage: Coverage { complete, sockets } } = document;
        if source == Source::Live {
            self.documents += 1;
            self.sockets = self.sockets.max(sockets);
            self.is_complete = complete;
        }
        self.membership.refresh();
        let at_s = now_s();
        let mut of_exhibits = vec![Vec::new(); self.exhibits.len()];
        if source == Source::Live {
            self.exhibits.iter_mut().for_each(|sightings| sightings.possible.clear());
        }
        for finding in findings.into_iter().filter(Finding::is_active) {
            let Some(exhibit) = self.membership.of(finding.pid) else {
                self.others += u64::from(finding.confidence.is_flag());
                continue;
            };
            if finding.confidence.is_flag() {
                of_exhibits[exhibit].push(finding);
            } else if finding.confidence == Confidence::Possible {
                let sightings = &mut self.exhibits[exhibit];
                sightings.was_possible = true;
                if source == Source::Live {
                    sightings.possible.push(finding);
                }
            }
        }
        for (sightings, findings) in self.exhibits.iter_mut().zip(of_exhibits) {
            sightings.add(source, at_s, findings);
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

    fn document(confidence: Confidence, count: u64) -> Document {
        let mut finding = Finding::made_up("ghost", confidence, count, "127.0.0.1:1");
        finding.pid = std::process::id();
        Document { findings: vec![finding], coverage: Coverage::default() }
    }

    /// The record of a single exhibit, to which this process belongs.
    fn record() -> Record {
        Record::new(vec![
            rustix::process::getppid().unwrap().as_raw_nonzero().get().cast_unsigned(),
        ])
    }

    #[test]
    fn live_documents_are_kept_when_they_differ() {
        let mut record = record();
        for count in [1, 1, 2, 2] {
            record.add(Source::Live, document(Confidence::Likely, count));
        }
        record.add(Source::Live, document(Confidence::Possible, 2));
        let counts: Vec<_> = record.exhibits[0].all.iter().map(|it| it.findings.len()).collect();
        assert_eq!(counts, [1, 1, 0]);
        assert!(record.exhibits[0].was_possible);
        assert_eq!(record.documents, 5);
        assert!(record.exhibits[0].last(Source::Live).is_empty());
    }

    #[test]
    fn every_audit_is_kept() {
        let mut record = record();
        record.add(Source::Audit, document(Confidence::Certain, 1));
        record.add(Source::Audit, document(Confidence::Certain, 1));
        record.add(Source::Snapshot, document(Confidence::Info, 1));
        assert_eq!(record.exhibits[0].all.len(), 3);
        assert_eq!(record.exhibits[0].last(Source::Audit).len(), 1);
        assert!(record.exhibits[0].last(Source::Snapshot).is_empty());
    }

    #[test]
    fn other_processes_belong_to_no_exhibit() {
        let mut record = Record::new(vec![u32::MAX]);
        record.add(Source::Live, document(Confidence::Likely, 1));
        assert!(record.exhibits[0].all.is_empty());
        assert_eq!(record.others, 1);
    }
}
