//! One gateway's ledger under any sequence of events: it never admits more than the limit.

#![cfg(test)]

use std::rc::Rc;

use authcache::key::CredentialKind;
use authcache::lease::book::{Book, reports_for};
use authcache::lease::slot::{MAX_LIMITS, Own, Skew, Slot, Source, Tag, Want};
use authcache::lease::store::{Change, Slots};
use authcache::lease::terms::{Delays, Terms};
use authcache::lease::wallet::Wallet;
use authcache::quota::Demand;
use authcache::record::LimitReading;
use authcache::shared::SharedData;
use authcache::shared::memory::Memory;
use authcache::time::{Period, UnixMillis};
use proptest::prelude::*;

const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
const WORKERS: usize = 3;

fn terms(gateways: u32) -> Terms {
    let delays = Delays {
        epoch_ms: 400,
        tick_ms: 100,
        rtt_ms: 50,
        settle_ms: 300,
    };
    Terms::new(gateways, gateways.saturating_sub(1), delays, 60_000)
}

fn tag() -> Tag {
    Tag::of(["c", "a", ""], "1", CredentialKind::AppId, "x")
}

fn limit(period: Period, max: u64, current: u64, now: UnixMillis) -> LimitReading {
    LimitReading {
        metric: "hits".to_owned(),
        period,
        window: period.window(now),
        max,
        current,
    }
}

#[derive(Clone, Debug)]
enum Act {
    Hit(usize, u64),
    Return(usize),
    HandOver(usize),
    /// The VM is gone; its usage since the last message is known by nobody.
    Trap(usize),
    Bury,
    Report,
    Count,
    Ask,
    Answer,
    Reserve(u64),
    Pass(u64),
    LoseWrites(u32),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        12 => (0..WORKERS, 1..4_u64).prop_map(|(worker, n)| Act::Hit(worker, n)),
        2 => (0..WORKERS).prop_map(Act::Return),
        4 => (0..WORKERS).prop_map(Act::HandOver),
        1 => (0..WORKERS).prop_map(Act::Trap),
        1 => Just(Act::Bury),
        3 => Just(Act::Report),
        3 => Just(Act::Count),
        2 => Just(Act::Ask),
        2 => Just(Act::Answer),
        1 => (1..3_u64).prop_map(Act::Reserve),
        4 => (1..9_000_u64).prop_map(Act::Pass),
        1 => (1..12_u32).prop_map(Act::LoseWrites),
    ];
    prop::collection::vec(act, 1..200)
}

/// Usage of the minute and of the day.
type Used = Vec<(UnixMillis, u64)>;

struct World {
    memory: Rc<Memory>,
    slots: Slots,
    maxima: [u64; 2],
    wallets: Vec<(u64, Wallet)>,
    fresh: Vec<Used>,
    pending: Used,
    accepted: Used,
    counted: Used,
    admitted: Used,
    answer: Option<(Vec<LimitReading>, UnixMillis)>,
    book: Book,
    next_generation: u64,
    now: UnixMillis,
}

fn within(used: &Used, period: Period, now: UnixMillis) -> u64 {
    let window = period.window(now);
    let used = used.iter().filter(|(at, _)| window.contains(*at));
    used.map(|(_, amount)| amount).sum()
}

impl World {
    fn new(maxima: [u64; 2]) -> Self {
        let memory = Rc::new(Memory::default());
        let shared: Rc<dyn SharedData> = memory.clone();
        let mut world = Self {
            memory,
            slots: Slots::new(shared, 7),
            maxima,
            wallets: (0..WORKERS as u64)
                .map(|n| (n, Wallet::default()))
                .collect(),
            fresh: vec![Used::new(); WORKERS],
            pending: Used::new(),
            accepted: Used::new(),
            counted: Used::new(),
            admitted: Used::new(),
            answer: None,
            book: Book::default(),
            next_generation: 100,
            now: NOW,
        };
        world.act(&Act::Ask);
        world.act(&Act::Answer);
        world
    }

