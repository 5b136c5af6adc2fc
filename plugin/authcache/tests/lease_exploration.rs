//! Every interleaving of two workers, a sync side and a lagging backend over one small limit.
//!
//! Depth-first over all states that can be reached, each visited once. One gateway admits alone: in
//! every state what was ever admitted is within the limit.

#![cfg(test)]

use std::collections::HashSet;

use authcache::key::CredentialKind;
use authcache::lease::book::reports_for;
use authcache::lease::slot::{Slot, Source, Tag, Want};
use authcache::lease::terms::{Delays, Terms};
use authcache::lease::wallet::Wallet;
use authcache::quota::Demand;
use authcache::record::LimitReading;
use authcache::time::{Period, UnixMillis, Window};

const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
/// The smallest of which a lease is larger than what is asked for.
const LIMIT: u64 = 4;
const ONE: [Demand; 1] = [Demand {
    limit: 0,
    amount: 1,
}];

#[derive(Clone, Debug)]
struct World {
    slot: Slot,
    workers: [Worker; 2],
    /// With the sync side, reported and not counted, counted.
    pending: u64,
    accepted: u64,
    counter: u64,
    /// What the backend said to a question that is under way.
    reading: Option<u64>,
    admitted: u64,
    readings: u64,
    traps: u64,
    outside: u64,
}

#[derive(Clone, Debug, Default)]
struct Worker {
    generation: u64,
    wallet: Wallet,
    /// Admitted and not handed over.
    fresh: u64,
    /// The last statement that was heard, by generation.
    stated: Vec<authcache::lease::wallet::Spent>,
}

fn terms() -> Terms {
    let delays = Delays {
        epoch_ms: 1_000,
        tick_ms: 100,
        rtt_ms: 50,
        settle_ms: 300,
    };
    Terms::new(1, 0, delays, 600_000)
}

fn reading(current: u64) -> Vec<LimitReading> {
    vec![LimitReading {
        metric: "hits".to_owned(),
        period: Period::Eternity,
        window: Window::ETERNITY,
        max: LIMIT,
        current,
    }]
}

fn install(slot: Option<Slot>, current: u64, asked_at: UnixMillis) -> Option<Slot> {
    let limits = reading(current);
    let source = Source {
        tag: Tag::of(["c", "a", ""], "1", CredentialKind::AppId, "x"),
        limits: &limits,
        asked_at,
    };
    Slot::install(slot, source, &[], NOW, &terms())
}

impl World {
    fn new(outside: u64) -> Self {
        Self {
            slot: install(None, outside, NOW).expect("the first reading is installed"),
            workers: [1, 2].map(|generation| Worker {
                generation,
                ..Worker::default()
            }),
            pending: 0,
            accepted: 0,
            counter: outside,
            reading: None,
            admitted: 0,
            readings: 0,
            traps: 0,
            outside,
        }
    }

    /// Every world that one step leads to.
    fn next(&self) -> Vec<Self> {
        let mut worlds = Vec::new();
        for place in 0..self.workers.len() {
            worlds.extend(self.hit(place));
            worlds.extend(self.hand_over(place));
            worlds.extend(self.give_back(place));
            worlds.extend(self.trap(place));
        }
        worlds.extend(self.report());
        worlds.extend(self.count());
        worlds.extend(self.ask());
        worlds.extend(self.answer());
        worlds
    }

    fn hit(&self, place: usize) -> Option<Self> {
        let mut world = self.clone();
        let worker = &mut world.workers[place];
        if !worker.wallet.spend(&ONE, NOW) {
            let want = Want {
                generation: worker.generation,
                demands: &ONE,
                workers: 1,
            };
            let leased = world.slot.lease(&worker.wallet, want, NOW, &terms());
            worker.wallet = leased.ok()?;
        }
        worker.fresh += 1;
        world.admitted += 1;
        Some(world)
    }

    fn hand_over(&self, place: usize) -> Option<Self> {
        let mut world = self.clone();
        let worker = &mut world.workers[place];
        if worker.fresh == 0 {
            return None;
        }
        world.pending += std::mem::take(&mut worker.fresh);
        worker.stated = worker.wallet.statement().collect();
        Some(world)
    }

