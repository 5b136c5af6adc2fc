//! Leases as the sync side keeps them: readings into slots, and how often the backend is asked.
//!
//! Owns [`Epoch`], what is kept of one application for that. Must not know how calls are made.
//!
//! Workers lease from the slot, so a reading is for the slot and not for them: they are told of plans
//! and keys only. An application that nobody uses is not asked about; its slot ends by itself.

mod burials;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::SyncFlow;
use super::application::Application;
use super::pending::Pending;
use crate::counters::Counter;
use crate::hierarchy::{Hierarchy, Standing};
use crate::ids::MetricName;
use crate::lease::book::Book;
use crate::lease::pace::{self, Epochs, Last, Zone};
use crate::lease::slot::{LimitId, Shape, Slot, Source, Tag};
use crate::lease::store::{Change, Slots};
use crate::lease::told::Told;
use crate::record::Reading;
use crate::service::{Route, TICK_MS};
use crate::time::{Period, UnixMillis};
use crate::wire::{Statement, Worker};

/// By which share the time to the second reading is shortened, so that applications do not all have
/// their turn at once. Later ones keep their distance: shortened each time, an application far from its
/// limits would cost more calls than its epochs.
const JITTER: f64 = 0.1;
/// The shortest time over which a rate is measured.
const MEASURE_MS: u64 = 1_000;

/// What is kept of one application with leases.
#[derive(Debug)]
pub(super) struct Epoch {
    tag: Tag,
    book: Book,
    born: UnixMillis,
    /// The ends of the windows that the book is about.
    ends: Vec<UnixMillis>,
    plan: Option<Rc<ReadPlan>>,
    pace: Option<pace::Plan>,
    ask_at: UnixMillis,
    last: Last,
    /// Since when usage that is not accepted should have been reported.
    owed: Option<UnixMillis>,
    /// What was used when rates were measured last, with the end of its window.
    used: Vec<(UnixMillis, u64)>,
    measured: UnixMillis,
    rates: Vec<u64>,
    /// The last news that the workers were told.
    news: Option<u64>,
    /// Silent workers that owe nothing, and what they had leased then.
    settled: BTreeMap<u64, Vec<u64>>,
    /// Silent workers that owe something, and what they had leased when that was seen.
    suspected: BTreeMap<u64, Vec<u64>>,
    hidden: u64,
    /// What the workers had stated when the report under way was sent.
    told: Told,
}

/// The limits and the tree of an answer, once for all applications of a plan.
#[derive(Debug, PartialEq)]
pub(super) struct ReadPlan {
    limits: Vec<(String, Period)>,
    hierarchy: Option<Vec<(String, Vec<String>)>>,
}

impl ReadPlan {
    fn of(reading: &Reading) -> Self {
        let limits = reading.limits.iter();
        Self {
            limits: limits
                .map(|limit| (limit.metric.clone(), limit.period))
                .collect(),
            hierarchy: reading.hierarchy.clone(),
        }
    }

    fn shape(&self) -> Shape {
        Shape::of(
            self.limits
                .iter()
                .map(|(metric, period)| LimitId::of(metric, *period)),
        )
    }

    /// The limits that usage of a metric counts for, as far as the answer shows it.
    fn places(&self, metric: &str) -> Vec<usize> {
        let mut limited: Vec<&str> = Vec::new();
        for (name, _) in &self.limits {
            if !limited.contains(&name.as_str()) {
                limited.push(name);
            }
        }
        let children = self.hierarchy.iter().flatten();
        let children = children.map(|(parent, names)| (parent.as_str(), names.as_slice()));
        let hierarchy = Hierarchy::new(limited.iter().copied(), children);
        let Standing::Counts(counts) = hierarchy.standing(metric) else {
            return Vec::new();
        };
        let names: Vec<&str> = counts
            .iter()
            .filter_map(|place| limited.get(*place).copied())
            .collect();
        let limits = self.limits.iter().enumerate();
        limits
            .filter(|(_, (name, _))| names.contains(&name.as_str()))
            .map(|(place, _)| place)
            .collect()
    }
}

impl Epoch {
    fn new(tag: Tag, ask_at: UnixMillis, now: UnixMillis) -> Self {
        Self {
            tag,
            book: Book::default(),
            born: UnixMillis(0),
            ends: Vec::new(),
            plan: None,
            pace: None,
            ask_at,
            last: Last {
                reported: now,
                asked: now,
            },
            owed: None,
            used: Vec::new(),
            measured: now,
            rates: Vec::new(),
            news: None,
            settled: BTreeMap::new(),
            suspected: BTreeMap::new(),
            hidden: 0,
            told: Told::default(),
        }
    }

