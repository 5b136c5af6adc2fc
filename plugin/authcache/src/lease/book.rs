//! What the sync side remembers of one application's leases.
//!
//! Owns [`Book`]: what each worker stated, what reports the backend accepted, and which workers fell
//! silent. Everything in it heals: a sync side that forgot all knows it again when every worker has
//! spoken, and until then its lower bounds are merely lower.

use std::collections::{BTreeMap, VecDeque};

use super::slot::{Buried, Own, Slot};
use super::terms::Terms;
use super::told::{self, Told};
use super::wallet::Spent;
use crate::time::UnixMillis;

/// A worker that holds leases speaks every second; one that is silent for so long is gone.
pub const DEAD_MS: u64 = 10_000;
/// Moments of which each limit's totals are kept.
const MAX_MARKS: usize = 64;
/// Buried workers that are remembered, so that their late messages count for nothing here.
const MAX_DEAD: usize = 64;

/// One application's book.
#[derive(Clone, Debug, Default)]
pub struct Book {
    born: UnixMillis,
    limits: Vec<Account>,
    workers: BTreeMap<u64, Stated>,
    dead: VecDeque<u64>,
}

/// Totals of one limit in one window, at moments.
#[derive(Clone, Debug, Default)]
struct Account {
    ends: UnixMillis,
    spent: Marks,
    accepted: Marks,
    readings: Marks,
    /// What buried workers admitted.
    gone: u64,
}

/// The moments whose totals a reading is installed with.
struct Moments {
    settled: UnixMillis,
    used: UnixMillis,
    earlier: UnixMillis,
}

impl Moments {
    fn before(asked_at: UnixMillis, settle_ms: u64, terms: &Terms) -> Self {
        let before = |ms: u64| UnixMillis(asked_at.0.saturating_sub(ms));
        Self {
            settled: before(settle_ms.saturating_add(terms.valid_ms)),
            used: before(terms.horizon_ms),
            // What an answer adds to the counter for its own question shows to others when it is counted.
            earlier: before(
                terms
                    .horizon_ms
                    .saturating_add(terms.valid_ms)
                    .saturating_add(settle_ms),
            ),
        }
    }
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
    fn by(&self, at: UnixMillis) -> u64 {
        let early = self.marks.iter().take_while(|(when, _)| *when <= at);
        early.last().map_or(self.floor, |(_, total)| *total)
    }

    /// Forgets the marks up to `at`: nobody will ask for an earlier moment.
    fn forget(&mut self, at: UnixMillis) {
        while let Some((_, total)) = self.marks.pop_front_if(|(when, _)| *when <= at) {
            self.floor = total;
        }
    }
}

