//! The reports of tracer, by process.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::confidence::Confidence;

/// One finding of one document.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) pid: u32,
    pub(crate) comm: String,
    pub(crate) verdict: String,
    pub(crate) confidence: Confidence,
    pub(crate) count: u64,
    #[serde(default)]
    pub(crate) evidence: Vec<Sentence>,
    #[serde(default)]
    pub(crate) caveats: Vec<Sentence>,
    #[serde(default)]
    retracted_at: Option<String>,
}

/// The fields of tracer's JSON document that are used here.
#[derive(Deserialize)]
struct Document {
    findings: Vec<Finding>,
    coverage: Coverage,
}

/// How complete tracer's view was.
#[derive(Clone, Debug, Default, Deserialize)]
struct Coverage {
    complete: bool,
    events_lost: u64,
    notes: Vec<Sentence>,
}

/// An entry of evidence, caveats or notes; only its sentence is used.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Sentence {
    pub(crate) text: String,
}

/// What a run of tracer reported: the last document, and the highest confidence of all documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// The findings that are active in the last document.
    active: Vec<Finding>,
    /// The highest confidence in any document, by process and verdict.
    peak: BTreeMap<(u32, String), Confidence>,
    /// The coverage of the last document.
    coverage: Coverage,
    /// The number of documents.
    pub(crate) documents: u64,
}

impl Record {
    /// Adds a document.
    ///
    /// # Errors
    /// The text is not a document of tracer.
    pub(crate) fn add(&mut self, json: &str) -> Result<()> {
        let document: Document =
            serde_json::from_str(json).context("tracer wrote something that is not a document")?;
        self.documents += 1;
        self.active = document.findings;
        self.coverage = document.coverage;
        for finding in &self.active {
            let peak = self.peak.entry((finding.pid, finding.verdict.clone()));
            let peak = peak.or_insert(finding.confidence);
            *peak = (*peak).max(finding.confidence);
        }
        self.active.retain(|finding| finding.retracted_at.is_none());
        Ok(())
    }

    /// Why the view was incomplete; `None` if it was complete.
    pub(crate) fn incomplete(&self) -> Option<String> {
        let Coverage { complete, events_lost, notes } = &self.coverage;
        let notes: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
        (!complete).then(|| format!("{events_lost} events lost; {}", notes.join("; ")))
    }

    /// What was reported about these processes.
    pub(crate) fn of(&self, processes: &BTreeSet<u32>) -> Observed {
        let is_of = |pid: u32| processes.contains(&pid);
        let active = self.active.iter().filter(|finding| is_of(finding.pid)).cloned().collect();
        let peak = self.peak.iter().filter(|((pid, _), _)| is_of(*pid));
        let peak = peak.map(|((_, verdict), confidence)| (verdict.clone(), *confidence)).collect();
        Observed { active, peak }
    }

    /// The flagged findings of the last document about other processes.
    pub(crate) fn of_others(&self, processes: &BTreeSet<u32>) -> Vec<&Finding> {
        let is_other = |finding: &&Finding| !processes.contains(&finding.pid);
        let findings = self.active.iter().filter(is_other);
        findings.filter(|finding| finding.confidence.is_flag()).collect()
    }
}

/// What was reported about the processes of one case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// The findings that were active at the end.
    pub(crate) active: Vec<Finding>,
    /// The highest confidence of each verdict at any time.
    peak: Vec<(String, Confidence)>,
}

impl Observed {
    /// The verdict with the highest confidence at any time.
    pub(crate) fn highest_confidence_ever(&self) -> Option<(&str, Confidence)> {
        let strongest = self.peak.iter().max_by_key(|(_, confidence)| *confidence);
        strongest.map(|(verdict, confidence)| (verdict.as_str(), *confidence))
    }

    /// The highest confidence at the end, without *info*.
    pub(crate) fn highest_active_confidence(&self) -> Option<Confidence> {
        let confidences = self.active.iter().map(|finding| finding.confidence);
        confidences.filter(|&confidence| confidence > Confidence::Info).max()
    }

    /// What was active at the end, in a few words.
    pub(crate) fn describe(&self) -> String {
        // One entry per verdict and confidence: a process can have many findings.
        let mut counts = BTreeMap::new();
        for finding in &self.active {
            let key = (std::cmp::Reverse(finding.confidence), finding.verdict.as_str());
            *counts.entry(key).or_insert(0) += finding.count;
        }
        if counts.is_empty() {
            return "-".to_owned();
        }
        let word = |((confidence, verdict), count): (&(_, &str), &u64)| {
            let std::cmp::Reverse(confidence): &std::cmp::Reverse<Confidence> = confidence;
            format!("{count} {verdict} ({confidence})")
        };
        counts.iter().map(word).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
impl Observed {
    /// Active findings, as `(verdict, confidence, count)`.
    pub(crate) fn active(findings: &[(&str, Confidence, u64)]) -> Self {
        let finding = |&(verdict, confidence, count): &(&str, Confidence, u64)| Finding {
            pid: 1,
            comm: String::new(),
            verdict: verdict.to_owned(),
            confidence,
            count,
            evidence: Vec::new(),
            caveats: Vec::new(),
            retracted_at: None,
        };
        let active: Vec<_> = findings.iter().map(finding).collect();
        let peak = active.iter().map(|it| (it.verdict.clone(), it.confidence)).collect();
        Self { active, peak }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Record;
    use crate::corpus::confidence::Confidence;

    fn document(pid: u32, confidence: &str, retracted: &str) -> String {
        format!(
            r#"{{"schema": 2, "coverage": {{"complete": false, "events_lost": 3,
                "notes": [{{"code": "no-snapshot", "text": "a"}}]}},
                "findings": [{{"pid": {pid}, "comm": "api", "verdict": "ghost",
                "confidence": "{confidence}", "count": 7, "retracted_at": {retracted}}}]}}"#
        )
    }

    #[test]
    fn remembers_retracted_findings() {
        let mut record = Record::default();
        record.add(&document(4, "certain", "null")).unwrap();
        record.add(&document(4, "likely", r#""2026-01-01T00:00:00Z""#)).unwrap();
        let observed = record.of(&BTreeSet::from([4]));
        assert_eq!(observed.highest_confidence_ever(), Some(("ghost", Confidence::Certain)));
        assert_eq!(observed.highest_active_confidence(), None);
        assert_eq!(observed.describe(), "-");
    }

    #[test]
    fn distinguishes_cases_from_other_processes() {
        let mut record = Record::default();
        record.add(&document(4, "likely", "null")).unwrap();
        assert_eq!(record.of(&BTreeSet::from([4])).describe(), "7 ghost (likely)");
        assert_eq!(record.of(&BTreeSet::from([5])).highest_confidence_ever(), None);
        assert_eq!(record.of_others(&BTreeSet::from([5])).len(), 1);
        assert!(record.of_others(&BTreeSet::from([4])).is_empty());
    }

    #[test]
    fn explains_an_incomplete_view() {
        let mut record = Record::default();
        record.add(&document(4, "likely", "null")).unwrap();
        assert_eq!(record.incomplete().as_deref(), Some("3 events lost; a"));
    }

    #[test]
    fn other_output_is_an_error() {
        assert!(Record::default().add("{}").is_err());
        assert!(Record::default().add("tracer: cannot").is_err());
    }
}
