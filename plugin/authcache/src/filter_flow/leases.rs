//! Deciding from leases.
//!
//! Owns what a worker does with the slot of an application: leasing, noting calls that count by
//! themselves, and counting without leases while the backend is away. Must not know flights.
//!
//! A hit takes tokens out of the worker's wallet. Only when they do not suffice the slot is asked, and
//! what it refuses is not asked again for a while, so that neither a hit nor a denial costs shared
//! memory every time.

use std::rc::Rc;

use super::cached::{Asked, Cached, Why, accepts};
use crate::config::Mode;
use crate::counters::Counter;
use crate::lease::slot::{Receipt, Short, Skew, Slot, SlotLimit, Source, Tag, Want};
use crate::lease::store::{Change, Trouble};
use crate::lease::wallet::Wallet;
use crate::leased::Shut;
use crate::quota::Demand;
use crate::record::Reading;
use crate::reply::{Denial, DenialKind, RateLimit};
use crate::service::ServedService;
use crate::time::{UnixMillis, Window};
use crate::worker::WorkerState;

/// What is handed out comes back with the ticks: so long the slot is not asked again.
const EMPTY_MS: u64 = 100;
/// A record whose reading is younger has had its slot installed just now; if there is none, another
/// call would not bring it.
const FRESH_MS: u64 = 1_000;
/// A joint call takes at most this part of what a gateway may hope for.
const JOINT_PARTS: u64 = 8;
/// So far apart are two calls of a worker that may pay for several, unless enough wait for the next.
pub(super) const PAY_MS: u64 = 100;
/// Most requests that a joint call pays for.
const MAX_JOINT: u64 = 1_000;

/// Usage of a call that counts by itself, noted in the slot before the call.
#[derive(Clone, Debug, Default)]
pub(super) struct Charged {
    tag: Option<Tag>,
    demands: Vec<Demand>,
    receipt: Receipt,
}

enum Leasing {
    Done {
        wallet: Wallet,
        starts: UnixMillis,
        is_alone: bool,
    },
    Closed {
        shut: Shut,
        times: u64,
    },
    Gone,
}

/// Decides from the record of the application and its leases. A yes is counted.
pub(super) fn from_lease(
    worker: &mut WorkerState,
    service: &Rc<ServedService>,
    asked: &Asked<'_>,
    now: UnixMillis,
) -> Result<Cached, Why> {
    let mut demands = std::mem::take(&mut worker.demands);
    let decided = decide(worker, service, asked, &mut demands, now);
    worker.demands = demands;
    decided
}

fn decide(
    worker: &mut WorkerState,
    service: &Rc<ServedService>,
    asked: &Asked<'_>,
    demands: &mut Vec<Demand>,
    now: UnixMillis,
) -> Result<Cached, Why> {
    let (hash, key) = asked.application();
    let record = worker.leased.find(hash, |known| known.is(key));
    let record = record
        .filter(|record| record.life.is_usable(now))
        .ok_or(Why::Unknown)?;
    if !accepts(&record.keys, asked, now) {
        return Err(Why::Key);
    }
    if !record.demand(asked.usage, now, demands) {
        return Err(Why::Metric);
    }
    let wants_refresh = record.life.wants_refresh(now);
    let at = record.dated(now);
    let is_admitted = record.spend(demands, now);
    if wants_refresh {
        worker
            .table
            .note_account(asked.application(), service, true);
    }
    if is_admitted {
        worker.note_leased_usage(asked.application(), service, asked.usage, at);
        return Ok(Cached::Admit);
    }
    lease(worker, service, asked, demands, now)
}

