use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Whose turn it is to be asked about, where not all can be at once.
#[derive(Debug)]
pub(crate) struct Turns<K> {
    /// The round in which each had its latest turn.
    had: BTreeMap<K, u64>,
    /// Those that had to wait in the latest round.
    pub(crate) waiting: usize,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { had: BTreeMap::new(), waiting: 0 }
    }
}

impl<K: Copy + Ord> Turns<K> {
    /// At most `most` of these: those that never had a turn first, then those whose was longest ago.
    pub(crate) fn take(
        &mut self,
        keys: impl IntoIterator<Item = K>,
        round: u64,
        most: usize,
    ) -> BTreeSet<K> {
        let mut keys: Vec<K> = keys.into_iter().collect();
        keys.sort_by_key(|key| (self.had.get(key).copied(), *key));
        self.waiting = keys.len().saturating_sub(most);
        keys.truncate(most);
        self.had.extend(keys.iter().map(|key| (*key, round)));
        keys.into_iter().collect()
    }

    /// This one had no turn after all.
    pub(crate) fn forget(&mut self, key: &K) {
        self.had.remove(key);
    }

    /// Forgets those that are gone.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&K) -> bool) {
        self.had.retain(|key, _| is_there(key));
    }
}
