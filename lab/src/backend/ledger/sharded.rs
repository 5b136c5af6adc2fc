//! A map by text, spread over several locks.
//!
//! Owns the spreading, and tells the journal which entries changed. Must not know what is kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::RwLock;

use super::journal::{Record, Scribe};

/// Locks of one map: readers share them anyway, so a few are enough to keep writers out of the way.
const SHARDS: usize = 16;

/// A concurrent map from text to cheaply cloned values.
#[derive(Debug)]
pub struct Sharded<V> {
    shards: [RwLock<HashMap<Box<str>, V>>; SHARDS],
    hasher: RandomState,
    scribe: Scribe,
    record: fn(String, String) -> Record,
}

impl<V> Sharded<V> {
    /// An empty map whose changes are noted as the records that `record` makes of service and key.
    pub fn new(scribe: Scribe, record: fn(String, String) -> Record) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            scribe,
            record,
        }
    }

    fn note(&self, key: &str) {
        self.scribe
            .note(|service| (self.record)(service, key.to_owned()));
    }
}

impl<V: Clone> Sharded<V> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<V> {
        self.shard(key).read().get(key).cloned()
    }

    /// Sets the value of a key; whether the key is new.
    pub fn put(&self, key: &str, value: V) -> bool {
        self.note(key);
        self.shard(key).write().insert(key.into(), value).is_none()
    }

    /// Removes a key and gives back its value.
    pub fn remove(&self, key: &str) -> Option<V> {
        self.note(key);
        self.shard(key).write().remove(key)
    }

    /// Changes the value of a key in place; `None` if there is no such key.
    pub fn change<R>(&self, key: &str, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.note(key);
        self.shard(key).write().get_mut(key).map(change)
    }

    /// Drops the entries that `keep` does not want.
    pub fn retain(&self, mut keep: impl FnMut(&V) -> bool) {
        for shard in &self.shards {
            shard.write().retain(|key, value| {
                let kept = keep(value);
                if !kept {
                    self.note(key);
                }
                kept
            });
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
