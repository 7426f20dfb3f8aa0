use serde::Serialize;

use crate::collect::kernel::attach::HookReport;

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
    /// Of a hook: the kind of rung that holds, and those above it that do not.
    rung: Option<&'static str>,
    higher_rungs: Vec<HigherRung>,
}

/// A rung that does not hold, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct HigherRung {
    rung: &'static str,
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
        Self { schema: 1, tool, health, checks }
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
            rung: None,
            higher_rungs: Vec::new(),
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
    pub(super) fn of_hook(report: &HookReport, remedy: &str) -> Self {
        let found = match report.method {
            Some(rung) => rung.to_owned(),
            None => "not attached".to_owned(),
        };
        let higher_rungs = (report.failures.iter())
            .map(|failure| HigherRung { rung: failure.method, reason: failure.reason.to_string() })
            .collect();
        let finding = match report.method {
            Some(_) => Self::full(report.name, found),
            None => Self::less(report.name, found, report.absence_costs, remedy),
        };
        let caveat = report.caveat.map(str::to_owned);
        Self { rung: report.method, higher_rungs, costs: finding.costs.or(caveat), ..finding }
    }

    /// The same, for people.
    pub(super) fn line(&self) -> String {
        let mark = match self.health {
            Health::Full => "ok",
            Health::Degraded => "less",
            Health::Unusable => "no",
        };
        let mut line = format!("{mark:<5} {:<22} {}", self.subject, self.found);
        for (index, HigherRung { rung, reason }) in self.higher_rungs.iter().enumerate() {
            let before = if index == 0 { " (" } else { "; " };
            line.extend([before, rung, ": ", reason.as_str()]);
        }
        if !self.higher_rungs.is_empty() {
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
