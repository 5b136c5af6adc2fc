//! What becomes of requests: hits, misses, those who wait, refusals, outages.

#![cfg(test)]

mod support;

use authcache::callout::{CallKind, CallOutcome};
use authcache::counters::Counter;
use authcache::filter_flow::{FilterFlow, Resolution, Step, StreamId};
use authcache::time::Period;

use support::backend::{Backend, answer};
use support::world::{Fate, World};
use support::{LONG_AGO, NOW, get, settings, worker};

fn world(cache: &str, limits: &[(&'static str, Period, u64)]) -> World {
    let mut backend = Backend::new(limits);
    backend.add("ada", &[]);
    backend.add("app", &["secret", "other"]);
    World::new(&settings(cache), 1, backend)
}

const HITS_10: &[(&str, Period, u64)] = &[("hits", Period::Day, 10)];

#[test]
fn concurrent_misses_make_one_call_and_a_limit_of_one_admits_one() {
    let mut world = world("{}", &[("hits", Period::Day, 1)]);
    let streams: Vec<StreamId> = (0..20)
        .map(|_| world.send(0, "/hits?user_key=ada"))
        .collect();
    world.run(100);
    assert_eq!(world.backend.calls.get("authrep"), Some(&1));
    assert_eq!(world.admitted(), 1);
    assert!(
        streams
            .iter()
            .all(|stream| world.fates.contains_key(stream))
    );
    assert_eq!(world.count(Counter::DeniedLimits), 19);
    assert_eq!(
        (world.count(Counter::Hits), world.count(Counter::Misses)),
        (0, 20)
    );
}

#[test]
fn everybody_who_waited_is_counted() {
    let mut world = world("{}", &[("hits", Period::Day, 100)]);
    for _ in 0..20 {
        world.send(0, "/hits?user_key=ada");
    }
    world.run(100);
    assert_eq!(world.admitted(), 20);
    world.drain(10_000);
    assert_eq!(world.backend.counted("ada", "hits"), 20);
}

#[test]
fn wrong_missing_and_empty_application_keys_are_denied_on_miss_and_hit() {
    for warm in [false, true] {
        let mut world = world("{}", HITS_10);
        if warm {
            assert_eq!(
                world.ask(0, "/hits?app_id=app&app_key=secret"),
                Fate::Admitted
            );
        }
        for path in [
            "/hits?app_id=app&app_key=wrong",
            "/hits?app_id=app",
            "/hits?app_id=app&app_key=",
            "/hits?app_id=app&app_key=Secret",
        ] {
            for _ in 0..2 {
                assert_eq!(
                    world.ask(0, path),
                    Fate::Denied(403),
                    "{path}, warm: {warm}"
                );
            }
        }
        // A wrong key says nothing about the right ones, nor counts anything.
        assert_eq!(
            world.ask(0, "/hits?app_id=app&app_key=other"),
            Fate::Admitted
        );
        assert_eq!(world.count(Counter::DeniedKey), 8);
        // Three different verdicts: the empty key is no key. Each was asked for once.
        assert_eq!(world.count(Counter::AuthrepDenied), 3);
    }
}

#[test]
fn a_wrong_key_does_not_take_the_others_down_that_wait() {
    let mut world = world("{}", HITS_10);
    let wrong = world.send(0, "/hits?app_id=app&app_key=wrong");
    let right = world.send(0, "/hits?app_id=app&app_key=secret");
    let same = world.send(0, "/hits?app_id=app&app_key=wrong");
    world.run(100);
    assert_eq!(world.fates[&wrong], Fate::Denied(403));
    assert_eq!(world.fates[&same], Fate::Denied(403));
    assert_eq!(world.fates[&right], Fate::Admitted);
    assert_eq!(world.backend.calls.get("authrep"), Some(&2));
}

/// The backend would already refuse the key, of which the record does not hear: nobody refreshes it.
/// `ttl.hard` is what bounds that.
#[test]
fn a_key_that_is_taken_away_passes_no_longer_than_the_record_that_lists_it() {
    const HARD_MS: u64 = 4_000;
    for mode in ["fast", "balanced", "strict"] {
        let cache = format!(r#"{{"mode":"{mode}","ttl":{{"soft":"2s","hard":"{HARD_MS}ms"}}}}"#);
        let mut world = world(&cache, &[("hits", Period::Day, 1_000)]);
        world.sync_is_up = false;
        let asked_at = world.now;
        let hit = "/hits?app_id=app&app_key=secret";
        assert_eq!(world.ask(0, hit), Fate::Admitted);
        let keys = |world: &mut World, keys: &[&str]| {
            let app = world.backend.applications.get_mut("app").expect("there");
            app.keys = keys.iter().map(|key| (*key).to_owned()).collect();
        };
        keys(&mut world, &["other"]);
        while world.now < asked_at.plus_ms(2 * HARD_MS) {
            let fate = world.ask(0, hit);
            if world.now >= asked_at.plus_ms(HARD_MS) {
                assert_eq!(fate, Fate::Denied(403), "{mode}, at {:?}", world.now);
            }
            world.run(100);
        }
        // The other one is as good as it was.
        let other = world.ask(0, "/hits?app_id=app&app_key=other");
        assert_eq!(other, Fate::Admitted, "{mode}");
    }
}

#[test]
fn strange_keys_of_a_known_application_are_rationed() {
    let mut world = world(r#"{"calls_per_second":5}"#, HITS_10);
    assert_eq!(
        world.ask(0, "/hits?app_id=app&app_key=secret"),
        Fate::Admitted
    );
    let before = world.backend.calls();
    let fates: Vec<Fate> = (0..50)
        .map(|n| world.ask(0, &format!("/hits?app_id=app&app_key=guess{n}")))
        .collect();
    let calls = world.backend.calls() - before;
    assert!((5..=10).contains(&calls), "{calls}");
    assert!(fates.iter().all(|fate| *fate != Fate::Admitted));
    // Real keys are not concerned.
    assert_eq!(
        world.ask(0, "/hits?app_id=app&app_key=other"),
        Fate::Admitted
    );
}

#[test]
fn credentials_that_nobody_has_are_rationed_and_applications_are_not() {
    for mode in ["fast", "balanced"] {
        let cache = format!(r#"{{"mode":"{mode}","unknown_calls_per_second":5}}"#);
        let mut world = world(&cache, HITS_10);
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
        let (calls, start) = (world.backend.calls(), world.now);
        let mut withheld = 0;
        for n in 0..5_000 {
            match world.ask(0, &format!("/hits?user_key=guess{n}")) {
                Fate::Denied(503) => withheld += 1,
                fate => assert_eq!(fate, Fate::Denied(403)),
            }
            world.run(1);
        }
        assert_eq!(world.count(Counter::UnknownWithheld), withheld);
        let seconds = world.now.ms_since(start) / 1_000;
        // Ten seconds' worth at once, then the rate; reports and refreshes of a known one beside it.
        let asked = world.count(Counter::DeniedCredentials);
        assert!(asked <= 50 + 5 * (seconds + 1), "{asked} in {seconds} s");
        assert!(world.backend.calls() - calls <= asked + 10, "{mode}");
        // A known application is served, from its record and beyond the end of its life.
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
        world.run(310_000);
        for n in 0..200 {
            world.ask(0, &format!("/hits?user_key=later{n}"));
        }
        assert_eq!(world.ask(0, "/hits?user_key=nobody"), Fate::Denied(503));
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted, "{mode}");
    }
}

#[test]
fn an_application_that_another_worker_knows_does_not_wait_behind_a_flood() {
    let cache = r#"{"mode":"balanced","unknown_calls_per_second":1}"#;
    let mut backend = Backend::new(HITS_10);
    for key in ["ada", "bob"] {
        backend.add(key, &[]);
    }
    let mut world = World::new(&settings(cache), 2, backend);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    for n in 0..20 {
        world.ask(1, &format!("/hits?user_key=guess{n}"));
    }
    // Nobody knows bob yet.
    assert_eq!(world.ask(1, "/hits?user_key=bob"), Fate::Denied(503));
    assert_eq!(world.ask(1, "/hits?user_key=ada"), Fate::Admitted);
    world.run(1_100);
    assert_eq!(world.ask(1, "/hits?user_key=bob"), Fate::Admitted);
}

#[test]
fn a_cold_start_with_many_applications_takes_no_leave() {
    for mode in ["fast", "strict"] {
        let cache = format!(r#"{{"mode":"{mode}","unknown_calls_per_second":2}}"#);
        let mut world = world(&cache, HITS_10);
        for n in 0..500 {
            world.backend.add(&format!("user{n}"), &[]);
        }
        // As many at a time as the bucket holds; each is found to exist.
        for n in 0..500 {
            world.send(0, &format!("/hits?user_key=user{n}"));
            if n % 20 == 19 {
                world.run(20);
            }
        }
        world.run(100);
        assert_eq!(world.admitted(), 500, "{mode}");
        assert_eq!(world.count(Counter::UnknownWithheld), 0, "{mode}");
    }
}

#[test]
fn a_user_key_is_no_app_id() {
    let mut world = world("{}", HITS_10);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    let calls = world.backend.calls();
    // The model would let both in; the cache must not take one for the other.
    world.ask(0, "/hits?app_id=ada");
    assert_eq!(world.backend.calls(), calls + 1);
}

#[test]
fn an_unknown_application_is_denied_and_remembered_for_a_while() {
    let mut world = world(r#"{"negative_ttl":"10s","ttl":{"jitter":0.0}}"#, HITS_10);
    for _ in 0..5 {
        assert_eq!(world.ask(0, "/hits?user_key=eve"), Fate::Denied(403));
    }
    assert_eq!(world.backend.calls(), 1);
    world.backend.add("eve", &[]);
    world.run(11_000);
    assert_eq!(world.ask(0, "/hits?user_key=eve"), Fate::Admitted);
}

#[test]
fn a_definite_denial_outranks_an_open_outage_policy() {
    let open = r#"{"outage":{"known":"open","unknown":"open"},"ttl":{"soft":"500ms","hard":"1s"},"negative_ttl":"1s"}"#;
    let mut world = world(open, HITS_10);
    // Those who wait for the answer are denied with the one who asked.
    let waiting: Vec<StreamId> = (0..3)
        .map(|_| world.send(0, "/hits?user_key=eve"))
        .collect();
    world.run(100);
    assert!(
        waiting
            .iter()
            .all(|stream| world.fates[stream] == Fate::Denied(403))
    );
    // A suspended application stays out when the backend goes away, after every lifetime.
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    world
        .backend
        .applications
        .get_mut("ada")
        .expect("there")
        .suspended = true;
    world.run(1_500);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(403));
    world.backend.failing = true;
    world.run(5_000);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(403));
}

#[test]
fn a_stranger_whose_refusal_is_remembered_is_denied_though_an_outage_lets_strangers_in() {
    for mode in ["fast", "balanced", "strict"] {
        let cache = format!(
            r#"{{"mode":"{mode}","outage":{{"known":"open","unknown":"open"}},"negative_ttl":"10s","ttl":{{"jitter":0.0}}}}"#
        );
        let mut world = world(&cache, HITS_10);
        assert_eq!(
            world.ask(0, "/hits?app_id=app&app_key=secret"),
            Fate::Admitted
        );
        world.run(1_000);
        // Two calls of the same strange key are under way; the backend goes away between them.
        let refused = world.send(0, "/hits?app_id=app&app_key=wrong");
        world.run(1);
        let failed = world.send(0, "/hits?app_id=app&app_key=wrong");
        world.run(4);
        world.backend.failing = true;
        world.run(50);
        assert_eq!(world.fates[&refused], Fate::Denied(403), "{mode}");
        assert_eq!(world.fates[&failed], Fate::Denied(403), "{mode}");
        // Later ones are not asked about, others are let in.
        let calls = world.backend.calls();
        assert_eq!(
            world.ask(0, "/hits?app_id=app&app_key=wrong"),
            Fate::Denied(403)
        );
        assert_eq!(world.backend.calls(), calls, "{mode}");
        assert_eq!(
            world.ask(0, "/hits?app_id=app&app_key=other"),
            Fate::Admitted,
            "{mode}"
        );
    }
}

#[test]
fn an_outage_follows_the_policy_of_each_class() {
    #[track_caller]
    fn check(known: &str, unknown: &str, in_life: Fate, after: Fate, stranger: Fate) {
        let cache = format!(
            r#"{{"outage":{{"known":"{known}","unknown":"{unknown}","status":502}},
                "ttl":{{"soft":"1s","hard":"10s","jitter":0.0}}}}"#
        );
        let mut world = world(&cache, &[("hits", Period::Eternity, 4)]);
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
        world.backend.failing = true;
        world.run(5_000);
        assert_eq!(world.ask(0, "/hits?user_key=ada"), in_life, "{known}");
        world.run(10_000);
        assert_eq!(world.ask(0, "/hits?user_key=ada"), after, "{known}");
        assert_eq!(world.ask(0, "/hits?user_key=bob"), stranger, "{unknown}");
        assert_eq!(world.count(Counter::DeniedCredentials), 0);
    }
    let closed = Fate::Denied(502);
    check("stale", "closed", Fate::Admitted, closed, closed);
    check("open", "closed", Fate::Admitted, Fate::Admitted, closed);
    check("closed", "open", closed, closed, Fate::Admitted);
}

#[test]
fn open_for_known_applications_still_counts_their_limits() {
    let cache = r#"{"outage":{"known":"open"},"ttl":{"soft":"1s","hard":"2s"}}"#;
    let mut world = world(cache, &[("hits", Period::Eternity, 4)]);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    world.backend.failing = true;
    world.run(5_000);
    for _ in 0..10 {
        world.ask(0, "/hits?user_key=ada");
    }
    assert_eq!(world.admitted(), 4);
    world.backend.failing = false;
    world.drain(100_000);
    assert_eq!(world.backend.counted("ada", "hits"), 4);
}

#[test]
fn failures_are_never_remembered_as_denials() {
    let mut world = world("{}", HITS_10);
    world.backend.failing = true;
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(503));
    world.backend.failing = false;
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
}

#[test]
fn a_call_that_never_comes_back_holds_nobody_for_ever() {
    let (mut flow, mut worker) = flow("{}");
    let step = flow.on_request(&mut worker, &get("/hits?user_key=ada"), StreamId(1), NOW);
    assert!(matches!(step, Step::Wait));
    flow.next_callout(&mut worker, NOW).expect("a call");
    assert!(flow.on_tick(&mut worker, NOW.plus_ms(1_999)).is_empty());
    let expired = flow.on_tick(&mut worker, NOW.plus_ms(2_000));
    assert_eq!(expired.len(), 1);
    assert!(matches!(&expired[0].resolution, Resolution::Reply(reply) if reply.status == 503));
    assert_eq!(flow.waiting(), 0);
}

#[test]
fn a_client_that_leaves_takes_its_call_back_or_leaves_it_to_the_next() {
    let (mut flow, mut worker) = flow("{}");
    flow.on_request(&mut worker, &get("/hits?user_key=ada"), StreamId(1), NOW);
    flow.on_gone(StreamId(1));
    assert!(
        flow.next_callout(&mut worker, NOW).is_none(),
        "nobody wants it any more"
    );

    flow.on_request(&mut worker, &get("/hits?user_key=ada"), StreamId(2), NOW);
    flow.on_request(&mut worker, &get("/search?user_key=ada"), StreamId(3), NOW);
    flow.on_gone(StreamId(2));
    let (flight, callout) = flow
        .next_callout(&mut worker, NOW)
        .expect("the other one still waits");
    assert!(callout.call.path.contains("usage%5Bsearch%5D=1"));
    // Sent by now: leaving does not take it back, and nobody is resumed who has left.
    flow.on_request(&mut worker, &get("/hits?user_key=ada"), StreamId(4), NOW);
    flow.on_gone(StreamId(3));
    let resumptions = flow.on_outcome(&mut worker, flight, &CallOutcome::Failed, NOW);
    let streams: Vec<StreamId> = resumptions
        .iter()
        .map(|resumption| resumption.stream)
        .collect();
    assert_eq!(streams, [StreamId(4)]);
    assert_eq!(flow.waiting(), 0);
}

#[test]
fn metrics_that_answers_do_not_show_are_asked_for_each_time() {
    // images counts for hits by way of search, which has no limit and hides it.
    let mut world = world("{}", &[("hits", Period::Day, 4)]);
    for _ in 0..3 {
        assert_eq!(world.ask(0, "/images?user_key=ada"), Fate::Admitted);
    }
    assert_eq!(world.backend.calls.get("authrep"), Some(&3));
    assert_eq!(world.ask(0, "/search?user_key=ada"), Fate::Admitted);
    assert_eq!(
        world.backend.calls.get("authrep"),
        Some(&3),
        "search is visible"
    );
    assert_eq!(world.ask(0, "/search?user_key=ada"), Fate::Denied(429));
}

#[test]
fn metrics_of_depth_three_are_decided_from_the_record_when_they_show() {
    let limits = [
        ("hits", Period::Day, 5),
        ("search", Period::Day, 100),
        ("images", Period::Day, 100),
    ];
    let mut world = world("{}", &limits);
    for path in ["/images", "/search", "/hits", "/images", "/images"] {
        assert_eq!(
            world.ask(0, &format!("{path}?user_key=ada")),
            Fate::Admitted,
            "{path}"
        );
    }
    assert_eq!(world.ask(0, "/images?user_key=ada"), Fate::Denied(429));
    assert_eq!(world.backend.calls.get("authrep"), Some(&1));
    world.drain(10_000);
    assert_eq!(world.backend.counted("ada", "hits"), 5);
    assert_eq!(world.backend.counted("ada", "search"), 4);
}

#[test]
fn a_plan_without_limits_is_asked_for_once_per_metric() {
    let mut world = world("{}", &[]);
    for _ in 0..3 {
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
        assert_eq!(world.ask(0, "/orders?user_key=ada"), Fate::Admitted);
        assert_eq!(world.ask(0, "/nonsense?user_key=ada"), Fate::Denied(403));
    }
    // The metric that does not exist is asked for each time: it may be added at any moment.
    assert_eq!(world.backend.calls.get("authrep"), Some(&5));
    assert_eq!(world.count(Counter::DeniedOther), 3);
}

#[test]
fn an_over_consumed_limit_denies_on_miss_and_hit() {
    let mut world = world("{}", &[("hits", Period::Day, 0)]);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(429));
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(429));
}

