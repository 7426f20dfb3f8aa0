//! What the run could and could not see, in numbers and notes.

use alloc::format;

use super::Detector;
use crate::{Coverage, turns::Turns};

impl Detector {
    pub(super) fn coverage(&self) -> Coverage {
        let unreadable = u64::try_from(self.processes.unreadable.len()).unwrap_or(u64::MAX);
        let mut notes = self.host.notes.clone();
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        };
        let waiting = |turns: &Turns| u64::try_from(turns.waiting).unwrap_or(u64::MAX);
        note(
            waiting(&self.processes.turns),
            "suspected processes were not looked up, so nothing is held against them: at most 1,024 are after one snapshot",
        );
        note(
            waiting(&self.processes.looks),
            "processes were not looked into for readers: at most 256 are after one snapshot",
        );
        note(
            self.unanswered,
            "processes were not looked into for readers at the latest look: there was no time",
        );
        note(self.standing.forgotten, "findings that were taken back are no longer listed");
        note(self.undecodable, "sockets changed while they were read and were left out");
        notes.extend(self.processes.reader_limits());
        Coverage {
            complete: !self.unhealed
                && self.snapshots > 0
                && self.table.full == 0
                && self.undecodable == 0
                && unreadable == 0,
            loss: self.loss,
            table_full: self.table.full,
            processes_unreadable: unreadable,
            not_judged: self.not_judged.clone(),
            sockets: self.sockets,
            snapshots: self.snapshots,
            probes: self.host.probes.clone(),
            notes,
        }
    }
}
