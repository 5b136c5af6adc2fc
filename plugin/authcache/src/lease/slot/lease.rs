//! Handing tokens out and taking them back.
//!
//! Owns [`Slot::lease`] and what undoes it. The sum of all leases never exceeds what the slot allows:
//! a lease happens for every limit of a demand or for none.

use super::{Holder, KEEP_MS, MAX_HOLDERS, Slot};
use crate::lease::purses::Purses;
use crate::lease::terms::Terms;
use crate::lease::wallet::{Purse, Spent, Wallet};
use crate::quota::Demand;
use crate::time::{UnixMillis, Window};

/// Why nothing is leased.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Short {
    /// The counter alone keeps the request out, until the window of this limit ends.
    Exceeded(usize),
    /// All that may be handed out of this limit is, but the limit is not reached.
    Empty(usize),
    /// The reading of this limit is too old for what it allows: a new one is worth a call.
    Stale(usize),
    /// The slot is too old, of another shape, or held by too many.
    Unusable,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Reason {
    Stale,
    Empty,
    Exceeded,
}

/// Who leases, and how much at once.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The worker's VM.
    pub generation: u64,
    /// What the request adds to each limit.
    pub demands: &'a [Demand],
    /// How many workers share a pool.
    pub workers: u32,
}

/// What a worker that is gone had leased of one limit and never told about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Buried {
    /// The limit.
    pub limit: usize,
    /// Its window.
    pub window: Window,
    /// How much, to be taken for used.
    pub amount: u64,
}

impl Slot {
    /// Exchanges what a worker holds for a new lease and takes the demands out of it. On success the
    /// new wallet stands for the old one; otherwise the slot is not to be written, and the old one
    /// stays.
    pub fn lease(
        &mut self,
        old: &Wallet,
        want: Want<'_>,
        now: UnixMillis,
        terms: &Terms,
    ) -> Result<Wallet, Short> {
        if now >= terms.hard_until(self.asked_at) {
            return Err(Short::Unusable);
        }
        self.roll(now, terms);
        let held = self.take_back(old, want.generation);
        self.check(want.demands, now, terms)?;
        let until = self.asked_at.plus_ms(terms.hard_ms);
        let holder = self.holder(want.generation, now)?;
        let spread = 2 * u64::from(want.workers.max(1));
        let mut valid_until = until;
        let mut purses = Purses::default();
        for (place, limit) in self.limits.iter_mut().enumerate() {
            let pool = limit.pool(now, terms);
            let mut demands = want.demands.iter();
            let lease = match demands.find(|demand| demand.limit == place) {
                Some(demand) => {
                    // First what does not expire with the reading: others could not go on with it
                    // while this worker held on to what does.
                    let firm = limit.firm.saturating_sub(limit.granted).min(pool);
                    let from = if firm >= demand.amount { firm } else { pool };
                    (from / spread).max(demand.amount).min(from)
                }
                // Not asked for: what was held is kept.
                None => held.get(place).map_or(0, |held| pool.min(*held)),
            };
            limit.granted = limit.granted.saturating_add(lease);
            if limit.granted > limit.firm {
                valid_until = valid_until.min(terms.valid_until(limit.asked_at));
            }
            if limit.window.end != Window::NO_END {
                valid_until = valid_until.min(limit.window.end);
            }
            let leased = self
                .holders
                .get_mut(holder)
                .and_then(|holder| holder.leased.get_mut(place));
            let Some(leased) = leased else {
                return Err(Short::Unusable);
            };
            *leased = leased.saturating_add(lease);
            purses.push(Purse {
                tokens: lease,
                leased: *leased,
                ends: limit.window.end,
            });
        }
        if let Some(holder) = self.holders.get_mut(holder) {
            holder.until = valid_until;
        }
        self.keep(now);
        let mut wallet = Wallet {
            purses,
            born: self.born,
            shape: Some(self.shape),
            valid_until,
        };
        wallet.take(want.demands);
        Ok(wallet)
    }

