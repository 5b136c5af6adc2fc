//! Application keys that nobody vouches for: what asking about them costs, and whom it concerns.

#![cfg(test)]

mod support;

use authcache::time::Period;

use support::backend::Backend;
use support::settings;
use support::world::{Fate, World};

const MODES: [&str; 3] = ["fast", "balanced", "strict"];
const RIGHT: &str = "/hits?app_id=app&app_key=secret";

fn world(cache: &str, workers: u64, keys: &[&str]) -> World {
    let mut backend = Backend::new(&[("hits", Period::Day, 100)]);
    backend.add("app", keys);
    World::new(&settings(cache), workers, backend)
}

fn guess(n: usize) -> String {
    format!("/hits?app_id=app&app_key=guess{n}")
}

#[test]
fn many_wrong_keys_cost_one_call_and_keep_nobody_waiting() {
    for mode in MODES {
        let mut world = world(&format!(r#"{{"mode":"{mode}"}}"#), 1, &["secret"]);
        let wrong: Vec<_> = (0..300).map(|n| world.send(0, &guess(n))).collect();
        let right = world.send(0, RIGHT);
        // Two round trips, and the time that a process takes to settle.
        world.run(30);
        assert_eq!(world.fates[&right], Fate::Admitted, "{mode}");
        for stream in wrong {
            assert_eq!(world.fates[&stream], Fate::Denied(403), "{mode}");
        }
        assert_eq!(world.backend.calls(), 2, "{mode}");
    }
}

#[test]
fn wrong_keys_at_every_worker_cost_one_call() {
    for mode in MODES {
        let mut world = world(&format!(r#"{{"mode":"{mode}"}}"#), 4, &["secret"]);
        let wrong: Vec<_> = (0..200).map(|n| world.send(n % 4, &guess(n))).collect();
        let right = world.send(3, RIGHT);
        world.run(40);
        assert_eq!(world.fates[&right], Fate::Admitted, "{mode}");
        for stream in wrong {
            assert_eq!(world.fates[&stream], Fate::Denied(403), "{mode}");
        }
        assert_eq!(world.backend.calls(), 2, "{mode}");
    }
}

/// The backend looks at keys first: its refusal of one does not say that the application is active.
#[test]
fn the_keys_that_a_refusal_lists_open_no_suspended_application() {
    for mode in MODES {
        let cache = format!(r#"{{"mode":"{mode}","negative_ttl":"1s"}}"#);
        let mut world = world(&cache, 1, &["secret"]);
        let application = world.backend.applications.get_mut("app").expect("there");
        application.suspended = true;
        let wrong = world.send(0, &guess(0));
        let right = world.send(0, RIGHT);
        world.run(50);
        assert_eq!(world.fates[&wrong], Fate::Denied(403), "{mode}");
        assert_eq!(world.fates[&right], Fate::Denied(403), "{mode}");
        world.run(2_000);
        assert_eq!(world.ask(0, &guess(0)), Fate::Denied(403), "{mode}");
        assert_eq!(world.ask(0, RIGHT), Fate::Denied(403), "{mode}");
    }
}

/// An answer lists 256 keys at most, so one that is not listed may be right.
#[test]
fn a_key_that_a_full_list_lacks_is_asked_about_as_often_as_strange_keys_are() {
    let listed: Vec<String> = (0..256).map(|n| format!("key{n}")).collect();
    let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
    let mut world = world(r#"{"mode":"balanced","calls_per_second":10}"#, 1, &listed);
    let wrong: Vec<_> = (0..300).map(|n| world.send(0, &guess(n))).collect();
    let right = world.send(0, "/hits?app_id=app&app_key=key255");
    world.run(30);
    assert_eq!(world.fates[&right], Fate::Admitted);
    world.run(5_000);
    let told = |fate: Fate| {
        let told = wrong.iter().filter(|stream| world.fates[stream] == fate);
        told.count()
    };
    let (asked, withheld) = (told(Fate::Denied(403)), told(Fate::Denied(503)));
    assert_eq!(asked + withheld, 300);
    assert!((1..=20).contains(&asked), "{asked}");
    assert!(world.backend.calls() <= 25, "{:?}", world.backend.calls);
}

#[test]
fn who_sends_no_key_is_asked_about_where_the_application_has_some() {
    let mut world = world(r#"{"mode":"balanced"}"#, 1, &["secret"]);
    let wrong = world.send(0, &guess(0));
    let none = world.send(0, "/hits?app_id=app");
    world.run(50);
    assert_eq!(world.fates[&wrong], Fate::Denied(403));
    assert_eq!(world.fates[&none], Fate::Denied(403));
    assert_eq!(world.backend.calls(), 2);
}

#[test]
fn a_key_that_was_refused_passes_no_more_whatever_was_asked_with_it() {
    for mode in MODES {
        let cache = format!(r#"{{"mode":"{mode}","negative_ttl":"1s"}}"#);
        let mut world = world(&cache, 1, &["secret", "other"]);
        world.sync_is_up = false;
        assert_eq!(world.ask(0, RIGHT), Fate::Admitted, "{mode}");
        let application = world.backend.applications.get_mut("app").expect("there");
        application.keys.retain(|key| key == "other");
        assert_eq!(world.ask(0, RIGHT), Fate::Admitted, "{mode}");
        let unnamed = world.ask(0, "/nonsense?app_id=app&app_key=secret");
        assert_eq!(unnamed, Fate::Denied(403), "{mode}");
        for _ in 0..5 {
            assert_eq!(world.ask(0, RIGHT), Fate::Denied(403), "{mode}");
            world.run(1_500);
        }
        let other = world.ask(0, "/hits?app_id=app&app_key=other");
        assert_eq!(other, Fate::Admitted, "{mode}");
    }
}

/// Nobody knows whether a call that ended like this was counted.
#[test]
fn strange_keys_use_nothing_up_though_their_calls_end_without_an_answer() {
    for mode in ["balanced", "strict"] {
        let cache = format!(r#"{{"mode":"{mode}"}}"#);
        let mut world = world(&cache, 1, &["secret"]);
        assert_eq!(world.ask(0, RIGHT), Fate::Admitted, "{mode}");
        world.backend.failing = true;
        world.backend.failure = Some(504);
        for n in 0..150 {
            assert_eq!(world.ask(0, &guess(n)), Fate::Denied(503), "{mode}");
            world.run(20);
        }
        world.backend.failing = false;
        for n in 0..150 {
            assert_eq!(world.ask(0, &guess(n)), Fate::Denied(403), "{mode}");
            world.run(20);
        }
        for _ in 0..200 {
            world.ask(0, RIGHT);
            world.run(50);
        }
        assert_eq!(world.admitted(), 100, "{mode}");
        world.drain(100_000);
        assert_eq!(world.backend.counted("app", "hits"), 100, "{mode}");
    }
}

/// There are more of them than a record remembers.
#[test]
fn keys_that_no_answer_lists_pass_by_one_call_each_and_within_the_limit() {
    let keys: Vec<String> = (0..120).map(|n| format!("key{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for mode in ["balanced", "strict"] {
        let mut world = world(&format!(r#"{{"mode":"{mode}"}}"#), 1, &keys);
        world.backend.hides_keys = true;
        world.sync_is_up = false;
        for n in 0..120 {
            let calls = world.backend.calls();
            let fate = world.ask(0, &format!("/hits?app_id=app&app_key=key{n}"));
            let expected = if n < 100 {
                Fate::Admitted
            } else {
                Fate::Denied(429)
            };
            assert_eq!(fate, expected, "{mode}: {n}");
            assert_eq!(world.backend.calls(), calls + 1, "{mode}: {n}");
            world.run(20);
        }
        assert_eq!(world.backend.calls.get("authrep"), None, "{mode}");
    }
}
