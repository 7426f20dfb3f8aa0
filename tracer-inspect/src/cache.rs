//! A cache of limited size, which forgets what was added first.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// At most `capacity` values by their keys.
#[derive(Debug)]
pub struct BoundedCache<K, V> {
    known: HashMap<K, V>,
    /// The keys, the oldest first.
    order: VecDeque<K>,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, V> BoundedCache<K, V> {
    /// An empty one that holds no more than this.
    pub fn new(capacity: usize) -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), capacity }
    }

    /// Whether there is a value.
    pub fn contains(&self, key: &K) -> bool {
        self.known.contains_key(key)
    }

    /// The value, if there is one.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.known.get_mut(key)
    }

    /// Adds a value, or replaces that of the key. When there is no room, the oldest one goes.
    pub fn insert(&mut self, key: K, value: V) {
        if self.known.insert(key, value).is_some() {
            return;
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(key);
    }

    /// Forgets a value.
    pub fn remove(&mut self, key: &K) {
        self.known.remove(key);
        self.order.retain(|other| other != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_value_makes_room() {
        let mut cache = BoundedCache::new(2);
        for key in [1, 2, 1, 3] {
            cache.insert(key, 10 * key);
        }
        assert_eq!([1, 2, 3].map(|key| cache.contains(&key)), [false, true, true]);
        assert_eq!(cache.get_mut(&3), Some(&mut 30));
        cache.remove(&2);
        cache.insert(4, 40);
        assert_eq!([2, 3, 4].map(|key| cache.contains(&key)), [false, true, true]);
    }
}
