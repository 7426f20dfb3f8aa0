//! Leaks to many addresses: too few connections to each for a finding, but enough together.
//!
//! Connections without a finding by address are judged again by process, network namespace and
//! remote port. A finding by address with enough connections stays; another is moved to a finding
//! by port only if its confidence does not drop.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::net::SocketAddr;

use super::{Groups, Judged};
use crate::{
    Confidence, ConnectionId, connection_view::ConnectionView, group::GroupKey,
    group_size::GroupSize,
};

/// The connections grouped by port, for ports with several addresses.
fn ports<'a>(groups: &Groups<'a>) -> Groups<'a> {
    let mut ports: BTreeMap<GroupKey, (usize, Vec<ConnectionView<'a>>)> = BTreeMap::new();
    for (group, members) in groups.iter().filter(|(group, _)| group.remote.is_some()) {
        let (addresses, port) = ports.entry(group.of_port()).or_default();
        *addresses += 1;
        port.extend(members);
    }
    let several = ports.into_iter().filter(|(_, (addresses, _))| *addresses > 1);
    several.map(|(group, (_, members))| (group, members)).collect()
}

/// The sizes of these groups.
pub(super) fn sizes(groups: &BTreeMap<GroupKey, GroupSize>) -> BTreeMap<GroupKey, GroupSize> {
    let mut ports: BTreeMap<GroupKey, (usize, GroupSize)> = BTreeMap::new();
    for (group, size) in groups.iter().filter(|(group, _)| group.remote.is_some()) {
        let first = || (0, GroupSize::empty(size.oldest));
        let (addresses, port) = ports.entry(group.of_port()).or_insert_with(first);
        *addresses += 1;
        port.add(*size);
    }
    let several = ports.into_iter().filter(|(_, (addresses, _))| *addresses > 1);
    several.map(|(group, (_, size))| (group, size)).collect()
}

/// Adds the findings by port to the findings `by_address`. `judge` takes a group, all of its
/// connections, and those of them to judge.
pub(super) fn judge<'a>(
    groups: &Groups<'a>,
    by_address: Vec<Judged<'a>>,
    count_min: usize,
    judge: impl Fn(GroupKey, &[ConnectionView<'a>], &[ConnectionView<'a>]) -> Vec<Judged<'a>>,
) -> Vec<Judged<'a>> {
    let ports = ports(groups);
    if ports.is_empty() {
        return by_address;
    }
    let mut judged = by_address;
    let mut settled_before = None;
    // The first pass may move *likely* findings with few connections. The second keeps those
    // where they are, because the confidence by port may be higher without them.
    for movable_max in [Confidence::Likely, Confidence::Possible] {
        let settled = settled(&judged, movable_max, count_min);
        if settled_before.as_ref() == Some(&settled) {
            break;
        }
        let together = ports.iter().flat_map(|(port, members)| {
            let left = without(members, &settled);
            let by_port =
                if left.len() < count_min { Vec::new() } else { judge(*port, members, &left) };
            better(by_port, &judged, count_min)
        });
        let together: Vec<Judged<'a>> = together.collect();
        let moved = ids(&together);
        let touched: BTreeSet<GroupKey> = judged
            .iter()
            .filter(|judged| judged.members.iter().any(|it| moved.contains(&it.tracked.id)))
            .map(|judged| judged.group)
            .collect();
        judged.retain(|judged| !touched.contains(&judged.group));
        for group in touched {
            let members = groups.get(&group).map(Vec::as_slice).unwrap_or_default();
            judged.extend(judge(group, members, &without(members, &moved)));
        }
        judged.extend(together);
        settled_before = Some(settled);
    }
    judged
}

/// The connections of the findings that stay: those by port, those with a higher confidence than
/// `movable_max`, and those that are at least *possible* and of `count_min` connections.
fn settled(
    judged: &[Judged<'_>],
    movable_max: Confidence,
    count_min: usize,
) -> BTreeSet<ConnectionId> {
    let settled = judged.iter().filter(|judged| {
        let confidence = judged.assessment.confidence;
        let is_enough = judged.members.len() >= count_min && confidence >= Confidence::Possible;
        judged.group.is_by_port() || confidence > movable_max || is_enough
    });
    ids(settled)
}

fn ids<'j, 'a: 'j>(judged: impl IntoIterator<Item = &'j Judged<'a>>) -> BTreeSet<ConnectionId> {
    judged.into_iter().flat_map(|it| &it.members).map(|member| member.tracked.id).collect()
}

fn without<'a>(
    members: &[ConnectionView<'a>],
    taken: &BTreeSet<ConnectionId>,
) -> Vec<ConnectionView<'a>> {
    members.iter().filter(|member| !taken.contains(&member.tracked.id)).copied().collect()
}

/// The findings by port that go to several addresses, have enough connections, and whose confidence
/// is not lower than that of any finding by address that they replace.
fn better<'a>(
    by_port: Vec<Judged<'a>>,
    by_address: &[Judged<'a>],
    count_min: usize,
) -> Vec<Judged<'a>> {
    let mut highest: BTreeMap<(ConnectionId, Option<&str>), Confidence> = BTreeMap::new();
    for judged in by_address {
        for member in &judged.members {
            let before =
                highest.entry((member.tracked.id, judged.call_site)).or_insert(Confidence::Info);
            *before = (*before).max(judged.assessment.confidence);
        }
    }
    let has_highest_confidence = |judged: &Judged<'_>| {
        judged.members.iter().all(|member| {
            let before = highest.get(&(member.tracked.id, judged.call_site));
            before.is_none_or(|before| judged.assessment.confidence >= *before)
        })
    };
    let (mut better, mut others): (Vec<_>, Vec<_>) = by_port.into_iter().partition(|judged| {
        let addresses: BTreeSet<SocketAddr> =
            judged.members.iter().map(|member| member.facts.remote).collect();
        judged.members.len() >= count_min && addresses.len() > 1 && has_highest_confidence(judged)
    });
    // If an HTTP/2 connection is moved, its responses of other call sites move with it.
    loop {
        let taken = ids(&better);
        let is_along = |judged: &mut Judged<'_>| {
            let is_taken = |member: &ConnectionView<'_>| taken.contains(&member.tracked.id);
            judged.rule.id.is_by_call_site() && judged.members.iter().any(is_taken)
        };
        let taken_along: Vec<Judged<'a>> = others.extract_if(.., is_along).collect();
        if taken_along.is_empty() {
            return better;
        }
        better.extend(taken_along);
    }
}