#[test]
fn without_a_cache_each_request_asks() {
    let (mut flow, mut worker) = flow(r#"{"mode":"off"}"#);
    for stream in 0..3 {
        let step = flow.on_request(
            &mut worker,
            &get("/hits?user_key=ada"),
            StreamId(stream),
            NOW,
        );
        let Step::Ask(question, callout) = step else {
            panic!("{step:?}");
        };
        assert_eq!(callout.kind, CallKind::Authrep);
        let denied = answer(404, r#"<error code="user_key_invalid">no</error>"#);
        let resolution = flow.on_direct_outcome(&mut worker, &question, &denied, NOW);
        assert!(matches!(resolution, Resolution::Reply(reply) if reply.status == 403));
    }
    assert_eq!(worker.applications(), 0);
    assert_eq!(worker.counters.value(Counter::Misses), 3);
}

#[test]
fn what_no_answer_is_needed_for_is_denied_at_once() {
    let (mut flow, mut worker) = flow("{}");
    for (path, status) in [
        ("/hits", 401),
        ("/hits?user_key=%FF", 403),
        ("/hits?user_key=a&user_key=b", 403),
        ("/elsewhere?user_key=ada", 404),
    ] {
        let step = flow.on_request(&mut worker, &get(path), StreamId(1), NOW);
        assert!(
            matches!(&step, Step::Reply(reply) if reply.status == status),
            "{path}: {step:?}"
        );
    }
    assert_eq!(worker.counters.value(Counter::Denied), 4);
    assert!(flow.next_callout(&mut worker, NOW).is_none());
}

#[test]
fn a_full_cache_grants_no_fresh_quota() {
    // Room for one record; once it has usage that is not covered, others are asked for each time.
    let mut world = world(
        r#"{"memory":{"applications":1,"negative":1},"flush":{"mode":"periodical","interval":"10m","idle":"1h"}}"#,
        &[("hits", Period::Day, 3)],
    );
    world.backend.add("bob", &[]);
    for _ in 0..5 {
        world.ask(0, "/hits?user_key=ada");
        world.run(400);
        for _ in 0..2 {
            world.send(0, "/hits?user_key=bob");
        }
        world.run(400);
    }
    assert_eq!(world.admitted(), 6);
    world.drain(700_000);
    let counted = ["ada", "bob"].map(|key| world.backend.counted(key, "hits"));
    assert_eq!(counted, [3, 3]);
}

#[test]
fn an_unchanged_service_keeps_its_records_when_the_configuration_changes() {
    let mut world = world("{}", HITS_10);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    let other = settings(r#"{"negative_ttl":"1s"}"#);
    let worker = &mut world.workers[0].1;
    world.workers[0].0 = FilterFlow::new(other, worker, NOW);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    assert_eq!(world.backend.calls.get("authrep"), Some(&1));
    world.drain(10_000);
    assert_eq!(world.backend.counted("ada", "hits"), 3);
}

#[test]
fn a_clock_that_is_set_back_delays_a_new_process_no_longer_than_others() {
    let mut worker = worker(1);
    let strict = settings(r#"{"mode":"strict"}"#);
    let mut flow = FilterFlow::new(strict, &mut worker, NOW.plus_ms(3_600_000));
    let step = flow.on_request(&mut worker, &get("/hits?user_key=ada"), StreamId(1), NOW);
    assert!(matches!(step, Step::Wait), "{step:?}");
    assert!(flow.next_callout(&mut worker, NOW).is_none());
    let settled = NOW.plus_ms(500);
    assert!(flow.on_tick(&mut worker, settled).is_empty());
    assert!(flow.next_callout(&mut worker, settled).is_some());
}

fn flow(cache: &str) -> (FilterFlow, authcache::worker::WorkerState) {
    let mut worker = worker(1);
    let flow = FilterFlow::new(settings(cache), &mut worker, LONG_AGO);
    (flow, worker)
}
