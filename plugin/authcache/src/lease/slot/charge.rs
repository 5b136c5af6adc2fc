//! Calls of the gateway's own, which the backend counts by itself.
//!
//! Owns [`Slot::reserve`] and [`Slot::charge`], and what takes a charge back. Must not know calls.

use super::lease::Short;
use super::{Shape, Slot};
use crate::lease::terms::Terms;
use crate::quota::Demand;
use crate::time::UnixMillis;

/// How far the backend's clock may be from this one when it counts a call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Skew {
    /// How far it may be behind.
    pub behind_ms: u64,
    /// How far it may be ahead, the time that the call is under way included.
    pub ahead_ms: u64,
}

/// Where a charge went, so that it can be taken back from there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Receipt {
    /// The life of the slot.
    born: UnixMillis,
    shape: Option<Shape>,
    at: UnixMillis,
    /// The places of limits where it counts for the next window too.
    carried: Vec<usize>,
}

impl Slot {
    /// Counts usage that goes to the backend with a call of its own, before the call. With room it
    /// keeps every bound. Near the edge of a window it counts for both windows, since the backend's
    /// clock decides.
    pub fn reserve(
        &mut self,
        demands: &[Demand],
        now: UnixMillis,
        skew: Skew,
        terms: &Terms,
    ) -> Result<Receipt, Short> {
        self.roll(now, terms);
        self.check(demands, now, terms)?;
        self.check_edges(demands, now, skew, terms)?;
        Ok(self.charge(demands, now, skew, terms))
    }

    /// The same whether there is room or not: for calls that the backend alone decides.
    pub fn charge(
        &mut self,
        demands: &[Demand],
        now: UnixMillis,
        skew: Skew,
        terms: &Terms,
    ) -> Receipt {
        self.roll(now, terms);
        let mut carried = Vec::new();
        for demand in demands {
            let Some(limit) = self.limits.get_mut(demand.limit) else {
                continue;
            };
            limit.granted = limit.granted.saturating_add(demand.amount);
            if limit.window.is_over(now.plus_ms(skew.ahead_ms)) {
                limit.carry = limit.carry.saturating_add(demand.amount);
                carried.push(demand.limit);
            }
            if now < limit.window.start.plus_ms(skew.behind_ms) {
                limit.before.take(demand.amount);
            }
        }
        self.keep(now);
        Receipt {
            born: self.born,
            shape: Some(self.shape),
            at: now,
            carried,
        }
    }

    /// Takes a charge back that the backend did not count for certain. What another life of the slot holds,
    /// other limits, or a window that began since, is not touched.
    pub fn discharge(&mut self, demands: &[Demand], receipt: &Receipt) {
        if receipt.born != self.born || receipt.shape != Some(self.shape) {
            return;
        }
        for demand in demands {
            let Some(limit) = self.limits.get_mut(demand.limit) else {
                continue;
            };
            if !limit.window.contains(receipt.at) {
                continue;
            }
            limit.granted = limit.granted.saturating_sub(demand.amount);
            if receipt.carried.contains(&demand.limit) {
                limit.carry = limit.carry.saturating_sub(demand.amount);
            }
        }
    }

