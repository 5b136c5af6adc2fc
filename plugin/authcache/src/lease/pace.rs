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
    /// The plan for a slot. `rates` are the units per second that this gateway admits of each limit,
    /// `own` is what would be installed with a reading. Usage that is the first after a pause counts
    /// as reported when it was admitted.
    pub fn of(
        slot: &Slot,
        rates: &[u64],
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
        let certified_at = last.reported.plus_ms(terms.horizon_ms);
        if last.reported > UnixMillis(0) && !terms.is_alone() && last.asked < certified_at {
            // A reading from then on certifies what was reported, and gives the credit back.
            plan.ask_at = plan.ask_at.min(certified_at);
        }
        for (place, limit) in slot.limits.iter().enumerate() {
            let rate = rates.get(place).copied().unwrap_or_default();
            let own = own.get(place).copied().unwrap_or_default();
            plan.consider(limit, (rate, own), epochs, last, now, terms);
        }
        if plan.zone == Zone::Exhausted {
            plan.ask_at = last.asked.plus_ms(PROBE_MS);
        }
        plan
    }

    fn consider(
        &mut self,
        limit: &SlotLimit,
        (rate, own): (u64, Own),
        epochs: Epochs,
        last: Last,
        now: UnixMillis,
        terms: &Terms,
    ) {
        if limit.window.is_over(now) {
            return;
        }
        let hidden = limit.granted.saturating_sub(limit.settled);
        if limit.max > 0 && limit.excludes(1) {
            self.zone = Zone::Exhausted;
            if hidden > 0 {
                self.report_at = self.report_at.min(last.reported.plus_ms(epochs.min_ms));
            }
            return;
        }
        // How long what is there lasts, and how long a report and a reading take to make more.
        let room = if terms.is_alone() {
            limit.pool(now, terms)
        } else {
            terms.credit(limit.max).saturating_sub(hidden)
        };
        let lasts_ms = room.saturating_mul(1_000) / rate.max(1);
        if hidden == 0 || lasts_ms > terms.horizon_ms.saturating_mul(2) {
            return;
        }
        self.report_at = self.report_at.min(last.reported.plus_ms(epochs.min_ms));
        let whole = terms.credit(limit.max).saturating_mul(1_000) / rate.max(1);
        let is_enough = !terms.is_alone() && whole > terms.horizon_ms.saturating_mul(4);
        if !(is_enough && room > 0) {
            self.zone = self.zone.max(Zone::Amber);
            let epoch_ms = if gains_little(limit, own, now, terms) {
                terms.horizon_ms.max(epochs.min_ms)
            } else {
                epochs.min_ms
            };
            self.ask_at = self.ask_at.min(last.asked.plus_ms(epoch_ms));
        }
    }
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
    gain.saturating_mul(4) < share.max(1)
}