    /// Whether usage is to be reported now.
    pub(super) fn wants_report(&self, now: UnixMillis) -> bool {
        self.pace.is_some_and(|pace| now >= pace.report_at)
    }

    /// A report is sent, of usage that waits since `waiting_since`.
    pub(super) fn report(&mut self, waiting_since: Option<UnixMillis>, now: UnixMillis) {
        self.last.reported = now;
        self.told = self.book.told();
        let mut due = now;
        if let Some(pace) = &mut self.pace {
            due = waiting_since.unwrap_or(now).max(pace.report_at).min(now);
            // Until the next plan one report is enough.
            pace.report_at = UnixMillis(u64::MAX);
        }
        // What failed before is part of it.
        self.owed.get_or_insert(due);
    }

    /// A report was accepted, or is given up. Says whether that was later than others count on.
    pub(super) fn reported(&mut self, route: &Route, now: UnixMillis) -> bool {
        let owed = self.owed.take().unwrap_or(now);
        route.policy.gateways.count > 1
            && now > owed.plus_ms(TICK_MS.saturating_add(route.call_ms()))
    }

    /// Units that were handed out and may not show in a reading.
    pub(super) fn hidden(&self) -> u64 {
        self.hidden
    }

    /// Whether usage is to be reported before the next reading.
    pub(super) fn is_near(&self) -> bool {
        self.pace.is_some_and(|pace| pace.zone != Zone::Green)
    }

    /// Whether a reading is due for an application that was last named at `seen`.
    pub(super) fn is_due(&self, seen: UnixMillis, now: UnixMillis) -> bool {
        self.is_in_use(seen) && now >= self.ask_at
    }

    /// Whether the application was named since it was last asked about.
    pub(super) fn is_in_use(&self, seen: UnixMillis) -> bool {
        seen > self.last.asked
    }

    /// A question is sent.
    pub(super) fn ask(&mut self, now: UnixMillis) {
        self.last.asked = now;
    }

    fn open(&mut self, slot: &Slot, now: UnixMillis) {
        self.book.open(slot, now);
        self.born = slot.born;
        let ends: Vec<UnixMillis> = slot.limits.iter().map(|limit| limit.window.end).collect();
        if !self.ends.is_empty() && ends != self.ends {
            // What was planned was about a window that is over.
            self.ask_at = UnixMillis(u64::MAX);
        }
        self.ends = ends;
        // Who leased again without a word is given time to say it, and is gone otherwise.
        for holder in &slot.holders {
            let leased = self.settled.get(&holder.generation);
            if leased.is_some_and(|leased| *leased != holder.leased) {
                self.settled.remove(&holder.generation);
                let stated = self.book.stated(holder.generation).to_vec();
                self.book.state(holder.generation, self.born, stated, now);
            }
        }
    }

    fn knows(&self, statement: &Statement) -> bool {
        self.born == statement.born
            && self.ends.len() == statement.spent.len()
            && statement
                .spent
                .iter()
                .zip(&self.ends)
                .all(|(spent, ends)| spent.ends <= *ends)
    }

    fn set_pace(&mut self, slot: &Slot, route: &Route, now: UnixMillis) {
        let epochs = Epochs {
            min_ms: route.policy.epoch.min_ms,
            max_ms: route.policy.epoch.max_ms,
        };
        let terms = route.terms();
        let own = self.book.foresee(now, route.settle_delay_ms, &terms);
        let used = self.book.used(slot);
        self.measure(slot, &used, now);
        let used = (&used[..], &self.rates[..]);
        let pace = pace::Plan::of(slot, used, &own, epochs, self.last, now, &terms);
        self.ask_at = self.ask_at.min(pace.ask_at);
        self.pace = Some(pace);
    }

