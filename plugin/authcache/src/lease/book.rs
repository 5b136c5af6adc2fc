//! What the sync side remembers of one application's leases.
//!
//! Owns [`Book`]: what each worker stated, what reports the backend accepted, and which workers fell
//! silent. Everything in it heals: a sync side that forgot all knows it again when every worker has
//! spoken, and until then its lower bounds are merely lower.

use std::collections::{BTreeMap, VecDeque};

use super::slot::{Buried, Own, Slot};
use super::terms::Terms;
use super::wallet::Spent;
use crate::time::UnixMillis;

/// A worker that holds leases speaks every second; one that is silent for so long is gone.
pub const DEAD_MS: u64 = 10_000;
/// Moments of which each limit's totals are kept.
const MAX_MARKS: usize = 64;

/// One application's book.
#[derive(Clone, Debug, Default)]
pub struct Book {
    born: UnixMillis,
    limits: Vec<Account>,
    workers: BTreeMap<u64, Stated>,
}

/// Totals of one limit in one window, at moments.
#[derive(Clone, Debug, Default)]
struct Account {
    ends: UnixMillis,
    spent: Marks,
    accepted: Marks,
    readings: Marks,
}

#[derive(Clone, Debug)]
struct Stated {
    heard: UnixMillis,
    spent: Vec<Spent>,
}

/// A total that only grows, and when it was how large.
#[derive(Clone, Debug, Default)]
struct Marks {
    marks: VecDeque<(UnixMillis, u64)>,
    /// What it was before the first mark.
    floor: u64,
}

impl Marks {
    fn note(&mut self, at: UnixMillis, total: u64) {
        match self.marks.back_mut() {
            Some(last) if last.1 >= total => return,
            Some(last) if last.0 == at => last.1 = total,
            _ => self.marks.push_back((at, total)),
        }
        if self.marks.len() > MAX_MARKS {
            // Two neighbours become one, as if the earlier had come with the later.
            self.marks.remove(MAX_MARKS / 2);
        }
    }

    fn latest(&self) -> u64 {
        self.marks.back().map_or(self.floor, |(_, total)| *total)
    }

    /// What it was at `at` at least.
    fn by(&mut self, at: UnixMillis) -> u64 {
        while let Some((_, total)) = self.marks.pop_front_if(|(when, _)| *when <= at) {
            self.floor = total;
        }
        self.floor
    }
}

impl Book {
    /// Begins anew when `slot` is not the one that the book is about, and enters windows.
    pub fn open(&mut self, slot: &Slot, now: UnixMillis) {
        if self.born != slot.born || self.limits.len() != slot.limits.len() {
            *self = Self {
                born: slot.born,
                limits: vec![Account::default(); slot.limits.len()],
                workers: BTreeMap::new(),
            };
        }
        for (account, limit) in self.limits.iter_mut().zip(&slot.limits) {
            if account.ends != limit.window.end {
                *account = Account {
                    ends: limit.window.end,
                    ..Account::default()
                };
            }
        }
        for holder in &slot.holders {
            self.workers.entry(holder.generation).or_insert(Stated {
                heard: now,
                spent: Vec::new(),
            });
        }
        self.workers.retain(|generation, stated| {
            let mut holders = slot.holders.iter();
            holders.any(|holder| holder.generation == *generation)
                || now.ms_since(stated.heard) < DEAD_MS
        });
    }

    /// Notes what a worker says it admitted. `born` is the life of the slot it speaks of.
    pub fn state(&mut self, generation: u64, born: UnixMillis, spent: Vec<Spent>, now: UnixMillis) {
        if born != self.born {
            return;
        }
        self.workers
            .insert(generation, Stated { heard: now, spent });
        for (place, account) in self.limits.iter_mut().enumerate() {
            let told = self.workers.values().filter_map(|stated| {
                let spent = stated.spent.get(place)?;
                (spent.ends == account.ends).then_some(spent.amount)
            });
            let total = told.fold(0, u64::saturating_add);
            account.spent.note(now, total);
        }
    }

    /// Notes that a report was accepted that adds `amount` to the limit at `place`, in the window
    /// that ends at `ends`.
    pub fn accepted(&mut self, place: usize, ends: UnixMillis, amount: u64, now: UnixMillis) {
        if let Some(account) = self.limits.get_mut(place)
            && account.ends == ends
        {
            let total = account.accepted.latest().saturating_add(amount);
            account.accepted.note(now, total);
        }
    }

    /// Notes a reading that was installed.
    pub fn read(&mut self, slot: &Slot) {
        for (account, limit) in self.limits.iter_mut().zip(&slot.limits) {
            if account.ends == limit.window.end {
                account.readings.note(limit.asked_at, limit.read);
            }
        }
    }

    /// What to install with a reading, limit by limit.
    pub fn own(&mut self, now: UnixMillis, settle_ms: u64, terms: &Terms) -> Vec<Own> {
        let before = |ms: u64| UnixMillis(now.0.saturating_sub(ms));
        let settled = before(settle_ms.saturating_add(terms.valid_ms));
        let used = before(terms.horizon_ms);
        let earlier = before(terms.horizon_ms.saturating_mul(2));
        let accounts = self.limits.iter_mut().map(|account| Own {
            ends: account.ends,
            settled: account.accepted.by(settled),
            used: account.spent.by(used),
            earlier: account.readings.by(earlier),
        });
        accounts.collect()
    }

    /// Workers that hold leases and fell silent.
    pub fn silent(&self, now: UnixMillis) -> Vec<u64> {
        let workers = self.workers.iter();
        workers
            .filter(|(_, stated)| now.ms_since(stated.heard) >= DEAD_MS)
            .map(|(generation, _)| *generation)
            .collect()
    }

    /// What a worker stated last: to bury it with.
    pub fn stated(&self, generation: u64) -> &[Spent] {
        self.workers
            .get(&generation)
            .map_or(&[], |stated| &stated.spent)
    }
}

/// What to report for a buried worker so that every limit gets what was held of it, and none more
/// than needed: `counts` says for each limit which limits a unit of its metric counts for. Deep
/// metrics come first, since their units count for their ancestors too. Returns limits whose metric is
/// to be reported, with amounts.
pub fn reports_for(buried: &[Buried], counts: &[Vec<usize>]) -> Vec<Buried> {
    let mut left: Vec<Buried> = buried.to_vec();
    let depth = |limit: usize| counts.get(limit).map_or(0, Vec::len);
    left.sort_by_key(|buried| std::cmp::Reverse(depth(buried.limit)));
    let mut reports = Vec::new();
    for n in 0..left.len() {
        let Some(next) = left.get(n).copied().filter(|next| next.amount > 0) else {
            continue;
        };
        reports.push(next);
        let counted = counts.get(next.limit).map_or(&[][..], Vec::as_slice);
        for other in &mut left {
            if counted.contains(&other.limit) {
                other.amount = other.amount.saturating_sub(next.amount);
            }
        }
    }
    reports
}
