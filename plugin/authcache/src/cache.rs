//! A bounded map of applications, in the memory of one worker.
//!
//! Owns [`Arena`]: finding by hash and full key, the bound, and which entry makes room. Must not know
//! what is stored.
//!
//! Eviction is by the clock algorithm: an entry that was used since the hand last passed gets another
//! round. An entry whose loss would grant something ([`Value::may_go`]) is never evicted; when the hand
//! finds nothing that may go, the newcomer is not stored and has to be asked for each time.

use hashbrown::HashTable;

use crate::time::UnixMillis;

/// Most entries the hand looks at for one newcomer, so that no request pays for a full round. The hand
/// goes on where it stopped.
const MAX_STEPS: usize = 128;

/// What an arena needs to know about what it stores.
pub trait Value {
    /// Whether the entry may be evicted.
    fn may_go(&self, now: UnixMillis) -> bool;
}

/// A bounded map with its own hashes.
#[derive(Debug)]
pub struct Arena<K, V> {
    slots: Vec<Slot<K, V>>,
    index: HashTable<usize>,
    hand: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    hash: u64,
    key: K,
    value: V,
    used: bool,
}

/// Why a newcomer was not stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

impl<K, V: Value> Arena<K, V> {
    /// An empty arena of at most `capacity` entries. Memory is taken as entries come.
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: Vec::new(),
            index: HashTable::new(),
            hand: 0,
            capacity,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Changes the bound. Entries over a smaller one stay until they are evicted one by one.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// The entry with this hash whose key `is` the one looked for. Counts as a use.
    pub fn find(&mut self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&mut V> {
        let place = self.place(hash, is)?;
        let slot = self.slots.get_mut(place)?;
        slot.used = true;
        Some(&mut slot.value)
    }

    /// The same without counting as a use.
    pub fn peek_mut(&mut self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&mut V> {
        let place = self.place(hash, is)?;
        self.slots.get_mut(place).map(|slot| &mut slot.value)
    }

    /// The same without counting as a use, for reading.
    pub fn peek(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&V> {
        self.slots
            .get(self.place(hash, is)?)
            .map(|slot| &slot.value)
    }

    /// Every entry, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &K, &V)> {
        self.slots
            .iter()
            .map(|slot| (slot.hash, &slot.key, &slot.value))
    }

    /// Stores a newcomer, whose key must not be there, and makes room for it if need be.
    pub fn insert(&mut self, hash: u64, key: K, value: V, now: UnixMillis) -> Result<&mut V, Full> {
        if self.slots.len() >= self.capacity {
            self.evict(now)?;
        }
        let place = self.slots.len();
        self.slots.push(Slot {
            hash,
            key,
            value,
            // Not yet used: an entry that nobody comes back for goes first.
            used: false,
        });
        let slots = &self.slots;
        self.index.insert_unique(hash, place, |place| {
            slots.get(*place).map_or(0, |slot| slot.hash)
        });
        self.slots
            .get_mut(place)
            .map(|slot| &mut slot.value)
            .ok_or(Full)
    }

    /// Removes an entry.
    pub fn remove(&mut self, hash: u64, is: impl Fn(&K) -> bool) -> Option<V> {
        self.place(hash, is).and_then(|place| self.take(place))
    }

    fn place(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<usize> {
        let same = |place: &usize| {
            self.slots
                .get(*place)
                .is_some_and(|slot| slot.hash == hash && is(&slot.key))
        };
        self.index.find(hash, same).copied()
    }

    fn evict(&mut self, now: UnixMillis) -> Result<(), Full> {
        // Two rounds at most: the first may only take marks away.
        for _ in 0..MAX_STEPS.min(self.slots.len().saturating_mul(2)) {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let Some(slot) = self.slots.get_mut(self.hand) else {
                return Err(Full);
            };
            if !slot.used && slot.value.may_go(now) {
                self.take(self.hand);
                return Ok(());
            }
            slot.used = false;
            self.hand += 1;
        }
        Err(Full)
    }

    /// Removes the entry at `place`; the last one moves there.
    fn take(&mut self, place: usize) -> Option<V> {
        let hash = self.slots.get(place)?.hash;
        if let Ok(entry) = self.index.find_entry(hash, |known| *known == place) {
            entry.remove();
        }
        let last = self.slots.len().checked_sub(1)?;
        if place != last {
            let hash = self.slots.get(last)?.hash;
            if let Some(known) = self.index.find_mut(hash, |known| *known == last) {
                *known = place;
            }
        }
        Some(self.slots.swap_remove(place).value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(0);

    #[derive(Debug, PartialEq)]
    struct Item {
        n: u32,
        may_go: bool,
    }

    impl Value for Item {
        fn may_go(&self, _now: UnixMillis) -> bool {
            self.may_go
        }
    }

    fn item(n: u32) -> Item {
        Item { n, may_go: true }
    }

    /// Few different hashes, so that entries share them.
    fn hash(n: u32) -> u64 {
        u64::from(n % 7)
    }

    fn has(arena: &Arena<u32, Item>, n: u32) -> bool {
        arena.peek(hash(n), |key| *key == n).is_some()
    }

    #[test]
    fn entries_that_share_a_hash_are_told_apart_by_their_keys() {
        let mut arena = Arena::new(100);
        for n in 0..100 {
            arena
                .insert(hash(n), n, item(n), NOW)
                .expect("there is room");
        }
        for n in 0..100 {
            assert_eq!(
                arena.find(hash(n), |key| *key == n).map(|item| item.n),
                Some(n)
            );
        }
        assert!(!has(&arena, 100));
        for n in (0..100).step_by(3) {
            assert_eq!(arena.remove(hash(n), |key| *key == n), Some(item(n)));
        }
        for n in 0..100 {
            assert_eq!(has(&arena, n), n % 3 != 0, "{n}");
        }
    }

    #[test]
    fn the_number_of_entries_is_bounded_and_used_ones_stay() {
        let mut arena = Arena::new(50);
        for n in 0..10_000 {
            for regular in 0..20 {
                if arena.find(hash(regular), |key| *key == regular).is_none() {
                    assert!(n < 100, "{regular} was evicted although it is in use");
                    arena
                        .insert(hash(regular), regular, item(regular), NOW)
                        .expect("room is made");
                }
            }
            let stranger = 1_000 + n;
            arena
                .insert(hash(stranger), stranger, item(stranger), NOW)
                .expect("room is made");
            assert!(arena.len() <= 50);
        }
    }

    #[test]
    fn what_must_stay_is_never_evicted() {
        let mut arena = Arena::new(3);
        for n in 0..3 {
            let kept = Item { n, may_go: false };
            arena.insert(hash(n), n, kept, NOW).expect("there is room");
        }
        assert_eq!(arena.insert(hash(3), 3, item(3), NOW).err(), Some(Full));
        arena.find(hash(1), |key| *key == 1).expect("stored").may_go = true;
        assert!(arena.insert(hash(3), 3, item(3), NOW).is_ok());
        assert!(has(&arena, 0) && !has(&arena, 1) && has(&arena, 2) && has(&arena, 3));
    }

    #[test]
    fn an_arena_without_room_stores_nothing() {
        let mut arena = Arena::new(0);
        assert_eq!(arena.insert(1, 1, item(1), NOW).err(), Some(Full));
        assert!(arena.is_empty());
    }
}
