//! A bounded map of applications, in the memory of one worker.
//!
//! Owns [`Arena`]: finding by hash and full key, the bound, and which entry makes room. Must not know
//! what is stored.
//!
//! Eviction is by the clock algorithm: an entry that was used since the hand last passed gets another
//! round. An entry whose loss would grant something ([`Value::may_go`]) is never evicted; when none of
//! those that the hand looks at may go, the newcomer is not stored and has to be asked for each time. When
//! all that may go are in use, the first of them goes: whoever comes often finds a place again, while a
//! newcomer that found none would cost a call each time.

use hashbrown::HashTable;

use crate::time::UnixMillis;

/// Most entries the hand looks at for one newcomer, so that no request pays for a full round. The hand
/// goes on where it stopped.
const MAX_STEPS: usize = 128;
/// Entries of a page. Memory is taken page by page: an arena that doubled its memory instead would
/// take twice what it needs, and move everything while a request waits.
const PAGE: usize = 1_024;

/// What an arena needs to know about what it stores.
pub trait Value {
    /// Whether the entry may be evicted.
    fn may_go(&self, now: UnixMillis) -> bool;
}

/// A bounded map with its own hashes.
#[derive(Debug)]
pub struct Arena<K, V> {
    /// All but the last ones that are in use are full.
    pages: Vec<Vec<Slot<K, V>>>,
    len: usize,
    index: HashTable<Place>,
    hand: usize,
    capacity: usize,
}

/// Where an entry is, with a part of its hash: who looks for another one seldom has to go there, and
/// an index that grows does not either.
#[derive(Clone, Copy, Debug)]
struct Place {
    mark: u32,
    at: u32,
}

// In this order, so that what is compared first lies together.
#[derive(Debug)]
#[repr(C)]
struct Slot<K, V> {
    mark: u32,
    used: bool,
    key: K,
    value: V,
}

/// Why a newcomer was not stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

impl<K, V: Value> Arena<K, V> {
    /// An empty arena of at most `capacity` entries. Memory is taken as entries come.
    pub fn new(capacity: usize) -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
            index: HashTable::new(),
            hand: 0,
            capacity,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Changes the bound. Entries over a smaller one stay until they are evicted one by one.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// The entry with this hash whose key `is` the one looked for. Counts as a use.
    pub fn find(&mut self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&mut V> {
        let at = self.place(hash, is)?;
        let slot = self.slot_mut(at)?;
        slot.used = true;
        Some(&mut slot.value)
    }

    /// The same without counting as a use.
    pub fn peek_mut(&mut self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&mut V> {
        let at = self.place(hash, is)?;
        self.slot_mut(at).map(|slot| &mut slot.value)
    }

    /// The same without counting as a use, for reading.
    pub fn peek(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&V> {
        let at = self.place(hash, is)?;
        slot(&self.pages, at).map(|slot| &slot.value)
    }

    /// Every entry, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let slots = self.pages.iter().flatten();
        slots.map(|slot| (&slot.key, &slot.value))
    }

    /// Stores a newcomer, whose key must not be there, and makes room for it if need be.
    pub fn insert(&mut self, hash: u64, key: K, value: V, now: UnixMillis) -> Result<&mut V, Full> {
        if self.len >= self.capacity {
            self.evict(now)?;
        }
        let at = self.len;
        let place = Place {
            mark: mark(hash),
            at: u32::try_from(at).map_err(|_| Full)?,
        };
        let slot = Slot {
            mark: place.mark,
            // Not yet used: an entry that nobody comes back for goes first.
            used: false,
            key,
            value,
        };
        if self.pages.len() <= at / PAGE {
            // The first one grows, for those who know few.
            let room = if self.pages.is_empty() { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(room));
        }
        self.pages.get_mut(at / PAGE).ok_or(Full)?.push(slot);
        self.len += 1;
        self.index
            .insert_unique(spread(place.mark), place, |place| spread(place.mark));
        self.slot_mut(at).map(|slot| &mut slot.value).ok_or(Full)
    }

    /// Removes an entry.
    pub fn remove(&mut self, hash: u64, is: impl Fn(&K) -> bool) -> Option<V> {
        self.place(hash, is).and_then(|at| self.take(at))
    }

    fn place(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<usize> {
        let mark = mark(hash);
        let same = |place: &Place| {
            place.mark == mark
                && slot(&self.pages, place.at as usize).is_some_and(|slot| is(&slot.key))
        };
        let place = self.index.find(spread(mark), same)?;
        Some(place.at as usize)
    }

    fn slot_mut(&mut self, at: usize) -> Option<&mut Slot<K, V>> {
        self.pages.get_mut(at / PAGE)?.get_mut(at % PAGE)
    }

    fn evict(&mut self, now: UnixMillis) -> Result<(), Full> {
        let mut in_use = None;
        for _ in 0..MAX_STEPS.min(self.len) {
            if self.hand >= self.len {
                self.hand = 0;
            }
            let hand = self.hand;
            let slot = self.slot_mut(hand).ok_or(Full)?;
            let may_go = slot.value.may_go(now);
            if !slot.used && may_go {
                self.take(hand);
                return Ok(());
            }
            slot.used = false;
            if may_go {
                in_use = in_use.or(Some(hand));
            }
            self.hand += 1;
        }
        self.take(in_use.ok_or(Full)?);
        Ok(())
    }

    /// Removes the entry at a place; the last one moves there.
    fn take(&mut self, at: usize) -> Option<V> {
        let gone = slot(&self.pages, at)?.mark;
        let last = self.len.checked_sub(1)?;
        self.forget(gone, at);
        let moved = self.pages.get_mut(last / PAGE)?.pop()?;
        self.len = last;
        if at == last {
            return Some(moved.value);
        }
        if let Some(place) = self
            .index
            .find_mut(spread(moved.mark), |place| place.at as usize == last)
        {
            // Less than the last one, so it fits.
            place.at = at as u32;
        }
        let slot = self.slot_mut(at)?;
        Some(std::mem::replace(slot, moved).value)
    }

    fn forget(&mut self, mark: u32, at: usize) {
        let known = self
            .index
            .find_entry(spread(mark), |place| place.at as usize == at);
        if let Ok(entry) = known {
            entry.remove();
        }
    }
}

fn slot<K, V>(pages: &[Vec<Slot<K, V>>], at: usize) -> Option<&Slot<K, V>> {
    pages.get(at / PAGE)?.get(at % PAGE)
}

/// The part of a hash that is kept.
fn mark(hash: u64) -> u32 {
    hash as u32
}

/// A hash made of it: the index looks at both ends.
fn spread(mark: u32) -> u64 {
    u64::from(mark) << 32 | u64::from(mark)
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
    fn a_newcomer_finds_a_place_where_all_others_are_in_use() {
        let entries = 8 * MAX_STEPS as u32;
        let mut arena = Arena::new(entries as usize);
        for n in 0..entries {
            arena
                .insert(hash(n), n, item(n), NOW)
                .expect("there is room");
        }
        for newcomer in entries..entries + 100 {
            for n in 0..entries {
                arena.find(hash(n), |key| *key == n);
            }
            arena
                .insert(hash(newcomer), newcomer, item(newcomer), NOW)
                .expect("room is made");
            assert!(has(&arena, newcomer) && arena.len() == entries as usize);
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
