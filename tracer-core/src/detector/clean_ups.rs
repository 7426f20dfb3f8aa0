//! What processes did to dead connections, by group.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::Detector;
use crate::{
    Comm, Timestamp,
    excuse::Excuse,
    group::GroupKey,
    group_history::GroupHistory,
    judge::GroupSize,
    tracked::Tracked,
    turnover::{Cleaned, Population},
};

/// Clean-ups of one group that are kept until the next snapshot; further ones say the same.
const CLEANED_MAX: usize = 4_096;

/// The clean-ups since the latest snapshot.
#[derive(Debug, Default)]
pub(super) struct CleanedGroups(BTreeMap<GroupKey, CleanedGroup>);

/// The clean-ups of one group.
#[derive(Debug)]
struct CleanedGroup {
    /// The name that its process had.
    comm: Comm,
    cleaned: Vec<Cleaned>,
}

impl Detector {
    /// A connection was closed or, if `was_used`, used. It counts as a clean-up if it was dead.
    pub(super) fn note_clean_up(&mut self, tracked: &Tracked, at: Timestamp, was_used: bool) {
        let (Some(owner), Some(facts)) = (tracked.accountable(), &tracked.facts) else { return };
        // It waited for somebody else, and was not forgotten.
        let excuse = tracked.flagged.as_ref().and_then(|flagged| flagged.excuse);
        if excuse.is_some_and(Excuse::is_waiting) {
            return;
        }
        let since_flagged = || tracked.accusation().map(|flag| flag.since);
        let dead_since = match (was_used, tracked.dead_since()) {
            (false, Some(dead_since)) => dead_since,
            _ => match since_flagged() {
                Some(since) => since,
                None => return,
            },
        };
        // Whoever closes promptly does not return to a dead connection: it never left it.
        if tracked.accusation().is_none() && at.ms_since(dead_since) <= self.options.gap_ms() {
            return;
        }
        let group = GroupKey::of(owner.key, self.table.direction(tracked), facts);
        let one = Cleaned { dead_since, outlived: tracked.outlived, was_used };
        for group in BTreeSet::from([group, group.of_port()]) {
            let new = || CleanedGroup { comm: owner.comm.clone(), cleaned: Vec::new() };
            let cleaned = &mut self.cleaned.0.entry(group).or_insert_with(new).cleaned;
            if cleaned.len() < CLEANED_MAX {
                cleaned.push(one);
            }
        }
    }

    /// Updates the histories of the groups with what a snapshot shows.
    pub(super) fn observe_groups(&mut self, at: Timestamp) {
        let mut sizes = self.context(at).group_sizes();
        sizes.retain(|_, size| size.count >= self.options.count_min);
        self.histories.retain(|group, _| sizes.contains_key(group));
        let mut cleaned = core::mem::take(&mut self.cleaned.0);
        // A process that has exited or called `exec` has closed everything, and cleaned nothing up.
        let goes_on = |group: &GroupKey, comm: &Comm| {
            self.processes.comm(group.process).is_some_and(|now| now == comm)
        };
        cleaned.retain(|group, it| sizes.contains_key(group) && goes_on(group, &it.comm));
        let mut left = self.left_dead(&cleaned);
        for (group, size) in &sizes {
            let new = || GroupHistory::new(at);
            let GroupHistory { counts, turnover } =
                self.histories.entry(*group).or_insert_with(new);
            counts.observe(at, size.count, size.oldest, self.options.window_ms);
            let population = population(*size);
            turnover.observe(at, population);
            if let Some(CleanedGroup { cleaned, .. }) = cleaned.get(group) {
                let left = left.remove(group).unwrap_or_default();
                turnover.clean_up(at, cleaned, &left, population, self.options.gap_ms());
            }
        }
        self.update_outlived(&sizes);
    }

    /// Since when the remaining dead connections of these groups have been dead.
    fn left_dead(
        &self,
        cleaned: &BTreeMap<GroupKey, CleanedGroup>,
    ) -> BTreeMap<GroupKey, Vec<Timestamp>> {
        let mut left: BTreeMap<GroupKey, Vec<Timestamp>> = BTreeMap::new();
        if cleaned.is_empty() {
            return left;
        }
        for tracked in self.table.open().filter(|tracked| tracked.is_dead()) {
            let (Some(group), Some(since)) = (self.group(tracked), tracked.dead_since()) else {
                continue;
            };
            for group in BTreeSet::from([group, group.of_port()]) {
                if cleaned.contains_key(&group) {
                    left.entry(group).or_default().push(since);
                }
            }
        }
        left
    }

    /// Dead connections have outlived as many as are alive now.
    fn update_outlived(&mut self, sizes: &BTreeMap<GroupKey, GroupSize>) {
        let outlived =
            self.table.open().filter(|tracked| tracked.is_dead()).filter_map(|tracked| {
                let alive = sizes.get(&self.group(tracked)?)?.alive;
                (alive > tracked.outlived).then_some((tracked.id, alive))
            });
        for (id, alive) in outlived.collect::<Vec<_>>() {
            if let Some(tracked) = self.table.get_mut(id) {
                tracked.outlived = alive;
            }
        }
    }

    fn group(&self, tracked: &Tracked) -> Option<GroupKey> {
        let (owner, facts) = (tracked.accountable()?, tracked.facts.as_deref()?);
        Some(GroupKey::of(owner.key, self.table.direction(tracked), facts))
    }
}

const fn population(size: GroupSize) -> Population {
    Population { count: size.count, alive: size.alive, fresh: size.fresh }
}
