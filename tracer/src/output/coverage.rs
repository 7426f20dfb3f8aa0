//! What a run could not see, in words.

use tracer_core::{Coverage, Loss};

use super::quantity::{NO_BREAK_SPACE, counted};

/// Events that never arrived, for whichever reason: the `events_lost` of all schemas.
pub(crate) fn events_lost(loss: &Loss) -> u64 {
    loss.ring_full.saturating_add(loss.map_full).saturating_add(loss.unreadable)
}

/// What is missing and has no field of its own in the JSON schema, one sentence each.
fn unlisted_gaps(coverage: &Coverage) -> Vec<String> {
    let mut gaps = Vec::new();
    if coverage.snapshots == 0 {
        gaps.push("no snapshot was taken".to_owned());
    }
    let failed = coverage.loss.snapshots_failed;
    if failed > 0 {
        gaps.push(format!("{} failed", counted(failed, "snapshot", "snapshots")));
    }
    if coverage.table_full > 0 {
        let connections = counted(coverage.table_full, "connection", "connections");
        gaps.push(format!("{connections} did not fit into the table"));
    }
    let responses = coverage.loss.ledger_full.saturating_add(coverage.responses_full);
    if responses > 0 {
        let responses = counted(responses, "response", "responses");
        gaps.push(format!("{responses} did not fit into the ledger"));
    }
    gaps
}

/// What a reader should know, one sentence each, with what is missing and has no field of its own.
pub(crate) fn notes(coverage: &Coverage) -> Vec<String> {
    let gaps = unlisted_gaps(coverage).into_iter();
    let gaps = gaps.map(|gap| gap.replace(NO_BREAK_SPACE, " "));
    coverage.notes.iter().cloned().chain(gaps).collect()
}

/// What is missing, one phrase each; empty if nothing is known to be.
pub(crate) fn gaps(coverage: &Coverage) -> Vec<String> {
    let mut gaps = unlisted_gaps(coverage);
    if coverage.processes_unreadable > 0 {
        let processes = counted(coverage.processes_unreadable, "process", "processes");
        gaps.push(format!("{processes} could not be read"));
    }
    gaps
}

/// The hooks that are not attached, as the sources describe them.
pub(crate) fn probes_missing(coverage: &Coverage) -> impl Iterator<Item = &str> {
    coverage.probes.iter().map(String::as_str).filter(|probe| probe.contains("not attached"))
}