    /// Takes a worker's tokens back. The wallet is to be emptied with [`Wallet::returned`] when the
    /// slot was written.
    pub fn give_back(&mut self, wallet: &Wallet, generation: u64, now: UnixMillis, terms: &Terms) {
        self.roll(now, terms);
        self.take_back(wallet, generation);
        let mut holders = self.holders.iter_mut();
        if let Some(holder) = holders.find(|holder| holder.generation == generation) {
            holder.until = now;
        }
    }

    /// Removes a worker that is gone and says what it held and never told about. That stays granted:
    /// it is taken for used, and the sync side reports it.
    pub fn bury(&mut self, generation: u64, stated: &[Spent]) -> Vec<Buried> {
        let mut buried = Vec::new();
        let found = |holder: &Holder| holder.generation == generation;
        let Some(place) = self.holders.iter().position(found) else {
            return buried;
        };
        let holder = self.holders.swap_remove(place);
        for (limit, (slot, leased)) in self.limits.iter().zip(&holder.leased).enumerate() {
            let told = stated
                .get(limit)
                .filter(|spent| spent.ends == slot.window.end)
                .map_or(0, |spent| spent.amount);
            let amount = leased.saturating_sub(told);
            if amount > 0 {
                buried.push(Buried {
                    limit,
                    window: slot.window,
                    amount,
                });
            }
        }
        buried
    }

    /// Whether every limit has room for its part.
    pub(super) fn check(
        &self,
        demands: &[Demand],
        now: UnixMillis,
        terms: &Terms,
    ) -> Result<(), Short> {
        // Of several reasons the one that keeps the request out longest.
        let mut longest: Option<(Reason, UnixMillis, usize)> = None;
        for demand in demands {
            let Some(limit) = self.limits.get(demand.limit) else {
                return Err(Short::Unusable);
            };
            let reason = if limit.excludes(demand.amount) {
                Reason::Exceeded
            } else if limit.pool(now, terms) >= demand.amount {
                continue;
            } else if limit.cap.saturating_sub(limit.granted) >= demand.amount {
                Reason::Stale
            } else {
                Reason::Empty
            };
            let found = (reason, limit.window.end, demand.limit);
            longest = longest.max(Some(found));
        }
        match longest {
            Some((Reason::Exceeded, _, place)) => Err(Short::Exceeded(place)),
            Some((Reason::Empty, _, place)) => Err(Short::Empty(place)),
            Some((Reason::Stale, _, place)) => Err(Short::Stale(place)),
            None => Ok(()),
        }
    }

    /// Takes back the tokens of this life and of windows that go on, and says how many of each limit.
    fn take_back(&mut self, wallet: &Wallet, generation: u64) -> Vec<u64> {
        let mut taken = vec![0; self.limits.len()];
        let mut holders = self.holders.iter_mut();
        let Some(holder) = holders.find(|holder| holder.generation == generation) else {
            return taken;
        };
        if wallet.born != self.born || wallet.shape != Some(self.shape) {
            return taken;
        }
        let limits = self.limits.iter_mut().zip(&mut holder.leased);
        for ((purse, (limit, leased)), taken) in wallet.purses.iter().zip(limits).zip(&mut taken) {
            if purse.ends == limit.window.end {
                *taken = purse.tokens.min(*leased);
                *leased = leased.saturating_sub(*taken);
                limit.granted = limit.granted.saturating_sub(*taken);
            }
        }
        taken
    }

    /// The place of a worker's entry, made if need be.
    fn holder(&mut self, generation: u64, now: UnixMillis) -> Result<usize, Short> {
        let found = |holder: &Holder| holder.generation == generation;
        if let Some(place) = self.holders.iter().position(found) {
            return Ok(place);
        }
        if self.holders.len() >= MAX_HOLDERS {
            // Those who hold nothing and told everything long ago.
            self.holders
                .retain(|holder| now < holder.until.plus_ms(KEEP_MS));
        }
        if self.holders.len() >= MAX_HOLDERS {
            return Err(Short::Unusable);
        }
        self.holders.push(Holder {
            generation,
            until: now,
            leased: vec![0; self.limits.len()],
            told: vec![0; self.limits.len()],
        });
        Ok(self.holders.len() - 1)
    }
}
