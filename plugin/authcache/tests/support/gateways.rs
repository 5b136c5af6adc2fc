//! An abstract world for leases: gateways with workers and a sync side each, and one backend whose
//! counter lags. One limit, one minute. Everything that is not arithmetic of leases is left out, so
//! that thousands of schedules run in seconds.
//!
//! Used by the tests and by `examples/quota.rs`.

use authcache::key::CredentialKind;
use authcache::lease::book::Book;
use authcache::lease::pace::{Epochs, Last, Plan};
use authcache::lease::slot::{Short, Slot, Source, Tag, Want};
use authcache::lease::terms::{CREDIT, Delays, Part, SHARE, Terms};
use authcache::lease::wallet::Wallet;
use authcache::quota::Demand;
use authcache::record::LimitReading;
use authcache::rng::Rng;
use authcache::time::{Period, UnixMillis};

/// A full minute.
pub(crate) const START: UnixMillis = UnixMillis(1_935_742_800_000);
const STEP_MS: u64 = 10;

/// How requests come.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// At a steady rate per second, with this part of it on the first gateway.
    Steady { per_second: f64, on_first: f64 },
    /// At the worst: each gateway falls idle and wants everything at once, in turns that nobody
    /// announces.
    Adverse,
    /// At the worst in another way: gateways take turns, each using all it may just before it could
    /// see what the others did.
    Turns,
}

/// What is simulated.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) gateways: u32,
    pub(crate) workers: u32,
    pub(crate) max: u64,
    pub(crate) load: Load,
    pub(crate) delays: Delays,
    pub(crate) epochs: Epochs,
    pub(crate) duration_ms: u64,
    pub(crate) seed: u64,
    pub(crate) share: Part,
    pub(crate) credit: Part,
    /// How long the backend takes to count at most, whatever the gateways were told.
    pub(crate) real_settle_ms: u64,
    /// Whether delays are always as long as they may be.
    pub(crate) slowest: bool,
}

impl Setup {
    /// The deployment that the documentation gives figures for.
    pub(crate) fn new(gateways: u32, max: u64, epoch_ms: u64, load: Load) -> Self {
        Self {
            gateways,
            workers: 2,
            max,
            load,
            delays: Delays {
                epoch_ms,
                tick_ms: 100,
                rtt_ms: 50,
                settle_ms: 300,
            },
            epochs: Epochs {
                min_ms: epoch_ms,
                max_ms: 30_000,
            },
            duration_ms: 60_000,
            seed: 1,
            real_settle_ms: 300,
            share: SHARE,
            credit: CREDIT,
            slowest: false,
        }
    }

    /// An adverse schedule of 20 seconds; every third one with all delays as long as they may be, and
    /// every other in turns.
    pub(crate) fn adverse(gateways: u32, max: u64, epoch_ms: u64, seed: u64) -> Self {
        let load = if seed.is_multiple_of(2) {
            Load::Adverse
        } else {
            Load::Turns
        };
        Self {
            seed,
            slowest: seed.is_multiple_of(3),
            duration_ms: 20_000,
            ..Self::new(gateways, max, epoch_ms, load)
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) wanted: u64,
    pub(crate) admitted: u64,
    pub(crate) denied: u64,
    pub(crate) calls: u64,
    pub(crate) calls_in_second_half: u64,
}

impl Outcome {
    /// What was denied although the limit had room for it in the end, in percent of the wanted.
    pub(crate) fn missing_percent(&self, max: u64) -> f64 {
        let possible = self.wanted.min(max);
        let missing = possible.saturating_sub(self.admitted);
        100.0 * missing as f64 / self.wanted.max(1) as f64
    }
}

struct Gateway {
    terms: Terms,
    slot: Option<Slot>,
    wallets: Vec<Wallet>,
    book: Book,
    /// Admitted, and with the workers still.
    fresh: u64,
    pending: u64,
    tick_at: UnixMillis,
    last_report: UnixMillis,
    last_read: UnixMillis,
    reading: Option<Answer>,
    accepting: Vec<(UnixMillis, u64)>,
    plan: Option<Plan>,
    waiting: Vec<u64>,
    wants_reading: bool,
    rate: f64,
    granted_before: u64,
    busy_until: UnixMillis,
    idle_until: UnixMillis,
    carry: f64,
    seen_usage: UnixMillis,
}

struct Answer {
    asked_at: UnixMillis,
    evaluated_at: UnixMillis,
    /// What the call reports itself: the answer shows it although it is not counted yet.
    own: u64,
    current: Option<u64>,
    arrives: UnixMillis,
}

pub(crate) struct World {
    setup: Setup,
    rng: Rng,
    gateways: Vec<Gateway>,
    counter: u64,
    counting: Vec<(UnixMillis, u64)>,
    pub(crate) outcome: Outcome,
    now: UnixMillis,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let mut rng = Rng::new(setup.seed);
        let gateways = (0..setup.gateways).map(|index| Gateway {
            terms: Terms {
                share: setup.share,
                credit: setup.credit,
                ..Terms::new(setup.gateways, index, setup.delays, 600_000)
            },
            slot: None,
            wallets: vec![Wallet::default(); setup.workers as usize],
            book: Book::default(),
            fresh: 0,
            pending: 0,
            tick_at: START.plus_ms(rng.next_u64() % setup.delays.tick_ms),
            last_report: UnixMillis(0),
            last_read: UnixMillis(0),
            reading: None,
            accepting: Vec::new(),
            plan: None,
            waiting: Vec::new(),
            wants_reading: false,
            rate: 0.0,
            granted_before: 0,
            busy_until: UnixMillis(0),
            idle_until: START.plus_ms(rng.next_u64() % 2_000),
            carry: 0.0,
            seen_usage: UnixMillis(0),
        });
        Self {
            gateways: gateways.collect(),
            rng,
            counter: 0,
            counting: Vec::new(),
            outcome: Outcome::default(),
            now: START,
            setup,
        }
    }

