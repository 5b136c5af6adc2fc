//! Deciding from a record, and what readings do to its counters.

use authcache::quota::Demand;
use authcache::record::{Decision, Lifetimes, LimitReading, Reading, Record, Uncovered};
use authcache::refusal::Refusal;
use authcache::time::{Period, UnixMillis};
use authcache::usage::{MetricIndex, Usage};

const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
const LIFETIMES: Lifetimes = Lifetimes {
    soft_ms: 30_000,
    usable_ms: 300_000,
    settle_ms: SETTLE_MS,
};
const SETTLE_MS: u64 = 300;
/// hits <- search <- images, and orders beside hits.
const METRICS: [&str; 4] = ["hits", "search", "images", "orders"];
const HITS: MetricIndex = MetricIndex(0);
const SEARCH: MetricIndex = MetricIndex(1);
const IMAGES: MetricIndex = MetricIndex(2);
const ORDERS: MetricIndex = MetricIndex(3);

fn reading(started: UnixMillis, limits: &[(&str, Period, u64, u64)]) -> Reading {
    let children = |parent: &str| match parent {
        "hits" => vec!["search".to_owned()],
        "search" => vec!["images".to_owned()],
        _ => Vec::new(),
    };
    let limits = limits
        .iter()
        .map(|(metric, period, max, current)| LimitReading {
            metric: (*metric).to_owned(),
            period: *period,
            window: period.window(started),
            max: *max,
            current: *current,
        });
    let limits: Vec<LimitReading> = limits.collect();
    Reading {
        started,
        hierarchy: Some(
            limits
                .iter()
                .map(|limit| (limit.metric.clone(), children(&limit.metric)))
                .collect(),
        ),
        limits,
        keys: Some(Vec::new()),
    }
}

fn record(limits: &[(&str, Period, u64, u64)]) -> Record {
    Record::new(
        &reading(NOW, limits),
        METRICS,
        1_000,
        &usage(&[(HITS, 2)]),
        NOW,
        LIFETIMES,
    )
}

fn usage(entries: &[(MetricIndex, u64)]) -> Usage {
    let mut usage = Usage::default();
    for (metric, amount) in entries {
        usage.add(*metric, *amount);
    }
    usage
}

fn admit(record: &mut Record, entries: &[(MetricIndex, u64)], now: UnixMillis) -> Decision {
    let usage = usage(entries);
    let mut demands: Vec<Demand> = Vec::new();
    let decision = record.decide(&usage, now, &mut demands);
    if decision == Decision::Admit {
        record.charge(&usage, &demands);
    }
    decision
}

fn admitted(record: &mut Record, metric: MetricIndex, now: UnixMillis) -> u64 {
    let tries = (0..1_000).filter(|_| admit(record, &[(metric, 1)], now) == Decision::Admit);
    tries.count() as u64
}

#[test]
fn usage_of_a_grandchild_counts_for_every_limit_above_it() {
    let mut record = record(&[
        ("hits", Period::Day, 10, 2),
        ("hits", Period::Eternity, 100, 2),
        ("search", Period::Day, 50, 0),
    ]);
    assert_eq!(
        admit(&mut record, &[(IMAGES, 3), (SEARCH, 1)], NOW),
        Decision::Admit
    );
    let counters: Vec<u64> = record
        .limits()
        .iter()
        .map(|limit| limit.counter())
        .collect();
    assert_eq!(counters, [6, 6, 4]);
    assert_eq!(
        admit(&mut record, &[(IMAGES, 5)], NOW),
        Decision::Exceeded(0)
    );
    assert_eq!(
        admit(&mut record, &[(HITS, 2), (IMAGES, 2)], NOW),
        Decision::Admit
    );
    assert_eq!(admit(&mut record, &[(HITS, 1)], NOW), Decision::Exceeded(0));
}