#[cold]
fn lease(
    worker: &mut WorkerState,
    service: &Rc<ServedService>,
    asked: &Asked<'_>,
    demands: &[Demand],
    now: UnixMillis,
) -> Result<Cached, Why> {
    let slots = worker.slots(service);
    let generation = worker.generation();
    let (hash, key) = asked.application();
    let record = worker.leased.peek_mut(hash, |known| known.is(key));
    let Some(record) = record else {
        return Err(Why::Unknown);
    };
    if let Some(shut) = record.shut(demands, now) {
        return Ok(Cached::Deny(denial(
            record.plan.max(shut.place),
            &shut,
            service,
            now,
        )));
    }
    if now < record.unleased_until {
        return Err(Why::Alone);
    }
    let policy = &service.route.policy;
    let fresh_ms = if service.terms.is_alone() {
        FRESH_MS
    } else {
        // From then on the reading is too old, and another call brings a new one.
        FRESH_MS.min(service.terms.valid_ms)
    };
    let want = Want {
        generation,
        demands,
        workers: policy.workers,
    };
    let shape = record.plan.shape();
    let is_first = record.wallet.shape().is_none();
    let outcome = slots.change(record.tag, now, |slot| match slot {
        Some(mut slot) if slot.shape == shape => {
            let mut holders = slot.holders.iter();
            let is_alone =
                !holders.any(|holder| holder.generation != generation && now < holder.until);
            match slot.lease(&record.wallet, want, now, &service.terms) {
                Ok(wallet) => {
                    let starts = slot.limits.iter().map(|limit| limit.window.start).max();
                    let starts = starts.unwrap_or_default();
                    Change::Write(
                        slot,
                        Leasing::Done {
                            wallet,
                            starts,
                            is_alone,
                        },
                    )
                }
                Err(short) => Change::Leave(closed(short, &slot, demands, service, now)),
            }
        }
        _ => Change::Leave(Leasing::Gone),
    });
    match outcome {
        Ok(Leasing::Done {
            wallet,
            starts,
            is_alone,
        }) => {
            worker.announces |= is_first && is_alone;
            record.take_lease(wallet, starts);
            let at = record.dated(now);
            worker.counters.one(Counter::LeaseAcquired);
            worker.hold(asked.application(), service, now);
            worker.note_leased_usage(asked.application(), service, asked.usage, at);
            Ok(Cached::Admit)
        }
        Ok(Leasing::Closed { shut, times }) => {
            worker.counters.one(Counter::LeaseRefused);
            let may_join = policy.mode == Mode::Balanced && !service.terms.is_alone();
            if may_join && times > 0 {
                return Err(Why::Red { times });
            }
            let told = denial(record.plan.max(shut.place), &shut, service, now);
            record.close(shut);
            // It is in use, though nothing is used: the sync side has to go on reading.
            worker
                .table
                .note_account(asked.application(), service, false);
            Ok(Cached::Deny(told))
        }
        Ok(Leasing::Gone) if now.ms_since(record.started()) >= fresh_ms => Err(Why::Unknown),
        Ok(Leasing::Gone) | Err(Trouble::NoRoom) => {
            record.unleased_until = now.plus_ms(fresh_ms);
            Err(Why::Alone)
        }
        Err(Trouble::Conflicts) => {
            worker.counters.one(Counter::LeaseConflicts);
            Err(Why::Alone)
        }
    }
}

/// What a refused lease means for the requests that follow.
fn closed(
    short: Short,
    slot: &Slot,
    demands: &[Demand],
    service: &ServedService,
    now: UnixMillis,
) -> Leasing {
    let (place, is_reached) = match short {
        Short::Exceeded(place) => (place, true),
        Short::Empty(place) => (place, false),
        // A new reading is of use: whoever misses brings it.
        Short::Stale(_) | Short::Unusable => return Leasing::Gone,
    };
    let Some(limit) = slot.limits.get(place) else {
        return Leasing::Gone;
    };
    let mut demanded = demands.iter().filter(|demand| demand.limit == place);
    let amount = demanded.next().map_or(0, |demand| demand.amount);
    let pause_ms = if is_reached {
        service.route.policy.epoch.min_ms
    } else {
        EMPTY_MS
    };
    let left = if is_reached {
        limit.max.saturating_sub(limit.read)
    } else {
        0
    };
    let shut = Shut {
        place,
        amount,
        until: now.plus_ms(pause_ms).min(limit.window.end),
        ends: limit.window.end,
        left,
        is_reached,
    };
    let times = if is_reached {
        0
    } else {
        joint_times(slot, demands, service)
    };
    Leasing::Closed { shut, times }
}

