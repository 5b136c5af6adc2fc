//! Taking newer answers over into a record.
//!
//! Owns what a reading does to counters. Must not know how a request is decided.
//!
//! A counter after an update is never below what this worker knows for certain: usage is taken off
//! `ahead` only when the reading covers it, and authreps that a reading may lack are added to it.
//! Where an update could only count such a call twice, the old counter, which is certain too, stays
//! and another refresh is asked for.

use super::charge::{self, Charge};
use super::{Lifetimes, Reading, Record, Uncovered};
use crate::quota::{Demand, Limit};
use crate::time::{Period, UnixMillis, Window};
use crate::usage::Usage;

/// What a record held before a new answer.
struct Before {
    limits: Vec<Limit>,
    names: Vec<String>,
    charges: Vec<Charge>,
}

impl Record {
    /// Takes over the answer to an authrep with the usage `own`, which the answer includes (nothing
    /// if it was denied). What was ahead stays ahead: whether the answer covers it does not show.
    pub fn reread<'a>(
        &mut self,
        reading: &Reading,
        metrics: impl IntoIterator<Item = &'a str>,
        own: &Usage,
        answered: UnixMillis,
        lifetimes: Lifetimes,
    ) {
        if reading.started < self.started {
            self.reread_older(reading, own);
        } else {
            self.reread_newer(reading, metrics, lifetimes);
        }
        self.unsettled.note(own, answered);
        self.started = self.started.max(reading.started);
        self.life.prolong(reading.started, lifetimes);
    }

    /// The limits and keys that are here are newer than those of the answer, which may lack its usage.
    fn reread_older(&mut self, reading: &Reading, own: &Usage) {
        let own = self.demands_of(own);
        for (place, (limit, name)) in self.limits.iter_mut().zip(&self.names).enumerate() {
            match shown(reading, name, limit) {
                Some((window, current)) if window.start > limit.window.start => {
                    enter(limit, window, current);
                }
                Some((window, _)) if window.start < limit.window.start => {}
                _ => limit.reading = limit.reading.saturating_add(amount_of(&own, place)),
            }
        }
    }

    fn reread_newer<'a>(
        &mut self,
        reading: &Reading,
        metrics: impl IntoIterator<Item = &'a str>,
        lifetimes: Lifetimes,
    ) {
        let before = self.replace_limits(reading, metrics);
        let lacking = self.unsettled.lacking(reading.started, lifetimes.settle_ms);
        let lacking = self.demands_of(&lacking);
        for place in 0..self.limits.len() {
            let uncovered = self.uncovered_at_most(place);
            let Some(limit) = self.limits.get_mut(place) else {
                continue;
            };
            let Some(old) = before.find(self.names.get(place), limit) else {
                limit.ahead = uncovered;
                continue;
            };
            if old.window.start > limit.window.start {
                *limit = keep(old, limit);
            } else if old.window.start == limit.window.start {
                limit.ahead = old.ahead;
                limit.reading = limit.reading.saturating_add(amount_of(&lacking, place));
            }
        }
    }

    /// Takes over the answer to a refresh.
    pub fn refresh<'a>(
        &mut self,
        reading: &Reading,
        metrics: impl Clone + IntoIterator<Item = &'a str>,
        uncovered: &Uncovered,
        lifetimes: Lifetimes,
    ) {
        let mut again = false;
        if reading.started < self.started {
            self.refresh_older(reading, metrics.clone(), uncovered);
        } else {
            again = self.refresh_newer(reading, metrics.clone(), uncovered, lifetimes);
        }
        self.cover(metrics, uncovered);
        self.started = self.started.max(reading.started);
        self.life.prolong(reading.started, lifetimes);
        if again {
            self.life
                .refresh_at(reading.started.plus_ms(lifetimes.settle_ms));
        }
    }

    /// The reading that is here began later, so it covers at least as much. Its limits and keys are newer.
    fn refresh_older<'a>(
        &mut self,
        reading: &Reading,
        metrics: impl Clone + IntoIterator<Item = &'a str>,
        uncovered: &Uncovered,
    ) {
        for place in 0..self.limits.len() {
            let ahead = self.ahead(place, metrics.clone(), uncovered);
            let Some((limit, name)) = self.limits.get_mut(place).zip(self.names.get(place)) else {
                continue;
            };
            match shown(reading, name, limit) {
                Some((window, current)) if window.start > limit.window.start => {
                    enter(limit, window, current);
                }
                Some((window, _)) if window.start == limit.window.start => {
                    limit.ahead = limit.ahead.min(ahead);
                }
                _ => {}
            }
        }
    }

    /// Says whether the reading may lack usage of this worker, so that another one is due soon.
    fn refresh_newer<'a>(
        &mut self,
        reading: &Reading,
        metrics: impl Clone + IntoIterator<Item = &'a str>,
        uncovered: &Uncovered,
        lifetimes: Lifetimes,
    ) -> bool {
        let before = self.replace_limits(reading, metrics.clone());
        let lacking = self.unsettled.lacking(reading.started, lifetimes.settle_ms);
        let lacking = self.demands_of(&lacking);
        let mut again = false;
        for place in 0..self.limits.len() {
            let ahead = self.ahead(place, metrics.clone(), uncovered);
            let same_sources =
                before.contributors(&self.names, &self.limits, place) == self.contributors(place);
            let Some(limit) = self.limits.get_mut(place) else {
                continue;
            };
            limit.ahead = ahead;
            let Some(old) = before.find(self.names.get(place), limit) else {
                continue;
            };
            if old.window.start > limit.window.start {
                *limit = keep(old, limit);
                continue;
            }
            if old.window.start < limit.window.start {
                // A window that this worker has not counted in yet.
                limit.ahead = 0;
                continue;
            }
            if same_sources {
                // Whatever an earlier reading covered, this one does too.
                limit.ahead = ahead.min(old.ahead);
            }
            let lacks = amount_of(&lacking, place);
            if lacks > 0 {
                limit.reading = limit.reading.saturating_add(lacks);
                again = true;
                if old.counter() < limit.counter() {
                    *limit = keep(old, limit);
                }
            }
        }
        again
    }

    /// Puts the limits, charges and keys of `reading` in place and returns what was there.
    fn replace_limits<'a>(
        &mut self,
        reading: &Reading,
        metrics: impl IntoIterator<Item = &'a str>,
    ) -> Before {
        let charges = charge::charges(reading, metrics);
        let before = Before {
            limits: std::mem::replace(&mut self.limits, reading.limits()),
            names: std::mem::replace(&mut self.names, reading.names()),
            charges: std::mem::replace(&mut self.charges, charges),
        };
        for (charge, old) in self.charges.iter_mut().zip(&before.charges) {
            if let (Charge::Free { until }, Charge::Free { until: known }) = (charge, old) {
                *until = *known;
            }
        }
        self.keys.relist(reading.keys.clone());
        before
    }

    fn demands_of(&self, usage: &Usage) -> Vec<Demand> {
        let mut demands = Vec::new();
        self.sum(usage, &mut demands);
        demands
    }

    /// The metrics that count for the limit at `place`.
    fn contributors(&self, place: usize) -> Vec<usize> {
        charge::contributors(&self.charges, place)
    }

    /// Usage that counts for the limit at `place` and may not be covered, of any window.
    fn uncovered_at_most(&self, place: usize) -> u64 {
        self.contributors(place)
            .into_iter()
            .filter_map(|metric| self.tallies.get(metric))
            .fold(0, |sum: u64, tally| {
                sum.saturating_add(tally.admitted.saturating_sub(tally.covered))
            })
    }

    /// What a refresh leaves ahead of the limit at `place`.
    fn ahead<'a>(
        &self,
        place: usize,
        metrics: impl IntoIterator<Item = &'a str>,
        uncovered: &Uncovered,
    ) -> u64 {
        let Some(window) = self.limits.get(place).map(|limit| limit.window) else {
            return 0;
        };
        let contributors = self.contributors(place);
        let mut ahead: u64 = 0;
        for (metric, (name, tally)) in metrics.into_iter().zip(&self.tallies).enumerate() {
            if !contributors.contains(&metric) {
                continue;
            }
            let echoed = uncovered.total(name).unwrap_or(tally.covered);
            let since = tally.admitted.saturating_sub(echoed);
            ahead = ahead
                .saturating_add(since)
                .saturating_add(uncovered.sum(name, |at| window.contains(at)));
        }
        ahead
    }

    fn cover<'a>(&mut self, metrics: impl IntoIterator<Item = &'a str>, uncovered: &Uncovered) {
        for (name, tally) in metrics.into_iter().zip(&mut self.tallies) {
            if let Some(echoed) = uncovered.total(name) {
                let covered = echoed.saturating_sub(uncovered.sum(name, |_| true));
                tally.covered = tally.covered.max(covered).min(tally.admitted);
            }
        }
    }
}

