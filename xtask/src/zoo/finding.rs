//! The fields of tracer's JSON documents that are used here.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::corpus::Confidence;

/// One finding of one document.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) pid: u32,
    pub(crate) comm: String,
    pub(crate) verdict: String,
    pub(crate) confidence: Confidence,
    pub(crate) count: u64,
    #[serde(default)]
    pub(crate) remote: Option<String>,
    #[serde(default)]
    pub(crate) local_port: Option<u16>,
    #[serde(default)]
    pub(crate) evidence: Vec<Sentence>,
    #[serde(default)]
    pub(crate) caveats: Vec<Sentence>,
    #[serde(default)]
    pub(crate) retracted_at: Option<String>,
}

/// An entry of evidence or caveats; only its sentence is used.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Sentence {
    pub(crate) text: String,
}

/// One document.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Document {
    pub(crate) findings: Vec<Finding>,
    pub(crate) coverage: Coverage,
}

/// The completeness of tracer's data.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Coverage {
    pub(crate) complete: bool,
    #[serde(default)]
    pub(crate) sockets: u64,
    #[serde(default)]
    pub(crate) snapshots: u64,
}

impl Document {
    /// # Errors
    /// The text is not a document of tracer.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("tracer wrote something that is not a document")
    }
}

impl Finding {
    /// Where the connections of the finding go, as `expect` writes it: the remote address, or `:`
    /// and the local port.
    pub(crate) fn destination(&self) -> String {
        match (&self.remote, self.local_port) {
            (Some(remote), _) => remote.clone(),
            (None, Some(port)) => format!(":{port}"),
            (None, None) => "several".to_owned(),
        }
    }

    /// Whether the finding is active.
    pub(crate) fn is_active(&self) -> bool {
        self.retracted_at.is_none()
    }

    /// The finding as text, with its evidence.
    pub(crate) fn describe(&self) -> String {
        let Self { pid, comm, verdict, confidence, count, .. } = self;
        let destination = self.destination();
        let what = format!("{comm:?} [{pid}]: {count} {verdict} ({confidence}), {destination}");
        let sentences = self.evidence.iter().chain(&self.caveats).map(|it| it.text.as_str());
        [what.as_str()].into_iter().chain(sentences).collect::<Vec<_>>().join("\n      ")
    }
}

#[cfg(test)]
impl Finding {
    /// An active finding, for tests.
    pub(crate) fn made_up(verdict: &str, confidence: Confidence, count: u64, remote: &str) -> Self {
        Self {
            pid: 7,
            comm: "api".to_owned(),
            verdict: verdict.to_owned(),
            confidence,
            count,
            remote: Some(remote.to_owned()),
            local_port: None,
            evidence: Vec::new(),
            caveats: Vec::new(),
            retracted_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Document;
    use crate::corpus::Confidence;

    #[test]
    fn reads_a_document() {
        let json = r#"{"schema": 2, "findings": [{"pid": 7, "comm": "api", "verdict": "ghost",
            "confidence": "likely", "count": 3, "remote": null, "local_port": 80,
            "evidence": [{"code": "x", "text": "They are dead."}], "retracted_at": null}],
            "coverage": {"complete": true, "sockets": 12, "notes": []}}"#;
        let document = Document::parse(json).unwrap();
        let finding = &document.findings[0];
        assert_eq!(document.coverage.sockets, 12);
        assert_eq!(finding.confidence, Confidence::Likely);
        assert_eq!(finding.describe(), "\"api\" [7]: 3 ghost (likely), :80\n      They are dead.");
        assert!(finding.is_active());
        assert!(Document::parse("tracer: cannot").is_err());
    }
}
