//! Looks up what depends on a group once for a run of its connections: the connections of one group
//! are mostly adjacent in the table.

use alloc::collections::BTreeMap;

use crate::{group::GroupKey, group_size::GroupSize};

/// Caches `of`: it is called only if a group differs from the previous one.
pub(super) fn by_run<T: Copy>(of: impl Fn(GroupKey) -> T) -> impl FnMut(GroupKey) -> T {
    let mut latest: Option<(GroupKey, T)> = None;
    move |group| {
        let known = latest.filter(|(known, _)| *known == group).map(|(_, answer)| answer);
        let answer = known.unwrap_or_else(|| of(group));
        latest = Some((group, answer));
        answer
    }
}

/// The sum of the sizes of each group.
pub(super) fn sum_by_run(
    sizes: impl Iterator<Item = (GroupKey, GroupSize)>,
) -> BTreeMap<GroupKey, GroupSize> {
    let mut sums: BTreeMap<GroupKey, GroupSize> = BTreeMap::new();
    let mut add = |group, run: GroupSize| {
        sums.entry(group).and_modify(|sum| sum.add(run)).or_insert(run);
    };
    let mut latest: Option<(GroupKey, GroupSize)> = None;
    for (group, one) in sizes {
        match &mut latest {
            Some((known, run)) if *known == group => run.add(one),
            _ => {
                if let Some((group, run)) = latest.replace((group, one)) {
                    add(group, run);
                }
            }
        }
    }
    if let Some((group, run)) = latest {
        add(group, run);
    }
    sums
}