    /// Whether there is room in the window before and in the next one, where the backend may be.
    fn check_edges(
        &self,
        demands: &[Demand],
        now: UnixMillis,
        skew: Skew,
        terms: &Terms,
    ) -> Result<(), Short> {
        for demand in demands {
            let Some(limit) = self.limits.get(demand.limit) else {
                return Err(Short::Unusable);
            };
            let is_early = now < limit.window.start.plus_ms(skew.behind_ms);
            let is_late = limit.window.is_over(now.plus_ms(skew.ahead_ms));
            let next = limit.carry.saturating_add(demand.amount);
            if is_early && limit.before.left(now) < demand.amount
                || is_late && limit.next_cap(terms) < next
            {
                return Err(Short::Empty(demand.limit));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::CredentialKind;
    use crate::lease::slot::{Source, Tag};
    use crate::lease::terms::Delays;
    use crate::record::LimitReading;
    use crate::time::Period;

    /// Half past a minute.
    const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
    const START: UnixMillis = UnixMillis(NOW.0 + 30_000);
    const SKEW: Skew = Skew {
        behind_ms: 1_000,
        ahead_ms: 2_000,
    };

    fn terms() -> Terms {
        let delays = Delays {
            epoch_ms: 500,
            tick_ms: 100,
            rtt_ms: 50,
            settle_ms: 300,
        };
        Terms::new(1, 0, delays, 600_000)
    }

    fn reading(current: u64, at: UnixMillis) -> LimitReading {
        LimitReading {
            metric: "hits".to_owned(),
            period: Period::Minute,
            window: Period::Minute.window(at),
            max: 10,
            current,
        }
    }

    fn install(slot: Option<Slot>, reading: LimitReading, asked_at: UnixMillis) -> Slot {
        let source = Source {
            tag: Tag::of(["c", "a", ""], "1", CredentialKind::AppId, "x"),
            limits: &[reading],
            asked_at,
        };
        Slot::install(slot, source, &[], asked_at, &terms()).expect("a newer reading")
    }

    fn reserve(slot: &mut Slot, amount: u64, now: UnixMillis) -> Result<(), Short> {
        let demands = [Demand { limit: 0, amount }];
        slot.reserve(&demands, now, SKEW, &terms()).map(|_| ())
    }

    #[test]
    fn a_call_after_an_edge_needs_room_in_the_window_before() {
        let mut slot = install(None, reading(3, NOW), NOW);
        assert_eq!(reserve(&mut slot, 5, NOW), Ok(()));
        let early = START.plus_ms(999);
        assert_eq!(reserve(&mut slot, 3, early), Err(Short::Empty(0)));
        assert_eq!(reserve(&mut slot, 1, early), Ok(()));
        assert_eq!(reserve(&mut slot, 1, early), Ok(()));
        assert_eq!(reserve(&mut slot, 1, early), Err(Short::Empty(0)));
        assert_eq!(reserve(&mut slot, 8, START.plus_ms(1_000)), Ok(()));
    }

    #[test]
    fn a_window_that_nobody_saw_has_all_of_its_room() {
        let mut slot = install(None, reading(3, NOW), NOW);
        assert_eq!(reserve(&mut slot, 7, NOW), Ok(()));
        let later = START.plus_ms(60_000);
        assert_eq!(reserve(&mut slot, 10, later), Ok(()));
    }

    #[test]
    fn a_backend_that_is_in_the_window_counts_nothing_for_the_one_before() {
        let mut slot = install(None, reading(3, NOW), NOW);
        assert_eq!(reserve(&mut slot, 7, NOW), Ok(()));
        assert_eq!(reserve(&mut slot, 1, START), Err(Short::Empty(0)));
        let at = START.plus_ms(1);
        let mut slot = install(Some(slot), reading(0, at), at);
        assert_eq!(reserve(&mut slot, 10, at), Ok(()));
        // The first reading says where the backend is, too.
        let mut early = install(None, reading(0, at), at);
        assert_eq!(reserve(&mut early, 10, at), Ok(()));
        let mut late = install(None, reading(9, NOW), at);
        assert_eq!(reserve(&mut late, 2, at), Err(Short::Empty(0)));
        assert_eq!(reserve(&mut late, 1, at), Ok(()));
    }

    #[test]
    fn a_call_before_an_edge_counts_for_the_next_window_too() {
        let mut slot = install(None, reading(3, NOW), NOW);
        let late = UnixMillis(START.0 - 2_000);
        assert_eq!(reserve(&mut slot, 5, late), Ok(()));
        assert_eq!(
            reserve(&mut slot, 6, START.plus_ms(1_000)),
            Err(Short::Empty(0))
        );
        assert_eq!(reserve(&mut slot, 5, START.plus_ms(1_000)), Ok(()));
    }

    /// Half past the minute, and shortly before it ends.
    fn charged_early_and_late() -> (Slot, Receipt, Receipt) {
        let mut slot = install(None, reading(0, NOW), NOW);
        let early = slot.charge(&THREE, NOW, SKEW, &terms());
        let late = slot.charge(&THREE, UnixMillis(START.0 - 500), SKEW, &terms());
        (slot, early, late)
    }

    const THREE: [Demand; 1] = [Demand {
        limit: 0,
        amount: 3,
    }];

    #[test]
    fn what_is_taken_back_is_what_was_put_there() {
        let (mut slot, early, late) = charged_early_and_late();
        let held = |slot: &Slot| (slot.limits[0].granted, slot.limits[0].carry);
        assert_eq!(held(&slot), (6, 3));
        slot.discharge(&THREE, &early);
        assert_eq!(
            held(&slot),
            (3, 3),
            "nothing of it counted for the next window"
        );
        slot.discharge(&THREE, &late);
        assert_eq!(held(&slot), (0, 0));
    }

    #[test]
    fn nothing_is_taken_back_from_another_life_of_the_slot_or_from_other_limits() {
        let (slot, early, _) = charged_early_and_late();
        let at = NOW.plus_ms(1);
        let mut other_life = install(None, reading(6, at), at);
        other_life.charge(&THREE, at, SKEW, &terms());
        let mut daily = reading(0, at);
        daily.period = Period::Day;
        daily.window = Period::Day.window(at);
        let source = Source {
            tag: slot.tag,
            limits: &[daily, reading(0, at)],
            asked_at: at,
        };
        let reordered = Slot::install(Some(slot), source, &[], at, &terms());
        let mut reordered = reordered.expect("a newer reading");
        reordered.charge(&THREE, at, SKEW, &terms());
        for slot in [&mut other_life, &mut reordered] {
            let before = slot.clone();
            slot.discharge(&THREE, &early);
            assert_eq!(*slot, before);
        }
    }
}