impl Before {
    /// The limit of the same metric and period.
    fn find(&self, name: Option<&String>, like: &Limit) -> Option<&Limit> {
        self.place(name?, like.period)
            .and_then(|place| self.limits.get(place))
    }

    fn place(&self, name: &str, period: Period) -> Option<usize> {
        self.names
            .iter()
            .zip(&self.limits)
            .position(|(known, limit)| known == name && limit.period == period)
    }

    /// The metrics that counted for what is now the limit at `place`.
    fn contributors(&self, names: &[String], limits: &[Limit], place: usize) -> Vec<usize> {
        let now = names.get(place).zip(limits.get(place));
        now.and_then(|(name, limit)| self.place(name, limit.period))
            .map(|place| charge::contributors(&self.charges, place))
            .unwrap_or_default()
    }
}

/// The window and the counter that a reading shows of the same limit.
fn shown(reading: &Reading, name: &str, limit: &Limit) -> Option<(Window, u64)> {
    let mut limits = reading.limits.iter();
    let shown = limits.find(|shown| shown.metric == name && shown.period == limit.period)?;
    Some((shown.window, shown.current))
}

/// A window that this worker has not counted in yet.
fn enter(limit: &mut Limit, window: Window, current: u64) {
    limit.window = window;
    limit.reading = current;
    limit.ahead = 0;
}

/// The counter as it was, below the limit as it is now.
fn keep(before: &Limit, answered: &Limit) -> Limit {
    Limit {
        max: answered.max,
        ..before.clone()
    }
}

fn amount_of(demands: &[Demand], place: usize) -> u64 {
    demands
        .iter()
        .find(|demand| demand.limit == place)
        .map_or(0, |demand| demand.amount)
}