    /// Runs to the end and says what came of it.
    pub(crate) fn run(mut self) -> Outcome {
        while self.now < START.plus_ms(self.setup.duration_ms) {
            self.count();
            for place in 0..self.gateways.len() {
                self.sync(place);
                self.requests(place);
            }
            self.now = self.now.plus_ms(STEP_MS);
        }
        self.outcome
    }

    fn delay(&mut self, most_ms: u64) -> u64 {
        if self.setup.slowest {
            return most_ms;
        }
        self.rng.next_u64() % (most_ms + 1)
    }

    fn count(&mut self) {
        let now = self.now;
        let mut counted = 0;
        self.counting.retain(|(at, amount)| {
            let is_due = *at <= now;
            counted += if is_due { *amount } else { 0 };
            !is_due
        });
        self.counter += counted;
    }

    fn call(&mut self) {
        self.outcome.calls += 1;
        let is_late = self.now.ms_since(START) * 2 > self.setup.duration_ms;
        self.outcome.calls_in_second_half += u64::from(is_late);
    }

    fn sync(&mut self, place: usize) {
        let now = self.now;
        self.receive(place);
        if now >= self.gateways[place].tick_at {
            self.tick(place);
        }
        let lateness = self.delay(100);
        let min_ms = self.setup.epochs.min_ms;
        let gateway = &mut self.gateways[place];
        let report_at = gateway.plan.map_or(now, |plan| plan.report_at);
        if gateway.pending > 0 && now >= report_at.max(gateway.last_report.plus_ms(min_ms)) {
            let amount = std::mem::take(&mut gateway.pending);
            gateway.last_report = now;
            let half = self.delay(self.setup.delays.rtt_ms - STEP_MS);
            let arrives = now.plus_ms(half);
            // Not in the step in which it arrives, whose answer adds it.
            let settle_ms = self.delay(self.setup.real_settle_ms).max(STEP_MS);
            let counted = arrives.plus_ms(settle_ms);
            self.counting.push((counted, amount));
            self.gateways[place].accepting.push((arrives, amount));
            self.call();
            // One call does both where several read the same counters.
            let gateway = &mut self.gateways[place];
            if self.setup.gateways > 1 && gateway.reading.is_none() {
                gateway.wants_reading = false;
                gateway.last_read = now;
                let rtt = self.delay(self.setup.delays.rtt_ms);
                let back = rtt.max(half + STEP_MS);
                self.gateways[place].reading = Some(Answer {
                    asked_at: now,
                    evaluated_at: arrives,
                    own: amount,
                    current: None,
                    arrives: now.plus_ms(back),
                });
            }
        }
        let gateway = &mut self.gateways[place];
        let is_used = now.ms_since(gateway.seen_usage) < 5_000;
        let ask_at = gateway.plan.map_or(now, |plan| plan.ask_at);
        let is_due = gateway.wants_reading
            || is_used
                && now
                    >= ask_at
                        .max(gateway.last_read.plus_ms(min_ms))
                        .plus_ms(lateness);
        if is_due && gateway.reading.is_none() {
            gateway.wants_reading = false;
            gateway.last_read = now;
            let rtt = self.delay(self.setup.delays.rtt_ms);
            // Read as early as possible, and used as late as possible.
            self.gateways[place].reading = Some(Answer {
                asked_at: now,
                evaluated_at: now,
                own: 0,
                current: None,
                arrives: now.plus_ms(rtt),
            });
            self.call();
        }
        let counter = self.counter;
        if let Some(answer) = &mut self.gateways[place].reading
            && answer.current.is_none()
            && now >= answer.evaluated_at
        {
            answer.current = Some(counter + answer.own);
        }
    }

