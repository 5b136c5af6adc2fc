//! When the sync side reports and asks.
//!
//! Owns [`Plan`]. Must not know calls. Where one gateway admits alone, no bound depends on it. Where
//! several do, usage beyond the credit has to be reported within the shortest epoch, which is what
//! [`Plan::of`] sees to.

use super::slot::{Own, Slot, SlotLimit};
use super::terms::Terms;
use crate::time::UnixMillis;

/// How often an exhausted limit is looked at, in case it was raised.
pub const PROBE_MS: u64 = 10_000;

/// The bounds of an epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Epochs {
    /// The shortest.
    pub min_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

/// What the sync side did last for an application.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Last {
    /// When it sent a report.
    pub reported: UnixMillis,
    /// When it asked for a reading.
    pub asked: UnixMillis,
}

/// How far an application is from its limits; later ones are nearer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Zone {
    /// Far: long epochs.
    Green,
    /// Near, or beyond the credit: short epochs.
    Amber,
    /// A limit is reached and counted: only probes.
    Exhausted,
}

/// When to call next, provided there is usage to report, or somebody who uses readings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Why.
    pub zone: Zone,
    /// When to report.
    pub report_at: UnixMillis,
    /// When to ask.
    pub ask_at: UnixMillis,
}

impl Plan {
    /// The plan for a slot. `used` is what this gateway used of each limit, as far as it was told, and
    /// `rates` the units per second of that, if known; `own` is what would be installed with a reading. Usage that is the first after a pause counts
    /// as reported when it was admitted.
    pub fn of(
        slot: &Slot,
        (used, rates): (&[u64], &[u64]),
        own: &[Own],
        epochs: Epochs,
        last: Last,
        now: UnixMillis,
        terms: &Terms,
    ) -> Self {
        let mut plan = Self {
            zone: Zone::Green,
            report_at: last.reported.plus_ms(epochs.max_ms),
            ask_at: last.asked.plus_ms(epochs.max_ms),
        };
        for (place, limit) in slot.limits.iter().enumerate() {
            // Before it was measured it may be any.
            let rate = rates.get(place).copied().unwrap_or(u64::MAX);
            let own = own.get(place).copied().unwrap_or_default();
            let used = used.get(place).copied().unwrap_or(limit.granted);
            let hidden = used.saturating_sub(limit.settled);
            plan.consider(limit, (hidden, rate, own), epochs, last, now, terms);
        }
        if plan.zone == Zone::Exhausted {
            plan.ask_at = last.asked.plus_ms(PROBE_MS);
        }
        plan
    }

    fn consider(
        &mut self,
        limit: &SlotLimit,
        (hidden, rate, own): (u64, u64, Own),
        epochs: Epochs,
        last: Last,
        now: UnixMillis,
        terms: &Terms,
    ) {
        if limit.window.is_over(now) {
            return;
        }
        if limit.max > 0 && limit.excludes(1) {
            self.zone = Zone::Exhausted;
            if hidden > 0 {
                self.report_at = self.report_at.min(last.reported.plus_ms(epochs.min_ms));
            }
            return;
        }
        if hidden == 0 {
            return;
        }
        let lasts = |units: u64| units.saturating_mul(1_000) / rate.max(1);
        if terms.is_alone() {
            // How long a report and a reading take to make more of what is there.
            if lasts(limit.pool(now, terms)) <= terms.horizon_ms.saturating_mul(2) {
                self.near(epochs, last, epochs.min_ms);
            }
            return;
        }
        // A worker may hold a quarter of it when another finds none.
        let credit = terms.credit(limit.max);
        let credit = credit.saturating_sub(credit / 4);
        let room = credit.saturating_sub(hidden);
        // Each call certifies what the one before it reported, so half of the credit has to last from
        // one to the next.
        let cycle_ms = terms.certain_ms.saturating_add(terms.valid_ms);
        if room > 0 && lasts(credit) > cycle_ms.saturating_mul(2) {
            let ends = now.plus_ms(lasts(room).saturating_sub(terms.valid_ms));
            let call_at = ends.max(last.reported.plus_ms(terms.certain_ms));
            self.report_at = self.report_at.min(call_at);
            self.ask_at = self.ask_at.min(call_at);
            return;
        }
        let is_there_more = limit.cap > limit.granted;
        let epoch_ms = if is_there_more && rate.saturating_mul(epochs.min_ms) < 1_000 {
            // Whoever comes asks for himself; that is no more often.
            epochs.max_ms
        } else if gains_little(limit, own, now, terms) {
            let share = terms.part(terms.shares(limit.max, limit.read));
            if share < worth(limit.max) {
                PROBE_MS
            } else {
                terms.horizon_ms.max(epochs.min_ms)
            }
        } else {
            epochs.min_ms
        };
        self.near(epochs, last, epoch_ms);
    }

    /// Report in the next epoch, and ask after `ask_ms`.
    fn near(&mut self, epochs: Epochs, last: Last, ask_ms: u64) {
        self.zone = self.zone.max(Zone::Amber);
        self.report_at = self.report_at.min(last.reported.plus_ms(epochs.min_ms));
        self.ask_at = self.ask_at.min(last.asked.plus_ms(ask_ms));
    }
}

/// Fewer units of a limit of `max` are not worth a call.
fn worth(max: u64) -> u64 {
    max / 4_000
}

/// Whether nothing is left to hand out, and a reading would change little about that: own usage takes
/// a horizon to be let off.
fn gains_little(limit: &SlotLimit, own: Own, now: UnixMillis, terms: &Terms) -> bool {
    if terms.is_alone() || limit.pool(now, terms) > 0 {
        return false;
    }
    let own = if own.ends == limit.window.end {
        own
    } else {
        Own::default()
    };
    let used = limit.used.max(own.used);
    let earlier = limit.earlier.max(own.earlier);
    let cap = terms.cap(limit.max, limit.read, earlier, used);
    let gain = cap.saturating_sub(limit.granted);
    let share = terms.part(terms.shares(limit.max, limit.read));
    gain.saturating_mul(2) < share.max(1) || gain < worth(limit.max)
}
