//! What a worker knows about an application whose limits are kept by leases.
//!
//! Owns [`LeasedRecord`] and [`Plan`]. Must not know slots, calls or settings.
//!
//! The counters are not here: they are in the slot that all workers share, and what the worker may
//! admit is in its wallet. Applications of one plan share a [`Plan`], so that a record is small.

mod plan;

pub use plan::{Plan, Plans};

use crate::cache::Value;
use crate::lease::slot::Tag;
use crate::lease::wallet::Wallet;
use crate::quota::Demand;
use crate::record::charge::{self, Charge};
use crate::record::{AcceptedKeys, Life, Lifetimes, Reading};
use crate::refusal::Refusal;
use crate::time::UnixMillis;
use crate::usage::Usage;

use std::rc::Rc;

/// What is known about one application.
// In this order: what a hit reads lies together, since the record of one application among many is
// seldom in the processor's caches.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct LeasedRecord {
    pub(crate) life: Life,
    /// Which application keys pass.
    pub(crate) keys: AcceptedKeys,
    pub(crate) plan: Rc<Plan>,
    /// The latest start of its windows: the backend's clock may be ahead.
    starts: UnixMillis,
    pub(crate) wallet: Wallet,
    pub(crate) tag: Tag,
    started: UnixMillis,
    /// Until when each metric without limits is believed to exist; empty where none was named yet.
    named: Box<[UnixMillis]>,
    /// What is not asked of the slot again for a while.
    shut: Option<Box<Shut>>,
    /// Until then nothing is leased, because there is no slot.
    pub(crate) unleased_until: UnixMillis,
    /// When the last call was made that may have paid for several requests.
    pub(crate) paid_at: UnixMillis,
    /// Whether it stands in the worker's list of those with tokens.
    pub(crate) holds: bool,
}

/// A limit that did not admit a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shut {
    /// Its place.
    pub place: usize,
    /// Requests for so much of it, or more, are not admitted.
    pub amount: u64,
    /// Until then.
    pub until: UnixMillis,
    /// The end of its window.
    pub ends: UnixMillis,
    /// What is left of it.
    pub left: u64,
    /// Whether the limit is reached, not only what may be handed out.
    pub is_reached: bool,
}

impl LeasedRecord {
    /// A record of the application behind `tag`.
    pub fn new(tag: Tag, plan: Rc<Plan>, reading: &Reading, lifetimes: Lifetimes) -> Self {
        let mut record = Self {
            plan,
            tag,
            keys: AcceptedKeys::new(reading.keys.clone()),
            life: Life::default(),
            started: reading.started,
            named: Box::default(),
            wallet: Wallet::default(),
            shut: None,
            unleased_until: UnixMillis(0),
            paid_at: UnixMillis(0),
            starts: UnixMillis(0),
            holds: false,
        };
        record.life.prolong(reading.started, lifetimes);
        record
    }

    /// Takes over a newer reading; an older one changes nothing.
    pub fn refresh(&mut self, plan: Rc<Plan>, reading: &Reading, lifetimes: Lifetimes) {
        if reading.started < self.started {
            return;
        }
        self.started = reading.started;
        if !Rc::ptr_eq(&self.plan, &plan) {
            // Purses are found by place. Those of limits in another order would be other limits'.
            if self.wallet.shape() == Some(self.plan.shape()) && plan.shape() != self.plan.shape() {
                let places = plan.places_in(&self.plan);
                self.wallet.reorder(plan.shape(), places);
            }
            self.plan = plan;
            self.shut = None;
        }
        self.keys.relist(reading.keys.clone());
        self.life.prolong(reading.started, lifetimes);
    }

    /// When the newest reading was asked for.
    pub fn started(&self) -> UnixMillis {
        self.started
    }

    /// Leaves in `demands` what a request asks of each limit; false when a metric's charge is not
    /// known for certain.
    pub fn demand(&self, usage: &Usage, now: UnixMillis, demands: &mut Vec<Demand>) -> bool {
        let charges = self.plan.charges();
        let certain = usage.iter().all(|(metric, _)| {
            let place = usize::from(metric.0);
            match charges.get(place) {
                Some(Charge::Limits(_)) => true,
                Some(Charge::Free { .. }) => {
                    self.named.get(place).is_some_and(|until| now < *until)
                }
                Some(Charge::Hidden) | None => false,
            }
        });
        charge::demands(charges, self.plan.limits().len(), usage, demands);
        certain
    }

    /// Leaves in `demands` the most that a request can ask of each limit, as far as its metrics show.
    pub fn demand_at_most(&self, usage: &Usage, demands: &mut Vec<Demand>) {
        let limits = self.plan.limits().len();
        charge::demands_at_most(self.plan.charges(), limits, usage, demands);
    }

    /// Admits a request from the wallet: every demand or none.
    pub fn spend(&mut self, demands: &[Demand], now: UnixMillis) -> bool {
        demands.is_empty() || self.wallet.spend(demands, now)
    }

    /// Puts a lease into the wallet, from a slot whose latest window starts at `starts`.
    pub fn take_lease(&mut self, wallet: Wallet, starts: UnixMillis) {
        self.wallet = wallet;
        self.starts = starts;
    }

    /// What it leased.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// A moment inside every window that its leases are of: `now`, except where the backend's clock
    /// is ahead. Usage is dated with it.
    pub fn dated(&self, now: UnixMillis) -> UnixMillis {
        now.max(self.starts)
    }

    /// What keeps the demands out without asking the slot.
    pub fn shut(&self, demands: &[Demand], now: UnixMillis) -> Option<Shut> {
        let shut = self.shut.as_deref().filter(|shut| now < shut.until)?;
        demands
            .iter()
            .any(|demand| demand.limit == shut.place && demand.amount >= shut.amount)
            .then_some(*shut)
    }

    /// Remembers what did not admit a request.
    pub fn close(&mut self, shut: Shut) {
        match &mut self.shut {
            Some(known) => **known = shut,
            None => self.shut = Some(Box::new(shut)),
        }
    }

    /// A successful call named these metrics, so they exist: believed until `until`.
    pub fn learn_metrics(&mut self, usage: &Usage, until: UnixMillis) {
        for (metric, _) in usage.iter() {
            let place = usize::from(metric.0);
            if !matches!(self.plan.charges().get(place), Some(Charge::Free { .. })) {
                continue;
            }
            if self.named.is_empty() {
                self.named = vec![UnixMillis(0); self.plan.charges().len()].into_boxed_slice();
            }
            if let Some(known) = self.named.get_mut(place) {
                *known = until;
            }
        }
    }

    /// Ends the record's use, because the backend refused the application at `now`.
    pub fn refuse(&mut self, refusal: Refusal, now: UnixMillis) {
        self.life.refuse(refusal, now);
        self.keys.forget_learned();
        self.named = Box::default();
    }
}

impl Value for LeasedRecord {
    /// With its tokens the worker would lose what it owes the slot.
    fn may_go(&self, _now: UnixMillis) -> bool {
        !self.holds
    }
}
