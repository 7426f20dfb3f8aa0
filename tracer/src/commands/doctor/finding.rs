use serde::Serialize;
use tracer_core::{AttachFailure, AttachState, Probe};

use crate::output::{quantity::plain, words};

/// Up to where the text of a line begins.
const INDENT: &str = "                             ";

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    Full,
    Degraded,
    Unusable,
}

/// One thing that was examined. The names of the fields are a contract with scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    subject: String,
    pub(super) health: Health,
    /// What was found.
    found: String,
    /// What a run does not have for it.
    costs: Option<String>,
    remedy: Option<String>,
    /// Of a hook: the attach method that works, and the preferred ones that do not.
    method: Option<&'static str>,
    failed_methods: Vec<FailedMethod>,
}

/// An attach method that does not work, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FailedMethod {
    method: &'static str,
    reason: String,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    schema: u32,
    tool: &'static str,
    health: Health,
    checks: &'a [Finding],
}

impl<'a> Document<'a> {
    pub(super) const fn new(health: Health, checks: &'a [Finding]) -> Self {
        let tool = concat!("tracer ", env!("CARGO_PKG_VERSION"));
        Self { schema: 2, tool, health, checks }
    }
}

impl Finding {
    /// Nothing is missing.
    pub(super) fn full(subject: &str, found: impl Into<String>) -> Self {
        Self {
            subject: subject.to_owned(),
            health: Health::Full,
            found: found.into(),
            costs: None,
            remedy: None,
            method: None,
            failed_methods: Vec::new(),
        }
    }

    /// Something is missing.
    pub(super) fn less(subject: &str, found: impl Into<String>, costs: &str, remedy: &str) -> Self {
        Self {
            health: Health::Degraded,
            costs: Some(costs.to_owned()),
            remedy: Some(remedy.to_owned()),
            ..Self::full(subject, found)
        }
    }

    /// Nothing works without it.
    pub(super) fn no(subject: &str, found: impl Into<String>, remedy: &str) -> Self {
        Self {
            health: Health::Unusable,
            remedy: Some(remedy.to_owned()),
            ..Self::full(subject, found)
        }
    }

    /// How a hook is attached; `remedy` is for one that is not.
    pub(super) fn of_hook(probe: &Probe, remedy: &str) -> Self {
        let name = probe.hook.name();
        let (method, failures, finding) = match &probe.state {
            AttachState::Attached { method, failures } => {
                let finding = Self::full(name, method.name());
                let costs = words::method_caveat(*method).map(str::to_owned);
                (Some(method.name()), &failures[..], Self { costs, ..finding })
            }
            AttachState::NotAttached { failures } => {
                let costs = words::absence_costs(probe.hook);
                (None, &failures[..], Self::less(name, "not attached", costs, remedy))
            }
            AttachState::SockDiag { .. } | AttachState::Recorded { .. } => {
                (None, &[][..], Self::full(name, plain(&words::probe(probe))))
            }
        };
        let failed = |AttachFailure { method, error }: &AttachFailure| FailedMethod {
            method: method.name(),
            reason: words::attach_error(error),
        };
        Self { method, failed_methods: failures.iter().map(failed).collect(), ..finding }
    }

    /// The same, for people.
    pub(super) fn line(&self) -> String {
        let mark = match self.health {
            Health::Full => "ok",
            Health::Degraded => "less",
            Health::Unusable => "no",
        };
        let mut line = format!("{mark:<5} {:<22} {}", self.subject, self.found);
        for (index, FailedMethod { method, reason }) in self.failed_methods.iter().enumerate() {
            let before = if index == 0 { " (" } else { "; " };
            line.extend([before, method, ": ", reason.as_str()]);
        }
        if !self.failed_methods.is_empty() {
            line.push(')');
        }
        for (word, text) in [("costs", &self.costs), ("remedy", &self.remedy)] {
            if let Some(text) = text {
                line.extend(["\n", INDENT, word, ": ", text.as_str()]);
            }
        }
        line.push('\n');
        line
    }
}
