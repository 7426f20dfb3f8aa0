use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use crate::{
    Finding, Goroutines, Holder, ProcessFacts, ProcessKey, ProcessSummary, Timestamp,
    call_sites::CallSites, history::History, pages::Pages, turns::Turns,
};

/// What is known of the processes that hold sockets.
#[derive(Debug)]
pub(crate) struct Processes {
    /// Answers to questions.
    pub(crate) facts: BTreeMap<ProcessKey, ProcessFacts>,
    /// Whose turn it is to be asked about.
    pub(crate) turns: Turns<ProcessKey>,
    /// Whose turn it is to be looked into for readers.
    pub(crate) looks: Turns<ProcessKey>,
    /// Why less is known of a process's readers than could be.
    pub(crate) limits: BTreeMap<ProcessKey, String>,
    /// What goroutines did at the latest look that could tell.
    pub(crate) goroutines: BTreeMap<ProcessKey, Goroutines>,
    /// Which responses are out.
    pub(crate) pages: Pages,
    /// Where in the code they were asked for, or connections opened.
    pub(crate) sites: CallSites,
    /// Processes that could not be read.
    pub(crate) unreadable: BTreeSet<ProcessKey>,
    /// TCP descriptors at the latest snapshot.
    holders: BTreeMap<ProcessKey, Holder>,
    /// How those developed.
    histories: BTreeMap<ProcessKey, History>,
}

impl Processes {
    /// None yet. At most so many responses are remembered of all of them.
    pub(crate) fn new(responses_max: usize) -> Self {
        Self {
            facts: BTreeMap::new(),
            turns: Turns::default(),
            looks: Turns::default(),
            limits: BTreeMap::new(),
            goroutines: BTreeMap::new(),
            pages: Pages::new(responses_max),
            sites: CallSites::default(),
            unreadable: BTreeSet::new(),
            holders: BTreeMap::new(),
            histories: BTreeMap::new(),
        }
    }

    /// Counts every process's descriptors, as of the snapshot with this number, and forgets the
    /// processes that hold none any more.
    pub(crate) fn count(&mut self, holders: Vec<Holder>, look: u64, at: Timestamp, window_ms: u64) {
        self.holders = holders.into_iter().map(|holder| (holder.key, holder)).collect();
        let holders = &self.holders;
        self.facts.retain(|key, _| holders.contains_key(key));
        self.turns.retain(|key| holders.contains_key(key));
        self.looks.retain(|key| holders.contains_key(key));
        self.limits.retain(|key, _| holders.contains_key(key));
        self.goroutines.retain(|key, _| holders.contains_key(key));
        self.pages.retain(look, |key| holders.contains_key(key));
        self.sites.retain(|key| holders.contains_key(key));
        self.unreadable.retain(|key| holders.contains_key(key));
        self.histories.retain(|key, _| holders.contains_key(key));
        for (key, holder) in holders {
            self.histories.entry(*key).or_default().observe(
                at,
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

    /// It is in scope and holds sockets, so it runs.
    pub(crate) fn is_running(&self, key: ProcessKey) -> bool {
        self.holders.contains_key(&key)
    }

    /// Why less is known of readers, ledgers and call sites than could be, each reason once.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let readers = self.limits.values().map(String::as_str);
        let sentences = [
            each_once("readers of", "processes", readers),
            each_once("ledgers of", "processes", self.pages.limits()),
            each_once("call sites of", "stacks", self.sites.limits()),
        ];
        sentences.into_iter().flatten().collect()
    }

    /// The headlines of these processes.
    pub(crate) fn summaries(
        &self,
        keys: &BTreeSet<ProcessKey>,
        findings: &[Finding],
        now: Timestamp,
    ) -> Vec<ProcessSummary> {
        keys.iter().filter_map(|key| self.summary(*key, findings, now)).collect()
    }

    fn summary(
        &self,
        key: ProcessKey,
        findings: &[Finding],
        now: Timestamp,
    ) -> Option<ProcessSummary> {
        let holder = self.holders.get(&key)?;
        let count = usize::try_from(holder.tcp_fds).unwrap_or(usize::MAX);
        let watched =
            self.histories.get(&key).and_then(|history| history.per_min_milli(now, count));
        // Too short a look tells of no growth, but the ages of what has leaked do.
        let standing = findings.iter().filter(|it| it.process == key && it.retracted_at.is_none());
        let reconstructed =
            standing.filter_map(|finding| finding.growth_per_min_milli).reduce(i64::saturating_add);
        let growth_per_min_milli = watched.or(reconstructed);
        let facts = self.facts.get(&key);
        let summary = ProcessSummary {
            key,
            comm: holder.comm.clone(),
            tcp_fds: holder.tcp_fds,
            open_fds: facts.and_then(|facts| facts.open_fds),
            fd_limit: facts.and_then(|facts| facts.fd_limit),
            growth_per_min_milli,
            growth_is_reconstructed: watched.is_none() && reconstructed.is_some(),
            seconds_to_fd_limit: None,
            goroutines: self.goroutines.get(&key).copied(),
        };
        let (used, limit) = (summary.used_fds(), summary.fd_limit);
        let seconds_to_fd_limit = seconds_to_limit(used, limit, growth_per_min_milli);
        Some(ProcessSummary { seconds_to_fd_limit, ..summary })
    }
}

/// `readers of 3 processes: memory of the process cannot be read`.
fn each_once<'a>(what: &str, of: &str, reasons: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    counts.into_iter().map(|(reason, count)| format!("{what} {count} {of}: {reason}")).collect()
}

fn seconds_to_limit(count: u64, limit: Option<u64>, per_min_milli: Option<i64>) -> Option<u64> {
    let per_min_milli = u64::try_from(per_min_milli?).ok().filter(|rate| *rate > 0)?;
    let room = u128::from(limit?.saturating_sub(count));
    u64::try_from(room * 60_000 / u128::from(per_min_milli)).ok()
}
