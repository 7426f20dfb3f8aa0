//! The connections that a rule assesses together.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    CountOf, DurationRange, Interval, Options, ProcessFacts, Reachability, ResponseHolder,
    Timestamp, connection_view::ConnectionView, fd_use::FdUse, separate_times::SeparateTimes,
    turnover::Turnover,
};

/// One in this many connections of a confirmed finding may be unconfirmed.
pub(super) const UNSURE_ONE_IN: usize = 5;

/// The responses of a group.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ResponseCounts {
    /// Connections with a leaked response that is confirmed by heap search, with or without
    /// uprobes.
    pub(crate) confirmed: usize,
    /// Open responses that certainly have no reader and are not known to be referenced.
    pub(crate) without_reader: usize,
}

/// The connections of one group that one rule claimed; never empty.
#[derive(Debug)]
pub(crate) struct Claimed<'c, 'a> {
    pub(crate) members: Vec<ConnectionView<'a>>,
    /// When the rule's occurrence (such as the peer's FIN) happened to the claimed connections.
    pub(crate) times: SeparateTimes,
    /// All connections of the group, claimed or not.
    pub(crate) group: &'c [ConnectionView<'a>],
    /// Whether the connections go to several addresses. Limits for a pool then apply to each
    /// address.
    pub(crate) is_by_port: bool,
    /// The responses of the group, claimed or not.
    pub(crate) responses_of_group: ResponseCounts,
    /// What the process does with dead connections of the group, if that was watched.
    pub(crate) turnover: Option<&'c Turnover>,
    /// When the rule's occurrence happened to a connection.
    pub(crate) occurred: fn(&ConnectionView<'_>) -> Interval,
    /// The number of claimed connections that were opened by a process that is known to be still
    /// running.
    pub(crate) running_openers: usize,
    /// The open file descriptors of the process, if known.
    pub(crate) fds: Option<FdUse>,
    /// What `/proc` says about the process, if known.
    pub(crate) process: Option<&'a ProcessFacts>,
    pub(crate) options: &'a Options,
    pub(crate) now: Timestamp,
}

impl<'a> Claimed<'_, 'a> {
    /// The maximum number of dead connections that are attributed to a pool.
    pub(crate) const fn pool_max(&self) -> usize {
        self.options.pool_size
    }

    /// The maximum number of dead connections that are attributed to a large pool while it shrinks.
    pub(crate) const fn large_pool_max(&self) -> usize {
        self.options.pool_size.saturating_mul(2)
    }

    /// `--min-count`, raised if connections of the group were used again after they had a verdict.
    pub(crate) fn count_min(&self) -> usize {
        let raises = self.turnover.map_or(0, |it| it.raises(self.now, self.options.idle_ms));
        self.options.count_min.saturating_mul(raises.saturating_add(1))
    }

    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn count_where(&self, test: impl Fn(&ConnectionView<'a>) -> bool) -> usize {
        self.members.iter().filter(|member| test(member)).count()
    }

    /// `count` of all claimed connections.
    pub(crate) fn of_all(&self, count: usize) -> CountOf {
        CountOf { count, total: self.count() }
    }

    /// The number of claimed connections that are confirmed by heap search.
    pub(crate) fn confirmed(&self) -> usize {
        self.count_where(ConnectionView::is_confirmed)
    }

    /// Whether enough connections are confirmed, among the claimed ones or in the whole group (a
    /// leak can be in several states), and nearly all of the claimed ones are confirmed.
    pub(crate) fn is_confirmed(&self) -> bool {
        let (count, confirmed) = (self.count(), self.confirmed());
        let is_nearly_all = (count - confirmed) * UNSURE_ONE_IN <= count;
        is_nearly_all && self.is_enough(confirmed, count, self.responses_of_group.confirmed)
    }

    /// Whether `some` is at least `--min-count`, or is at least half of `of` while `in_group` is at
    /// least `--min-count`.
    pub(super) fn is_enough(&self, some: usize, of: usize, in_group: usize) -> bool {
        let enough = self.options.count_min;
        some >= enough || (some > 0 && 2 * some >= of && in_group >= enough)
    }

    /// The number of claimed connections with a response that a goroutine references.
    pub(crate) fn held(&self) -> usize {
        self.count_where(ConnectionView::is_held)
    }

    /// The most frequent known holder of their responses.
    pub(crate) fn most_frequent_holder(&self) -> Option<ResponseHolder> {
        let mut counts: BTreeMap<&ResponseHolder, usize> = BTreeMap::new();
        for member in &self.members {
            if let Some(Reachability::Held(Some(holder))) = member.reachability() {
                *counts.entry(holder).or_default() += 1;
            }
        }
        let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map(|(holder, _)| holder.clone())
    }

    /// The number of claimed connections with a response whose references could not be scanned
    /// completely.
    pub(crate) fn scan_incomplete(&self) -> usize {
        self.count_where(ConnectionView::is_scan_incomplete)
    }

    /// Whether the process may read most of the claimed connections later, because goroutines
    /// reference their responses.
    pub(crate) fn may_be_resumed(&self) -> bool {
        2 * self.held() > self.count()
    }

    /// Whether the rule's occurrence happened at separate times: see
    /// [`SeparateTimes::is_at_separate_times`].
    pub(crate) fn is_at_separate_times(&self) -> bool {
        self.times.is_at_separate_times(self.options.idle_ms)
    }

    /// Whether the claimed connections are still accumulating: see
    /// [`SeparateTimes::is_still_accumulating`].
    pub(crate) fn is_still_accumulating(&self) -> bool {
        self.times.is_still_accumulating(self.options.idle_ms, self.now)
    }

    /// The shortest and the longest of a duration of the claimed connections, in milliseconds.
    pub(crate) fn range(&self, duration_ms: impl Fn(&ConnectionView<'a>) -> u64) -> DurationRange {
        range(self.members.iter().map(duration_ms))
    }

    /// The sum of a number of bytes over the claimed connections.
    pub(crate) fn sum(&self, bytes: impl Fn(&ConnectionView<'a>) -> u64) -> u64 {
        self.members.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

/// The shortest and the longest of these durations in milliseconds.
pub(super) fn range(durations_ms: impl Iterator<Item = u64>) -> DurationRange {
    let none = DurationRange { min_ms: u64::MAX, max_ms: 0 };
    durations_ms.fold(none, |DurationRange { min_ms, max_ms }, duration_ms| DurationRange {
        min_ms: min_ms.min(duration_ms),
        max_ms: max_ms.max(duration_ms),
    })
}
