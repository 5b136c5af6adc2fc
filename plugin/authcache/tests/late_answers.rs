//! Answers that arrive after those to later questions, and what of them a record takes over.

use authcache::key::KeyDigest;
use authcache::record::{Decision, Lifetimes, LimitReading, Reading, Record, Uncovered};
use authcache::time::{Period, UnixMillis};
use authcache::usage::{MetricIndex, Usage};

const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
const LIFETIMES: Lifetimes = Lifetimes {
    soft_ms: 30_000,
    usable_ms: 300_000,
    settle_ms: 300,
};
const METRICS: [&str; 1] = ["hits"];
const HITS: MetricIndex = MetricIndex(0);

fn reading(started: UnixMillis, period: Period, max: u64, current: u64) -> Reading {
    Reading {
        started,
        limits: vec![LimitReading {
            metric: "hits".to_owned(),
            period,
            window: period.window(started),
            max,
            current,
        }],
        hierarchy: Some(vec![("hits".to_owned(), Vec::new())]),
        keys: Some(Vec::new()),
    }
}

fn record(period: Period) -> Record {
    let reading = reading(NOW, period, 100, 10);
    Record::new(&reading, METRICS, 1_000, &usage(2), NOW, LIFETIMES)
}

fn usage(hits: u64) -> Usage {
    let mut usage = Usage::default();
    usage.add(HITS, hits);
    usage
}

#[test]
fn an_older_answer_that_comes_late_brings_neither_its_limits_nor_its_keys_back() {
    let [taken_away, added] = ["old", "new"].map(KeyDigest::of);
    let answer = |at, max, current, key| Reading {
        keys: Some(vec![key]),
        ..reading(NOW.plus_ms(at), Period::Day, max, current)
    };
    let mut record = record(Period::Day);
    let mut demands = Vec::new();
    assert_eq!(
        record.decide(&usage(20), NOW, &mut demands),
        Decision::Admit
    );
    record.charge(&usage(20), &demands);
    let newer = answer(2_000, 50, 12, added);
    record.refresh(&newer, METRICS, &Uncovered::default(), LIFETIMES);
    let late = answer(1_000, 100, 11, taken_away);
    // Of the 20 that are ahead it covers 5.
    let uncovered = Uncovered {
        usage: vec![("hits".to_owned(), NOW, 15)],
        totals: vec![("hits".to_owned(), 1_020)],
    };
    record.refresh(&late, METRICS, &uncovered, LIFETIMES);
    let limit = record.limit(0).expect("one limit");
    assert_eq!((limit.max, limit.reading, limit.ahead), (50, 12, 15));
    record.reread(&late, METRICS, &usage(1), NOW.plus_ms(2_100), LIFETIMES);
    let limit = record.limit(0).expect("one limit");
    assert_eq!((limit.max, limit.reading, limit.ahead), (50, 13, 15));
    assert!(record.keys.accept(Some(added), NOW));
    assert!(!record.keys.accept(Some(taken_away), NOW));
}

#[test]
fn an_older_answer_that_a_new_window_begins_with_is_not_lost() {
    let mut record = record(Period::Minute);
    let newer = reading(NOW.plus_ms(2_000), Period::Minute, 100, 12);
    record.refresh(&newer, METRICS, &Uncovered::default(), LIFETIMES);
    let next = Period::Minute.window(NOW).end;
    let mut late = reading(next, Period::Minute, 100, 4);
    late.started = NOW.plus_ms(1_000);
    record.reread(&late, METRICS, &usage(1), next, LIFETIMES);
    let limit = record.limit(0).expect("one limit");
    assert_eq!(limit.window, Period::Minute.window(next));
    assert_eq!(limit.counter(), 4);
}