/// How many requests like this one a single call may pay for; 0 when what this gateway knows of
/// leaves no room for one.
fn joint_times(slot: &Slot, demands: &[Demand], service: &ServedService) -> u64 {
    let parts = JOINT_PARTS.saturating_mul(u64::from(service.terms.gateways));
    let fits = |limit: &SlotLimit, amount: u64| {
        if limit.left() < amount {
            return 0;
        }
        let part = limit.left() / parts.max(1);
        part.checked_div(amount).unwrap_or(MAX_JOINT).max(1)
    };
    let times = demands.iter().filter_map(|demand| {
        let limit = slot.limits.get(demand.limit)?;
        Some(fits(limit, demand.amount))
    });
    times.min().unwrap_or(1).min(MAX_JOINT)
}

fn denial(max: u64, shut: &Shut, service: &ServedService, now: UnixMillis) -> Denial {
    let reset_s = (shut.ends != Window::NO_END).then(|| seconds(shut.ends.ms_since(now)));
    let next_s = seconds(service.route.policy.epoch.min_ms).max(1);
    let retry_after_s = if shut.is_reached {
        reset_s
    } else {
        // What is handed out comes back, or the next reading shows that it does not.
        Some(reset_s.map_or(next_s, |reset_s| reset_s.min(next_s)))
    };
    Denial {
        kind: DenialKind::Limits,
        retry_after_s,
        rate_limit: Some(RateLimit {
            limit: max,
            remaining: shut.left,
            reset_s,
        }),
    }
}

fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1_000)
}

/// Puts a reading into the slot of its application, so that every worker leases from it.
pub(super) fn install(
    worker: &mut WorkerState,
    service: &ServedService,
    tag: Tag,
    reading: &Reading,
    now: UnixMillis,
) {
    if reading.limits.is_empty() {
        return;
    }
    let source = Source {
        tag,
        limits: &reading.limits,
        asked_at: reading.started,
    };
    let outcome = worker.slots(service).change(tag, now, |slot| {
        match Slot::install(slot, source, &[], now, &service.terms) {
            Some(slot) => Change::Write(slot, ()),
            None => Change::Leave(()),
        }
    });
    if outcome == Err(Trouble::Conflicts) {
        worker.counters.one(Counter::LeaseConflicts);
    }
}

/// Whether any worker of the process knows the application: then it has a slot.
pub(super) fn is_known(
    worker: &WorkerState,
    service: &Rc<ServedService>,
    asked: &Asked<'_>,
) -> bool {
    service.route.policy.mode.leases() && worker.slots(service).read(asked.key.tag()).is_some()
}

/// Notes the usage of a call that counts by itself, `times` as much as asked, before the call is
/// made. In `strict` there has to be room for it, and a place where it can be noted: the backend does
/// not know what is leased, so its yes alone is none.
pub(super) fn charge(
    worker: &mut WorkerState,
    service: &Rc<ServedService>,
    asked: &Asked<'_>,
    times: u64,
    now: UnixMillis,
) -> Result<Charged, Denial> {
    let (hash, key) = asked.application();
    let record = worker.leased.peek(hash, |known| known.is(key));
    let is_strict = service.route.policy.mode == Mode::Strict;
    let unknown = if is_strict {
        Err(Denial::from(DenialKind::Backend))
    } else {
        Ok(Charged::default())
    };
    let Some(record) = record else {
        return unknown;
    };
    let (tag, plan) = (record.tag, Rc::clone(&record.plan));
    let mut demands = Vec::new();
    // What a hidden metric counts for is not known, and the backend does not know what is leased.
    record.demand_at_most(asked.usage, &mut demands);
    for demand in &mut demands {
        demand.amount = demand.amount.saturating_mul(times);
    }
    if demands.is_empty() {
        return Ok(Charged::default());
    }
    let policy = &service.route.policy;
    // The call may take until its timeout, and the backend's clock decides by when it arrives.
    let route = &service.route;
    let skew = Skew {
        behind_ms: policy.clock_skew_ms,
        ahead_ms: policy.clock_skew_ms.saturating_add(route.timeout_ms),
    };
    let outcome = worker.slots(service).change(tag, now, |slot| {
        let Some(mut slot) = slot.filter(|slot| slot.shape == plan.shape()) else {
            return Change::Leave(Ok(None));
        };
        let receipt = if is_strict {
            match slot.reserve(&demands, now, skew, &service.terms) {
                Ok(receipt) => receipt,
                Err(short) => {
                    return Change::Leave(Err(closed(short, &slot, &demands, service, now)));
                }
            }
        } else {
            slot.charge(&demands, now, skew, &service.terms)
        };
        Change::Write(slot, Ok(Some(receipt)))
    });
    match outcome {
        Ok(Ok(Some(receipt))) => Ok(Charged {
            tag: Some(tag),
            demands,
            receipt,
        }),
        Ok(Err(Leasing::Closed { shut, .. })) => {
            Err(denial(plan.max(shut.place), &shut, service, now))
        }
        Ok(_) | Err(_) => unknown,
    }
}

