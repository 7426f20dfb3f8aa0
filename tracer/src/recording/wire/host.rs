//! What a run could see of its host.

use super::{note::Note, probe::Probe, time::Time};

wire_struct! {
    HostFacts mirrors tracer_core::HostFacts {
        started_at: Time,
        suspended_ns: u64,
        probes: Vec<Probe>,
        notes: Vec<Note>,
    }
}

wire_struct! {
    #[derive(Copy)]
    Loss mirrors tracer_core::Loss {
        ring_full: u64,
        map_full: u64,
        unreadable: u64,
        snapshots_failed: u64,
        stacks_lost: u64,
        ledger_full: u64,
    }
}
