//! Where slots lie in shared data.
//!
//! Owns [`Slots`]: a fixed number of keys, four possible places for each application, and the bounded
//! loop of compare-and-swap. Must not know limits. Shared data deletes nothing, so places are written
//! over when they are free; the slot of another application is never used.

use std::rc::Rc;

use super::slot::{Slot, Tag};
use crate::shared::{Cas, Expect, SharedData};
use crate::time::UnixMillis;

/// Places that an application's slot may have.
const WAYS: usize = 4;
/// How often a change is tried that others are faster with.
const TRIES: u32 = 8;

/// Why a slot was not changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// Others were faster every time: to be counted as `lease_conflicts`.
    Conflicts,
    /// All places belong to other applications.
    NoRoom,
}

/// What a change makes of a slot.
#[derive(Debug)]
pub enum Change<T> {
    /// Write this, then say this.
    Write(Slot, T),
    /// Write nothing and say this.
    Leave(T),
}

/// The slots of the process.
#[derive(Clone, Debug)]
pub struct Slots {
    shared: Rc<dyn SharedData>,
    count: u32,
}

impl Slots {
    /// `count` places; at least one. Every VM of the process has to use the same number.
    pub fn new(shared: Rc<dyn SharedData>, count: u32) -> Self {
        Self {
            shared,
            count: count.max(1),
        }
    }

    /// The slot of an application.
    pub fn read(&self, tag: Tag) -> Option<Slot> {
        self.places(tag).into_iter().find_map(|place| {
            let (bytes, _) = self.shared.get(&key(place))?;
            Slot::decode(&bytes).filter(|slot| slot.tag == tag)
        })
    }

    /// Changes the slot of an application, which `change` gets as it is, or `None` where there is no
    /// slot. `change` may be called several times; what it says last counts.
    pub fn change<T>(
        &self,
        tag: Tag,
        now: UnixMillis,
        mut change: impl FnMut(Option<Slot>) -> Change<T>,
    ) -> Result<T, Trouble> {
        for _ in 0..TRIES {
            let (slot, place) = self.look_up(tag, now);
            match change(slot) {
                Change::Leave(answer) => return Ok(answer),
                Change::Write(slot, answer) => {
                    let (place, expect) = place.ok_or(Trouble::NoRoom)?;
                    if self.shared.set(&key(place), &slot.encode(), expect).is_ok() {
                        return Ok(answer);
                    }
                }
            }
        }
        Err(Trouble::Conflicts)
    }

    /// The slot of an application and where to write it; or the first place that it may have.
    fn look_up(&self, tag: Tag, now: UnixMillis) -> (Option<Slot>, Option<(u32, Expect)>) {
        let mut free: Option<(u32, Expect)> = None;
        for place in self.places(tag) {
            let stored = self.shared.get(&key(place));
            let expect = stored.as_ref().map_or(Expect::Missing, |(_, version)| {
                let version: Cas = *version;
                Expect::Version(version)
            });
            let slot = stored.and_then(|(bytes, _)| Slot::decode(&bytes));
            match slot {
                Some(slot) if slot.tag == tag => return (Some(slot), Some((place, expect))),
                Some(slot) if !slot.is_free(now) => {}
                _ => free = free.or(Some((place, expect))),
            }
        }
        (None, free)
    }

    fn places(&self, tag: Tag) -> [u32; WAYS] {
        let mut places = [0; WAYS];
        for (place, chunk) in places.iter_mut().zip(tag.0.chunks_exact(4)) {
            let bytes = chunk.try_into().unwrap_or_default();
            *place = u32::from_le_bytes(bytes) % self.count;
        }
        places
    }
}

fn key(place: u32) -> String {
    format!("tollgate.lease.{place}")
}
