//! Whether the later report could have shown a leak of the earlier one.

use jiff::Timestamp;
use serde::Serialize;
use tracer_core::Options;

use super::{
    finding::{Finding, milliseconds},
    selection::{Observed, Selection},
    side::Side,
};

/// Two reports convert the kernel's timestamps to wall time, which may have been adjusted between
/// them: the start times of the same process differ by less than this.
const CLOCK_STEP_MAX_MS: u64 = 5_000;

/// Why the absence of a leak from the later report says nothing about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub(crate) enum Gap {
    /// The later report does not say what it covers, because an earlier version made it.
    ScopeUnknown,
    /// The later report covers neither the leaking process nor one that may have replaced it.
    ProcessNotObserved,
    /// The leaking process has ended, or has no TCP sockets any more, and no process that may have
    /// replaced it has TCP sockets: it may not have been started again.
    ProcessEnded,
    /// It is unknown whether the processes that may have replaced it run the same script.
    ScriptUnknown(ScriptUnknown),
    /// The later report covers only other connections.
    ConnectionsNotSelected,
    /// Every process that may have replaced the leaking one has run for too short a time.
    TooEarly(TooEarly),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ScriptUnknown {
    /// The oldest of these processes.
    pub(crate) pid: u32,
    /// The script that the leaking process ran.
    pub(crate) script: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TooEarly {
    /// The oldest process that may have replaced the leaking one.
    pub(crate) pid: u32,
    /// For how long it had run.
    pub(crate) age_s: u64,
    /// For how long it must have run before the leak can be reported.
    pub(crate) needed_s: u64,
    /// How long after its start the leaking process had opened the oldest connection of the leak in
    /// the earlier report; included in `needed_s`. `null` if unknown.
    pub(crate) first_leak_s: Option<u64>,
}

/// Looks for the gap of a leak whose findings in the earlier report are `findings`.
pub(super) fn gap(before: &Side, after: &Side, findings: &[&Finding]) -> Option<Gap> {
    let Some(selection) = &after.selection else { return Some(Gap::ScopeUnknown) };
    let has_same = before.selection.as_ref().is_some_and(|it| selection.has_addresses_of(it));
    if !has_same && !findings.iter().all(|finding| selection.has_connections_of(finding)) {
        return Some(Gap::ConnectionsNotSelected);
    }
    let first_leak_ms = findings.iter().filter_map(|it| first_leak_ms(before, it)).min();
    let successor = Successor { before, after, selection, first_leak_ms };
    let gaps = findings.iter().filter_map(|finding| successor.gap(finding));
    // The worse one, if there are several processes.
    gaps.min_by_key(|gap| matches!(gap, Gap::TooEarly(_)))
}

/// How long after its start the leaking process had opened the oldest connection of a finding.
fn first_leak_ms(before: &Side, finding: &Finding) -> Option<i64> {
    if finding.oldest_age_is_lower_bound != Some(false) {
        return None;
    }
    let age_ms = i64::try_from(milliseconds(finding.oldest_age_s?)?).ok()?;
    let started_ms = time_ms(finding.start_time.as_deref()?)?;
    Some(time_ms(&before.at)?.saturating_sub(started_ms).saturating_sub(age_ms).max(0))
}

/// The process of the later report that may have replaced a leaking one.
struct Successor<'a> {
    before: &'a Side,
    after: &'a Side,
    selection: &'a Selection,
    first_leak_ms: Option<i64>,
}

impl Successor<'_> {
    fn gap(&self, finding: &Finding) -> Option<Gap> {
        let observed = &self.after.coverage.observed;
        if observed.iter().any(|it| self.is_process_of(it, finding)) {
            return None;
        }
        let named = observed.iter().filter(|it| it.comm == finding.comm && self.is_new(it));
        // Interpreters of many programs have the same name.
        let (same, unknown): (Vec<&Observed>, Vec<&Observed>) = named
            .filter(|it| it.script.is_none() || is_same_script(it, finding))
            .partition(|it| is_same_script(it, finding));
        let Some(oldest) = self.oldest(&same) else {
            if let Some((other, script)) = self.oldest(&unknown).zip(finding.script.clone()) {
                return Some(Gap::ScriptUnknown(ScriptUnknown { pid: other.pid, script }));
            }
            // On another host, it may never have run.
            let has_ended = self.is_same_host() && self.selection.has_all_named(&finding.comm);
            return Some(if has_ended { Gap::ProcessEnded } else { Gap::ProcessNotObserved });
        };
        let needed_ms = self.needed_ms();
        let age_ms = self.age_ms(oldest)?;
        (age_ms < needed_ms).then(|| {
            let first_leak_s = self.first_leak_ms.map(|it| seconds(it.saturating_add(999)));
            Gap::TooEarly(TooEarly {
                pid: oldest.pid,
                age_s: seconds(age_ms),
                needed_s: seconds(needed_ms.saturating_add(999)),
                first_leak_s,
            })
        })
    }

    /// For how long a process must have run: until the first connection leaked last time, and then
    /// twice `--idle`, because a connection that is younger is no finding.
    fn needed_ms(&self) -> i64 {
        let idle_ms = self.after.idle_ms().unwrap_or(Options::default().idle_ms);
        let idle_ms = i64::try_from(idle_ms).unwrap_or(i64::MAX);
        idle_ms.saturating_mul(2).saturating_add(self.first_leak_ms.unwrap_or(0))
    }

    fn is_same_host(&self) -> bool {
        self.before.host == self.after.host
    }

    /// Whether this is the leaking process itself, under any name.
    fn is_process_of(&self, observed: &Observed, finding: &Finding) -> bool {
        let started = finding.start_time.as_deref().and_then(time_ms);
        let started = started.zip(time_ms(&observed.start_time));
        self.is_same_host()
            && observed.pid == finding.pid
            && started.is_some_and(|(one, other)| one.abs_diff(other) < CLOCK_STEP_MAX_MS)
    }

    /// Whether the process started after the earlier report. One that was already running then,
    /// without leaking, is not a successor of the leaking one.
    fn is_new(&self, observed: &Observed) -> bool {
        let times = time_ms(&observed.start_time).zip(time_ms(&self.before.at));
        !self.is_same_host() || times.is_none_or(|(started, before)| started > before)
    }

    fn oldest<'o>(&self, observed: &[&'o Observed]) -> Option<&'o Observed> {
        observed.iter().copied().max_by_key(|it| self.age_ms(it))
    }

    fn age_ms(&self, observed: &Observed) -> Option<i64> {
        let now = time_ms(&self.after.at)?;
        Some(now.saturating_sub(time_ms(&observed.start_time)?).max(0))
    }
}

/// Whether a process is known to run the same script as the leaking one, or that runs none.
fn is_same_script(observed: &Observed, finding: &Finding) -> bool {
    finding.script.is_none() || observed.script == finding.script
}

fn time_ms(text: &str) -> Option<i64> {
    Some(text.parse::<Timestamp>().ok()?.as_millisecond())
}

fn seconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests;
