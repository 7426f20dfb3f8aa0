//! The part of a report that matters to a comparison.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tracer_core::Report;

use super::{
    finding::{Finding, milliseconds, seconds},
    selection::{Observed, Selection},
};
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
    /// What the user selected; `None` in reports of earlier versions.
    #[serde(default)]
    pub(crate) selection: Option<Selection>,
    #[serde(skip_serializing, default)]
    thresholds: Option<Thresholds>,
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
    /// The processes in scope.
    #[serde(skip_serializing, default)]
    pub(super) observed: Vec<Observed>,
}

/// The thresholds of a report that matter to a comparison.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Thresholds {
    idle_s: f64,
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

impl Side {
    /// Whether this report was made before another one. Unknown times are not compared.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        let at = |side: &Self| side.at.parse::<jiff::Timestamp>().ok();
        at(self).zip(at(other)).is_some_and(|(this, other)| this < other)
    }

    /// A report of this program.
    pub(crate) fn of(report: &Report, host: &str, clock: WallClock, notes: Vec<Note>) -> Self {
        let observed = &report.coverage.observed;
        let observed = observed.iter().map(|it| Observed::of(it, clock)).collect();
        Self {
            schema: SCHEMA,
            file: String::new(),
            host: host.to_owned(),
            at: clock.rfc3339(report.at),
            selection: report.coverage.selection.as_ref().map(Selection::of),
            thresholds: Some(Thresholds { idle_s: seconds(report.options.idle_ms) }),
            coverage: Coverage { complete: report.coverage.complete, notes, observed },
            findings: report.findings.iter().map(|it| Finding::of(it, clock)).collect(),
        }
    }

    /// `--idle` in milliseconds, if it is known.
    pub(super) fn idle_ms(&self) -> Option<u64> {
        milliseconds(self.thresholds.as_ref()?.idle_s)
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

#[cfg(test)]
impl Side {
    /// A report without findings and with incomplete coverage.
    pub(crate) fn empty(file: &str) -> Self {
        Self {
            schema: SCHEMA,
            file: file.to_owned(),
            host: "web1".to_owned(),
            at: "2026-03-01T12:00:00.000Z".to_owned(),
            selection: Some(Selection::default()),
            thresholds: None,
            coverage: Coverage { complete: false, notes: Vec::new(), observed: Vec::new() },
            findings: Vec::new(),
        }
    }
}
