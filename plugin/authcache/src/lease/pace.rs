//! When the sync side reports and asks.
//!
//! Owns [`Pace`]. Must not know calls. Safety does not depend on it where one gateway admits alone;
//! where several do, usage beyond the credit has to be reported within the shortest epoch, which is
//! what [`Pace::of`] sees to.

use super::slot::Slot;
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

/// How far an application is from its limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Zone {
    /// Far: long epochs.
    Green,
    /// Near, or beyond the credit: short epochs.
    Amber,
    /// A limit is reached and counted: only probes.
    Exhausted,
}

/// What the sync side keeps to until the next reading.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// Why.
    pub zone: Zone,
    /// Usage is reported after this long at the latest.
    pub report_ms: u64,
    /// The next reading is asked for this long after the last.
    pub read_ms: u64,
}

impl Pace {
    /// The pace for a slot. `rates` are units per second that this gateway hands out of each limit.
    pub fn of(slot: &Slot, rates: &[u64], epochs: Epochs, now: UnixMillis, terms: &Terms) -> Self {
        let mut pace = Self {
            zone: Zone::Green,
            report_ms: epochs.max_ms,
            read_ms: epochs.max_ms,
        };
        for (place, limit) in slot.limits.iter().enumerate() {
            if limit.window.is_over(now) {
                continue;
            }
            let hidden = limit.granted.saturating_sub(limit.settled);
            if limit.excludes(1) && limit.max > 0 && hidden == 0 {
                return Self {
                    zone: Zone::Exhausted,
                    report_ms: epochs.min_ms,
                    read_ms: PROBE_MS,
                };
            }
            let rate = rates.get(place).copied().unwrap_or_default();
            let room = if terms.is_alone() {
                limit.pool(now, terms)
            } else {
                terms.credit(limit.max).saturating_sub(hidden)
            };
            // Half of the way to where it becomes short.
            let half_ms = room
                .saturating_mul(500)
                .checked_div(rate)
                .unwrap_or(epochs.max_ms);
            let epoch_ms = if room == 0 && hidden > 0 {
                epochs.min_ms
            } else {
                half_ms.clamp(epochs.min_ms, epochs.max_ms)
            };
            if epoch_ms < epochs.max_ms {
                pace.zone = Zone::Amber;
            }
            pace.report_ms = pace.report_ms.min(epoch_ms);
            pace.read_ms = pace.read_ms.min(epoch_ms);
        }
        pace
    }
}