    fn demands(amount: u64) -> [Demand; 2] {
        [0, 1].map(|limit| Demand { limit, amount })
    }

    fn change<T>(&self, change: impl Fn(Slot) -> Result<(Slot, T), T>, none: T) -> Option<T>
    where
        T: Clone,
    {
        let changed = self.slots.change(tag(), self.now, |slot| match slot {
            None => Change::Leave(none.clone()),
            Some(slot) => match change(slot) {
                Ok((slot, said)) => Change::Write(slot, said),
                Err(said) => Change::Leave(said),
            },
        });
        changed.ok()
    }

    fn act(&mut self, act: &Act) {
        let now = self.now;
        let terms = terms(1);
        match act {
            Act::Hit(worker, amount) => {
                let demands = Self::demands(*amount);
                let (generation, wallet) = self.wallets[*worker].clone();
                let mut wallet = wallet;
                let is_hit = wallet.spend(&demands, now);
                let leased = || {
                    let want = Want {
                        generation,
                        demands: &demands,
                        workers: WORKERS as u32,
                    };
                    let lease = |mut slot: Slot| match slot.lease(&wallet, want, now, &terms) {
                        Ok(leased) => Ok((slot, Some(leased))),
                        Err(_) => Err(None),
                    };
                    self.change(lease, None).flatten()
                };
                let after = if is_hit {
                    Some(wallet.clone())
                } else {
                    leased()
                };
                if let Some(after) = after {
                    self.wallets[*worker].1 = after;
                    self.fresh[*worker].push((now, *amount));
                    self.admitted.push((now, *amount));
                }
            }
            Act::Return(worker) => {
                let (generation, wallet) = self.wallets[*worker].clone();
                let returned = self.change(
                    |mut slot| {
                        slot.give_back(&wallet, generation, now, &terms);
                        Ok((slot, true))
                    },
                    false,
                );
                if returned == Some(true) {
                    self.wallets[*worker].1.returned();
                }
            }
            Act::HandOver(worker) => {
                let fresh = std::mem::take(&mut self.fresh[*worker]);
                self.pending.extend(fresh);
                let (generation, wallet) = &self.wallets[*worker];
                let spent = wallet.statement().collect();
                self.book.state(*generation, wallet.born(), spent, now);
            }
            Act::Trap(worker) => {
                self.wallets[*worker] = (self.next_generation, Wallet::default());
                self.fresh[*worker].clear();
                self.next_generation += 1;
            }
            Act::Bury => self.bury(),
            Act::Report => {
                for (at, amount) in self.pending.drain(..) {
                    for (place, period) in [Period::Minute, Period::Day].into_iter().enumerate() {
                        self.book
                            .accepted(place, period.window(at).end, amount, now);
                    }
                    self.accepted.push((at, amount));
                }
            }
            Act::Count => self.counted.append(&mut self.accepted),
            Act::Ask => {
                let [minute, day] = [(Period::Minute, 0), (Period::Day, 1)].map(|(period, n)| {
                    let counted = within(&self.counted, period, now);
                    limit(period, self.maxima[n], counted, now)
                });
                self.answer = Some((vec![minute, day], now));
            }
            Act::Answer => self.install(),
            Act::Reserve(amount) => {
                let demands = Self::demands(*amount);
                let reserved = self.change(
                    |mut slot| match slot.reserve(&demands, now, Skew::default(), &terms) {
                        Ok(_) => Ok((slot, true)),
                        Err(_) => Err(false),
                    },
                    false,
                );
                if reserved == Some(true) {
                    self.accepted.push((now, *amount));
                    self.admitted.push((now, *amount));
                }
            }
            Act::Pass(ms) => self.now = now.plus_ms(*ms),
            Act::LoseWrites(n) => self.memory.refuse_next(*n),
        }
    }

