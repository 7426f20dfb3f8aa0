//! What tracer said, and of whom.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::label::Confidence;

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

/// The part of tracer's JSON document that matters here.
#[derive(Deserialize)]
struct Document {
    findings: Vec<Finding>,
    coverage: Coverage,
}

/// What tracer could see.
#[derive(Clone, Debug, Default, Deserialize)]
struct Coverage {
    complete: bool,
    events_lost: u64,
    notes: Vec<Sentence>,
}

/// A coded fact; only its text is shown.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Sentence {
    pub(crate) text: String,
}

/// Everything that a run of tracer said: the last document, and the surest of all documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// What stood in the last document.
    now: Vec<Finding>,
    /// By process and verdict, the surest that any document said. It is as large as the host has
    /// processes with findings.
    ever: BTreeMap<(u32, String), Confidence>,
    /// What the last document says of itself.
    coverage: Coverage,
    /// How many documents there were.
    pub(crate) documents: u64,
}

impl Record {
    /// Takes in one document of tracer.
    ///
    /// # Errors
    /// If it is not a document of tracer.
    pub(crate) fn add(&mut self, json: &str) -> Result<()> {
        let document: Document =
            serde_json::from_str(json).context("tracer wrote something else than a document")?;
        self.documents += 1;
        self.now = document.findings;
        self.coverage = document.coverage;
        for finding in &self.now {
            let surest = self.ever.entry((finding.pid, finding.verdict.clone()));
            let surest = surest.or_insert(finding.confidence);
            *surest = (*surest).max(finding.confidence);
        }
        self.now.retain(|finding| finding.retracted_at.is_none());
        Ok(())
    }

    /// What could not be seen, if anything.
    pub(crate) fn not_seen(&self) -> Option<String> {
        let Coverage { complete, events_lost, notes } = &self.coverage;
        let notes: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
        (!complete).then(|| format!("{events_lost} events lost; {}", notes.join("; ")))
    }

    /// What was said of these processes.
    pub(crate) fn of(&self, processes: &BTreeSet<u32>) -> Observed {
        let is_of = |pid: u32| processes.contains(&pid);
        let now = self.now.iter().filter(|finding| is_of(finding.pid)).cloned().collect();
        let ever = self.ever.iter().filter(|((pid, _), _)| is_of(*pid));
        let ever = ever.map(|((_, verdict), confidence)| (verdict.clone(), *confidence)).collect();
        Observed { now, ever }
    }

    /// What stood in the last document above *possible* of processes that are none of these.
    pub(crate) fn of_others(&self, processes: &BTreeSet<u32>) -> Vec<&Finding> {
        let is_other = |finding: &&Finding| !processes.contains(&finding.pid);
        let findings = self.now.iter().filter(is_other);
        findings.filter(|finding| finding.confidence.is_flag()).collect()
    }
}

/// What was said of the processes of one case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// What stood at the end.
    pub(crate) now: Vec<Finding>,
    /// What was said at any time.
    ever: Vec<(String, Confidence)>,
}

impl Observed {
    /// The surest that was ever said.
    pub(crate) fn surest_ever(&self) -> Option<(&str, Confidence)> {
        let surest = self.ever.iter().max_by_key(|(_, confidence)| *confidence);
        surest.map(|(verdict, confidence)| (verdict.as_str(), *confidence))
    }

    /// The surest that stood at the end, information left out.
    pub(crate) fn surest_now(&self) -> Option<Confidence> {
        let confidences = self.now.iter().map(|finding| finding.confidence);
        confidences.filter(|&confidence| confidence > Confidence::Info).max()
    }

    /// What stood at the end, in a few words.
    pub(crate) fn describe(&self) -> String {
        // One entry a verdict and confidence: a process can leak to many places.
        let mut counts = BTreeMap::new();
        for finding in &self.now {
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
    /// Findings that stand, as `(verdict, confidence, count)`.
    pub(crate) fn standing(findings: &[(&str, Confidence, u64)]) -> Self {
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
        let now: Vec<_> = findings.iter().map(finding).collect();
        let ever = now.iter().map(|it| (it.verdict.clone(), it.confidence)).collect();
        Self { now, ever }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Record;
    use crate::corpus::label::Confidence;

    fn document(pid: u32, confidence: &str, retracted: &str) -> String {
        format!(
            r#"{{"schema": 2, "coverage": {{"complete": false, "events_lost": 3,
                "notes": [{{"code": "no-snapshot", "text": "a"}}]}},
                "findings": [{{"pid": {pid}, "comm": "api", "verdict": "ghost",
                "confidence": "{confidence}", "count": 7, "retracted_at": {retracted}}}]}}"#
        )
    }

    #[test]
    fn remembers_what_was_taken_back() {
        let mut record = Record::default();
        record.add(&document(4, "certain", "null")).unwrap();
        record.add(&document(4, "likely", r#""2026-01-01T00:00:00Z""#)).unwrap();
        let observed = record.of(&BTreeSet::from([4]));
        assert_eq!(observed.surest_ever(), Some(("ghost", Confidence::Certain)));
        assert_eq!(observed.surest_now(), None);
        assert_eq!(observed.describe(), "-");
    }

    #[test]
    fn tells_cases_from_others() {
        let mut record = Record::default();
        record.add(&document(4, "likely", "null")).unwrap();
        assert_eq!(record.of(&BTreeSet::from([4])).describe(), "7 ghost (likely)");
        assert_eq!(record.of(&BTreeSet::from([5])).surest_ever(), None);
        assert_eq!(record.of_others(&BTreeSet::from([5])).len(), 1);
        assert!(record.of_others(&BTreeSet::from([4])).is_empty());
    }

    #[test]
    fn says_what_was_not_seen() {
        let mut record = Record::default();
        record.add(&document(4, "likely", "null")).unwrap();
        assert_eq!(record.not_seen().as_deref(), Some("3 events lost; a"));
    }

    #[test]
    fn refuses_what_is_no_document() {
        assert!(Record::default().add("{}").is_err());
        assert!(Record::default().add("tracer: cannot").is_err());
    }
}
