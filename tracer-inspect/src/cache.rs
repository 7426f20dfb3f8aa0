//! A cache of limited size that evicts the oldest entry.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// At most `capacity` values by their keys; the entry that was added first is evicted.
#[derive(Debug)]
pub(crate) struct BoundedCache<K, V> {
    values: HashMap<K, V>,
    /// The keys, oldest first.
    order: VecDeque<K>,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, V> BoundedCache<K, V> {
    /// An empty cache.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), capacity }
    }

    /// Whether the cache has a value for a key.
    pub(crate) fn contains(&self, key: &K) -> bool {
        self.values.contains_key(key)
    }

    /// The value of a key.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(key)
    }

    /// Adds or replaces the value of a key. A new key evicts the oldest one if the cache is full.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.values.insert(key, value).is_some() {
            return;
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back(key);
    }

    /// Evicts the oldest values until the sizes of the others add up to at most `size_max`.
    pub(crate) fn shrink(&mut self, size_max: u64, size: impl Fn(&V) -> u64) {
        let mut total = self.values.values().map(&size).fold(0, u64::saturating_add);
        while total > size_max
            && let Some(oldest) = self.order.pop_front()
        {
            let removed = self.values.remove(&oldest);
            total = total.saturating_sub(removed.as_ref().map_or(0, &size));
        }
    }

    /// All values.
    #[cfg(all(test, feature = "root-tests", target_arch = "x86_64"))]
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.values_mut()
    }

    /// Removes the value of a key.
    pub(crate) fn remove(&mut self, key: &K) {
        self.values.remove(key);
        self.order.retain(|other| other != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_value_is_evicted() {
        let mut cache: BoundedCache<u64, u64> = BoundedCache::new(2);
        for key in [1, 2, 1, 3] {
            cache.insert(key, 10 * key);
        }
        assert_eq!([1, 2, 3].map(|key| cache.contains(&key)), [false, true, true]);
        assert_eq!(cache.get_mut(&3), Some(&mut 30));
        cache.remove(&2);
        cache.insert(4, 40);
        assert_eq!([2, 3, 4].map(|key| cache.contains(&key)), [false, true, true]);
        cache.shrink(70, |size| *size);
        assert_eq!([3, 4].map(|key| cache.contains(&key)), [true, true]);
        cache.shrink(69, |size| *size);
        assert_eq!([3, 4].map(|key| cache.contains(&key)), [false, true]);
        cache.shrink(0, |size| *size);
        assert!(!cache.contains(&4));
    }
}
