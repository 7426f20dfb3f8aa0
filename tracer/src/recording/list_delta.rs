//! A list in terms of the one before it. Little changes from one snapshot to the next, so most of a
//! list is a few runs of the earlier one.

use std::{collections::HashMap, hash::Hash};

use serde::{Deserialize, Serialize};

/// An element of a list.
pub(super) trait ListItem: Clone {
    /// What identifies it in both lists.
    type Key: Eq + Hash;
    /// How the same element can differ.
    type Delta;

    /// What identifies it.
    fn key(&self) -> Self::Key;

    /// How it differs from what it was before; `None` if it does not.
    fn delta_since(&self, before: &Self) -> Option<Self::Delta>;

    /// What it is after a change.
    fn changed(&self, delta: Self::Delta) -> Self;
}

/// Implements [`ListItem`] for a type of which everything is written again if anything changes.
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

/// One step of putting a list together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ListStep<T, D> {
    /// `count` elements of the earlier list, unchanged. `skip` is the distance from the element
    /// behind the one that was used last; it is negative where the order has changed.
    Same { skip: i64, count: u64 },
    /// One element of the earlier list, changed.
    Changed { skip: i64, delta: D },
    /// One element that the earlier list does not have.
    New(T),
}

/// The steps that make `list` from the list before it.
pub(super) fn split<T: ListItem>(before: &[T], list: &[T]) -> Vec<ListStep<T, T::Delta>> {
    let mut unused: HashMap<T::Key, usize> =
        before.iter().enumerate().map(|(index, item)| (item.key(), index)).collect();
    let mut steps = Vec::new();
    let mut next = 0;
    for item in list {
        // Each element is used once, so no list is longer than the earlier one and what is new.
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

/// Puts a list together whose steps come in portions.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// Index in the earlier list behind the element that was used last.
    next: usize,
    /// How many elements of the earlier list may still be used: a file cannot make a few bytes into
    /// a list of any length.
    unused: usize,
}

impl Joiner {
    pub(super) const fn new<T>(before: &[T]) -> Self {
        Self { next: 0, unused: before.len() }
    }

    /// Does a step; `None` if it refers to elements that the earlier list does not have.
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

/// The list that the steps make; `None` if one of them is impossible.
pub(super) fn join<T: ListItem>(before: &[T], steps: Vec<ListStep<T, T::Delta>>) -> Option<Vec<T>> {
    let mut joiner = Joiner::new(before);
    let mut list = Vec::new();
    steps.into_iter().try_for_each(|step| joiner.join(before, step, &mut list))?;
    Some(list)
}

fn distance(from: usize, to: usize) -> i64 {
    // Indexes into memory are never so far apart that this wraps.
    to.wrapping_sub(from).cast_signed() as i64
}