    /// Silent generations are declared dead, living ones never are.
    fn bury(&mut self) {
        for generation in self.book.silent(self.now) {
            if self.wallets.iter().any(|(known, _)| *known == generation) {
                continue;
            }
            let stated = self.book.stated(generation).to_vec();
            let buried = self.change(
                |mut slot| {
                    let buried = slot.bury(generation, &stated);
                    Ok((slot, buried))
                },
                Vec::new(),
            );
            let Some(buried) = buried else {
                continue;
            };
            self.book.buried(generation, &buried);
            // Both limits are of one metric, so one report serves both.
            let counts = [vec![0, 1], vec![0, 1]];
            for report in reports_for(&buried, &counts) {
                self.pending.push((self.now, report.amount));
            }
        }
    }

    fn install(&mut self) {
        let Some((limits, asked_at)) = self.answer.take() else {
            return;
        };
        let now = self.now;
        let terms = terms(1);
        let source = Source {
            tag: tag(),
            limits: &limits,
            asked_at,
        };
        let own: Vec<Own> = self.book.own(asked_at, 300, &terms);
        let installed = self.slots.change(tag(), now, |slot| {
            match Slot::install(slot, source, &own, now, &terms) {
                Some(slot) => Change::Write(slot.clone(), Some(slot)),
                None => Change::Leave(None),
            }
        });
        if let Ok(Some(slot)) = installed {
            self.book.open(&slot, now);
        }
    }

    fn check(&self) {
        for (n, period) in [Period::Minute, Period::Day].into_iter().enumerate() {
            let admitted = within(&self.admitted, period, self.now);
            assert!(admitted <= self.maxima[n], "{admitted} in a {period}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn one_gateway_never_admits_more_than_a_limit(
        minute in 0..12_u64,
        day in 0..40_u64,
        acts in acts(),
    ) {
        let mut world = World::new([minute, day]);
        for act in &acts {
            world.act(act);
            world.check();
        }
    }

    #[test]
    fn hostile_bytes_are_no_slot_or_a_slot_that_does_not_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        gateways in 0..5_u32,
    ) {
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Some(mut slot) = Slot::decode(&bytes) {
            exercise(&mut slot, &terms(gateways));
        }
    }

    #[test]
    fn no_number_in_a_slot_makes_it_panic(
        numbers in prop::collection::vec(prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>()], 9),
        amount in prop_oneof![Just(0), Just(u64::MAX), any::<u64>()],
        gateways in 0..5_u32,
    ) {
        let terms = terms(gateways);
        let limits = [limit(Period::Minute, numbers[0], numbers[1], NOW)];
        let source = Source { tag: tag(), limits: &limits, asked_at: NOW };
        let mut slot = Slot::install(None, source, &[], NOW, &terms).expect("installed");
        let limit = &mut slot.limits[0];
        limit.settled = numbers[2];
        limit.used = numbers[3];
        limit.earlier = numbers[4];
        limit.cap = numbers[5];
        limit.firm = numbers[6];
        limit.granted = numbers[7];
        limit.carry = numbers[8];
        let skew = Skew { behind_ms: u64::MAX, ahead_ms: u64::MAX };
        slot.charge(&[Demand { limit: 0, amount }], NOW, skew, &terms);
        let _ = slot.reserve(&[Demand { limit: 0, amount }], NOW, skew, &terms);
        exercise(&mut slot, &terms);
        let again = Source { asked_at: NOW.plus_ms(1), ..source };
        prop_assert!(Slot::install(Some(slot), again, &[], NOW, &terms).is_some());
    }
}