#[test]
fn what_the_answer_does_not_show_is_asked_for() {
    // search is not limited, so what else is below it is unknown: images is, here.
    let mut record = record(&[("hits", Period::Day, 10, 0)]);
    record.learn_metrics(&usage(&[(IMAGES, 1)]), NOW.plus_ms(1_000));
    assert_eq!(admit(&mut record, &[(IMAGES, 1)], NOW), Decision::Ask);
    assert_eq!(
        admit(&mut record, &[(HITS, 1), (IMAGES, 1)], NOW),
        Decision::Ask
    );
    assert_eq!(admit(&mut record, &[(SEARCH, 1)], NOW), Decision::Admit);
}

#[test]
fn a_metric_without_limits_is_believed_once_a_call_named_it_and_for_a_while() {
    let mut record = record(&[]);
    assert_eq!(admit(&mut record, &[(ORDERS, 1)], NOW), Decision::Ask);
    record.learn_metrics(&usage(&[(ORDERS, 1)]), NOW.plus_ms(1_000));
    assert_eq!(
        admit(&mut record, &[(ORDERS, u64::MAX)], NOW),
        Decision::Admit
    );
    assert_eq!(admit(&mut record, &[(HITS, 1)], NOW), Decision::Ask);
    assert_eq!(
        admit(&mut record, &[(ORDERS, 1)], NOW.plus_ms(1_000)),
        Decision::Ask
    );
}

#[test]
fn a_record_decides_nothing_from_its_end_on() {
    let mut record = record(&[("hits", Period::Eternity, 10, 0)]);
    let end = NOW.plus_ms(LIFETIMES.usable_ms);
    assert_eq!(
        admit(&mut record, &[(HITS, 1)], UnixMillis(end.0 - 1)),
        Decision::Admit
    );
    assert_eq!(admit(&mut record, &[(HITS, 1)], end), Decision::Ask);
    assert!(!record.wants_refresh(UnixMillis(NOW.0 + LIFETIMES.soft_ms - 1)));
    assert!(record.wants_refresh(NOW.plus_ms(LIFETIMES.soft_ms)));
}

#[test]
fn a_refresh_is_asked_for_once_and_again_one_soft_lifetime_after_its_answer() {
    let mut record = record(&[("hits", Period::Eternity, 100, 5)]);
    let soft = NOW.plus_ms(LIFETIMES.soft_ms);
    assert!(record.wants_refresh(soft));
    assert!(!record.wants_refresh(soft.plus_ms(1)));
    let answer = reading(soft, &[("hits", Period::Eternity, 100, 5)]);
    let short = Lifetimes {
        soft_ms: 200,
        ..LIFETIMES
    };
    record.refresh(&answer, METRICS, &Uncovered::default(), short);
    assert!(!record.wants_refresh(soft.plus_ms(199)));
    assert!(record.wants_refresh(soft.plus_ms(200)));
}

#[test]
fn a_refresh_neither_overwrites_local_usage_nor_counts_it_twice() {
    let mut record = record(&[("hits", Period::Eternity, 100, 5)]);
    assert_eq!(admitted(&mut record, HITS, NOW), 95);
    // 60 were handed over; 20 of them are reported and counted, 3 of others too.
    let uncovered = Uncovered {
        usage: vec![("hits".to_owned(), NOW, 40)],
        totals: vec![("hits".to_owned(), 1_060)],
    };
    let later = NOW.plus_ms(10_000);
    let refreshed = reading(later, &[("hits", Period::Eternity, 200, 5 + 20 + 3)]);
    record.refresh(&refreshed, METRICS, &uncovered, LIFETIMES);
    let limit = record.limit(0).expect("one limit");
    assert_eq!((limit.reading, limit.ahead), (28, 40 + 35));
    // Everything is reported and counted now.
    let uncovered = Uncovered {
        usage: Vec::new(),
        totals: vec![("hits".to_owned(), 1_095)],
    };
    let refreshed = reading(later.plus_ms(1), &[("hits", Period::Eternity, 200, 103)]);
    record.refresh(&refreshed, METRICS, &uncovered, LIFETIMES);
    assert_eq!(record.limit(0).expect("one limit").counter(), 103);
    assert!(record.is_covered());
}

