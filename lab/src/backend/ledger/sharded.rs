//! A map by text, spread over several locks.
//!
//! Owns the spreading. Must not know what is kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::RwLock;

/// Locks of one map: readers share them anyway, so a few are enough to keep writers out of the way.
const SHARDS: usize = 16;

/// A concurrent map from text to cheaply cloned values.
#[derive(Debug)]
pub struct Sharded<V> {
    shards: [RwLock<HashMap<Box<str>, V>>; SHARDS],
    hasher: RandomState,
}

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
        }
    }
}

impl<V: Clone> Sharded<V> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<V> {
        self.shard(key).read().get(key).cloned()
    }

    /// Sets the value of a key; whether the key is new.
    pub fn put(&self, key: &str, value: V) -> bool {
        self.shard(key).write().insert(key.into(), value).is_none()
    }

    /// Removes a key and gives back its value.
    pub fn remove(&self, key: &str) -> Option<V> {
        self.shard(key).write().remove(key)
    }

    /// Changes the value of a key in place; `None` if there is no such key.
    pub fn change<R>(&self, key: &str, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.shard(key).write().get_mut(key).map(change)
    }

    /// Drops the entries that `keep` does not want.
    pub fn retain(&self, mut keep: impl FnMut(&V) -> bool) {
        for shard in &self.shards {
            shard.write().retain(|_, value| keep(value));
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    fn shard(&self, key: &str) -> &RwLock<HashMap<Box<str>, V>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}
