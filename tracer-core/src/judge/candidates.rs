//! The groups that need to be judged.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Groups, JudgeContext, Judged, capped, capped::WaitedFor, pools, runs::by_run};
use crate::{
    ProcessKey,
    deadlines::Deadline,
    group::GroupKey,
    group_size::GroupSizes,
    process_index::{Derived, ProcessIndex, ProcessSet},
    rules::{self, growing},
};

/// The groups that need to be judged.
#[derive(Debug)]
pub(crate) struct Candidates<'a> {
    /// The complete groups in which a rule claims a connection, or which grow, and the groups of
    /// other addresses with the same port.
    pub(super) groups: Groups<'a>,
}

/// The connections of one process that rules claim.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// The ports of the groups with claimed connections.
    ports: BTreeSet<GroupKey>,
    /// Whether a rule that claims a connection may have a finding about it later, although it has
    /// none now.
    for_later: bool,
}

impl Candidates<'_> {
    /// The processes of these groups about which this judgment has no finding, and about which a
    /// later one has none either as long as nothing changes.
    pub(crate) fn unfounded(
        &self,
        judged: &[Judged<'_>],
        claimed: &Derived<Claims>,
        index: &ProcessIndex,
    ) -> BTreeSet<ProcessKey> {
        let mut processes: BTreeSet<ProcessKey> =
            self.groups.keys().map(|group| group.process).collect();
        for judged in judged {
            processes.remove(&judged.group.process);
        }
        processes.retain(|key| claimed.of(index, *key).is_some_and(|claims| !claims.for_later));
        processes
    }
}

impl<'a> JudgeContext<'a> {
    /// The groups that need to be judged. On most hosts these are few, so they are determined
    /// before anything is collected.
    ///
    /// `claimed` is updated; `sizes` has deadlines of processes that have not changed. Groups of
    /// processes that are `unfounded` need not be judged again, and those of processes about which
    /// an answer is `awaited` are not judged.
    pub(crate) fn candidates(
        &self,
        claimed: &mut Derived<Claims>,
        sizes: &Derived<GroupSizes>,
        unfounded: &Derived<()>,
        awaited: &BTreeSet<ProcessKey>,
    ) -> Candidates<'a> {
        let index = &self.table.processes;
        let waited_for = self.claim(claimed, sizes);
        let growing =
            self.histories.iter().filter(|(_, it)| growing::evidence(&it.counts).is_some());
        let mut ports: BTreeSet<GroupKey> = growing.map(|(group, _)| group.of_port()).collect();
        let is_unfounded = |port: &&GroupKey| unfounded.holds(index, port.process, self.now);
        let claimed = claimed.values(index).flat_map(|claims| &claims.ports);
        ports.extend(claimed.filter(|port| !is_unfounded(port)));
        ports.retain(|port| !awaited.contains(&port.process));
        let processes = ports.iter().filter_map(|port| index.number(port.process));
        let processes = ProcessSet::of(processes);
        let mut groups = Groups::new();
        let mut is_wanted = by_run(|group: GroupKey| ports.contains(&group.of_port()));
        for (group, view) in self.views(&processes).filter(|(group, _)| is_wanted(*group)) {
            groups.entry(group).or_default().push(view);
        }
        capped::cap(&mut groups, &waited_for);
        for (group, members) in &mut groups {
            if let Some(history) = self.histories.get(group)
                && members.len() >= self.options.count_min
            {
                pools::cap(members, &history.turnover);
            }
        }
        Candidates { groups }
    }

    /// The first deadline of the connections of a process, from its `sizes` if those are current.
    pub(crate) fn deadline(&self, sizes: &Derived<GroupSizes>, process: ProcessKey) -> Deadline {
        let known = sizes.until(&self.table.processes, process);
        Deadline::new(known, self.processes.snapshot_at(), self.now)
    }

    /// Asks the rules which connections they claim, for the processes for which this is unknown.
    /// Returns the peers for which these processes may be waiting; the other processes are not
    /// waiting for any.
    fn claim(
        &self,
        claimed: &mut Derived<Claims>,
        sizes: &Derived<GroupSizes>,
    ) -> BTreeMap<ProcessKey, WaitedFor> {
        let index = &self.table.processes;
        let mut waited_for: BTreeMap<ProcessKey, WaitedFor> = BTreeMap::new();
        let mut found: BTreeMap<ProcessKey, (Deadline, Claims)> = BTreeMap::new();
        let mut latest = None;
        for (group, view) in self.views(&claimed.stale(index, self.now)) {
            let (until, claims) = found
                .entry(group.process)
                .or_insert_with(|| (self.deadline(sizes, group.process), Claims::default()));
            let is_claimed = rules::is_claimed(&view);
            if is_claimed && latest != Some(group) {
                claims.ports.insert(group.of_port());
                latest = Some(group);
            }
            claims.for_later |= is_claimed && rules::is_claimed_for_later(&view);
            until.add(&view);
            if view.tracked.waits.is_some() || view.facts.unread_bytes > 0 {
                waited_for.entry(group.process).or_default().add(&view, is_claimed);
                until.at = self.now;
            }
        }
        for (process, (until, claims)) in found {
            claimed.keep(index, process, until.at, claims);
        }
        waited_for
    }
}
