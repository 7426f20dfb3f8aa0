//! Selects the keys to serve when there are more than can be served at once.

use alloc::{collections::BTreeMap, vec::Vec};

/// Serves the keys that have waited longest.
#[derive(Debug)]
pub(crate) struct FairQueue<K> {
    /// When each key was served.
    served: BTreeMap<K, Served>,
    /// The number of keys that were not served in the latest round.
    pub(crate) waiting: usize,
}

/// The rounds in which a key was served, each with its place in that round.
#[derive(Clone, Copy, Debug)]
struct Served {
    latest: (u64, usize),
    before: Option<(u64, usize)>,
}

impl<K> Default for FairQueue<K> {
    fn default() -> Self {
        Self { served: BTreeMap::new(), waiting: 0 }
    }
}

impl<K: Copy + Ord> FairQueue<K> {
    /// At most `max` of these keys: first those that were never served, then those that were
    /// served longest ago. They should be served in this order, because there may not be enough time
    /// for all of them.
    pub(crate) fn take(
        &mut self,
        keys: impl IntoIterator<Item = K>,
        round: u64,
        max: usize,
    ) -> Vec<K> {
        let mut keys: Vec<K> = keys.into_iter().collect();
        let latest = |key: &K| self.served.get(key).map(|served| served.latest);
        keys.sort_by_cached_key(|key| (latest(key), *key));
        self.waiting = keys.len().saturating_sub(max);
        keys.truncate(max);
        for (place, key) in keys.iter().enumerate() {
            let before = self.served.get(key).map(|served| served.latest);
            self.served.insert(*key, Served { latest: (round, place), before });
        }
        keys
    }

    /// The key was not served in its latest round, because there was no time: the key keeps its
    /// place.
    pub(crate) fn not_served(&mut self, key: &K) {
        match self.served.get_mut(key) {
            Some(Served { latest, before: Some(before) }) => *latest = *before,
            Some(_) => drop(self.served.remove(key)),
            None => {}
        }
    }

    /// Forgets the keys that no longer exist.
    pub(crate) fn retain(&mut self, exists: impl Fn(&K) -> bool) {
        self.served.retain(|key, _| exists(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_cannot_take_all_the_time_of_every_round() {
        let mut queue = FairQueue::default();
        // In each round, there is time for two keys. Those after them are not served.
        let mut served = Vec::new();
        for round in 1..=5 {
            let keys = queue.take(0..5, round, 4);
            served.extend(keys.iter().copied().take(2));
            for late in &keys[2..] {
                queue.not_served(late);
            }
        }
        assert_eq!(served, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    }
}