    fn receive(&mut self, place: usize) {
        let now = self.now;
        let settle_ms = self.setup.delays.settle_ms;
        let max = self.setup.max;
        let window = Period::Minute.window(START);
        let gateway = &mut self.gateways[place];
        let book = &mut gateway.book;
        gateway.accepting.retain(|(at, amount)| {
            if *at <= now {
                book.accepted(0, window.end, *amount, now);
            }
            *at > now
        });
        if gateway
            .reading
            .as_ref()
            .is_none_or(|answer| answer.arrives > now)
        {
            return;
        }
        let Some(answer) = gateway.reading.take() else {
            return;
        };
        let limits = [LimitReading {
            metric: "hits".to_owned(),
            period: Period::Minute,
            window,
            max,
            current: answer.current.unwrap_or_default(),
        }];
        let source = Source {
            tag: Tag::of(["c", "a", ""], "1", CredentialKind::AppId, "x"),
            limits: &limits,
            asked_at: answer.asked_at,
        };
        let own = gateway.book.own(answer.asked_at, settle_ms, &gateway.terms);
        let installed = Slot::install(gateway.slot.clone(), source, &own, now, &gateway.terms);
        if let Some(slot) = installed {
            gateway.book.open(&slot, now);
            gateway.book.read(&slot, now);
            gateway.slot = Some(slot);
        }
        for amount in std::mem::take(&mut gateway.waiting) {
            if !self.is_admitted(place, amount).unwrap_or(false) {
                self.outcome.denied += amount;
            }
        }
    }

    fn tick(&mut self, place: usize) {
        let now = self.now;
        let tick_ms = self.setup.delays.tick_ms;
        let settle_ms = self.setup.delays.settle_ms;
        let epochs = self.setup.epochs;
        let gateway = &mut self.gateways[place];
        gateway.tick_at = now.plus_ms(tick_ms);
        if gateway.fresh > 0 && now.ms_since(gateway.last_report) > epochs.max_ms {
            gateway.last_report = now;
        }
        gateway.pending += std::mem::take(&mut gateway.fresh);
        let Some(slot) = &mut gateway.slot else {
            return;
        };
        for (generation, wallet) in gateway.wallets.iter_mut().enumerate() {
            if wallet.holds_tokens() {
                slot.give_back(wallet, generation as u64, now, &gateway.terms);
                wallet.returned();
            }
            let spent = wallet.statement().collect();
            gateway
                .book
                .state(generation as u64, wallet.born(), spent, now);
        }
        slot.roll(now, &gateway.terms);
        let granted = slot.limits[0].granted;
        let recent = granted.saturating_sub(gateway.granted_before) as f64;
        gateway.granted_before = granted;
        let per_second = recent * 1_000.0 / tick_ms as f64;
        gateway.rate = gateway.rate * 0.9 + per_second * 0.1;
        let rates = [gateway.rate.ceil() as u64];
        let last = Last {
            reported: gateway.last_report,
            asked: gateway.last_read,
        };
        let own = gateway.book.foresee(now, settle_ms, &gateway.terms);
        // Nobody holds tokens now, so what was handed out is used.
        let used = (&[granted][..], &rates[..]);
        let plan = Plan::of(slot, used, &own, epochs, last, now, &gateway.terms);
        gateway.plan = Some(plan);
    }