/// Takes a charge back, because the backend did not count the call for certain.
pub(super) fn discharge(
    worker: &mut WorkerState,
    service: &ServedService,
    charged: &Charged,
    now: UnixMillis,
) {
    let Some(tag) = charged.tag else {
        return;
    };
    // Lost to conflicts, it stays handed out and expires with its window.
    let _ = worker.slots(service).change(tag, now, |slot| match slot {
        Some(mut slot) => {
            slot.discharge(&charged.demands, &charged.receipt);
            Change::Write(slot, ())
        }
        None => Change::Leave(()),
    });
}

/// From when on the next call may be made that pays for several. `None` where there is no record.
pub(super) fn pays_again_at(
    worker: &WorkerState,
    asked: &Asked<'_>,
    now: UnixMillis,
) -> Option<UnixMillis> {
    let (hash, key) = asked.application();
    let record = worker.leased.peek(hash, |known| known.is(key))?;
    // A clock that was set back keeps nobody waiting.
    Some(record.paid_at.min(now).plus_ms(PAY_MS))
}

/// A call is made that may pay for several.
pub(super) fn note_payment(worker: &mut WorkerState, asked: &Asked<'_>, now: UnixMillis) {
    let (hash, key) = asked.application();
    if let Some(record) = worker.leased.peek_mut(hash, |known| known.is(key)) {
        record.paid_at = now;
    }
}

/// Decides while the backend is away by what the slot last said, however old that is, and counts it
/// there. `None` when there is nothing to go by. What the record cannot tell of a request counts for
/// nothing: whoever may not let that through has to ask before.
pub(super) fn without_backend(
    worker: &mut WorkerState,
    service: &Rc<ServedService>,
    asked: &Asked<'_>,
    now: UnixMillis,
) -> Option<Result<(), Denial>> {
    let (hash, key) = asked.application();
    let record = worker.leased.peek(hash, |known| known.is(key))?;
    let (tag, plan) = (record.tag, Rc::clone(&record.plan));
    let mut demands = Vec::new();
    record.demand(asked.usage, now, &mut demands);
    if demands.is_empty() {
        return Some(Ok(()));
    }
    let outcome = worker.slots(service).change(tag, now, |slot| {
        let Some(mut slot) = slot.filter(|slot| slot.shape == plan.shape()) else {
            return Change::Leave(None);
        };
        slot.roll(now, &service.terms);
        let over = demands.iter().find(|demand| {
            let limit = slot.limits.get(demand.limit);
            limit.is_some_and(|limit| limit.left() < demand.amount)
        });
        if let Some(over) = over {
            let short = Short::Exceeded(over.limit);
            return Change::Leave(Some(Err(closed(short, &slot, &demands, service, now))));
        }
        slot.charge(&demands, now, Skew::default(), &service.terms);
        Change::Write(slot, Some(Ok(())))
    });
    match outcome.ok()?? {
        Ok(()) => Some(Ok(())),
        Err(Leasing::Closed { shut, .. }) => {
            Some(Err(denial(plan.max(shut.place), &shut, service, now)))
        }
        Err(_) => None,
    }
}
