//! The part of a report that matters to a comparison.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tracer_core::{Comm, Destination, Direction, FindingFamily, FindingKey, Report};

use crate::wall_clock::WallClock;

/// The latest schema that is read.
const SCHEMA: u32 = 2;
/// The oldest one: it has no keys, and its notes are text.
const SCHEMA_MIN: u32 = 1;

/// One of two reports: the part of the JSON schema that matters to a comparison.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Side {
    #[serde(skip_serializing)]
    schema: u32,
    /// The path of the file that the report was read from.
    #[serde(default)]
    pub(crate) file: String,
    pub(crate) host: String,
    /// When the report was made, in RFC 3339.
    pub(crate) at: String,
    pub(crate) coverage: Coverage,
    #[serde(skip_serializing)]
    pub(super) findings: Vec<Finding>,
}

/// Whether everything could be observed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Coverage {
    pub(crate) complete: bool,
    /// Other notes for the reader, for example that the process had exited.
    #[serde(default)]
    pub(crate) notes: Vec<Note>,
}

/// A note of a report.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "AnyNote")]
pub(crate) struct Note {
    pub(crate) code: String,
    pub(crate) text: String,
}

/// A note of either schema.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyNote {
    /// A note of schema 1.
    Text(String),
    Coded {
        code: String,
        text: String,
    },
}

impl From<AnyNote> for Note {
    fn from(note: AnyNote) -> Self {
        match note {
            AnyNote::Text(text) => Self { code: "recorded".to_owned(), text },
            AnyNote::Coded { code, text } => Self { code, text },
        }
    }
}

/// A finding, as in the JSON schema.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Finding {
    /// Derived from the other fields in a report of schema 1.
    #[serde(default)]
    pub(super) key: String,
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
    /// Whether it was made before another one. Unknown times are not compared.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        let at = |side: &Self| side.at.parse::<jiff::Timestamp>().ok();
        at(self).zip(at(other)).is_some_and(|(this, other)| this < other)
    }

    /// A report of this program.
    pub(crate) fn of(report: &Report, host: &str, clock: WallClock, notes: Vec<Note>) -> Self {
        Self {
            schema: SCHEMA,
            file: String::new(),
            host: host.to_owned(),
            at: clock.rfc3339(report.at),
            coverage: Coverage { complete: report.coverage.complete, notes },
            findings: report.findings.iter().map(|it| Finding::of(it, clock)).collect(),
        }
    }

    /// The version of its schema, if it is not the current one.
    pub(crate) const fn other_schema(&self) -> Option<u32> {
        match self.schema {
            SCHEMA_MIN..=SCHEMA => None,
            other => Some(other),
        }
    }

    /// The last of the JSON documents in a text.
    ///
    /// # Errors
    /// There is none, one of them is something else, or a finding of the last one has no destination.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut last = None;
        for document in serde_json::Deserializer::from_str(text).into_iter::<Self>() {
            last = Some(document?);
        }
        let mut side = last.context("it is empty")?;
        for finding in side.findings.iter_mut().filter(|finding| finding.key.is_empty()) {
            let key = finding.derived_key().context("a finding has no destination")?;
            finding.key = key.to_string();
        }
        Ok(side)
    }
}

impl Finding {
    fn of(finding: &tracer_core::Finding, clock: WallClock) -> Self {
        Self {
            key: finding.key.to_string(),
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

    /// The key of a schema 1 finding, derived from its other fields. They do not show whether a
    /// connection that is not `body-not-closed` had an HTTP response.
    fn derived_key(&self) -> Option<FindingKey> {
        let is_inbound = self.direction == Direction::Inbound.name();
        let destination = match (&self.remote, is_inbound) {
            (_, true) => Destination::LocalPort(self.local_port?),
            (Some(remote), false) => Destination::Remote(remote.parse().ok()?),
            (None, false) => Destination::RemotePort(self.remote_port?),
        };
        let family = match self.verdict.as_str() {
            "inherited" => FindingFamily::Inherited,
            "body-not-closed" => FindingFamily::Response,
            _ if is_inbound => FindingFamily::Accepted,
            _ => FindingFamily::ClientConnection,
        };
        let direction = if is_inbound { Direction::Inbound } else { Direction::Outbound };
        Some(FindingKey { family, direction, destination, comm: Comm(self.comm.as_str().into()) })
    }
}

#[cfg(test)]
impl Side {
    /// A report without findings and with incomplete coverage.
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
