//! The cache record: what is known about one application, and how requests are decided from it.
//!
//! Owns [`Reading`] (what one answer of the backend says), [`Record`] and the counting of usage that
//! an answer does not cover. Must not know how a record is found, who asks the backend, or what a
//! denial looks like.
//!
//! # Counting
//!
//! A limit's counter is its last reading plus `ahead`, the usage this worker let through that the
//! reading does not cover. For every metric the record also keeps the total it ever let through,
//! which travels with each usage message. A refresh echoes the total of the last message that the
//! sync side had when it asked, and lists what of it was not yet counted; what is ahead afterwards is
//! that list, plus whatever the total has grown by since. So a refresh neither overwrites local usage
//! nor counts it twice, and a sync side that forgot everything heals with the next message.

pub(crate) mod charge;
mod keys;
mod life;
mod reading;
mod unsettled;
mod update;

pub use keys::AcceptedKeys;
pub(crate) use life::Life;
pub use reading::{LimitReading, Reading, Uncovered};

use crate::cache::Value;
use crate::quota::{self, Demand, Limit, Verdict};
use crate::refusal::Refusal;
use crate::time::UnixMillis;
use crate::usage::{MetricIndex, Usage};

use charge::Charge;
use unsettled::Unsettled;

/// Usage is reported within 24 hours or lost, so nothing is uncovered for longer.
const UNCOVERED_MS: u64 = 24 * 3_600_000;

/// How long a record is used, from the moment its reading was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    /// After this long a refresh is due.
    pub soft_ms: u64,
    /// After this long the record decides nothing any more.
    pub usable_ms: u64,
    /// So long the backend may take to count what it accepted.
    pub settle_ms: u64,
}

/// What a record says about a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Within every limit.
    Admit,
    /// Over at least one limit: its place.
    Exceeded(usize),
    /// The record cannot tell; the backend has to be asked.
    Ask,
}

/// What is known about one application.
#[derive(Clone, Debug)]
pub struct Record {
    limits: Vec<Limit>,
    /// The metric of each limit.
    names: Vec<String>,
    charges: Vec<Charge>,
    tallies: Vec<Tally>,
    /// Which application keys pass.
    pub keys: AcceptedKeys,
    started: UnixMillis,
    /// Usage of authreps of this worker that other readings may lack.
    unsettled: Unsettled,
    life: Life,
}

/// Totals of one metric since the record began. They begin at a number that no earlier record of the
/// same application can have reached, so that an echo of an earlier one is never too large.
#[derive(Clone, Copy, Debug)]
struct Tally {
    admitted: u64,
    covered: u64,
}

