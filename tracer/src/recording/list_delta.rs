//! The difference between two lists. Little changes from one snapshot to the next, so most of a
//! list consists of a few ranges of the earlier one.

use std::{collections::HashMap, hash::Hash};

use serde::{Deserialize, Serialize};

/// An element of a list.
pub(super) trait ListItem: Clone {
    /// The type of the key that identifies the element in both lists.
    type Key: Eq + Hash;
    /// The type of a difference.
    type Delta;

    /// The key of the element.
    fn key(&self) -> Self::Key;

    /// How the element differs from its earlier value; `None` if it does not.
    fn delta_since(&self, before: &Self) -> Option<Self::Delta>;

    /// The element after a change.
    fn changed(&self, delta: Self::Delta) -> Self;
}

/// Implements [`ListItem`] for a type that is written completely if anything changes.
macro_rules! whole_list_item {
    ($item:ty, $key:ty, $get:expr) => {
        impl $crate::recording::list_delta::ListItem for $item {
            type Key = $key;
            type Delta = Self;

            fn key(&self) -> $key {
                let get: fn(&Self) -> $key = $get;
                get(self)
            }

            fn delta_since(&self, before: &Self) -> Option<Self> {
                (self != before).then(|| self.clone())
            }

            fn changed(&self, delta: Self) -> Self {
                delta
            }
        }
    };
}

pub(super) use whole_list_item;

/// One step of reconstructing a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ListStep<T, D> {
    /// `count` elements of the earlier list, unchanged. `skip` is the distance from the element
    /// after the one that was used last; it is negative if the order has changed.
    Same { skip: i64, count: u64 },
    /// One element of the earlier list, changed.
    Changed { skip: i64, delta: D },
    /// One element that the earlier list does not have.
    New(T),
}

/// The steps that reconstruct `list` from the previous list.
pub(super) fn split<T: ListItem>(before: &[T], list: &[T]) -> Vec<ListStep<T, T::Delta>> {
    let mut unused: HashMap<T::Key, usize> =
        before.iter().enumerate().map(|(index, item)| (item.key(), index)).collect();
    let mut steps = Vec::new();
    let mut next = 0;
    for item in list {
        // Each element is used once, so no list is longer than the earlier one plus the new
        // elements.
        let Some(index) = unused.remove(&item.key()) else {
            steps.push(ListStep::New(item.clone()));
            continue;
        };
        let skip = distance(next, index);
        next = index + 1;
        match (item.delta_since(&before[index]), steps.last_mut()) {
            (Some(delta), _) => steps.push(ListStep::Changed { skip, delta }),
            (None, Some(ListStep::Same { count, .. })) if skip == 0 => *count += 1,
            (None, _) => steps.push(ListStep::Same { skip, count: 1 }),
        }
    }
    steps
}

/// Reconstructs a list whose steps come in portions.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// Index in the earlier list after the element that was used last.
    next: usize,
    /// The number of elements of the earlier list that may still be used, so that a few bytes in a
    /// file cannot expand to a list of any length.
    unused: usize,
}

impl Joiner {
    pub(super) const fn new<T>(before: &[T]) -> Self {
        Self { next: 0, unused: before.len() }
    }

    /// Applies a step; `None` if it refers to elements that the earlier list does not have.
    pub(super) fn join<T: ListItem>(
        &mut self,
        before: &[T],
        step: ListStep<T, T::Delta>,
        list: &mut Vec<T>,
    ) -> Option<()> {
        match step {
            ListStep::Same { skip, count } => {
                let run = self.take(before, skip, usize::try_from(count).ok()?)?;
                list.extend_from_slice(run);
            }
            ListStep::Changed { skip, delta } => {
                let item = self.take(before, skip, 1)?.first()?;
                list.push(item.changed(delta));
            }
            ListStep::New(item) => list.push(item),
        }
        Some(())
    }

    fn take<'a, T>(&mut self, before: &'a [T], skip: i64, count: usize) -> Option<&'a [T]> {
        let start = self.next.checked_add_signed(isize::try_from(skip).ok()?)?;
        let end = start.checked_add(count)?;
        self.unused = self.unused.checked_sub(count)?;
        self.next = end;
        before.get(start..end)
    }
}

/// The reconstructed list; `None` if a step is impossible.
pub(super) fn join<T: ListItem>(before: &[T], steps: Vec<ListStep<T, T::Delta>>) -> Option<Vec<T>> {
    let mut joiner = Joiner::new(before);
    let mut list = Vec::new();
    steps.into_iter().try_for_each(|step| joiner.join(before, step, &mut list))?;
    Some(list)
}

fn distance(from: usize, to: usize) -> i64 {
    // Indexes in memory are never so far apart that this wraps.
    to.wrapping_sub(from).cast_signed() as i64
}
