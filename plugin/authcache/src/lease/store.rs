//! Where slots lie in shared data.
//!
//! Owns [`Slots`]: a fixed number of keys, eight possible places for each application, and the bounded
//! loop of compare-and-swap. Must not know limits. Shared data deletes nothing, so places are written
//! over when they are free; the slot of another application is never used.

use std::rc::Rc;

use super::slot::{Slot, Tag};
use crate::shared::{Cas, Expect, SharedData};
use crate::time::UnixMillis;

/// Places that an application's slot may have. With four of them, and a quarter of all places in use,
/// one application of a thousand found none, and cost a call for each of its requests.
const WAYS: u32 = 8;
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
        self.places(tag).find_map(|place| {
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

    fn places(&self, tag: Tag) -> impl Iterator<Item = u32> {
        let bits = u128::from_le_bytes(tag.0);
        let count = self.count;
        // Four parts of the tag, and four that lie across them: only all places together have to
        // differ from those of others.
        (0..WAYS).map(move |way| {
            let part = bits.rotate_right(32 * way + 16 * (way / 4));
            (part & u128::from(u32::MAX)) as u32 % count
        })
    }
}

fn key(place: u32) -> String {
    format!("tollgate.lease.{place}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::CredentialKind;
    use crate::lease::slot::Source;
    use crate::lease::terms::{Delays, Terms};
    use crate::record::LimitReading;
    use crate::shared::memory::Memory;
    use crate::time::{Period, Window};

    const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
    /// A fifth of what the defaults are made for, and as many places for each: with four ways, 15 of
    /// them found none.
    const APPLICATIONS: u32 = 20_000;
    const PLACES: u32 = 4 * APPLICATIONS;

    #[test]
    fn every_application_finds_a_place_where_there_are_four_for_each() {
        let delays = Delays {
            epoch_ms: 450,
            tick_ms: 100,
            rtt_ms: 100,
            settle_ms: 300,
        };
        let terms = Terms::new(1, 0, delays, 300_000);
        let limits = [LimitReading {
            metric: "hits".to_owned(),
            period: Period::Eternity,
            window: Window::ETERNITY,
            max: 1_000,
            current: 0,
        }];
        let slots = Slots::new(Rc::new(Memory::default()), PLACES);
        for n in 0..APPLICATIONS {
            let name = format!("application-{n}");
            let tag = Tag::of(["c", "a", ""], "1", CredentialKind::AppId, &name);
            let source = Source {
                tag,
                limits: &limits,
                asked_at: NOW,
            };
            let outcome = slots.change(tag, NOW, |slot| {
                let slot = Slot::install(slot, source, &[], NOW, &terms);
                Change::Write(slot.expect("a first reading is installed"), ())
            });
            assert_eq!(outcome, Ok(()), "application {n}");
        }
    }

    #[test]
    fn the_first_places_of_an_application_are_the_parts_of_its_tag() {
        let slots = Slots::new(Rc::new(Memory::default()), u32::MAX);
        let tag = Tag::from_bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
        let places: Vec<u32> = slots.places(tag).collect();
        assert_eq!(places[..4], [1, 2, 3, 4]);
        let across = [2_u32, 3, 4, 1].map(|next| next << 16);
        assert_eq!(places[4..], across);
    }
}
