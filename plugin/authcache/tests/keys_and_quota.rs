//! Keys are injective, and decisions equal an independent reading of the protocol.

#![cfg(test)]

use std::collections::BTreeMap;
use std::rc::Rc;

use authcache::key::{CacheKey, CredentialKind, HashSeed, KeyRef, Scope};
use authcache::record::{Decision, Lifetimes, LimitReading, Reading, Record};
use authcache::time::{Period, UnixMillis};
use authcache::usage::{MetricIndex, Usage};
use proptest::collection::vec;
use proptest::prelude::*;

const NOW: UnixMillis = UnixMillis(1_935_742_830_000);

/// Few and nasty characters, so that different parts join to the same text.
fn text() -> impl Strategy<Value = String> {
    "[ab_:/\\x00\\x01\u{e9}]{0,5}"
}

type Parts = ([String; 4], u32, bool, String);

fn parts() -> impl Strategy<Value = Parts> {
    (
        [text(), text(), text(), text()],
        0..2_u32,
        any::<bool>(),
        text(),
    )
}

fn key((scope, table, is_user_key, credential): &Parts) -> CacheKey {
    let backend = [&*scope[0], &*scope[1], &*scope[2]];
    let kind = if *is_user_key {
        CredentialKind::UserKey
    } else {
        CredentialKind::AppId
    };
    let scope = Rc::new(Scope::new(HashSeed(3, 5), backend, &scope[3], *table));
    KeyRef {
        scope: &scope,
        kind,
        credential,
    }
    .to_owned()
}

const METRICS: [&str; 5] = ["m0", "m1", "m2", "m3", "m4"];

/// A tree by parents: each metric's parent comes before it, or it has none.
fn tree() -> impl Strategy<Value = [Option<usize>; 5]> {
    let parent = |metric: usize| {
        proptest::option::of(0..metric.max(1)).prop_map(move |parent| parent.filter(|_| metric > 0))
    };
    (parent(0), parent(1), parent(2), parent(3), parent(4))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e])
}

fn line(tree: &[Option<usize>; 5], metric: usize) -> Vec<usize> {
    std::iter::successors(Some(metric), |metric| tree[*metric]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn different_parts_make_different_keys(a in parts(), b in parts()) {
        let (one, other) = (key(&a), key(&b));
        prop_assert_eq!(one == other, a == b);
        prop_assert_eq!(one.encode() == other.encode(), a == b);
        if a == b {
            prop_assert_eq!(one.as_ref().hash(), other.as_ref().hash());
        }
    }

    #[test]
    fn decisions_equal_the_protocol_wherever_the_record_decides(
        tree in tree(),
        limits in vec((0..5_usize, prop::sample::select(Period::ALL.to_vec()), 0..12_u64, 0..14_u64), 0..6),
        usage in vec((0..5_usize, 0..6_u64), 0..4),
        named in any::<[bool; 5]>(),
    ) {
        let mut unique: BTreeMap<(usize, Period), (u64, u64)> = BTreeMap::new();
        for (metric, period, max, current) in limits {
            unique.insert((metric, period), (max, current));
        }
        let children = |parent: usize| -> Vec<String> {
            (0..5).filter(|metric| tree[*metric] == Some(parent)).map(|metric| METRICS[metric].to_owned()).collect()
        };
        let reading = Reading {
            started: NOW,
            limits: unique.iter().map(|((metric, period), (max, current))| LimitReading {
                metric: METRICS[*metric].to_owned(),
                period: *period,
                window: period.window(NOW),
                max: *max,
                current: *current,
            }).collect(),
            hierarchy: Some(unique.keys().map(|(metric, _)| (METRICS[*metric].to_owned(), children(*metric))).collect()),
            keys: None,
        };
        let lifetimes = Lifetimes { soft_ms: 1_000, usable_ms: 1_000, settle_ms: 0 };
        let mut record = Record::new(&reading, METRICS, 0, &Usage::default(), NOW, lifetimes);
        let mut known = Usage::default();
        for metric in (0..5).filter(|metric| named[*metric]) {
            known.add(MetricIndex(u16::try_from(metric).expect("small")), 0);
        }
        record.learn_metrics(&known, NOW.plus_ms(1_000));

        let mut asked = Usage::default();
        let mut expanded: BTreeMap<usize, u64> = BTreeMap::new();
        for (metric, amount) in &usage {
            asked.add(MetricIndex(u16::try_from(*metric).expect("small")), *amount);
            for metric in line(&tree, *metric) {
                *expanded.entry(metric).or_default() += amount;
            }
        }
        let within = unique.iter().all(|((metric, _), (max, current))| match expanded.get(metric) {
            Some(amount) => current + amount <= *max,
            None => !usage.is_empty() || current <= max,
        });
        match record.decide(&asked, NOW, &mut Vec::new()) {
            Decision::Admit => prop_assert!(within),
            Decision::Exceeded(_) => prop_assert!(!within),
            Decision::Ask => {
                // Only where something is hidden, or a metric without limits was not named before.
                let limited = |metric: usize| unique.keys().any(|(known, _)| *known == metric);
                let shown = |metric: usize| limited(metric) || tree[metric].is_some_and(limited);
                let opaque = (0..5).any(|metric| !limited(metric) && tree[metric].is_some_and(limited));
                let unnamed = usage.iter().any(|(metric, _)| !shown(*metric) && !named[*metric]);
                prop_assert!(opaque || unnamed);
            }
        }
    }
}