#[test]
fn usage_of_an_earlier_window_is_not_ahead_of_the_next() {
    let mut record = record(&[("hits", Period::Minute, 100, 0)]);
    assert_eq!(admit(&mut record, &[(HITS, 30)], NOW), Decision::Admit);
    let next = Period::Minute.window(NOW).end;
    assert_eq!(admit(&mut record, &[(HITS, 7)], next), Decision::Admit);
    // The sync side has only the old minute's usage yet, and none of it is reported.
    let uncovered = Uncovered {
        usage: vec![("hits".to_owned(), Period::Minute.window(NOW).start, 30)],
        totals: vec![("hits".to_owned(), 1_030)],
    };
    let refreshed = reading(next.plus_ms(500), &[("hits", Period::Minute, 100, 0)]);
    record.refresh(&refreshed, METRICS, &uncovered, LIFETIMES);
    assert_eq!(record.limit(0).expect("one limit").counter(), 7);
}

#[test]
fn an_answer_about_a_window_that_is_over_leaves_the_counters() {
    let mut record = record(&[("hits", Period::Minute, 100, 90)]);
    let next = Period::Minute.window(NOW).end;
    assert_eq!(admit(&mut record, &[(HITS, 7)], next), Decision::Admit);
    let late = reading(NOW.plus_ms(1_000), &[("hits", Period::Minute, 50, 95)]);
    record.refresh(&late, METRICS, &Uncovered::default(), LIFETIMES);
    let limit = record.limit(0).expect("one limit");
    assert_eq!((limit.counter(), limit.max), (7, 50));
    assert_eq!(limit.window, Period::Minute.window(next));
}

#[test]
fn a_limit_that_is_new_counts_what_is_not_covered() {
    let mut record = record(&[]);
    record.learn_metrics(&usage(&[(HITS, 1)]), NOW.plus_ms(300_000));
    assert_eq!(admit(&mut record, &[(HITS, 30)], NOW), Decision::Admit);
    let uncovered = Uncovered {
        usage: vec![("hits".to_owned(), NOW, 10)],
        totals: vec![("hits".to_owned(), 1_025)],
    };
    let refreshed = reading(NOW.plus_ms(2_000), &[("hits", Period::Day, 100, 15)]);
    record.refresh(&refreshed, METRICS, &uncovered, LIFETIMES);
    assert_eq!(record.limit(0).expect("one limit").counter(), 15 + 10 + 5);
}

#[test]
fn a_sync_side_that_knows_nothing_frees_nothing() {
    let mut record = record(&[("hits", Period::Eternity, 100, 0)]);
    assert_eq!(admit(&mut record, &[(HITS, 60)], NOW), Decision::Admit);
    let refreshed = reading(NOW.plus_ms(2_000), &[("hits", Period::Eternity, 100, 0)]);
    record.refresh(&refreshed, METRICS, &Uncovered::default(), LIFETIMES);
    assert_eq!(record.limit(0).expect("one limit").counter(), 60);
}

#[test]
fn another_authrep_keeps_what_is_ahead_and_what_may_not_be_counted() {
    let mut record = record(&[("hits", Period::Day, 100, 10)]);
    assert_eq!(admit(&mut record, &[(HITS, 20)], NOW), Decision::Admit);
    // Its own 5 are in its answer; the 2 of the first call may not be.
    let again = reading(NOW.plus_ms(50), &[("hits", Period::Day, 100, 13)]);
    record.reread(
        &again,
        METRICS,
        &usage(&[(HITS, 5)]),
        NOW.plus_ms(60),
        LIFETIMES,
    );
    let limit = record.limit(0).expect("one limit");
    assert_eq!((limit.reading, limit.ahead), (15, 20));
    // A call that was sent earlier and answered later adds what it used.
    let late = reading(NOW.plus_ms(10), &[("hits", Period::Day, 100, 11)]);
    record.reread(
        &late,
        METRICS,
        &usage(&[(HITS, 1)]),
        NOW.plus_ms(70),
        LIFETIMES,
    );
    assert_eq!(record.limit(0).expect("one limit").reading, 16);
}