fn exercise(slot: &mut Slot, terms: &Terms) {
    let demands = [Demand {
        limit: 0,
        amount: 1,
    }];
    let want = Want {
        generation: 1,
        demands: &demands,
        workers: 4,
    };
    let wallet = slot
        .lease(&Wallet::default(), want, NOW, terms)
        .unwrap_or_default();
    slot.give_back(&wallet, 1, NOW, terms);
    let receipt = slot.charge(&demands, NOW, Skew::default(), terms);
    slot.discharge(&demands, &receipt);
    let _ = slot.is_free(UnixMillis(u64::MAX));
    let _ = slot.bury(1, &[]);
    assert_eq!(Slot::decode(&slot.encode()).as_ref(), Some(&*slot));
}

#[test]
fn a_limit_is_used_to_the_last_unit_and_begins_again_with_its_window() {
    for max in 1..=10 {
        let mut world = World::new([max, 1_000]);
        for _ in 0..30 {
            for worker in 0..WORKERS {
                world.act(&Act::Hit(worker, 1));
                world.act(&Act::Return(worker));
            }
        }
        assert_eq!(within(&world.admitted, Period::Minute, world.now), max);
        world.act(&Act::Pass(30_000));
        world.act(&Act::Hit(0, 1));
        assert_eq!(within(&world.admitted, Period::Minute, world.now), 1);
    }
}

#[test]
fn a_plan_that_changes_keeps_what_was_handed_out() {
    #[track_caller]
    fn check(before: u64, used: u64, after: u64, left: u64) {
        let mut world = World::new([before, 1_000]);
        world.act(&Act::Hit(0, used));
        world.act(&Act::Return(0));
        world.maxima[0] = after;
        world.act(&Act::Pass(10));
        world.act(&Act::Ask);
        world.act(&Act::Answer);
        let slot = world.slots.read(tag()).expect("installed");
        assert_eq!(slot.pool(0, world.now, &terms(1)), left);
    }
    check(10, 4, 20, 16);
    check(10, 4, 5, 1);
    check(10, 4, 3, 0);
}

#[test]
fn usage_of_others_is_noticed_and_over_consumed_counters_leave_nothing() {
    let mut world = World::new([10, 1_000]);
    world.counted.push((world.now, 7));
    world.act(&Act::Pass(10));
    world.act(&Act::Ask);
    world.act(&Act::Answer);
    let pool = |world: &World| {
        let slot = world.slots.read(tag()).expect("installed");
        slot.pool(0, world.now, &terms(1))
    };
    assert_eq!(pool(&world), 3);
    world.counted.push((world.now, u64::MAX / 4));
    world.act(&Act::Pass(10));
    world.act(&Act::Ask);
    world.act(&Act::Answer);
    assert_eq!(pool(&world), 0);
}

#[test]
fn another_application_never_gets_a_place_that_is_in_use() {
    let memory = Rc::new(Memory::default());
    let slots = Slots::new(memory, 1);
    let limits = vec![limit(Period::Minute, 5, 0, NOW); 1];
    let install = |tag, now| {
        let source = Source {
            tag,
            limits: &limits,
            asked_at: now,
        };
        slots.change(tag, now, |slot| {
            match Slot::install(slot, source, &[], now, &terms(1)) {
                Some(slot) => Change::Write(slot, true),
                None => Change::Leave(false),
            }
        })
    };
    let other = Tag::of(["c", "a", ""], "1", CredentialKind::UserKey, "x");
    assert_eq!(install(tag(), NOW), Ok(true));
    assert!(install(other, NOW).is_err());
    assert!(slots.read(other).is_none() && slots.read(tag()).is_some());
    assert_eq!(install(other, NOW.plus_ms(3_600_000)), Ok(true));
    assert!(slots.read(other).is_some() && slots.read(tag()).is_none());
}

#[test]
fn a_wallet_of_three_limits_is_small() {
    assert!(std::mem::size_of::<Wallet>() <= 120);
    let limits = vec![limit(Period::Minute, 5, 0, NOW); MAX_LIMITS + 1];
    let source = Source {
        tag: tag(),
        limits: &limits,
        asked_at: NOW,
    };
    assert!(Slot::install(None, source, &[], NOW, &terms(1)).is_none());
}
