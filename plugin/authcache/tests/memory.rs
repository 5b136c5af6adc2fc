//! How much memory a worker takes for an application with leases, by an allocator that counts. Alone in
//! its file: everything that the process allocates is counted.

#![cfg(test)]

use std::alloc::System;
use std::rc::Rc;

use authcache::cache::Arena;
use authcache::key::{CacheKey, CredentialKind, HashSeed, KeyRef, Scope};
use authcache::lease::slot::{Slot, Source, Want};
use authcache::lease::terms::{Delays, Terms};
use authcache::leased::{LeasedRecord, Plans};
use authcache::quota::Demand;
use authcache::record::{Lifetimes, LimitReading, Reading};
use authcache::time::{Period, UnixMillis};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
/// As many as a worker keeps with the default settings.
const APPLICATIONS: usize = 100_000;
const MOST_BYTES: usize = 400;
const METRICS: [&str; 2] = ["hits", "search"];

fn reading() -> Reading {
    let limits = [
        ("hits", Period::Minute, 1_000),
        ("hits", Period::Day, 10_000),
        ("search", Period::Month, 100_000),
    ];
    Reading {
        started: NOW,
        limits: limits
            .into_iter()
            .map(|(metric, period, max)| LimitReading {
                metric: metric.to_owned(),
                period,
                window: period.window(NOW),
                max,
                current: 1,
            })
            .collect(),
        hierarchy: Some(vec![
            ("hits".to_owned(), vec!["search".to_owned()]),
            ("search".to_owned(), Vec::new()),
        ]),
        keys: Some(Vec::new()),
    }
}

/// The record, its key, its place in the arena, and what it leased of every limit.
#[test]
fn an_application_with_three_limits_takes_at_most_400_bytes() {
    let delays = Delays {
        epoch_ms: 1_000,
        tick_ms: 100,
        rtt_ms: 1_000,
        settle_ms: 300,
    };
    let terms = Terms::new(1, 0, delays, 300_000);
    let scope = Rc::new(Scope::new(
        HashSeed(1, 2),
        ["backend", "b.example", ""],
        "1",
        0,
    ));
    let lifetimes = Lifetimes {
        soft_ms: 30_000,
        usable_ms: 300_000,
        settle_ms: 300,
    };
    let reading = reading();
    let mut plans = Plans::default();
    let mut records: Arena<CacheKey, LeasedRecord> = Arena::new(APPLICATIONS);
    let mut add = |n: usize| {
        let credential = format!("user-key-of-32-characters-{n:06}");
        let key = KeyRef {
            scope: &scope,
            kind: CredentialKind::UserKey,
            credential: &credential,
        };
        let plan = plans.find(0, &reading, METRICS);
        let tag = key.tag();
        let mut record = LeasedRecord::new(tag, plan, &reading, lifetimes);
        let source = Source {
            tag,
            limits: &reading.limits,
            asked_at: NOW,
        };
        let mut slot = Slot::install(None, source, &[], NOW, &terms).expect("a slot");
        let demands = [0, 1, 2].map(|limit| Demand { limit, amount: 1 });
        let want = Want {
            generation: 1,
            demands: &demands,
            workers: 2,
        };
        let wallet = slot.lease(&Default::default(), want, NOW, &terms);
        record.take_lease(wallet.expect("a lease"), NOW);
        let stored = records.insert(key.hash(), key.to_owned(), record, NOW);
        assert!(stored.is_ok_and(|record| record.wallet().purses().len() == 3));
    };
    let before = live_bytes();
    for n in 0..APPLICATIONS {
        add(n);
        let known = n + 1;
        // Also where the memory has just grown, if there are enough to share a page.
        let each = (live_bytes() - before) / known;
        assert!(known < 10_000 || each <= MOST_BYTES, "{each} of {known}");
    }
    assert_eq!(records.len(), APPLICATIONS);
}

fn live_bytes() -> usize {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}
