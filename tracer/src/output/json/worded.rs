//! Typed facts with their text: `{"code": ..., numbers, "text": ...}`.

use serde::Serialize;
use tracer_core::{CallSiteReason, Caveat, Evidence, Note, Probe};

use crate::output::{quantity::plain, words};

/// A fact, and what the other outputs say of it. The fields of the fact come first.
#[derive(Serialize)]
pub(super) struct Worded<T: Serialize> {
    #[serde(flatten)]
    fact: T,
    /// `None` for what an old recording kept as text, which is a field of the fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

pub(super) fn evidence(fact: &Evidence) -> Worded<&Evidence> {
    Worded { text: Some(plain(&words::evidence(fact))), fact }
}

pub(super) fn caveat(fact: &Caveat) -> Worded<&Caveat> {
    Worded { text: Some(plain(&words::caveat(fact))), fact }
}

pub(super) fn reason(fact: &CallSiteReason) -> Worded<&CallSiteReason> {
    let is_text = matches!(fact, CallSiteReason::Recorded { .. });
    Worded { text: (!is_text).then(|| plain(&words::call_site_reason(fact))), fact }
}

pub(super) fn probe(fact: &Probe) -> Worded<&Probe> {
    let is_text = matches!(fact.state, tracer_core::AttachState::Recorded { .. });
    Worded { text: (!is_text).then(|| plain(&words::probe(fact))), fact }
}

pub(super) fn note(fact: Note) -> Worded<Note> {
    let is_text = matches!(fact, Note::Recorded { .. });
    Worded { text: (!is_text).then(|| plain(&words::note(&fact))), fact }
}
