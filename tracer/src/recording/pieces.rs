//! A list in terms of the one before it. Hardly anything changes from one look to the next, so that
//! most of a list are a few runs of the former one.

use std::{collections::HashMap, hash::Hash};

use serde::{Deserialize, Serialize};

/// What lists are made of.
pub(super) trait Item: Clone {
    /// What makes it the same one as before.
    type Key: Eq + Hash;
    /// What can be different about the same one.
    type Change;

    fn key(&self) -> Self::Key;

    /// How it differs from what it was before; `None` if it does not.
    fn change_since(&self, before: &Self) -> Option<Self::Change>;

    /// What it is after a change.
    fn changed(&self, change: Self::Change) -> Self;
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Piece<T, C> {
    /// So many of the former list as they were. `skip` places lie between them and the piece before.
    Same { skip: i64, count: u64 },
    /// One of the former list, changed.
    Changed { skip: i64, change: C },
    /// One that the former list does not have.
    New(T),
}

/// The pieces of which `list` is made, given the one before.
pub(super) fn split<T: Item>(before: &[T], list: &[T]) -> Vec<Piece<T, T::Change>> {
    let mut places: HashMap<T::Key, usize> =
        before.iter().enumerate().map(|(place, item)| (item.key(), place)).collect();
    let mut pieces = Vec::new();
    let mut next = 0;
    for item in list {
        // Each place is used once: so no list is longer than the former one and what is new.
        let Some(place) = places.remove(&item.key()) else {
            pieces.push(Piece::New(item.clone()));
            continue;
        };
        let skip = distance(next, place);
        next = place + 1;
        match (item.change_since(&before[place]), pieces.last_mut()) {
            (Some(change), _) => pieces.push(Piece::Changed { skip, change }),
            (None, Some(Piece::Same { count, .. })) if skip == 0 => *count += 1,
            (None, _) => pieces.push(Piece::Same { skip, count: 1 }),
        }
    }
    pieces
}

/// Puts a list together, be it in portions.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// The place in the former list behind the piece before.
    next: usize,
    /// How many of the former list may still be used.
    left: usize,
}

impl Joiner {
    pub(super) const fn new<T>(before: &[T]) -> Self {
        Self { next: 0, left: before.len() }
    }

    /// Appends a piece to the list; `None` if it is none of a list that was split.
    pub(super) fn join<T: Item>(
        &mut self,
        before: &[T],
        piece: Piece<T, T::Change>,
        list: &mut Vec<T>,
    ) -> Option<()> {
        match piece {
            Piece::Same { skip, count } => {
                let run = self.take(before, skip, usize::try_from(count).ok()?)?;
                list.extend_from_slice(run);
            }
            Piece::Changed { skip, change } => {
                let item = self.take(before, skip, 1)?.first()?;
                list.push(item.changed(change));
            }
            Piece::New(item) => list.push(item),
        }
        Some(())
    }

    fn take<'a, T>(&mut self, before: &'a [T], skip: i64, count: usize) -> Option<&'a [T]> {
        let start = self.next.checked_add_signed(isize::try_from(skip).ok()?)?;
        let end = start.checked_add(count)?;
        self.left = self.left.checked_sub(count)?;
        self.next = end;
        before.get(start..end)
    }
}

/// The list that pieces make; `None` if they make none.
pub(super) fn join<T: Item>(before: &[T], pieces: Vec<Piece<T, T::Change>>) -> Option<Vec<T>> {
    let mut joiner = Joiner::new(before);
    let mut list = Vec::new();
    pieces.into_iter().try_for_each(|piece| joiner.join(before, piece, &mut list))?;
    Some(list)
}

fn distance(from: usize, to: usize) -> i64 {
    // Places in memory are never so far apart that this wraps.
    to.wrapping_sub(from).cast_signed() as i64
}
