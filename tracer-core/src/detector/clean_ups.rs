//! What processes did to dead connections, by group. [`turnover`](crate::turnover) draws the
//! conclusions.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::Detector;
use crate::{
    Comm, ConnectionId, Interval, ProcessKey, Timestamp,
    cap_reason::CapReason,
    deadlines,
    group::GroupKey,
    group_history::GroupHistory,
    group_size::{GroupSize, GroupSizes},
    judge::capped,
    process_index::ProcessSet,
    rules::close_wait,
    tracked::Tracked,
    turnover::{Cleaned, Remaining, replacements},
};

/// The maximum number of clean-ups kept per group until the next snapshot. More of them would not
/// change the conclusion.
const CLEANED_MAX: usize = 4_096;
/// A new connection replaces a dead one only if the dead one had been dead for this long, in
/// milliseconds. A process that closes a connection as soon as it receives EOF replaces nothing.
const REPLACED_MIN_MS: u64 = 1_000;

/// The clean-ups since the latest snapshot.
#[derive(Debug, Default)]
pub(super) struct CleanedGroups {
    groups: BTreeMap<GroupKey, CleanedGroup>,
    /// The half-closed connections that were closed, and when the process had sent their FINs.
    half_closed: BTreeMap<ProcessKey, Vec<(Interval, ConnectionId)>>,
    /// The times at which dead connections were closed; a new one may have replaced each.
    replaced: BTreeMap<GroupKey, Vec<Timestamp>>,
}

/// The clean-ups of one group.
#[derive(Debug)]
struct CleanedGroup {
    /// The name that the process of the group had.
    comm: Comm,
    cleaned: Vec<Cleaned>,
}

/// One clean-up.
pub(super) struct CleanUp {
    group: GroupKey,
    /// The name of the process.
    comm: Comm,
    cleaned: Cleaned,
}

impl CleanedGroups {
    /// Stores a clean-up, if there is one, for its group and for the group of its port.
    pub(super) fn extend(&mut self, clean_up: Option<CleanUp>) {
        let Some(CleanUp { group, comm, cleaned }) = clean_up else { return };
        for group in with_port(group) {
            let new = || CleanedGroup { comm: comm.clone(), cleaned: Vec::new() };
            let of_group = &mut self.groups.entry(group).or_insert_with(new).cleaned;
            if of_group.len() < CLEANED_MAX {
                of_group.push(cleaned);
            }
        }
    }

    /// Stores when the process had sent the FIN of a connection that it closed.
    pub(super) fn add_half_closed(&mut self, tracked: &Tracked) {
        let fin_sent = tracked.waits.as_deref().and_then(|waits| waits.fin_sent);
        if let (Some(fin_sent), Some(owner)) = (fin_sent, tracked.owner()) {
            let of_process = self.half_closed.entry(owner.key).or_default();
            if of_process.len() < CLEANED_MAX {
                of_process.push((fin_sent, tracked.id));
            }
        }
    }

    /// Stores that a dead connection of the group was closed.
    fn add_closed(&mut self, group: GroupKey, at: Timestamp) {
        let of_group = self.replaced.entry(group).or_default();
        if of_group.len() < CLEANED_MAX {
            of_group.push(at);
        }
    }

    /// Removes the connections whose FIN was forwarded to a half-closed connection that was closed
    /// as well: the process was waiting for the peer of the half-closed connection, and had not
    /// forgotten the others.
    fn without_forwarded(self) -> BTreeMap<GroupKey, CleanedGroup> {
        let Self { mut groups, half_closed, .. } = self;
        for (process, sent) in half_closed {
            let is_own = |group: &GroupKey| group.process == process;
            let own = groups.iter().filter(|(group, _)| is_own(group));
            let received = own.flat_map(|(_, group)| &group.cleaned);
            let received = received.filter_map(|it| Some((it.id, it.peer_closed?)));
            // Most are in two groups.
            let received: BTreeMap<ConnectionId, Interval> = received.collect();
            let received = received.into_iter().map(|(id, at)| (at, id));
            let forwarded = capped::forwarded(&sent, received);
            for (_, group) in groups.iter_mut().filter(|(group, _)| is_own(group)) {
                group.cleaned.retain(|it| !forwarded.contains_key(&it.id));
            }
        }
        groups.retain(|_, group| !group.cleaned.is_empty());
        groups
    }
}

