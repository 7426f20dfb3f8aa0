//! What a run could not see: what is missing, in words, and counts for all outputs.

use tracer_core::{Coverage, Loss, Probe};

use super::{quantity::counted, words};

/// Events that never arrived, for whichever reason: the `events_lost` of all schemas.
pub(crate) fn events_lost(loss: &Loss) -> u64 {
    loss.ring_full.saturating_add(loss.map_full).saturating_add(loss.unreadable)
}

/// What is missing, one phrase each; empty if nothing is known to be.
pub(crate) fn gaps(coverage: &Coverage) -> Vec<String> {
    let mut gaps: Vec<String> = coverage.gaps().iter().map(words::note).collect();
    if coverage.processes_unreadable > 0 {
        let processes = counted(coverage.processes_unreadable, "process", "processes");
        gaps.push(format!("{processes} could not be read"));
    }
    gaps
}

/// The hooks that are not attached.
pub(crate) fn probes_missing(coverage: &Coverage) -> impl Iterator<Item = &Probe> {
    coverage.probes.iter().filter(|probe| !probe.is_attached())
}