impl Book {
    /// Begins anew when `slot` is not the one that the book is about, and enters windows.
    pub fn open(&mut self, slot: &Slot, now: UnixMillis) {
        if self.born != slot.born || self.limits.len() != slot.limits.len() {
            *self = Self {
                born: slot.born,
                limits: vec![Account::default(); slot.limits.len()],
                ..Self::default()
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
        let dead = &self.dead;
        let holders = slot.holders.iter();
        for holder in holders.filter(|holder| !dead.contains(&holder.generation)) {
            self.workers
                .entry(holder.generation)
                .or_insert_with(|| Stated {
                    heard: now,
                    spent: told::of(slot, holder),
                });
        }
    }

    /// What every worker stated so far.
    pub fn told(&self) -> Told {
        let workers = self.workers.iter();
        let workers = workers.map(|(generation, stated)| (*generation, stated.spent.clone()));
        Told {
            born: self.born,
            workers: workers.collect(),
        }
    }

    /// Notes what a worker says it admitted. `born` is the life of the slot it speaks of.
    pub fn state(&mut self, generation: u64, born: UnixMillis, spent: Vec<Spent>, now: UnixMillis) {
        if born != self.born || self.dead.contains(&generation) {
            return;
        }
        self.workers
            .insert(generation, Stated { heard: now, spent });
        for (place, account) in self.limits.iter_mut().enumerate() {
            let told = self.workers.values().filter_map(|stated| {
                let spent = stated.spent.get(place)?;
                (spent.ends == account.ends).then_some(spent.amount)
            });
            let total = told.fold(account.gone, u64::saturating_add);
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

    /// Notes a reading that was installed now.
    pub fn read(&mut self, slot: &Slot, now: UnixMillis) {
        for (account, limit) in self.limits.iter_mut().zip(&slot.limits) {
            if account.ends == limit.window.end {
                account.readings.note(now, limit.read);
            }
        }
    }

    /// What to install with a reading that was asked for at `at`, limit by limit. Readings come in
    /// the order in which they were asked for: what only earlier ones would need is forgotten.
    pub fn own(&mut self, at: UnixMillis, settle_ms: u64, terms: &Terms) -> Vec<Own> {
        let own = self.foresee(at, settle_ms, terms);
        let moments = Moments::before(at, settle_ms, terms);
        for account in &mut self.limits {
            account.accepted.forget(moments.settled);
            account.spent.forget(moments.used);
            account.readings.forget(moments.earlier);
        }
        own
    }

    /// What would be installed with a reading that is asked for at `at`. One that was asked for
    /// earlier may still come.
    pub fn foresee(&self, at: UnixMillis, settle_ms: u64, terms: &Terms) -> Vec<Own> {
        let moments = Moments::before(at, settle_ms, terms);
        let accounts = self.limits.iter().map(|account| Own {
            ends: account.ends,
            settled: account.accepted.by(moments.settled),
            used: account.spent.by(moments.used),
            earlier: account.readings.by(moments.earlier),
        });
        accounts.collect()
    }

    /// What was used of each limit of `slot`, as far as the workers said. Where one that leased has
    /// not spoken yet, all that was handed out.
    pub fn used(&self, slot: &Slot) -> Vec<u64> {
        let limits = slot.limits.iter().zip(&self.limits).enumerate();
        let used = limits.map(|(place, (limit, account))| {
            let has_told = |generation: &u64| {
                let spent = self.stated(*generation).get(place);
                spent.is_some_and(|spent| spent.ends == limit.window.end)
            };
            let owes = |leased: &[u64]| leased.get(place).is_some_and(|leased| *leased > 0);
            let mut owing = slot.holders.iter().filter(|holder| owes(&holder.leased));
            if account.ends == limit.window.end && owing.all(|holder| has_told(&holder.generation))
            {
                account.spent.latest().min(limit.granted)
            } else {
                limit.granted
            }
        });
        used.collect()
    }

    /// Workers that fell silent: to be buried in the slot, then in the book.
    pub fn silent(&self, now: UnixMillis) -> Vec<u64> {
        let workers = self.workers.iter();
        workers
            .filter(|(_, stated)| now.ms_since(stated.heard) >= DEAD_MS)
            .map(|(generation, _)| *generation)
            .collect()
    }

    /// Notes that a worker was buried, and what the slot said that it never told. Usage that arrives
    /// from it later is still reported, but gives nothing back.
    pub fn buried(&mut self, generation: u64, rest: &[Buried]) {
        let stated = self.workers.remove(&generation);
        for (place, account) in self.limits.iter_mut().enumerate() {
            let told = stated
                .as_ref()
                .and_then(|stated| stated.spent.get(place))
                .filter(|spent| spent.ends == account.ends)
                .map_or(0, |spent| spent.amount);
            let held = rest
                .iter()
                .filter(|rest| rest.limit == place && rest.window.end == account.ends)
                .fold(0, |sum: u64, rest| sum.saturating_add(rest.amount));
            account.gone = account.gone.saturating_add(told).saturating_add(held);
        }
        self.dead.push_back(generation);
        if self.dead.len() > MAX_DEAD {
            self.dead.pop_front();
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::CredentialKind;
    use crate::lease::slot::{Source, Tag, Want};
    use crate::lease::terms::Delays;
    use crate::lease::wallet::Wallet;
    use crate::quota::Demand;
    use crate::record::LimitReading;
    use crate::time::{Period, Window};

    const NOW: UnixMillis = UnixMillis(1_935_742_830_000);

    fn terms() -> Terms {
        let delays = Delays {
            epoch_ms: 500,
            tick_ms: 100,
            rtt_ms: 50,
            settle_ms: 300,
        };
        Terms::new(2, 0, delays, 60_000)
    }

    fn slot() -> Slot {
        let limits = [LimitReading {
            metric: "hits".to_owned(),
            period: Period::Eternity,
            window: Window::ETERNITY,
            max: 1_000,
            current: 0,
        }];
        let source = Source {
            tag: Tag::of(["c", "a", ""], "1", CredentialKind::AppId, "x"),
            limits: &limits,
            asked_at: NOW,
        };
        Slot::install(None, source, &[], NOW, &terms()).expect("a first reading is installed")
    }

    fn spent(amount: u64) -> Vec<Spent> {
        vec![Spent {
            ends: Window::NO_END,
            amount,
        }]
    }

    fn own(book: &mut Book, now: UnixMillis) -> Own {
        *book.own(now, 300, &terms()).first().expect("one limit")
    }

    #[test]
    fn what_was_stated_and_accepted_counts_when_it_is_old_enough() {
        let mut book = Book::default();
        book.open(&slot(), NOW);
        book.state(1, NOW, spent(5), NOW);
        book.state(2, NOW, spent(3), NOW.plus_ms(10));
        book.accepted(0, Window::NO_END, 4, NOW.plus_ms(100));
        let terms = terms();
        let at = NOW.plus_ms(terms.horizon_ms);
        assert_eq!(own(&mut book, at).used, 5);
        assert_eq!(own(&mut book, at.plus_ms(10)).used, 8);
        assert_eq!(own(&mut book, at.plus_ms(10)).settled, 4);
        // Another life of the slot, another window.
        book.state(1, NOW.plus_ms(1), spent(500), at);
        book.accepted(0, NOW, 500, at);
        let later = own(&mut book, at.plus_ms(60_000));
        assert_eq!((later.used, later.settled), (8, 4));
    }

    #[test]
    fn what_is_foreseen_does_not_leak_into_a_reading_that_was_asked_for_before() {
        let mut book = Book::default();
        book.open(&slot(), NOW);
        book.state(1, NOW, spent(5), NOW);
        book.state(1, NOW, spent(9), NOW.plus_ms(10));
        let at = NOW.plus_ms(terms().horizon_ms);
        let later = book.foresee(at.plus_ms(10), 300, &terms());
        assert_eq!(later[0].used, 9);
        assert_eq!(own(&mut book, at).used, 5);
    }

    #[test]
    fn marks_that_are_too_many_become_later_never_earlier() {
        let mut marks = Marks::default();
        for n in 1..=1_000 {
            marks.note(UnixMillis(n), n);
        }
        assert!(marks.marks.len() <= MAX_MARKS);
        for n in 0..=1_000 {
            marks.forget(UnixMillis(n));
            assert!(marks.by(UnixMillis(n)) <= n);
        }
        assert_eq!(marks.by(UnixMillis(1_000)), 1_000);
    }

    #[test]
    fn a_worker_that_is_gone_is_buried_with_all_it_leased() {
        let mut slot = slot();
        let demands = [Demand {
            limit: 0,
            amount: 5,
        }];
        let want = Want {
            generation: 7,
            demands: &demands,
            workers: 4,
        };
        let leased = slot.lease(&Wallet::default(), want, NOW, &terms());
        let held = leased.expect("there is room").purses()[0].leased;
        let mut book = Book::default();
        book.open(&slot, NOW);
        book.state(7, NOW, spent(2), NOW);
        assert!(book.silent(NOW.plus_ms(DEAD_MS - 1)).is_empty());
        let dead_at = NOW.plus_ms(DEAD_MS);
        assert_eq!(book.silent(dead_at), [7]);
        let buried = slot.bury(7, book.stated(7));
        assert_eq!(buried[0].amount, held - 2);
        book.buried(7, &buried);
        // Its late message counts for nothing, a living worker's does.
        book.state(7, NOW, spent(held), dead_at);
        book.state(8, NOW, spent(1), dead_at);
        let at = dead_at.plus_ms(terms().horizon_ms);
        assert_eq!(own(&mut book, at).used, held + 1);
        assert!(slot.bury(7, &[]).is_empty());
        assert_eq!(slot.limits[0].granted, held);
    }

    #[test]
    fn what_is_reported_for_the_dead_reaches_every_limit_and_none_twice() {
        let held = |limit, amount| Buried {
            limit,
            window: Window::ETERNITY,
            amount,
        };
        // hits in two periods, and below it search.
        let counts = [vec![0, 1], vec![0, 1], vec![0, 1, 2]];
        let reports = reports_for(&[held(0, 10), held(1, 7), held(2, 4)], &counts);
        assert_eq!(reports, [held(2, 4), held(0, 6)]);
        let reports = reports_for(&[held(0, 3), held(2, 4)], &counts);
        assert_eq!(reports, [held(2, 4)]);
    }
}
