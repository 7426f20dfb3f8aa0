//! The changes of findings from one report to the next: the lines of `-o jsonl`.

use std::collections::BTreeMap;

use tracer_core::{Confidence, Finding, ProcessKey, Report, Timestamp, Verdict};

/// A change of only the count is an event if it is at least one in this many of the count,
const COUNT_PART: usize = 10;
/// and if the latest event of the finding is at least this old, in milliseconds.
const COUNT_PAUSE_MS: u64 = 10_000;
/// A smaller change is an event if the latest one is at least this old, in milliseconds.
const COUNT_LATEST_MS: u64 = 300_000;

/// The number of consecutive reports without a finding after which it counts as retracted. A
/// finding is missing from a single report if a snapshot may have missed its connections, and from
/// all if other findings have taken them over.
const ABSENT_MAX: u8 = 2;

/// What happened to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// The finding is new.
    Appeared,
    /// The verdict, confidence, call site or count of the finding has changed.
    Changed,
    /// The finding is no longer active.
    Retracted,
}

impl EventKind {
    /// The code in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::Changed => "changed",
            Self::Retracted => "retracted",
        }
    }
}

/// The facts about a finding in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FindingState {
    pub(crate) id: u64,
    pub(crate) key: String,
    pub(crate) verdict: Verdict,
    pub(crate) confidence: Confidence,
    pub(crate) count: usize,
    pub(crate) responses: usize,
    pub(crate) process: ProcessKey,
    pub(crate) comm: String,
    pub(crate) container_id: Option<String>,
    pub(crate) pod_uid: Option<String>,
    pub(crate) call_site: Option<String>,
}

impl FindingState {
    fn of(finding: &Finding) -> Self {
        let container = finding.container.as_ref();
        Self {
            id: finding.id,
            key: finding.key.to_string(),
            verdict: finding.verdict,
            confidence: finding.confidence,
            count: finding.count,
            responses: finding.responses,
            process: finding.process,
            comm: finding.comm.0.to_string(),
            container_id: container.map(|it| it.id.clone()),
            pod_uid: container.and_then(|it| it.pod_uid.clone()),
            call_site: finding.call_site.clone(),
        }
    }

    /// Whether the finding differs in more than its size.
    fn is_otherwise_than(&self, before: &Self) -> bool {
        (self.verdict, self.confidence) != (before.verdict, before.confidence)
            || self.call_site != before.call_site
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FindingEvent {
    pub(crate) kind: EventKind,
    pub(crate) finding: FindingState,
}

/// The last emitted event of each finding. An event that is not emitted stays due, so a slow reader
/// gets fewer events, with the latest facts, and memory is bounded by the number of findings.
#[derive(Debug, Default)]
pub(crate) struct FindingEvents {
    emitted: BTreeMap<u64, Emitted>,
}

#[derive(Debug)]
struct Emitted {
    finding: FindingState,
    at: Timestamp,
    /// The number of consecutive reports without it.
    absent: u8,
}

impl Emitted {
    /// Whether the finding has changed enough for an event.
    fn differs(&self, now: &FindingState, at: Timestamp, is_last: bool) -> bool {
        let before = &self.finding;
        let sizes = |it: &FindingState| [it.count, it.responses];
        let pairs = || sizes(before).into_iter().zip(sizes(now));
        let has_another_size = sizes(before) != sizes(now);
        let is_large = pairs().any(|(before, now)| {
            before != now && before.abs_diff(now).saturating_mul(COUNT_PART) >= before
        });
        let pause_ms = if is_large { COUNT_PAUSE_MS } else { COUNT_LATEST_MS };
        now.is_otherwise_than(before)
            || (has_another_size && (is_last || at.ms_since(self.at) >= pause_ms))
    }
}

impl FindingEvents {
    /// The events that are due at a report, retractions first. At the last report of a run, every
    /// change of a count is due.
    pub(crate) fn due(&mut self, report: &Report, is_last: bool) -> Vec<FindingEvent> {
        let mut events = self.retractions(report);
        for finding in report.findings.iter().filter(|it| it.retracted_at.is_none()) {
            let finding = FindingState::of(finding);
            let kind = match self.emitted.get(&finding.id) {
                None => EventKind::Appeared,
                Some(before) if before.differs(&finding, report.at, is_last) => EventKind::Changed,
                Some(_) => continue,
            };
            events.push(FindingEvent { kind, finding });
        }
        events
    }

    fn retractions(&mut self, report: &Report) -> Vec<FindingEvent> {
        let findings: BTreeMap<u64, &Finding> =
            report.findings.iter().map(|it| (it.id, it)).collect();
        let mut events = Vec::new();
        for (id, emitted) in &mut self.emitted {
            let finding = match findings.get(id) {
                Some(finding) if finding.retracted_at.is_some() => FindingState::of(finding),
                Some(_) => {
                    emitted.absent = 0;
                    continue;
                }
                None => {
                    emitted.absent = emitted.absent.saturating_add(1);
                    if emitted.absent < ABSENT_MAX {
                        continue;
                    }
                    emitted.finding.clone()
                }
            };
            events.push(FindingEvent { kind: EventKind::Retracted, finding });
        }
        events
    }

    /// Records that the event was emitted, at the time of its report.
    pub(crate) fn emitted(&mut self, event: FindingEvent, at: Timestamp) {
        let FindingEvent { kind, finding } = event;
        match kind {
            EventKind::Appeared | EventKind::Changed => {
                self.emitted.insert(finding.id, Emitted { finding, at, absent: 0 });
            }
            EventKind::Retracted => drop(self.emitted.remove(&finding.id)),
        }
    }
}

#[cfg(test)]
mod tests;
