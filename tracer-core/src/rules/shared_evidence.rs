//! Evidence and caveats that several rules give.

use alloc::{borrow::ToOwned as _, collections::BTreeMap, vec::Vec};
use core::cmp::Reverse;

use super::{Accumulation, Claimed, Reasons};
use crate::{
    Caveat, Counted, Evidence, Occurrence, Reader, Recurrence,
    separate_times::{SeparateTimes, Series},
};

/// The maximum number of requests listed; the rest are counted.
const REQUESTS_MAX: usize = 3;

impl Reasons {
    /// Reasons that begin with this evidence.
    pub(super) fn new(evidence: Evidence) -> Self {
        Self { evidence: alloc::vec![evidence], caveats: Vec::new() }
    }

    pub(super) fn add(&mut self, evidence: Evidence) {
        self.evidence.push(evidence);
    }

    pub(super) fn add_caveat(&mut self, caveat: Caveat) {
        self.caveats.push(caveat);
    }

    /// Adds the number of separate times at which the rule's `occurrence` happened. A confirmed
    /// finding gets no caveat that all of them may have had a single cause.
    pub(super) fn add_times(&mut self, claimed: &Claimed<'_, '_>, occurrence: Occurrence) {
        match (claimed.count(), claimed.times.count) {
            (1, _) => {}
            (_, 1) if claimed.is_confirmed() => {}
            (_, 1) if claimed.is_replenished_series() => {
                self.add_caveat(Caveat::SingleBurstPossible);
            }
            (_, 1) => self.add_caveat(Caveat::SingleCausePossible),
            _ => {}
        }
        if claimed.times.count > 1 || claimed.times.series.is_some() {
            self.add(recurrence(claimed, claimed.times, occurrence));
        }
    }

    /// Adds why a few confirmed connections are enough: other connections to the same destination
    /// are in other states.
    pub(super) fn add_same_destination(&mut self, claimed: &Claimed<'_, '_>) {
        if claimed.is_confirmed() && claimed.count() < claimed.options.count_min {
            let count = claimed.responses_of_group.confirmed;
            self.add(Evidence::SameDestination { count });
        }
    }

    /// Adds caveats for connections of which it is undecided whether they accumulated.
    pub(super) fn add_undecided(&mut self, claimed: &Claimed<'_, '_>, accumulated: Accumulation) {
        let short_series = claimed.short_series();
        match accumulated {
            Accumulation::OneByOne => {}
            _ if claimed.is_by_port => {}
            Accumulation::AtOnce | Accumulation::Undecided { .. } if short_series.is_some() => {
                self.caveats.retain(|it| !it.is_about_cause());
                self.caveats.extend(short_series);
            }
            Accumulation::Undecided { watch_ms } => {
                self.add_caveat(Caveat::Undecided { watch_ms });
            }
            Accumulation::AtOnce => {}
        }
        let count_min = claimed.count_min();
        if count_min > claimed.options.count_min {
            self.add_caveat(Caveat::UsedAgain { count_min });
        }
    }

    /// Adds what is waiting to read, what a heap search found, and the requests.
    pub(super) fn add_readers(&mut self, claimed: &Claimed<'_, '_>) {
        let (confirmed, held) = (claimed.confirmed(), claimed.held());
        let scan_incomplete = claimed.scan_incomplete();
        if confirmed > 0 {
            self.add(Evidence::ResponseUnreferenced(claimed.of_all(confirmed)));
        }
        if held > 0 {
            let (total, holder) = (claimed.count(), claimed.most_frequent_holder());
            self.add_caveat(Caveat::ResponseReferenced { count: held, total, holder });
        }
        if scan_incomplete > 0 {
            self.add_caveat(Caveat::ScanIncomplete(claimed.of_all(scan_incomplete)));
        }
        let without_reader = claimed.count_where(|member| member.reader() == Reader::None);
        if without_reader > confirmed + held + scan_incomplete {
            self.add(Evidence::NoReader(claimed.of_all(without_reader)));
        }
        let waiting = claimed.count_where(|member| member.reader().is_waiting());
        if waiting > 0 {
            self.add_caveat(Caveat::ReaderWaiting(claimed.of_all(waiting)));
        }
        self.evidence.extend(requests(claimed));
    }
}

/// The number of separate times at which `occurrence` happened, and how long ago the latest was.
pub(super) fn recurrence(
    claimed: &Claimed<'_, '_>,
    times: SeparateTimes,
    occurrence: Occurrence,
) -> Evidence {
    let since_last_ms = claimed.now.ms_since(times.latest);
    if let Some(Series { count, span_ms, pause_max_ms }) = times.series {
        return Evidence::Series { occurrence, count, span_ms, pause_max_ms, since_last_ms };
    }
    let recurrence = Recurrence { occurrence, times: times.count, span_ms: times.span_ms };
    let idle_ms = claimed.options.idle_ms;
    if times.is_still_accumulating(idle_ms, claimed.now) {
        return Evidence::Rising { recurrence, since_last_ms };
    }
    if times.is_at_separate_times(idle_ms) {
        return Evidence::Ceased { recurrence, since_last_ms };
    }
    Evidence::SeparateTimes(recurrence)
}

/// The requests whose responses these are, the most frequent first.
fn requests(claimed: &Claimed<'_, '_>) -> Option<Evidence> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for member in claimed.members.iter().filter(|member| member.awaits_body()) {
        if let Some(request) = member.http().and_then(|http| http.request.as_deref()) {
            *counts.entry(request).or_default() += 1;
        }
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(request, count)| (Reverse(*count), *request));
    let others = counts.len().saturating_sub(REQUESTS_MAX);
    let listed = counts.into_iter().take(REQUESTS_MAX);
    let top: Vec<_> =
        listed.map(|(request, count)| Counted { value: request.to_owned(), count }).collect();
    (!top.is_empty()).then_some(Evidence::Requests { top, others })
}
