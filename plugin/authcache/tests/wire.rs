//! Messages: what is written is read back, and nothing else is.

#![cfg(test)]

use authcache::config::CacheSettings;
use authcache::ids::{MetricName, ServiceId, ServiceToken};
use authcache::key::{CredentialKind, KeyDigest};
use authcache::lease::slot::Tag;
use authcache::lease::wallet::Spent;
use authcache::record::{LimitReading, Reading, Uncovered};
use authcache::refusal::Refusal;
use authcache::service::{FlushPolicy, Policy, Route};
use authcache::time::{Period, UnixMillis, Window};
use authcache::usage::MetricIndex;
use authcache::wire::{
    AccountUsage, AnswerMessage, AnswerOutcome, News, RefreshMessage, RefreshOutcome,
    ServiceHeader, Statement, UsageEntry, UsageMessage, VERSION, WireError, Worker,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    // Any text an id may be, separators and control characters included.
    "[^ ]\\PC{0,20}|[a-z_:&=\\[\\]%]{1,30}".prop_filter("not blank", |text| !text.trim().is_empty())
}

fn route() -> impl Strategy<Value = Route> {
    let flush = (
        any::<Option<u64>>(),
        any::<Option<u64>>(),
        any::<Option<u64>>(),
    );
    (
        (name(), name(), name()),
        (name(), name()),
        flush,
        any::<[u64; 3]>(),
    )
        .prop_map(
            |((cluster, authority, path_prefix), (service, token), flush, numbers)| Route {
                cluster,
                authority,
                path_prefix,
                timeout_ms: numbers[0],
                service: ServiceId::parse(&service).expect("an id"),
                token: ServiceToken::parse(&token).expect("a token"),
                flush: FlushPolicy {
                    capacity: flush.0,
                    interval_ms: flush.1,
                    idle_ms: flush.2,
                },
                settle_delay_ms: numbers[1],
                calls_per_second: numbers[2],
                policy: Policy {
                    soft_ms: numbers[1],
                    ..Policy::of(&CacheSettings::default())
                },
            },
        )
}

fn kind() -> impl Strategy<Value = CredentialKind> {
    prop::sample::select(vec![CredentialKind::UserKey, CredentialKind::AppId])
}

fn usage_message() -> impl Strategy<Value = UsageMessage> {
    let metrics = vec(name(), 0..4).prop_map(|names| {
        let names = names
            .iter()
            .map(|name| MetricName::parse(name).expect("a name"));
        names.collect()
    });
    let service =
        (any::<u32>(), route(), metrics).prop_map(|(number, route, metrics)| ServiceHeader {
            number,
            route,
            metrics,
        });
    let entry = (any::<u16>(), any::<[u64; 3]>()).prop_map(|(metric, numbers)| UsageEntry {
        metric: MetricIndex(metric),
        minute: UnixMillis(numbers[0]),
        amount: numbers[1],
        total: numbers[2],
    });
    let account = (
        any::<usize>(),
        kind(),
        name(),
        any::<bool>(),
        vec(entry, 0..4),
    )
        .prop_map(
            |(service, kind, credential, refresh_due, entries)| AccountUsage {
                service,
                kind,
                credential,
                refresh_due,
                entries,
                statement: Some(Statement {
                    born: UnixMillis(service as u64),
                    spent: vec![Spent {
                        ends: UnixMillis(7),
                        amount: 9,
                    }],
                }),
            },
        );
    (
        any::<u64>(),
        any::<u32>(),
        vec(service, 0..3),
        vec(account, 0..4),
    )
        .prop_map(|(generation, queue, services, accounts)| UsageMessage {
            worker: Worker { generation, queue },
            services,
            accounts,
        })
}

