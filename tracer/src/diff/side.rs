use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{
    recording::{Ending, Recording},
    replay,
    sink::json,
};

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
    /// Reads a recording, which is judged as it was then, or JSON documents, of which the last one
    /// counts.
    ///
    /// # Errors
    /// It cannot be read, or is neither.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let is_recording = Recording::is_one(path);
        let side = if is_recording.with_context(|| format!("cannot read {shown}"))? {
            Self::parse(&judged(path)?)
        } else {
            let text = fs::read(path).with_context(|| format!("cannot read {shown}"))?;
            Self::parse(&String::from_utf8_lossy(&text))
        };
        let side = side.with_context(|| {
            format!("{shown} is neither a recording nor what tracer audit -o json prints")
        })?;
        if side.schema != SCHEMA {
            bail!("{shown} is of another version of tracer: its schema is {}", side.schema);
        }
        Ok(Self { file: shown.to_string(), ..side })
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut last = None;
        for document in serde_json::Deserializer::from_str(text).into_iter::<Self>() {
            last = Some(document?);
        }
        last.context("it is empty")
    }
}

/// How a recording ended, as JSON.
fn judged(path: &Path) -> Result<String> {
    let recording = Recording::open(path)?;
    let head = recording.head().clone();
    let judged = replay::rerun(recording, head.options, None, |_, _| {})?;
    match judged.ending {
        Ending::Whole | Ending::Truncated => {}
        Ending::Damaged(at) => bail!("{} is damaged from byte {at} on", path.display()),
        Ending::Unknown(at) => bail!(
            "{} has an entry at byte {at} that this version of tracer does not know; compare it \
             with tracer {}, which recorded it",
            path.display(),
            head.version
        ),
    }
    Ok(json::document(&judged.report, &replay::context(&head))?)
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
