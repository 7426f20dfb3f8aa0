//! A leak to many addresses: too few connections to each of them to tell, and enough together.
//!
//! What is left by the judgement of each address is judged a second time, by the port. That takes
//! away nothing that was found of an address alone: its findings of many connections stand, and of
//! the others only what becomes no less sure goes into one of many addresses.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::net::SocketAddr;

use super::{Groups, Judged, Size};
use crate::{Confidence, ConnectionId, group::GroupKey, rules, sighting::Sighting};

/// The connections by port, where they go to several addresses.
fn ports<'a>(groups: &Groups<'a>) -> Groups<'a> {
    let mut ports: BTreeMap<GroupKey, (usize, Vec<Sighting<'a>>)> = BTreeMap::new();
    for (group, members) in groups.iter().filter(|(group, _)| group.remote.is_some()) {
        let (addresses, port) = ports.entry(group.of_port()).or_default();
        *addresses += 1;
        port.extend(members);
    }
    let several = ports.into_iter().filter(|(_, (addresses, _))| *addresses > 1);
    several.map(|(group, (_, members))| (group, members)).collect()
}

/// How many they are.
pub(super) fn port_sizes(groups: &BTreeMap<GroupKey, Size>) -> BTreeMap<GroupKey, Size> {
    let mut ports: BTreeMap<GroupKey, (usize, Size)> = BTreeMap::new();
    for (group, size) in groups.iter().filter(|(group, _)| group.remote.is_some()) {
        let first = || (0, Size { count: 0, oldest: size.oldest });
        let (addresses, port) = ports.entry(group.of_port()).or_insert_with(first);
        *addresses += 1;
        port.add(*size);
    }
    let several = ports.into_iter().filter(|(_, (addresses, _))| *addresses > 1);
    several.map(|(group, (_, size))| (group, size)).collect()
}

/// Adds to what was judged `alone` what is found of many addresses together. `judge` takes a group,
/// all of its connections, and those of them to judge.
pub(super) fn judge<'a>(
    groups: &Groups<'a>,
    alone: Vec<Judged<'a>>,
    count_min: usize,
    judge: impl Fn(GroupKey, &[Sighting<'a>], &[Sighting<'a>]) -> Vec<Judged<'a>>,
) -> Vec<Judged<'a>> {
    let ports = ports(groups);
    let mut judged = alone;
    let mut taken = None;
    // First with what is sure of a few; then, in case that is surer than the whole, without.
    for most in [Confidence::Likely, Confidence::Possible] {
        let settled = settled(&judged, most, count_min);
        if taken.as_ref() == Some(&settled) {
            break;
        }
        let together = ports.iter().flat_map(|(port, members)| {
            let left = without(members, &settled);
            let judged_together =
                if left.len() < count_min { Vec::new() } else { judge(*port, members, &left) };
            better(judged_together, &judged, count_min)
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
        taken = Some(settled);
    }
    judged
}

/// The connections of the findings that stand for themselves: they are certain, or surer than
/// `most`, or at least possible and of as many connections as are telling.
fn settled(judged: &[Judged<'_>], most: Confidence, count_min: usize) -> BTreeSet<ConnectionId> {
    let stand = judged.iter().filter(|judged| {
        let confidence = judged.assessment.confidence;
        let is_telling = judged.members.len() >= count_min && confidence >= Confidence::Possible;
        judged.group.is_spread() || confidence > most || is_telling
    });
    ids(stand)
}

fn ids<'j, 'a: 'j>(judged: impl IntoIterator<Item = &'j Judged<'a>>) -> BTreeSet<ConnectionId> {
    judged.into_iter().flat_map(|it| &it.members).map(|member| member.tracked.id).collect()
}

fn without<'a>(members: &[Sighting<'a>], taken: &BTreeSet<ConnectionId>) -> Vec<Sighting<'a>> {
    members.iter().filter(|member| !taken.contains(&member.tracked.id)).copied().collect()
}

/// Those that are of several addresses, of enough connections, and no less sure than what was
/// found of each address.
fn better<'a>(
    together: Vec<Judged<'a>>,
    alone: &[Judged<'a>],
    count_min: usize,
) -> Vec<Judged<'a>> {
    let mut surest: BTreeMap<(ConnectionId, Option<&str>), Confidence> = BTreeMap::new();
    for judged in alone {
        for member in &judged.members {
            let before = surest.entry((member.tracked.id, judged.site)).or_insert(Confidence::Info);
            *before = (*before).max(judged.assessment.confidence);
        }
    }
    let is_surest = |judged: &Judged<'_>| {
        judged.members.iter().all(|member| {
            let alone = surest.get(&(member.tracked.id, judged.site));
            alone.is_none_or(|alone| judged.assessment.confidence >= *alone)
        })
    };
    let (mut better, mut others): (Vec<_>, Vec<_>) = together.into_iter().partition(|judged| {
        let addresses: BTreeSet<SocketAddr> =
            judged.members.iter().map(|member| member.facts.remote).collect();
        judged.members.len() >= count_min && addresses.len() > 1 && is_surest(judged)
    });
    // A connection of HTTP/2 that goes into one of them takes its other responses along.
    loop {
        let taken = ids(&better);
        let is_along = |judged: &mut Judged<'_>| {
            let is_taken = |member: &Sighting<'_>| taken.contains(&member.tracked.id);
            rules::is_by_call_site(judged.rule) && judged.members.iter().any(is_taken)
        };
        let taken_along: Vec<Judged<'a>> = others.extract_if(.., is_along).collect();
        if taken_along.is_empty() {
            return better;
        }
        better.extend(taken_along);
    }
}
