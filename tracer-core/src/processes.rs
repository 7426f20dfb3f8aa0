use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    Holder, ProcessFacts, ProcessKey, ProcessSummary, Snapshot, Timestamp, history::History,
};

/// What is known of the processes that hold sockets.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    /// Answers to questions.
    pub(crate) facts: BTreeMap<ProcessKey, ProcessFacts>,
    /// Processes that could not be read.
    pub(crate) unreadable: BTreeSet<ProcessKey>,
    /// TCP descriptors at the latest snapshot.
    holders: BTreeMap<ProcessKey, Holder>,
    /// How those developed.
    histories: BTreeMap<ProcessKey, History>,
}

impl Processes {
    /// Counts every process's descriptors and forgets the processes that hold none any more.
    pub(crate) fn count(&mut self, snapshot: &Snapshot, window_ms: u64) {
        self.holders = snapshot.holders.iter().map(|holder| (holder.key, holder.clone())).collect();
        let holders = &self.holders;
        self.facts.retain(|key, _| holders.contains_key(key));
        self.unreadable.retain(|key| holders.contains_key(key));
        self.histories.retain(|key, _| holders.contains_key(key));
        for (key, holder) in holders {
            self.histories.entry(*key).or_default().observe(
                snapshot.ended_at,
                usize::try_from(holder.tcp_fds).unwrap_or(usize::MAX),
                Timestamp::default(),
                window_ms,
            );
        }
    }

    /// The processes in scope.
    pub(crate) fn in_scope(&self) -> impl Iterator<Item = ProcessKey> {
        self.holders.keys().copied()
    }

    /// The headlines of these processes.
    pub(crate) fn summaries(
        &self,
        keys: &BTreeSet<ProcessKey>,
        now: Timestamp,
    ) -> Vec<ProcessSummary> {
        keys.iter().filter_map(|key| self.summary(*key, now)).collect()
    }

    fn summary(&self, key: ProcessKey, now: Timestamp) -> Option<ProcessSummary> {
        let holder = self.holders.get(&key)?;
        let count = usize::try_from(holder.tcp_fds).unwrap_or(usize::MAX);
        let growth_per_min_milli =
            self.histories.get(&key).and_then(|history| history.per_min_milli(now, count));
        let fd_limit = self.facts.get(&key).and_then(|facts| facts.fd_limit);
        Some(ProcessSummary {
            key,
            comm: holder.comm.clone(),
            tcp_fds: holder.tcp_fds,
            fd_limit,
            growth_per_min_milli,
            seconds_to_fd_limit: seconds_to_limit(holder.tcp_fds, fd_limit, growth_per_min_milli),
        })
    }
}

fn seconds_to_limit(count: u64, limit: Option<u64>, per_min_milli: Option<i64>) -> Option<u64> {
    let per_min_milli = u64::try_from(per_min_milli?).ok().filter(|rate| *rate > 0)?;
    let room = u128::from(limit?.saturating_sub(count));
    u64::try_from(room * 60_000 / u128::from(per_min_milli)).ok()
}
