//! What is known about the processes that hold sockets.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use crate::{
    Comm, Confidence, Finding, Goroutines, Holder, Limit, Note, ObservedProcess, ProcessFacts,
    ProcessKey, ProcessSummary, Selection, SocketFacts, Timestamp,
    call_sites::CallSites,
    fair_queue::FairQueue,
    fd_use::FdUse,
    history::History,
    not_connected::NotConnected,
    open_responses::OpenResponses,
    stops::{Stop, Stops},
};

/// One in this many leaked connections may be in a finding whose growth is unknown.
const UNKNOWN_ONE_IN: usize = 10;

/// The state of all processes in scope.
#[derive(Debug)]
pub(crate) struct Processes {
    /// What the user selected, if it is known.
    pub(crate) selection: Option<Selection>,
    /// What `/proc` says about each process.
    pub(crate) facts: BTreeMap<ProcessKey, ProcessFacts>,
    /// The open file descriptors and the limit of each process.
    pub(crate) fd_uses: BTreeMap<ProcessKey, FdUse>,
    /// When each process was stopped.
    stops: BTreeMap<ProcessKey, Stops>,
    /// When the latest snapshot ended.
    snapshot_at: Timestamp,
    /// The processes to identify next.
    pub(crate) facts_queue: FairQueue<ProcessKey>,
    /// The processes to inspect for readers next.
    pub(crate) readers_queue: FairQueue<ProcessKey>,
    /// Why the latest inspection of a process found less than it could have.
    pub(crate) limits: BTreeMap<ProcessKey, Vec<Limit>>,
    /// The goroutines of a process at the latest inspection that counted them.
    pub(crate) goroutines: BTreeMap<ProcessKey, Goroutines>,
    /// The open HTTP responses of all processes.
    pub(crate) open_responses: OpenResponses,
    /// The call sites at which responses were requested and connections opened.
    pub(crate) call_sites: CallSites,
    /// Processes that cannot be read without more privileges.
    pub(crate) unreadable: BTreeSet<ProcessKey>,
    /// The processes in scope that held TCP sockets in the latest snapshot.
    pub(crate) holders: BTreeMap<ProcessKey, Holder>,
    /// Sockets of the processes that are not connected.
    pub(crate) not_connected: NotConnected,
    /// The history of each process's number of TCP file descriptors.
    histories: BTreeMap<ProcessKey, History>,
}

impl Processes {
    /// Creates an empty state. At most `responses_max` open responses are kept.
    pub(crate) fn new(responses_max: usize) -> Self {
        Self {
            selection: None,
            facts: BTreeMap::new(),
            fd_uses: BTreeMap::new(),
            stops: BTreeMap::new(),
            snapshot_at: Timestamp::default(),
            facts_queue: FairQueue::default(),
            readers_queue: FairQueue::default(),
            limits: BTreeMap::new(),
            goroutines: BTreeMap::new(),
            open_responses: OpenResponses::new(responses_max),
            call_sites: CallSites::default(),
            unreadable: BTreeSet::new(),
            holders: BTreeMap::new(),
            not_connected: NotConnected::default(),
            histories: BTreeMap::new(),
        }
    }

    /// Replaces the holders with those of the snapshot of this number, and forgets all other
    /// processes.
    pub(crate) fn take_holders(
        &mut self,
        holders: Vec<Holder>,
        snapshot: u64,
        at: Timestamp,
        window_ms: u64,
    ) {
        self.holders = holders.into_iter().map(|holder| (holder.key, holder)).collect();
        let holders = &self.holders;
        self.snapshot_at = at;
        self.facts.retain(|key, _| holders.contains_key(key));
        self.fd_uses.retain(|key, _| holders.contains_key(key));
        self.stops.retain(|key, _| holders.contains_key(key));
        self.facts_queue.retain(|key| holders.contains_key(key));
        self.readers_queue.retain(|key| holders.contains_key(key));
        self.limits.retain(|key, _| holders.contains_key(key));
        self.goroutines.retain(|key, _| holders.contains_key(key));
        self.open_responses.retain(snapshot, |key| holders.contains_key(key));
        self.call_sites.retain(|key| holders.contains_key(key));
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

    /// Counts the sockets of a snapshot that are not connected.
    pub(crate) fn count_not_connected(&mut self, sockets: &[Arc<SocketFacts>]) {
        self.not_connected = NotConnected::among(sockets);
    }

    /// Stores what `/proc` says about a process. `asked_at` is the end of the snapshot after which
    /// the question was asked; `None` means the latest snapshot.
    pub(crate) fn take_facts(
        &mut self,
        facts: ProcessFacts,
        asked_at: Option<Timestamp>,
        idle_ms: u64,
    ) {
        self.unreadable.remove(&facts.key);
        let at = asked_at.unwrap_or(self.snapshot_at);
        self.stops.entry(facts.key).or_default().observe(facts.stopped, at);
        let tcp_fds = self.holders.get(&facts.key).map_or(0, |holder| holder.tcp_fds);
        let before = self.fd_uses.remove(&facts.key);
        if let Some(fd_use) = FdUse::observe(before, &facts, tcp_fds, at, idle_ms) {
            self.fd_uses.insert(facts.key, fd_use);
        }
        self.facts.insert(facts.key, facts);
    }

    /// When the latest snapshot ended.
    pub(crate) const fn snapshot_at(&self) -> Timestamp {
        self.snapshot_at
    }

    /// Why a process cannot have acted on its connections, if that is known.
    pub(crate) fn stop(&self, key: ProcessKey, now: Timestamp, idle_ms: u64) -> Option<Stop> {
        self.stops.get(&key)?.stop(now, idle_ms)
    }

    /// The processes in scope.
    pub(crate) fn in_scope(&self) -> impl Iterator<Item = ProcessKey> {
        self.holders.keys().copied()
    }

    /// The processes that are at their fd limit, as far as that is known.
    pub(crate) fn at_fd_limit(&self) -> impl Iterator<Item = ProcessKey> {
        self.fd_uses.iter().filter(|(_, fd_use)| fd_use.is_full()).map(|(key, _)| *key)
    }

    /// The processes in scope with their names.
    pub(crate) fn observed(&self) -> Vec<ObservedProcess> {
        let holders = self.holders.values();
        let observed = |it: &Holder| ObservedProcess {
            key: it.key,
            comm: it.comm.clone(),
            script: self.facts.get(&it.key).and_then(|facts| facts.script.clone()),
        };
        holders.map(observed).collect()
    }

    /// Whether a note is still true. A process that has TCP sockets now is not one whose
    /// descendants alone have them.
    pub(crate) fn still_applies(&self, note: &Note) -> bool {
        let Note::DescendantsNotObserved { process, .. } = note else { return true };
        self.holders.get(process).is_none_or(|holder| holder.tcp_fds == 0)
    }

    /// How many processes are in scope.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.holders.len()).unwrap_or(u64::MAX)
    }