#[test]
fn a_refresh_that_overlaps_an_authrep_does_not_lower_the_counter() {
    let mut record = record(&[("hits", Period::Day, 100, 10)]);
    let check = |record: &mut Record, at: u64, current, counter| {
        let refreshed = reading(NOW.plus_ms(at), &[("hits", Period::Day, 100, current)]);
        record.refresh(&refreshed, METRICS, &Uncovered::default(), LIFETIMES);
        assert_eq!(
            record.limit(0).expect("one limit").counter(),
            counter,
            "{at}"
        );
    };
    // With or without the 2 of the first call: 10 is certain.
    check(&mut record, SETTLE_MS - 1, 8, 10);
    check(&mut record, SETTLE_MS - 1, 10, 10);
    assert!(record.wants_refresh(NOW.plus_ms(2 * SETTLE_MS)));
    check(&mut record, SETTLE_MS, 9, 9);
    check(&mut record, 2 * SETTLE_MS, 30, 30);
}

#[test]
fn a_refused_record_is_not_revived_by_an_older_answer() {
    let mut record = record(&[("hits", Period::Day, 100, 10)]);
    record.refuse(Refusal::State, NOW.plus_ms(5_000));
    assert_eq!(
        admit(&mut record, &[(HITS, 1)], NOW.plus_ms(5_001)),
        Decision::Ask
    );
    let older = reading(NOW.plus_ms(4_999), &[("hits", Period::Day, 100, 10)]);
    record.refresh(&older, METRICS, &Uncovered::default(), LIFETIMES);
    assert_eq!(
        admit(&mut record, &[(HITS, 1)], NOW.plus_ms(5_001)),
        Decision::Ask
    );
    let newer = reading(NOW.plus_ms(6_000), &[("hits", Period::Day, 100, 10)]);
    record.refresh(&newer, METRICS, &Uncovered::default(), LIFETIMES);
    assert_eq!(
        admit(&mut record, &[(HITS, 1)], NOW.plus_ms(6_000)),
        Decision::Admit
    );
}

#[test]
fn usage_is_dated_inside_the_window_it_is_charged_to() {
    // The backend's clock is ahead: its window begins in a second.
    let next = Period::Minute.window(NOW).end;
    let ahead = reading(next, &[("hits", Period::Minute, 100, 0)]);
    let mut record = Record::new(&ahead, METRICS, 0, &Usage::default(), NOW, LIFETIMES);
    let mut demands = Vec::new();
    let early = UnixMillis(next.0 - 1_000);
    let usage = usage(&[(HITS, 1)]);
    assert_eq!(record.decide(&usage, early, &mut demands), Decision::Admit);
    assert_eq!(record.dated(&demands, early), next);
    assert_eq!(record.dated(&demands, next.plus_ms(5)), next.plus_ms(5));
}

#[test]
fn an_answer_without_a_tree_decides_nothing_about_limited_plans() {
    let mut answer = reading(NOW, &[("hits", Period::Day, 10, 0)]);
    answer.hierarchy = None;
    let mut record = Record::new(&answer, METRICS, 0, &Usage::default(), NOW, LIFETIMES);
    assert_eq!(admit(&mut record, &[(HITS, 1)], NOW), Decision::Ask);
}

#[test]
fn a_request_without_usage_is_checked_against_all_limits() {
    let mut record = record(&[
        ("hits", Period::Day, 10, 10),
        ("orders", Period::Day, 10, 11),
    ]);
    assert_eq!(admit(&mut record, &[], NOW), Decision::Exceeded(1));
    assert_eq!(admit(&mut record, &[(HITS, 0)], NOW), Decision::Admit);
    let mut record = self::record(&[("hits", Period::Day, 10, 10)]);
    assert_eq!(admit(&mut record, &[], NOW), Decision::Admit);
    assert_eq!(admit(&mut record, &[(HITS, 0)], NOW), Decision::Admit);
}
