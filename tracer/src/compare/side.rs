//! A report, as far as it matters to a comparison.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tracer_core::Report;

use crate::wall_clock::WallClock;

/// The schema that is understood.
const SCHEMA: u32 = 1;

/// One of two reports: what of the JSON schema matters to a comparison.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Side {
    #[serde(skip_serializing)]
    schema: u32,
    /// Where it was read.
    #[serde(default)]
    pub(crate) file: String,
    pub(crate) host: String,
    /// RFC 3339.
    pub(crate) at: String,
    pub(crate) coverage: Coverage,
    #[serde(skip_serializing)]
    pub(super) findings: Vec<Finding>,
}

/// Whether all was seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Coverage {
    pub(crate) complete: bool,
    /// What else a reader should know, such as that the process had ended.
    #[serde(default)]
    pub(crate) notes: Vec<String>,
}

/// A finding, as in the JSON schema.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Finding {
    pub(super) verdict: String,
    pub(super) confidence: String,
    pub(super) pid: u32,
    pub(super) comm: String,
    pub(super) direction: String,
    pub(super) remote: Option<String>,
    pub(super) remote_port: Option<u16>,
    pub(super) local_port: Option<u16>,
    pub(super) count: u64,
    pub(super) call_site: Option<String>,
    pub(super) retracted_at: Option<String>,
}

impl Side {
    /// What a report says. `notes` is what else a reader should know.
    pub(crate) fn of(report: &Report, host: &str, clock: WallClock, notes: Vec<String>) -> Self {
        Self {
            schema: SCHEMA,
            file: String::new(),
            host: host.to_owned(),
            at: clock.rfc3339(report.at),
            coverage: Coverage { complete: report.coverage.complete, notes },
            findings: report.findings.iter().map(|it| Finding::of(it, clock)).collect(),
        }
    }

    /// The version of the schema that it is written by, if that is another one.
    pub(crate) const fn other_schema(&self) -> Option<u32> {
        if self.schema == SCHEMA { None } else { Some(self.schema) }
    }

    /// The last of the JSON documents in a text.
    ///
    /// # Errors
    /// There is none, or one of them is something else.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut last = None;
        for document in serde_json::Deserializer::from_str(text).into_iter::<Self>() {
            last = Some(document?);
        }
        last.context("it is empty")
    }
}

impl Finding {
    fn of(finding: &tracer_core::Finding, clock: WallClock) -> Self {
        Self {
            verdict: finding.verdict.name().to_owned(),
            confidence: finding.confidence.name().to_owned(),
            pid: finding.process.pid,
            comm: finding.comm.0.to_string(),
            direction: finding.direction.name().to_owned(),
            remote: finding.remote.map(|remote| remote.to_string()),
            remote_port: finding.remote_port,
            local_port: finding.local_port,
            count: finding.count as u64,
            call_site: finding.call_site.clone(),
            retracted_at: finding.retracted_at.map(|at| clock.rfc3339(at)),
        }
    }
}

#[cfg(test)]
impl Side {
    /// A report without findings, of which not everything could be seen.
    pub(crate) fn empty(file: &str) -> Self {
        Self {
            schema: SCHEMA,
            file: file.to_owned(),
            host: "web1".to_owned(),
            at: "2026-03-01T12:00:00.000Z".to_owned(),
            coverage: Coverage { complete: false, notes: Vec::new() },
            findings: Vec::new(),
        }
    }
}