    /// Units per second that were used of each limit, about once a second; a first guess sooner.
    fn measure(&mut self, slot: &Slot, used: &[u64], now: UnixMillis) {
        let since_ms = now.ms_since(self.measured);
        let is_first = self.used.is_empty();
        if since_ms < MEASURE_MS && !is_first {
            return;
        }
        let limits = slot.limits.iter().zip(used).enumerate();
        let rates = limits.map(|(place, (limit, used))| {
            let before = match self.used.get(place) {
                // In a window that has just begun, what was leased is not yet told from what was used.
                Some((ends, _)) if *ends != limit.window.end => {
                    return self.rates.get(place).copied().unwrap_or_default();
                }
                Some((_, used)) => *used,
                None => 0,
            };
            let more = used.saturating_sub(before).saturating_mul(1_000);
            more / since_ms.max(TICK_MS)
        });
        self.rates = rates.collect();
        if since_ms < MEASURE_MS {
            return;
        }
        self.measured = now;
        let limits = slot.limits.iter().zip(used);
        self.used = limits
            .map(|(limit, used)| (limit.window.end, *used))
            .collect();
    }

    /// Notes what a reading may lack.
    fn hide(&mut self, slot: &Slot) {
        let hidden = slot.limits.iter();
        self.hidden = hidden
            .map(|limit| limit.granted.saturating_sub(limit.settled))
            .max()
            .unwrap_or_default();
    }
}

impl SyncFlow {
    /// Notes what a worker says that it used of its leases.
    pub(super) fn on_statement(
        &self,
        application: &mut Application,
        route: &Route,
        worker: Worker,
        statement: Option<&Statement>,
        now: UnixMillis,
    ) {
        let terms = route.terms();
        let policy = &route.policy;
        let tag = application.tag(route);
        let first_ms = if terms.is_alone() {
            policy.epoch.max_ms
        } else {
            policy.epoch.min_ms
        };
        let epoch = application
            .epoch
            .get_or_insert_with(|| Box::new(Epoch::new(tag, now.plus_ms(first_ms), now)));
        let Some(statement) = statement else {
            return;
        };
        epoch.settled.remove(&worker.generation);
        epoch.suspected.remove(&worker.generation);
        let knows = epoch.knows(statement);
        if !knows || !terms.is_alone() {
            let Some(slot) = self.slots(route).read(tag) else {
                return;
            };
            if !knows {
                epoch.open(&slot, now);
            }
            let spent = statement.spent.clone();
            let book = &mut epoch.book;
            book.state(worker.generation, statement.born, spent, now);
            // Usage that leaves the credit has to be reported sooner than was thought.
            epoch.set_pace(&slot, route, now);
            return;
        }
        let spent = statement.spent.clone();
        let book = &mut epoch.book;
        book.state(worker.generation, statement.born, spent, now);
    }