/// The group, and the group of its port if that is a different one.
fn with_port(group: GroupKey) -> BTreeSet<GroupKey> {
    BTreeSet::from([group, group.of_port()])
}

impl Detector {
    /// Stores that the process closed a connection, if the connection was dead.
    pub(super) fn add_closed(&mut self, tracked: &Tracked, at: Timestamp) {
        let min_ms = self.options.gap_ms().min(REPLACED_MIN_MS);
        let was_dead = tracked.dead_since().is_some_and(|since| at.ms_since(since) > min_ms);
        if let Some(group) = self.group(tracked).filter(|_| was_dead) {
            self.cleaned.add_closed(group, at);
        }
    }

    /// Determines which new connections the process opened in place of dead ones.
    fn mark_replacements(&mut self) {
        let closed = core::mem::take(&mut self.cleaned.replaced);
        if closed.is_empty() {
            return;
        }
        let processes = closed.keys().filter_map(|it| self.table.processes.number(it.process));
        let processes = ProcessSet::of(processes);
        let mut opened: BTreeMap<GroupKey, Vec<(Timestamp, ConnectionId)>> = BTreeMap::new();
        let open = self.table.open_of(&processes);
        for tracked in open.filter(|tracked| tracked.snapshots_seen <= 1) {
            if let Some(group) = self.group(tracked).filter(|group| closed.contains_key(group)) {
                opened.entry(group).or_default().push((tracked.opened_at, tracked.id));
            }
        }
        for (group, closed) in closed {
            for id in replacements(closed, opened.remove(&group).unwrap_or_default()) {
                self.table.set_replacement(id);
            }
        }
    }

    /// The clean-up that the process made by closing this connection or, if `was_used`, by using
    /// it. `None` if the connection was not dead.
    pub(super) fn clean_up(
        &self,
        tracked: &Tracked,
        at: Timestamp,
        was_used: bool,
    ) -> Option<CleanUp> {
        // The process was waiting for another peer and had not forgotten the connection.
        let cap_reason = tracked.flagged.as_ref().and_then(|flagged| flagged.cap_reason);
        if cap_reason.is_some_and(CapReason::is_temporary) {
            return None;
        }
        // The process was still working on a request.
        let facts = tracked.facts.as_deref()?;
        if close_wait::may_be_answered(self.table.direction(tracked), facts) {
            return None;
        }
        let flag = tracked.dead_flag();
        let closed_since = tracked.dead_since().filter(|_| !was_used);
        let dead_since = closed_since.or(flag.map(|flag| flag.since))?;
        // A connection on which the process still sends is in use.
        let dead_since = facts.last_sent_at.map_or(dead_since, |sent_at| sent_at.max(dead_since));
        // A process that closes promptly was not neglecting the connection, only busy.
        if flag.is_none() && at.ms_since(dead_since) <= self.options.gap_ms() {
            return None;
        }
        Some(CleanUp {
            group: self.group(tracked)?,
            comm: tracked.owner()?.comm.clone(),
            cleaned: Cleaned {
                id: tracked.id,
                at,
                dead_since,
                peer_closed: tracked.peer_closed,
                alive_max_since: tracked.alive_max_since,
                was_used,
                was_seen_dead: tracked.is_dead(),
            },
        })
    }