    fn give_back(&self, place: usize) -> Option<Self> {
        let mut world = self.clone();
        let worker = &mut world.workers[place];
        if !worker.wallet.holds_tokens() {
            return None;
        }
        world
            .slot
            .give_back(&worker.wallet, worker.generation, NOW, &terms());
        worker.wallet.returned();
        Some(world)
    }

    /// The VM is gone, and the sync side declares it dead at once.
    fn trap(&self, place: usize) -> Option<Self> {
        if self.traps == 1 {
            return None;
        }
        let mut world = self.clone();
        world.traps += 1;
        let worker = &mut world.workers[place];
        let buried = world.slot.bury(worker.generation, &worker.stated);
        let reports = reports_for(&buried, &[vec![0]]);
        world.pending += reports.iter().map(|report| report.amount).sum::<u64>();
        *worker = Worker {
            generation: worker.generation + 2,
            ..Worker::default()
        };
        Some(world)
    }

    fn report(&self) -> Option<Self> {
        let mut world = self.clone();
        world.accepted += std::mem::take(&mut world.pending);
        (self.pending > 0).then_some(world)
    }

    fn count(&self) -> Option<Self> {
        let mut world = self.clone();
        world.counter += std::mem::take(&mut world.accepted);
        (self.accepted > 0).then_some(world)
    }

    fn ask(&self) -> Option<Self> {
        let mut world = self.clone();
        world.reading = Some(self.counter);
        (self.reading.is_none() && self.readings < 2).then_some(world)
    }

    fn answer(&self) -> Option<Self> {
        let mut world = self.clone();
        let current = world.reading.take()?;
        world.readings += 1;
        let asked_at = NOW.plus_ms(world.readings);
        world.slot = install(Some(world.slot), current, asked_at)?;
        Some(world)
    }

    /// What the limit bounds: usage as the backend will count it never exceeds it, nor does what was
    /// admitted, and no pool is larger than what is left.
    fn check(&self) {
        assert!(self.admitted + self.outside <= LIMIT, "{self:?}");
        let on_the_way: u64 = self.workers.iter().map(|worker| worker.fresh).sum();
        let counted = self.counter + self.accepted + self.pending + on_the_way;
        assert!(counted <= LIMIT, "{self:?}");
        assert!(counted >= self.admitted + self.outside, "{self:?}");
        let tokens: u64 = self
            .workers
            .iter()
            .flat_map(|worker| worker.wallet.purses())
            .map(|purse| purse.tokens)
            .sum();
        let pool = self.slot.pool(0, NOW, &terms());
        assert!(counted + tokens + pool <= LIMIT, "{self:?}");
    }
}

/// A state as bytes, for telling states apart.
fn key(world: &World) -> Vec<u8> {
    let mut bytes = world.slot.encode();
    for worker in &world.workers {
        let purse = worker.wallet.purses().first();
        let stated = worker.stated.first().map_or(0, |spent| spent.amount);
        bytes.extend([
            worker.generation as u8,
            purse.map_or(0, |purse| purse.tokens as u8 + 1),
            purse.map_or(0, |purse| purse.leased as u8),
            worker.fresh as u8,
            stated as u8,
            u8::from(worker.wallet.valid_until() > NOW),
        ]);
    }
    bytes.extend([
        world.pending as u8,
        world.accepted as u8,
        world.counter as u8,
        world.reading.map_or(9, |counter| counter as u8),
        world.admitted as u8,
        world.readings as u8,
        world.traps as u8,
    ]);
    bytes
}

/// Visits everything that can be reached and says how much it is, and the most that was admitted.
fn explore(first: World) -> (usize, u64) {
    let mut seen = HashSet::new();
    let mut most = 0;
    let mut open = vec![first];
    while let Some(world) = open.pop() {
        if !seen.insert(key(&world)) {
            continue;
        }
        world.check();
        most = most.max(world.admitted);
        open.extend(world.next());
    }
    (seen.len(), most)
}

#[test]
fn no_interleaving_admits_more_than_the_limit_and_some_admit_all_of_it() {
    for (outside, at_least) in [(0, 50_000), (1, 10_000), (3, 30)] {
        let (states, most) = explore(World::new(outside));
        println!("{states} states with {outside} used before");
        assert!(states > at_least, "{states} states with {outside}");
        assert_eq!(most, LIMIT - outside);
    }
}