    /// The name of a process in scope that holds sockets.
    pub(crate) fn comm(&self, key: ProcessKey) -> Option<&Comm> {
        self.holders.get(&key).map(|holder| &holder.comm)
    }

    /// Whether the process is in scope and holds sockets, and so has not exited.
    pub(crate) fn is_running(&self, key: ProcessKey) -> bool {
        self.holders.contains_key(&key)
    }

    /// Why readers, responses and call sites are not fully known; each reason once.
    pub(crate) fn limit_notes(&self) -> Vec<Note> {
        let readers = count_processes(self.limits.values().map(Vec::as_slice))
            .map(|(limit, processes)| Note::ReaderLimit { processes, limit: limit.clone() });
        let responses = count_processes(self.open_responses.limits())
            .map(|(limit, processes)| Note::ResponseLimit { processes, limit: limit.clone() });
        let call_sites = count_each(self.call_sites.reasons())
            .map(|(reason, stacks)| Note::CallSiteLimit { stacks, reason: reason.clone() });
        readers.chain(responses).chain(call_sites).collect()
    }

    /// The summaries of these processes.
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
        // A short run cannot measure growth, but the ages of leaked connections show it.
        let active = findings.iter().filter(|it| it.process == key && it.retracted_at.is_none());
        let reconstructed = reconstructed_growth(active);
        let growth_per_min_milli = watched.or(reconstructed);
        let facts = self.facts.get(&key);
        let summary = ProcessSummary {
            key,
            comm: holder.comm.clone(),
            tcp_fds: holder.tcp_fds,
            fds_not_connected: self.not_connected.of(key),
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

/// The sum of the rates of growth of a process's findings, in thousandths of a connection per
/// minute. `None` if more than a tenth of the leaked connections are in findings without a rate: the
/// sum would be too low, and the fd limit would seem further away than it is.
fn reconstructed_growth<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<i64> {
    let (mut rate, mut with_rate, mut without_rate) = (None::<i64>, 0_usize, 0_usize);
    for finding in findings.filter(|finding| finding.confidence > Confidence::Info) {
        match finding.growth_per_min_milli {
            Some(growth) => {
                rate = Some(rate.unwrap_or(0).saturating_add(growth));
                with_rate = with_rate.saturating_add(finding.count);
            }
            None => without_rate = without_rate.saturating_add(finding.count),
        }
    }
    rate.filter(|_| without_rate <= with_rate / (UNKNOWN_ONE_IN - 1))
}

/// Each limit once, with the number of processes that have it.
fn count_processes<'a>(
    limits: impl Iterator<Item = &'a [Limit]>,
) -> impl Iterator<Item = (&'a Limit, usize)> {
    count_each(limits.flat_map(|of_process| of_process.iter().collect::<BTreeSet<_>>()))
}

/// Each value once, with its number of occurrences.
fn count_each<'a, T: Ord + 'a>(
    values: impl Iterator<Item = &'a T>,
) -> impl Iterator<Item = (&'a T, usize)> {
    let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts.into_iter()
}

fn seconds_to_limit(count: u64, limit: Option<u64>, per_min_milli: Option<i64>) -> Option<u64> {
    let per_min_milli = u64::try_from(per_min_milli?).ok().filter(|rate| *rate > 0)?;
    let room = u128::from(limit?.saturating_sub(count));
    u64::try_from(room * 60_000 / u128::from(per_min_milli)).ok()
}
