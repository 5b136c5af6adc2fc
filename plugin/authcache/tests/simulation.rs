//! Both flows against a backend that counts later: nothing is lost, counted twice or let through
//! beyond a limit by the worker that counts it.

#![cfg(test)]

mod support;

use authcache::counters::Counter;
use authcache::time::Period;
use proptest::prelude::*;

use support::backend::Backend;
use support::settings;
use support::world::{Fate, World};

const KEYS: [&str; 3] = ["ada", "bob", "cyd"];

fn backend(limits: &[(&'static str, Period, u64)], delay_ms: u64) -> Backend {
    let mut backend = Backend::new(limits);
    for key in KEYS {
        backend.add(key, &[]);
    }
    backend.delay_ms = delay_ms;
    backend
}

#[derive(Clone, Debug)]
enum Act {
    Request {
        worker: usize,
        key: usize,
        path: &'static str,
    },
    Pass(u64),
    Fail(bool),
    SyncIsUp(bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let request = (
        0..2_usize,
        0..3_usize,
        prop::sample::select(vec!["hits", "search", "images"]),
    )
        .prop_map(|(worker, key, path)| Act::Request { worker, key, path });
    let act = prop_oneof![
        12 => request,
        6 => (0..400_u64).prop_map(Act::Pass),
        1 => (2_000..40_000_u64).prop_map(Act::Pass),
        1 => any::<bool>().prop_map(Act::Fail),
        1 => any::<bool>().prop_map(Act::SyncIsUp),
    ];
    prop::collection::vec(act, 1..250)
}

fn perform(world: &mut World, acts: &[Act]) {
    for act in acts {
        match act {
            Act::Request { worker, key, path } => {
                let place = worker % world.workers.len();
                world.send(place, &format!("/{path}?user_key={}", KEYS[*key]));
            }
            Act::Pass(ms) => world.run(*ms),
            Act::Fail(failing) => world.backend.failing = *failing,
            Act::SyncIsUp(up) => world.sync_is_up = *up,
        }
    }
    world.backend.failing = false;
    world.sync_is_up = true;
    // Calls under way, then whatever a backoff still holds back.
    world.run(3_000);
    world.drain(200_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_admitted_is_counted_exactly_once(
        acts in acts(),
        workers in 1..3_u64,
        delay_ms in 0..support::SETTLE_MS,
        flush in prop::sample::select(vec![
            r#"{"mode":"default","interval":"5s","capacity":20}"#,
            r#"{"mode":"periodical","interval":"1s"}"#,
            r#"{"mode":"periodical","interval":"30s","idle":"1h"}"#,
        ]),
    ) {
        let limits = [("hits", Period::Minute, 9), ("search", Period::Eternity, 40)];
        let settings = settings(&format!(r#"{{"flush":{flush}}}"#));
        let mut world = World::new(&settings, workers, backend(&limits, delay_ms));
        perform(&mut world, &acts);
        let counted: u64 = KEYS.iter().map(|key| world.backend.counted(key, "hits")).sum();
        prop_assert_eq!(counted, world.admitted());
        prop_assert_eq!(world.count(Counter::Admitted), world.admitted());
        prop_assert_eq!(world.count(Counter::UsageLost), 0);
    }

    /// One worker knows all usage, so it must neither let more through than a limit, whatever the
    /// flushes and refreshes, nor deny what the limit has room for.
    #[test]
    fn one_worker_admits_exactly_up_to_the_limit(
        gaps in prop::collection::vec(0..700_u64, 120),
        limit in 1..100_u64,
        delay_ms in 0..support::SETTLE_MS,
        interval in prop::sample::select(vec!["1s", "3s", "30s"]),
        soft in prop::sample::select(vec!["200ms", "2s", "30s"]),
    ) {
        let settings = settings(&format!(
            r#"{{"flush":{{"interval":"{interval}"}},"ttl":{{"soft":"{soft}","hard":"1h"}}}}"#
        ));
        let limits = [("hits", Period::Eternity, limit), ("search", Period::Year, 1_000)];
        let mut world = World::new(&settings, 1, backend(&limits, delay_ms));
        for (n, gap) in gaps.iter().enumerate() {
            world.send(0, ["/hits?user_key=ada", "/images?user_key=ada"][n % 2]);
            world.run(*gap);
        }
        world.run(3_000);
        prop_assert_eq!(world.admitted(), limit.min(120));
        world.drain(100_000);
        prop_assert_eq!(world.backend.counted("ada", "hits"), limit.min(120));
    }

    /// The backend decides on what it has counted. When a record ends while usage is not reported,
    /// the call that follows can therefore be let through over the limit, but only that call: what
    /// was ahead stays ahead. A life of 1 s and a flush every 2 s make at most 4 of them.
    #[test]
    fn a_record_that_ends_grants_no_more_than_the_backend_itself(
        gaps in prop::collection::vec(0..900_u64, 120),
        limit in 1..100_u64,
        delay_ms in 0..support::SETTLE_MS,
    ) {
        let settings = settings(r#"{"flush":{"interval":"2s"},"ttl":{"soft":"500ms","hard":"1s"}}"#);
        let limits = [("hits", Period::Eternity, limit)];
        let mut world = World::new(&settings, 1, backend(&limits, delay_ms));
        for gap in gaps {
            world.send(0, "/hits?user_key=ada");
            world.run(gap);
        }
        world.run(3_000);
        prop_assert!(world.admitted() <= limit + 4, "{} of {limit}", world.admitted());
        world.drain(100_000);
        prop_assert_eq!(world.backend.counted("ada", "hits"), world.admitted());
    }
}

#[test]
fn usage_of_a_minute_lands_in_its_minute_however_late_it_is_reported() {
    let settings = settings(r#"{"flush":{"mode":"periodical","interval":"50s","idle":"1h"}}"#);
    let mut world = World::new(&settings, 1, backend(&[("hits", Period::Minute, 5)], 100));
    let minute = Period::Minute.window(world.now).start;
    for _ in 0..8 {
        world.ask(0, "/hits?user_key=ada");
    }
    assert_eq!(world.admitted(), 5);
    // The next minute has its own counter, here and there.
    world.run(40_000);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    world.drain(100_000);
    let next = Period::Minute.window(minute.plus_ms(60_000)).start;
    assert_eq!(
        world.backend.timestamps,
        [minute.to_string(), next.to_string()]
    );
    for _ in 0..8 {
        world.ask(0, "/hits?user_key=ada");
    }
    assert!(world.admitted() <= 5 + 5 + 5);
}

#[test]
fn an_idle_application_causes_no_calls() {
    let settings = settings(r#"{"flush":{"interval":"2s"},"ttl":{"soft":"1s","hard":"5m"}}"#);
    let mut world = World::new(&settings, 1, backend(&[("hits", Period::Day, 1_000)], 50));
    for _ in 0..100 {
        world.ask(0, "/hits?user_key=ada");
    }
    world.drain(10_000);
    world.run(2_000);
    let calls = world.backend.calls();
    world.run(240_000);
    assert_eq!(world.backend.calls(), calls);
}

#[test]
fn a_record_in_use_is_refreshed_with_and_without_limits() {
    for limits in [&[("hits", Period::Day, 1_000)][..], &[]] {
        let settings = settings(
            r#"{"flush":{"mode":"periodical","interval":"60m","idle":"1h"},"ttl":{"soft":"1s"}}"#,
        );
        let mut world = World::new(&settings, 1, backend(limits, 50));
        world.ask(0, "/hits?user_key=ada");
        world.run(1_500);
        world.ask(0, "/hits?user_key=ada");
        world.run(1_000);
        assert_eq!(world.backend.calls.get("authorize"), Some(&1), "{limits:?}");
    }
}

#[test]
fn an_exhausted_application_is_refreshed_and_a_raised_limit_is_noticed() {
    let settings = settings(r#"{"flush":{"interval":"1s"},"ttl":{"soft":"2s"}}"#);
    let mut world = World::new(&settings, 1, backend(&[("hits", Period::Day, 1)], 50));
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(429));
    world.backend.limits = vec![("hits", Period::Day, 2)];
    world.run(3_000);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(429));
    world.run(1_000);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
}

#[test]
fn a_refresh_of_an_application_with_keys_finds_a_key_to_ask_with() {
    let settings = settings(r#"{"flush":{"interval":"1s"},"ttl":{"soft":"2s"}}"#);
    let mut backend = Backend::new(&[("hits", Period::Day, 100)]);
    backend.add("app", &["secret", "other"]);
    let mut world = World::new(&settings, 1, backend);
    for _ in 0..3 {
        assert_eq!(
            world.ask(0, "/hits?app_id=app&app_key=secret"),
            Fate::Admitted
        );
    }
    world.drain(10_000);
    world.run(1_000);
    // The first question shows the keys, the second the state; later ones begin with the key.
    assert_eq!(world.backend.calls.get("authorize"), Some(&2));
    world
        .backend
        .applications
        .get_mut("app")
        .expect("there")
        .suspended = true;
    assert_eq!(
        world.ask(0, "/hits?app_id=app&app_key=other"),
        Fate::Admitted
    );
    world.run(5_000);
    assert_eq!(world.backend.calls.get("authorize"), Some(&3));
    assert_eq!(
        world.ask(0, "/hits?app_id=app&app_key=other"),
        Fate::Denied(403)
    );
}

#[test]
fn few_calls_are_made_for_many_requests() {
    let settings = settings(r#"{}"#);
    let mut world = World::new(
        &settings,
        2,
        backend(&[("hits", Period::Day, 1_000_000)], 50),
    );
    for n in 0..20_000_usize {
        world.send(n % 2, &format!("/hits?user_key={}", KEYS[n % 3]));
        world.run(2);
    }
    world.drain(40_000);
    assert_eq!(world.admitted(), 20_000);
    assert!(world.backend.calls() < 40, "{:?}", world.backend.calls);
}

/// A limit that is lowered meanwhile lets the backend refuse a question that reports too: none of that usage
/// is counted then, and the worker has to go on counting it.
#[test]
fn usage_that_a_refused_question_carried_stays_ahead_of_its_answer() {
    let settings = settings(r#"{"ttl":{"soft":"2s"}}"#);
    let mut world = World::new(&settings, 1, backend(&[("hits", Period::Day, 1_000)], 50));
    world.ask(0, "/hits?user_key=ada");
    world.run(2_500);
    world.ask(0, "/hits?user_key=ada");
    world.run(1_000);
    let questions = |world: &World| world.backend.calls.get("authrep").copied();
    assert_eq!(questions(&world), Some(1), "the worker's own");
    for _ in 0..100 {
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    }
    world.backend.limits = vec![("hits", Period::Day, 90)];
    for _ in 0..1_000 {
        if questions(&world) == Some(2) {
            break;
        }
        if world.now.0.is_multiple_of(100) {
            world.send(0, "/hits?user_key=ada");
        }
        world.run(1);
    }
    assert_eq!(questions(&world), Some(2), "the one that reports");
    // The answer, and what the worker is told.
    world.run(10);
    assert!(world.backend.counted("ada", "hits") <= 2);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(429));
    let admitted = world.admitted();
    world.drain(10_000);
    assert_eq!(world.backend.counted("ada", "hits"), admitted);
}