    fn requests(&mut self, place: usize) {
        let (requests, amount) = match self.setup.load {
            Load::Steady {
                per_second,
                on_first,
            } => (self.steady(place, per_second, on_first), 1),
            Load::Adverse => self.adverse(place),
            Load::Turns => self.turns(place),
        };
        for _ in 0..requests {
            self.request(place, amount);
        }
    }

    fn steady(&mut self, place: usize, per_second: f64, on_first: f64) -> u64 {
        let others = (self.gateways.len() - 1).max(1) as f64;
        let part = match (self.gateways.len(), place) {
            (1, _) => 1.0,
            (_, 0) => on_first,
            _ => (1.0 - on_first) / others,
        };
        let jitter = (self.rng.next_u64() >> 11) as f64 / (1_u64 << 52) as f64;
        let gateway = &mut self.gateways[place];
        gateway.carry += per_second * part * STEP_MS as f64 / 1_000.0 * jitter;
        let whole = gateway.carry.floor();
        gateway.carry -= whole;
        whole as u64
    }

    fn adverse(&mut self, place: usize) -> (u64, u64) {
        let now = self.now;
        let busy = 10 + self.rng.next_u64() % 1_500;
        let short = self.rng.next_u64().is_multiple_of(2);
        let idle = self.rng.next_u64() % 4_000;
        let gateway = &mut self.gateways[place];
        if now >= gateway.idle_until && now >= gateway.busy_until {
            gateway.busy_until = now.plus_ms(if short { 10 } else { busy });
            gateway.idle_until = gateway.busy_until.plus_ms(idle);
        }
        // Awake, so that its reading is fresh.
        gateway.seen_usage = now;
        if now >= gateway.busy_until {
            return (0, 1);
        }
        everything(gateway, now)
    }

    fn turns(&mut self, place: usize) -> (u64, u64) {
        let gateways = self.gateways.len() as u64;
        let gateway = &mut self.gateways[place];
        gateway.seen_usage = self.now;
        // A round is about as long as usage takes to be seen.
        let percent = 60 + self.setup.seed % 60;
        let round_ms = gateway.terms.horizon_ms * percent / 100;
        let turn_ms = round_ms * place as u64 / gateways;
        let is_turn = (self.now.ms_since(START) % round_ms).abs_diff(turn_ms) < 20;
        if is_turn {
            everything(gateway, self.now)
        } else {
            (0, 1)
        }
    }

    fn request(&mut self, place: usize, amount: u64) {
        self.outcome.wanted += amount;
        self.gateways[place].seen_usage = self.now;
        match self.is_admitted(place, amount) {
            Some(true) => {}
            Some(false) => self.outcome.denied += amount,
            None => {
                let gateway = &mut self.gateways[place];
                gateway.waiting.push(amount);
                gateway.wants_reading = true;
            }
        }
    }

    /// Whether a request passes; `None` when a reading has to be awaited first.
    fn is_admitted(&mut self, place: usize, amount: u64) -> Option<bool> {
        let now = self.now;
        let worker = (self.rng.next_u64() % u64::from(self.setup.workers)) as usize;
        let gateway = &mut self.gateways[place];
        let demands = [Demand { limit: 0, amount }];
        let wallet = &mut gateway.wallets[worker];
        if !wallet.spend(&demands, now) {
            let want = Want {
                generation: worker as u64,
                demands: &demands,
                workers: self.setup.workers,
            };
            let mut slot = gateway.slot.clone()?;
            match slot.lease(wallet, want, now, &gateway.terms) {
                Ok(leased) => {
                    *wallet = leased;
                    gateway.slot = Some(slot);
                }
                Err(Short::Unusable | Short::Stale(_)) => return None,
                Err(Short::Exceeded(_) | Short::Empty(_)) => return Some(false),
            }
        }
        gateway.fresh += amount;
        self.outcome.admitted += amount;
        Some(true)
    }
}

/// All that is there, in large bites and then in small ones.
fn everything(gateway: &Gateway, now: UnixMillis) -> (u64, u64) {
    let slot = gateway.slot.as_ref();
    let pool = slot.map_or(1, |slot| slot.pool(0, now, &gateway.terms));
    if pool > 16 {
        (10, pool / 8)
    } else {
        (pool.max(1), 1)
    }
}
