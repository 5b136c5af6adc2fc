//! Taking a reading into a slot.
//!
//! Owns [`Slot::install`]. What a reading says about a window that is over is ignored; a plan that
//! changed keeps what was handed out of the limits that it still has.

use super::{Before, Holder, KEEP_MS, LimitId, MAX_LIMITS, Shape, Slot, SlotLimit, Tag};
use crate::lease::terms::Terms;
use crate::record::LimitReading;
use crate::time::UnixMillis;

/// A reading, and whose.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Whose reading it is.
    pub tag: Tag,
    /// What the backend said.
    pub limits: &'a [LimitReading],
    /// When it was asked.
    pub asked_at: UnixMillis,
}

/// What the sync side knows of this gateway's own usage of one limit, and of its counter. All are
/// lower bounds, so 0, which is all that a newcomer knows, is always right.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Own {
    /// The end of the window.
    pub ends: UnixMillis,
    /// Contained in every reading that any gateway uses now.
    pub settled: u64,
    /// Admitted at least one horizon ago.
    pub used: u64,
    /// Read at least a horizon and a reading's validity ago.
    pub earlier: u64,
}

impl Slot {
    /// The slot after a reading: a new one, or `known` brought up to date. `None` when there is
    /// nothing to write: the reading is no newer, or has too many limits.
    pub fn install(
        known: Option<Self>,
        source: Source<'_>,
        own: &[Own],
        now: UnixMillis,
        terms: &Terms,
    ) -> Option<Self> {
        if source.limits.len() > MAX_LIMITS {
            return None;
        }
        let mut known = known.filter(|slot| slot.tag == source.tag);
        if let Some(slot) = &mut known {
            if source.asked_at <= slot.asked_at {
                return None;
            }
            slot.roll(now, terms);
        }
        let born = known.as_ref().map_or(source.asked_at, |slot| slot.born);
        let ids: Vec<LimitId> = source
            .limits
            .iter()
            .map(|limit| LimitId::of(&limit.metric, limit.period))
            .collect();
        let places: Vec<Option<usize>> = ids
            .iter()
            .map(|id| {
                let mut limits = known.iter().flat_map(|slot| &slot.limits);
                limits.position(|limit| limit.id == *id)
            })
            .collect();
        let limits = source.limits.iter().zip(&ids).zip(&places);
        let limits = limits.enumerate().map(|(n, ((reading, id), place))| {
            let old = known.as_ref().zip(*place);
            let old = old.and_then(|(slot, place)| slot.limits.get(place));
            let mut limit = match old {
                Some(old) => updated(old, reading, source.asked_at, own.get(n), terms),
                None => fresh(*id, reading, source.asked_at, now, terms),
            };
            limit.weigh(terms);
            limit
        });
        let limits: Vec<SlotLimit> = limits.collect();
        let windows_kept: Vec<bool> = limits
            .iter()
            .zip(&places)
            .map(|(limit, place)| {
                let old = known.as_ref().zip(*place);
                old.and_then(|(slot, place)| slot.limits.get(place))
                    .is_some_and(|old| old.window == limit.window)
            })
            .collect();
        let carried = |amounts: &[u64]| {
            let places = places.iter().zip(&windows_kept);
            let amounts = places.map(|(place, kept)| {
                let amount = place.and_then(|place| amounts.get(place));
                amount.filter(|_| *kept).copied().unwrap_or_default()
            });
            amounts.collect()
        };
        let holders = known.iter().flat_map(|slot| &slot.holders);
        let holders = holders.map(|holder| Holder {
            generation: holder.generation,
            until: holder.until,
            leased: carried(&holder.leased),
            told: carried(&holder.told),
        });
        Some(Self {
            tag: source.tag,
            shape: Shape::of(ids.iter().copied()),
            born,
            asked_at: source.asked_at,
            kept_until: now.plus_ms(KEEP_MS),
            holders: holders.collect(),
            limits,
        })
    }
}

fn fresh(
    id: LimitId,
    reading: &LimitReading,
    asked_at: UnixMillis,
    now: UnixMillis,
    terms: &Terms,
) -> SlotLimit {
    let mut limit = SlotLimit {
        id,
        period: reading.period,
        window: reading.window,
        max: reading.max,
        read: reading.current,
        asked_at,
        elsewhere: reading.current,
        settled: 0,
        used: 0,
        earlier: 0,
        cap: 0,
        firm: 0,
        granted: 0,
        carry: 0,
        before: Before::OVER,
    };
    if limit.window.is_over(now) {
        // An answer of a window that ended on the way says that nothing is used in the next.
        limit.weigh(terms);
        limit.roll(now, terms);
    }
    limit
}

fn updated(
    old: &SlotLimit,
    reading: &LimitReading,
    asked_at: UnixMillis,
    own: Option<&Own>,
    terms: &Terms,
) -> SlotLimit {
    let mut limit = old.clone();
    limit.max = reading.max;
    if reading.window.start < old.window.start {
        return limit;
    }
    if reading.window.start > old.window.start {
        limit.enter(reading.window, reading.current, asked_at);
        return limit;
    }
    if let Some(own) = own.filter(|own| own.ends == old.window.end) {
        limit.settled = old.settled.max(own.settled);
        limit.used = old.used.max(own.used);
        limit.earlier = old.earlier.max(own.earlier);
    }
    limit.read = reading.current;
    limit.asked_at = asked_at;
    limit.before = Before::OVER;
    if terms.is_alone() {
        // Whatever of our own the reading contains, the rest of it is from others.
        let others = limit.read.saturating_sub(limit.granted);
        limit.elsewhere = old.elsewhere.max(others);
    }
    limit
}
