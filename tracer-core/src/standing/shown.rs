//! What the latest judgement shows, and as what the findings before it go on.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cmp::Reverse;

use super::{FindingKey, Stood};
use crate::{ConnectionId, judge::Judged, rules};

/// The connections of a judgement.
pub(super) struct Shown<'j, 'a> {
    judged: &'j [Judged<'a>],
    /// Which are in which finding: one of HTTP/2 may be in several.
    places: BTreeSet<(ConnectionId, usize)>,
}

impl<'j, 'a> Shown<'j, 'a> {
    pub(super) fn of(judged: &'j [Judged<'a>]) -> Self {
        let places = judged.iter().enumerate().flat_map(|(index, judged)| {
            judged.members.iter().map(move |member| (member.tracked.id, index))
        });
        Self { judged, places: places.collect() }
    }

    /// The places in the judgement of the findings that a connection is in.
    fn at(&self, id: ConnectionId) -> impl Iterator<Item = usize> {
        self.places.range((id, 0)..=(id, usize::MAX)).map(|(_, index)| *index)
    }

    /// The connection has some verdict.
    pub(super) fn includes(&self, id: ConnectionId) -> bool {
        self.at(id).next().is_some()
    }

    /// The connection has a verdict that may have taken the place of this finding's. What was asked
    /// for elsewhere in the code has not.
    pub(super) fn goes_on(&self, before: &FindingKey, id: ConnectionId) -> bool {
        let is_elsewhere = |judged: &Judged<'_>| {
            rules::is_by_call_site(judged.rule) && !may_be_the_same(before, judged)
        };
        let (_, rule, _) = before;
        self.at(id)
            .any(|index| !rules::is_by_call_site(*rule) || !is_elsewhere(&self.judged[index]))
    }

    /// Which of the findings `before` go on under another key, and as which of those judged that
    /// have no `earlier` finding. That it has become known where responses were asked for, or that
    /// nobody has them in hand, or that they go to many addresses, makes no new finding: it is the
    /// same one if they share connections, and of several the one with which it shares the most.
    pub(super) fn successors(
        &self,
        before: &BTreeMap<FindingKey, Stood>,
        earlier: &[Option<Stood>],
    ) -> Vec<(FindingKey, usize)> {
        let mut pairs = Vec::new();
        for (key, stood) in before {
            let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
            let connections = &stood.finding.connections;
            for index in connections.iter().flat_map(|connection| self.at(connection.id)) {
                let judged = &self.judged[index];
                let (group, ..) = key;
                let is_same_verdict = stood.finding.verdict == judged.assessment.verdict
                    && group.overlaps(&judged.group)
                    && !rules::is_by_call_site(judged.rule);
                if earlier[index].is_none() && (is_same_verdict || may_be_the_same(key, judged)) {
                    *shared.entry(index).or_default() += 1;
                }
            }
            pairs.extend(shared.into_iter().map(|(index, count)| (Reverse(count), key, index)));
        }
        pairs.sort();
        let (mut ended, mut begun) = (BTreeSet::new(), BTreeSet::new());
        pairs.retain(|&(_, key, index)| {
            let is_free = !ended.contains(key) && !begun.contains(&index);
            if is_free {
                ended.insert(key);
                begun.insert(index);
            }
            is_free
        });
        pairs.into_iter().map(|(_, key, index)| (key.clone(), index)).collect()
    }
}

/// Both are about responses, and of two places that are known each is a finding of its own.
fn may_be_the_same((group, rule, site): &FindingKey, judged: &Judged<'_>) -> bool {
    let differ = site.as_deref().zip(judged.site).is_some_and(|(before, now)| before != now);
    let are_responses = rules::is_by_call_site(*rule) && rules::is_by_call_site(judged.rule);
    are_responses && group.overlaps(&judged.group) && !differ
}
