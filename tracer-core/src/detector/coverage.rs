//! What the run could and could not see, in numbers and notes.

use alloc::format;

use super::Detector;
use crate::Coverage;

impl Detector {
    pub(super) fn coverage(&self) -> Coverage {
        let unreadable = u64::try_from(self.processes.unreadable.len()).unwrap_or(u64::MAX);
        let unreadable = unreadable.saturating_add(self.unreadable);
        let mut notes = self.host.notes.clone();
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        };
        let count = |waiting: usize| u64::try_from(waiting).unwrap_or(u64::MAX);
        let responses_full = self.processes.pages.left_out();
        note(
            count(self.processes.turns.waiting),
            "suspected processes were not looked up, so nothing is held against them: at most 1,024 are after one snapshot",
        );
        note(
            count(self.processes.looks.waiting),
            "processes were not looked into for readers: at most 256 are after one snapshot",
        );
        note(
            self.unanswered,
            "processes were not looked into for readers at the latest look: there was no time",
        );
        note(
            self.processes.pages.stale(),
            "processes' ledgers could not be read of late, so nothing is concluded from them",
        );
        note(
            count(self.processes.sites.waiting()),
            "stacks were not looked up, so where they call is not known: at most 64 are after one snapshot",
        );
        note(
            self.loss.stacks_lost,
            "stacks found no room in the kernel's map, so where they call is not known",
        );
        note(self.standing.forgotten, "findings that were taken back are no longer listed");
        note(self.undecodable, "sockets changed while they were read and were left out");
        note(
            self.unreadable,
            "processes' descriptors could not be read, so their connections were not judged: that takes root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
        );
        note(
            self.unopened,
            "TCP sockets that are dead, or whose processes are hidden, could not be looked at",
        );
        notes.extend(self.processes.reasons());
        Coverage {
            complete: !self.unhealed
                && self.snapshots > 0
                && self.table.full == 0
                && responses_full == 0
                && self.loss.ledger_full == 0
                && self.undecodable == 0
                && self.unopened == 0
                && unreadable == 0,
            loss: self.loss,
            table_full: self.table.full,
            responses_full,
            processes_unreadable: unreadable,
            not_judged: self.not_judged.clone(),
            sockets: self.sockets,
            snapshots: self.snapshots,
            probes: self.host.probes.clone(),
            notes,
        }
    }
}