    /// Updates the histories of the groups with what a snapshot shows.
    pub(super) fn observe_groups(&mut self, at: Timestamp) {
        self.mark_replacements();
        let changed = self.derived.sizes.stale(&self.table.processes, at);
        self.measure_groups(&changed, at);
        let sizes = self.derived.sizes.values(&self.table.processes).flatten().copied();
        let sizes = sizes.filter(|(group, size)| {
            size.count >= self.options.count_min || self.histories.contains_key(group)
        });
        let mut sizes: BTreeMap<GroupKey, GroupSize> = sizes.collect();
        for group in self.histories.keys() {
            sizes.entry(*group).or_insert(GroupSize::empty(at));
        }
        let mut cleaned = core::mem::take(&mut self.cleaned).without_forwarded();
        // A process that has exited or called `exec` has closed everything; that is not a clean-up.
        let is_same_program = |group: &GroupKey, comm: &Comm| {
            self.processes.comm(group.process).is_some_and(|now| now == comm)
        };
        cleaned.retain(|group, it| sizes.contains_key(group) && is_same_program(group, &it.comm));
        let mut remaining = self.remaining(&cleaned);
        for (group, size) in &sizes {
            let history = self
                .histories
                .entry(*group)
                .or_insert_with(|| GroupHistory::new(group.direction, at));
            history.observe(at, *size, &self.options);
            if let Some(CleanedGroup { cleaned, .. }) = cleaned.get(group) {
                let remaining = remaining.remove(group).unwrap_or_default();
                history.turnover.clean_up(at, cleaned, &remaining, *size, &self.options);
            }
        }
        self.histories.retain(|_, history| history.is_kept(at, &self.options));
        self.update_alive_max_since(&changed, &sizes);
    }

    /// Measures the groups of these processes.
    fn measure_groups(&mut self, processes: &ProcessSet, at: Timestamp) {
        let context = self.context(at);
        let mut measured: BTreeMap<ProcessKey, (Timestamp, GroupSizes)> = BTreeMap::new();
        for tracked in self.table.open_of(processes) {
            let (Some(view), Some(owner)) = (context.view(tracked), tracked.owner()) else {
                continue;
            };
            let never = || (Timestamp::END, GroupSizes::new());
            let (until, _) = measured.entry(owner.key).or_insert_with(never);
            *until = (*until).min(deadlines::next(&view));
        }
        for (group, size) in context.group_sizes(processes) {
            if let Some((_, sizes)) = measured.get_mut(&group.process) {
                sizes.push((group, size));
            }
        }
        for (process, (until, sizes)) in measured {
            self.derived.sizes.keep(&self.table.processes, process, until, sizes);
        }
    }

    /// The dead and the new connections of these groups in the snapshot.
    fn remaining(
        &self,
        cleaned: &BTreeMap<GroupKey, CleanedGroup>,
    ) -> BTreeMap<GroupKey, Remaining> {
        let mut remaining: BTreeMap<GroupKey, Remaining> = BTreeMap::new();
        if cleaned.is_empty() {
            return remaining;
        }
        let processes = cleaned.keys().filter_map(|it| self.table.processes.number(it.process));
        for tracked in self.table.open_of(&ProcessSet::of(processes)) {
            let dead_since = tracked.dead_since().filter(|_| tracked.is_dead());
            let is_new = tracked.snapshots_seen <= 1;
            let opened = is_new.then_some((tracked.opened_at, tracked.id));
            if dead_since.is_none() && opened.is_none() {
                continue;
            }
            let Some(group) = self.group(tracked) else { continue };
            for group in with_port(group).into_iter().filter(|group| cleaned.contains_key(group)) {
                let remaining = remaining.entry(group).or_default();
                remaining.dead_since.extend(dead_since);
                remaining.opened.extend(opened);
            }
        }
        remaining
    }

    /// Updates [`Tracked::alive_max_since`] of the dead connections.
    fn update_alive_max_since(
        &mut self,
        processes: &ProcessSet,
        sizes: &BTreeMap<GroupKey, GroupSize>,
    ) {
        let dead = self.table.open_of(processes).filter(|tracked| tracked.is_dead());
        let changed = dead.filter_map(|tracked| {
            let alive = sizes.get(&self.group(tracked)?)?.alive;
            (alive > tracked.alive_max_since).then_some((tracked.id, alive))
        });
        for (id, alive) in changed.collect::<Vec<_>>() {
            self.table.set_alive_max_since(id, alive);
        }
    }

    fn group(&self, tracked: &Tracked) -> Option<GroupKey> {
        let (owner, facts) = (tracked.owner()?, tracked.facts.as_deref()?);
        Some(GroupKey::of(owner.key, self.table.direction(tracked), facts))
    }
}