fn reading() -> impl Strategy<Value = Reading> {
    let limit = (
        name(),
        prop::sample::select(Period::ALL.to_vec()),
        any::<[u64; 4]>(),
    )
        .prop_map(|(metric, period, numbers)| LimitReading {
            metric,
            period,
            window: Window {
                start: UnixMillis(numbers[0]),
                end: UnixMillis(numbers[1]),
            },
            max: numbers[2],
            current: numbers[3],
        });
    let digests = vec(name().prop_map(|key| KeyDigest::of(&key)), 0..3);
    (
        any::<u64>(),
        vec(limit, 0..4),
        option::of(vec((name(), vec(name(), 0..3)), 0..3)),
        option::of(digests),
    )
        .prop_map(|(started, limits, hierarchy, keys)| Reading {
            started: UnixMillis(started),
            limits,
            hierarchy,
            keys,
        })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop::sample::select(vec![
        Refusal::Credential,
        Refusal::Key,
        Refusal::State,
        Refusal::Metric,
        Refusal::Other,
    ])
}

fn answer_message() -> impl Strategy<Value = AnswerMessage> {
    let outcome = prop_oneof![
        (reading(), vec(name(), 0..3))
            .prop_map(|(reading, metrics)| AnswerOutcome::Reading { reading, metrics }),
        refusal().prop_map(AnswerOutcome::Refused),
        Just(AnswerOutcome::Unclear),
        Just(AnswerOutcome::Failed),
        vec(name().prop_map(|key| KeyDigest::of(&key)), 0..4).prop_map(AnswerOutcome::KeyRefused),
    ];
    (any::<[u8; 16]>(), any::<u64>(), option::of(name()), outcome).prop_map(
        |(tag, started, key, outcome)| AnswerMessage {
            tag: Tag::from_bytes(tag),
            started: UnixMillis(started),
            key: key.map(|key| KeyDigest::of(&key)),
            outcome,
        },
    )
}

fn refresh_message() -> impl Strategy<Value = RefreshMessage> {
    let uncovered = (
        vec((name(), any::<u64>(), any::<u64>()), 0..3),
        vec((name(), any::<u64>()), 0..3),
    )
        .prop_map(|(usage, totals)| Uncovered {
            usage: usage
                .into_iter()
                .map(|(metric, at, amount)| (metric, UnixMillis(at), amount))
                .collect(),
            totals,
        });
    let outcome = prop_oneof![
        (reading(), uncovered)
            .prop_map(|(reading, uncovered)| RefreshOutcome::Reading { reading, uncovered }),
        refusal().prop_map(RefreshOutcome::Refused),
    ];
    (any::<u64>(), any::<u32>(), kind(), name(), outcome).prop_map(
        |(generation, service, kind, credential, outcome)| RefreshMessage {
            generation,
            service,
            kind,
            credential,
            outcome,
        },
    )
}

proptest! {
    #[test]
    fn usage_messages_come_back_as_they_were(message in usage_message()) {
        let bytes = message.encode().expect("encodable");
        prop_assert_eq!(UsageMessage::decode(&bytes).expect("readable"), message);
    }

    #[test]
    fn news_come_back_as_they_were(refresh in refresh_message(), answer in answer_message()) {
        for news in [News::Refresh(refresh), News::Answer(answer)] {
            let bytes = news.encode().expect("encodable");
            prop_assert_eq!(News::decode(&bytes).expect("readable"), news);
        }
    }

    #[test]
    fn whatever_else_is_in_a_queue_is_an_error(
        bytes in vec(any::<u8>(), 0..200),
        message in usage_message(),
        cut in any::<prop::sample::Index>(),
        extra in 1..10_usize,
    ) {
        let _ = UsageMessage::decode(&bytes);
        let _ = News::decode(&bytes);
        let mut whole = message.encode().expect("encodable");
        let cut = cut.index(whole.len());
        prop_assert!(UsageMessage::decode(&whole[..cut]).is_err());
        whole.extend(vec![0; extra]);
        prop_assert_eq!(UsageMessage::decode(&whole), Err(WireError::Trailing { bytes: extra }));
    }
}

#[test]
fn other_versions_are_refused() {
    for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
        let message = UsageMessage::decode(&[version, 0, 0, 0, 0]);
        assert_eq!(message, Err(WireError::Version { found: version }));
    }
    assert_eq!(UsageMessage::decode(&[]), Err(WireError::Empty));
}