impl Record {
    /// A record from the answer to an authrep with the usage `own`, which the answer includes
    /// (nothing if it was denied). `metrics` are the names
    /// of the service's metric table in order; `tally_from` is at least every total of any earlier
    /// record.
    pub fn new<'a>(
        reading: &Reading,
        metrics: impl IntoIterator<Item = &'a str>,
        tally_from: u64,
        own: &Usage,
        answered: UnixMillis,
        lifetimes: Lifetimes,
    ) -> Self {
        let charges = charge::charges(reading, metrics);
        let tally = Tally {
            admitted: tally_from,
            covered: tally_from,
        };
        let mut record = Self {
            limits: reading.limits(),
            names: reading.names(),
            tallies: vec![tally; charges.len()],
            charges,
            keys: AcceptedKeys::new(reading.keys.clone()),
            started: reading.started,
            unsettled: Unsettled::default(),
            life: Life::default(),
        };
        record.unsettled.note(own, answered);
        record.life.prolong(reading.started, lifetimes);
        record
    }

    /// Decides a request, and leaves in `demands` what it asks of each limit.
    pub fn decide(
        &mut self,
        usage: &Usage,
        now: UnixMillis,
        demands: &mut Vec<Demand>,
    ) -> Decision {
        if !self.is_usable(now) || !self.demand(usage, now, demands) {
            return Decision::Ask;
        }
        match quota::decide(&mut self.limits, demands, now) {
            Verdict::Within => Decision::Admit,
            Verdict::Exceeded(place) => Decision::Exceeded(place),
        }
    }

    /// Decides by the limits alone, however old the record is: for an outage policy that lets known
    /// applications pass. What the record cannot tell passes.
    pub fn decide_stale(
        &mut self,
        usage: &Usage,
        now: UnixMillis,
        demands: &mut Vec<Demand>,
    ) -> Decision {
        if !self.demand(usage, now, demands) {
            return Decision::Admit;
        }
        match quota::decide(&mut self.limits, demands, now) {
            Verdict::Within => Decision::Admit,
            Verdict::Exceeded(place) => Decision::Exceeded(place),
        }
    }

    /// Counts a request that was let through. `demands` are those its decision left.
    pub fn charge(&mut self, usage: &Usage, demands: &[Demand]) {
        quota::charge(&mut self.limits, demands);
        for (metric, amount) in usage.iter() {
            if let Some(tally) = self.tallies.get_mut(usize::from(metric.0)) {
                tally.admitted = tally.admitted.saturating_add(amount);
            }
        }
    }

    /// A moment inside every window that the demands concern: `now`, except where the backend's
    /// clock is ahead. Usage is dated with it.
    pub fn dated(&self, demands: &[Demand], now: UnixMillis) -> UnixMillis {
        demands
            .iter()
            .filter_map(|demand| self.limits.get(demand.limit))
            .fold(now, |at, limit| at.max(limit.window.start))
    }

    /// How much of `metric` was ever let through, as usage messages carry it.
    pub fn total(&self, metric: MetricIndex) -> u64 {
        self.tallies
            .get(usize::from(metric.0))
            .map_or(0, |tally| tally.admitted)
    }

    /// The limit at `place`.
    pub fn limit(&self, place: usize) -> Option<&Limit> {
        self.limits.get(place)
    }

    /// The limits as they stand.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Whether the record decides requests.
    pub fn is_usable(&self, now: UnixMillis) -> bool {
        self.life.is_usable(now)
    }

    /// Whether a refresh is to be asked for now: due, and not asked for a moment ago.
    pub fn wants_refresh(&mut self, now: UnixMillis) -> bool {
        self.life.wants_refresh(now)
    }

    /// Ends the record's use, because the backend refused the application at `now`. What it counted
    /// is kept for the reading that may follow.
    pub fn refuse(&mut self, refusal: Refusal, now: UnixMillis) {
        self.life.refuse(refusal, now);
        self.keys.forget_learned();
        for charge in &mut self.charges {
            if let Charge::Free { until } = charge {
                *until = UnixMillis(0);
            }
        }
    }

    /// What the backend refused the application for, if that was its last word.
    pub fn refusal(&self) -> Option<Refusal> {
        self.life.refusal()
    }

    /// Whether readings cover all usage that the record let through: forgetting it grants nothing.
    pub fn is_covered(&self) -> bool {
        self.limits.iter().all(|limit| limit.ahead == 0)
    }

    /// A successful call named these metrics, so they exist: believed until `until`.
    pub fn learn_metrics(&mut self, usage: &Usage, until: UnixMillis) {
        for (metric, _) in usage.iter() {
            if let Some(Charge::Free { until: known }) = self.charges.get_mut(usize::from(metric.0))
            {
                *known = until;
            }
        }
    }

    /// Fills `demands`; false when a metric's charge is not known for certain at `now`.
    fn demand(&self, usage: &Usage, now: UnixMillis, demands: &mut Vec<Demand>) -> bool {
        let certain =
            usage.iter().all(
                |(metric, _)| match self.charges.get(usize::from(metric.0)) {
                    Some(Charge::Limits(_)) => true,
                    Some(Charge::Free { until }) => now < *until,
                    Some(Charge::Hidden) | None => false,
                },
            );
        charge::demands(&self.charges, self.limits.len(), usage, demands);
        certain
    }

    /// Expands usage up the tree: what it adds to each limit.
    fn sum(&self, usage: &Usage, demands: &mut Vec<Demand>) {
        charge::sum(&self.charges, usage, demands);
    }
}

impl Value for Record {
    fn may_go(&self, now: UnixMillis) -> bool {
        self.is_covered() || now >= self.life.usable_until().plus_ms(UNCOVERED_MS)
    }
}