    /// Notes an accepted report.
    pub(super) fn note_accepted(
        &self,
        application: &mut Application,
        cut: &Pending,
        now: UnixMillis,
    ) {
        let service = self.services.get(application.service);
        let Some((epoch, service)) = application.epoch.as_mut().zip(service) else {
            return;
        };
        self.tell(&service.route, epoch, now);
        let Some(plan) = epoch.plan.clone() else {
            return;
        };
        let mut sums: BTreeMap<(usize, UnixMillis), u64> = BTreeMap::new();
        let mut places: BTreeMap<MetricName, Vec<usize>> = BTreeMap::new();
        for (minute, metric, amount) in cut.sums() {
            let places = places
                .entry(metric.clone())
                .or_insert_with(|| plan.places(metric.as_str()));
            for place in places {
                let Some((_, period)) = plan.limits.get(*place) else {
                    continue;
                };
                let sum = sums.entry((*place, period.window(minute).end)).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        for ((place, ends), amount) in sums {
            epoch.book.accepted(place, ends, amount, now);
        }
    }

    /// Notes in the slots what workers stated of usage that is handed over, as far as they live in
    /// memory only.
    pub(super) fn tell_all(&self, application: &mut Application, now: UnixMillis) {
        let service = self.services.get(application.service);
        if let Some((epoch, service)) = application.epoch.as_mut().zip(service) {
            epoch.told = epoch.book.told();
            self.tell(&service.route, epoch, now);
        }
    }

    /// Notes in the slot what of the leases is reported. Who loses the race tells it with the next
    /// report.
    fn tell(&self, route: &Route, epoch: &Epoch, now: UnixMillis) {
        let outcome = self.slots(route).change(epoch.tag, now, |slot| {
            let told = slot.and_then(|mut slot| epoch.told.write(&mut slot).then_some(slot));
            told.map_or(Change::Leave(()), |slot| Change::Write(slot, ()))
        });
        // Counted where it costs a request something.
        let _ = outcome;
    }

    /// Puts a reading into the slot and works out when the next one is due. Says whether the workers
    /// have to hear of it, because plan or keys are new.
    pub(super) fn take_reading(
        &mut self,
        application: &mut Application,
        reading: &Reading,
        now: UnixMillis,
    ) -> bool {
        let Some(service) = self.services.get_mut(application.service) else {
            return false;
        };
        let plan = service.plan(ReadPlan::of(reading));
        let route = service.route.clone();
        self.see_overshoot(reading);
        let Some(mut epoch) = application.epoch.take() else {
            return false;
        };
        let before = epoch.hidden;
        epoch.plan = Some(Rc::clone(&plan));
        if !reading.limits.is_empty() {
            self.install(&mut epoch, &plan, &route, reading, now);
        }
        let latest = reading.started.plus_ms(route.policy.epoch.max_ms);
        let ask_at = epoch.pace.map_or(latest, |pace| pace.ask_at);
        epoch.ask_at = ask_at;
        if epoch.news.is_none() {
            let soon_ms = self.rng.shorten(ask_at.ms_since(reading.started), JITTER);
            epoch.ask_at = reading.started.plus_ms(soon_ms);
        }
        self.uncertainty = self
            .uncertainty
            .saturating_sub(before)
            .saturating_add(epoch.hidden);
        let digest = digest(reading);
        let is_news = epoch.news != Some(digest);
        epoch.news = Some(digest);
        application.epoch = Some(epoch);
        is_news
    }

    fn install(
        &mut self,
        epoch: &mut Epoch,
        plan: &ReadPlan,
        route: &Route,
        reading: &Reading,
        now: UnixMillis,
    ) {
        let terms = route.terms();
        let source = Source {
            tag: epoch.tag,
            limits: &reading.limits,
            asked_at: reading.started,
        };
        let shape = plan.shape();
        let settles_at = self.born.unwrap_or(now).plus_ms(route.quiet_ms());
        let outcome = self.slots(route).change(epoch.tag, now, |slot| {
            if slot.is_none() && reading.started < settles_at {
                // It may lack what the process before this one reported.
                return Change::Leave(None);
            }
            let mut own = Vec::new();
            if let Some(slot) = &slot {
                epoch.open(slot, now);
                if slot.shape == shape {
                    own = epoch
                        .book
                        .own(reading.started, route.settle_delay_ms, &terms);
                }
            }
            match Slot::install(slot, source, &own, now, &terms) {
                Some(slot) => Change::Write(slot.clone(), Some(slot)),
                None => Change::Leave(None),
            }
        });
        match outcome {
            Ok(Some(slot)) => {
                epoch.open(&slot, now);
                epoch.book.read(&slot, now);
                epoch.hide(&slot);
                epoch.set_pace(&slot, route, now);
            }
            Ok(None) => {}
            // The next reading finds the slot, or its turn comes again.
            Err(_) => self.counters.one(Counter::LeaseConflicts),
        }
    }

    fn see_overshoot(&mut self, reading: &Reading) {
        let over = reading
            .limits
            .iter()
            .map(|limit| (limit.current.saturating_sub(limit.max), limit.max));
        let mut worst = 0;
        for (units, max) in over {
            self.counters.add(Counter::OvershootUnits, units);
            let per_mille = units.saturating_mul(1_000).checked_div(max.max(1));
            worst = worst.max(per_mille.unwrap_or_default());
            if units > 0 {
                self.counters.one(Counter::Overshoots);
            }
        }
        self.overshoots.push(worst);
    }

    /// The slots that leases of a service come from.
    pub(super) fn slots(&self, route: &Route) -> Slots {
        Slots::new(Rc::clone(&self.shared), route.policy.lease_slots)
    }
}

/// Tells readings apart that workers have to hear of: by plan and keys, not by counters.
fn digest(reading: &Reading) -> u64 {
    use std::hash::Hasher;
    // Not for defence: whoever sends answers may tell the workers whatever it likes.
    let mut hasher = siphasher::sip::SipHasher13::new();
    for limit in &reading.limits {
        hasher.write(limit.metric.as_bytes());
        hasher.write_u8(limit.period as u8);
        hasher.write_u64(limit.max);
    }
    for (parent, children) in reading.hierarchy.iter().flatten() {
        hasher.write(parent.as_bytes());
        for child in children {
            hasher.write(child.as_bytes());
            hasher.write_u8(0);
        }
    }
    for key in reading.keys.iter().flatten() {
        hasher.write_u64(key.low_bits());
    }
    hasher.finish()
}
