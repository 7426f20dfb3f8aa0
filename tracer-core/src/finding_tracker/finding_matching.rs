//! Matches the findings of a judgment with those of the previous one.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cmp::Reverse;

use super::{Identity, Tracked};
use crate::{ConnectionId, judge::Judged};

/// The connections of a judgment.
pub(super) struct FindingMatching<'j, 'a> {
    judged: &'j [Judged<'a>],
    /// Each connection with the position of a finding that contains it. An HTTP/2 connection may be
    /// in several.
    positions: BTreeSet<(ConnectionId, usize)>,
}

impl<'j, 'a> FindingMatching<'j, 'a> {
    pub(super) fn of(judged: &'j [Judged<'a>]) -> Self {
        let positions = judged.iter().enumerate().flat_map(|(position, judged)| {
            judged.members.iter().map(move |member| (member.tracked.id, position))
        });
        Self { judged, positions: positions.collect() }
    }

    /// The positions of the findings that contain a connection.
    fn positions(&self, id: ConnectionId) -> impl Iterator<Item = usize> {
        self.positions.range((id, 0)..=(id, usize::MAX)).map(|(_, position)| *position)
    }

    /// Whether the connection has a verdict.
    pub(super) fn includes(&self, id: ConnectionId) -> bool {
        self.positions(id).next().is_some()
    }

    /// Whether the connection has a verdict that may have replaced that of the finding `before`. A
    /// verdict on responses of a different call site does not replace it.
    pub(super) fn is_continued(&self, before: &Identity, id: ConnectionId) -> bool {
        let is_elsewhere = |judged: &Judged<'_>| {
            judged.rule.id.is_by_call_site() && !may_be_the_same(before, judged)
        };
        self.positions(id).any(|position| {
            !before.rule.id.is_by_call_site() || !is_elsewhere(&self.judged[position])
        })
    }

    /// The findings `before` that continue under another identity, each with the new finding (one
    /// without an `earlier` finding) that continues it. A finding stays the same when its call site
    /// becomes known, when it is confirmed, or when it is extended to other addresses. Two findings
    /// are the same if they share connections; if there are several candidates, the one that shares
    /// the most.
    pub(super) fn successors(
        &self,
        before: &BTreeMap<Identity, Tracked>,
        earlier: &[Option<Tracked>],
    ) -> Vec<(Identity, usize)> {
        let mut pairs = Vec::new();
        for (identity, tracked) in before {
            let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
            let connections = &tracked.finding.connections;
            for position in connections.iter().flat_map(|connection| self.positions(connection.id))
            {
                let judged = &self.judged[position];
                let is_same_verdict = tracked.finding.verdict == judged.assessment.verdict
                    && identity.group.overlaps(&judged.group)
                    && !judged.rule.id.is_by_call_site();
                let is_same = is_same_verdict || may_be_the_same(identity, judged);
                if earlier[position].is_none() && is_same {
                    *shared.entry(position).or_default() += 1;
                }
            }
            let pair = |(position, count)| (Reverse(count), identity, position);
            pairs.extend(shared.into_iter().map(pair));
        }
        pairs.sort();
        let (mut continued, mut taken) = (BTreeSet::new(), BTreeSet::new());
        pairs.retain(|&(_, identity, position)| {
            let is_free = !continued.contains(identity) && !taken.contains(&position);
            if is_free {
                continued.insert(identity);
                taken.insert(position);
            }
            is_free
        });
        pairs.into_iter().map(|(_, identity, position)| (identity.clone(), position)).collect()
    }
}

/// Whether both findings are about responses, and their call sites are not both known and
/// different.
fn may_be_the_same(before: &Identity, judged: &Judged<'_>) -> bool {
    let call_site = before.call_site.as_deref();
    let differ = call_site.zip(judged.call_site).is_some_and(|(before, now)| before != now);
    let are_responses = before.rule.id.is_by_call_site() && judged.rule.id.is_by_call_site();
    are_responses && before.group.overlaps(&judged.group) && !differ
}
