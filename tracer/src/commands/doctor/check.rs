use serde::Serialize;
use tracer_core::{AttachFailure, AttachState, Probe};
use tracer_inspect::error_with_fix::ErrorWithFix;

use crate::output::{quantity::plain, table::wrap, words};

/// Width of the state of a check, in columns.
const STATE_WIDTH: usize = 9;
/// Width of its subject, in columns.
const SUBJECT_WIDTH: usize = 21;

/// The state of a check, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    /// Nothing is missing.
    Full,
    /// tracer runs, but something is missing.
    Degraded,
    /// tracer cannot run.
    Unusable,
}

/// The result of one check. The names of the fields are part of the JSON schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    subject: String,
    pub(super) health: Health,
    /// The state that was found.
    found: String,
    /// What a run on this host is missing.
    impact: Option<String>,
    /// What to do about it.
    fix: Option<String>,
    /// The attach method that works, for a hook.
    method: Option<&'static str>,
    /// The better attach methods that do not work, for a hook.
    failures: Vec<FailedMethod>,
}

/// An attach method that does not work, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FailedMethod {
    method: &'static str,
    code: &'static str,
    text: String,
}

/// All checks, as the JSON document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    schema: u32,
    tool: &'static str,
    health: Health,
    checks: &'a [Check],
}

impl<'a> Document<'a> {
    /// The document, where `health` is the worst of the checks.
    pub(super) const fn new(health: Health, checks: &'a [Check]) -> Self {
        let tool = concat!("tracer ", env!("CARGO_PKG_VERSION"));
        Self { schema: 2, tool, health, checks }
    }
}

impl Check {
    /// Nothing is missing.
    pub(super) fn full(subject: &str, found: impl Into<String>) -> Self {
        Self {
            subject: subject.to_owned(),
            health: Health::Full,
            found: found.into(),
            impact: None,
            fix: None,
            method: None,
            failures: Vec::new(),
        }
    }

    /// Something is missing.
    pub(super) fn degraded(
        subject: &str,
        found: impl Into<String>,
        impact: &str,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            health: Health::Degraded,
            impact: Some(impact.to_owned()),
            fix: Some(fix.into()),
            ..Self::full(subject, found)
        }
    }

    /// tracer cannot run.
    pub(super) fn unusable(
        subject: &str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { health: Health::Unusable, fix: Some(fix.into()), ..Self::full(subject, found) }
    }

    /// How a hook is attached; `fix` is for one that is not.
    pub(super) fn of_hook(probe: &Probe, fix: &str) -> Self {
        let name = probe.hook.name();
        let (method, failures, check) = match &probe.state {
            AttachState::Attached { method, failures } => {
                let check = Self::full(name, format!("attached by {}", method.name()));
                let caveat = words::method_caveat(*method);
                let impact = caveat.or_else(|| words::method_cost(probe.hook, *method));
                let impact = impact.map(str::to_owned);
                (Some(method.name()), &failures[..], Self { impact, ..check })
            }
            AttachState::NotAttached { failures } => {
                let impact = words::absence_costs(probe.hook);
                (None, &failures[..], Self::degraded(name, "not attached", impact, fix))
            }
            AttachState::SockDiag { .. } | AttachState::Recorded { .. } => {
                (None, &[][..], Self::full(name, plain(&words::probe(probe))))
            }
        };
        let failed = |AttachFailure { method, error }: &AttachFailure| FailedMethod {
            method: method.name(),
            code: error.code(),
            text: plain(&words::attach_error(error)),
        };
        let failures = failures.iter().map(failed).collect();
        Self { method, failures, ..check }
    }

    /// The check as lines of the table, wrapped at `width` columns.
    pub(super) fn lines(&self, width: usize) -> String {
        let state = match self.health {
            Health::Full => "ok",
            Health::Degraded => "degraded",
            Health::Unusable => "unusable",
        };
        let first = format!("{state:<STATE_WIDTH$} {:<SUBJECT_WIDTH$} ", self.subject);
        let indent = " ".repeat(STATE_WIDTH + 1);
        let failed = self
            .failures
            .iter()
            .map(|FailedMethod { method, text, .. }| format!("{method} does not work: {text}"));
        let impact = self.impact.iter().map(|impact| format!("impact: {impact}"));
        let fix = self.fix.iter().map(|fix| format!("fix: {fix}"));
        let mut lines = wrap(&first, &self.found, width);
        for detail in failed.chain(impact).chain(fix) {
            lines.extend(wrap(&indent, &detail, width));
        }
        lines.join("\n") + "\n"
    }
}

/// The cause and the fix of an error; `fix` is the default for an error without a known fix.
pub(super) fn cause_and_fix(error: &anyhow::Error, fix: &str) -> (String, String) {
    match error.downcast_ref() {
        Some(ErrorWithFix { cause, fix }) => (cause.clone(), fix.clone()),
        None => (format!("{error:#}"), fix.to_owned()),
    }
}
