//! What an outage of the backend lets through, and what it does not.

#![cfg(test)]

mod support;

use authcache::time::Period;

use support::backend::Backend;
use support::settings;
use support::world::{Fate, World};

/// A world of which the first request has been answered.
fn warm(cache: &str, limits: &[(&'static str, Period, u64)]) -> World {
    let mut backend = Backend::new(limits);
    backend.add("ada", &[]);
    let mut world = World::new(&settings(cache), 1, backend);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    world.run(2_000);
    world
}

/// Nobody knows what such usage counts for, so no count keeps it below a limit.
#[test]
fn an_outage_lets_no_metric_through_that_the_record_cannot_tell() {
    // images counts for hits by way of search, which has no limit and hides it.
    let hidden = [("hits", Period::Day, 5)];
    // orders is free of limits if it exists, and no call has named it.
    let unnamed = [
        ("hits", Period::Day, 5),
        ("search", Period::Day, 100),
        ("images", Period::Day, 100),
    ];
    for (limits, path) in [(&hidden[..], "/images"), (&unnamed[..], "/orders")] {
        for known in ["stale", "closed"] {
            let cache =
                format!(r#"{{"mode":"balanced","gateways":2,"outage":{{"known":"{known}"}}}}"#);
            let mut world = warm(&cache, limits);
            world.backend.failing = true;
            for _ in 0..20 {
                let fate = world.ask(0, &format!("{path}?user_key=ada"));
                assert_eq!(fate, Fate::Denied(503), "{known} {path}");
            }
        }
    }
}

#[test]
fn a_metric_that_a_call_named_goes_on_through_an_outage() {
    let limits = [
        ("hits", Period::Day, 5),
        ("search", Period::Day, 100),
        ("images", Period::Day, 100),
    ];
    let mut world = warm(r#"{"mode":"balanced","gateways":2}"#, &limits);
    assert_eq!(world.ask(0, "/orders?user_key=ada"), Fate::Admitted);
    world.backend.failing = true;
    world.run(2_000);
    assert_eq!(world.ask(0, "/orders?user_key=ada"), Fate::Admitted);
}

#[test]
fn an_open_outage_lets_through_what_the_record_cannot_tell_and_keeps_the_limits_that_it_can() {
    let cache = r#"{"mode":"balanced","gateways":2,"outage":{"known":"open"}}"#;
    let mut world = warm(cache, &[("hits", Period::Day, 5)]);
    world.backend.failing = true;
    for _ in 0..20 {
        assert_eq!(world.ask(0, "/images?user_key=ada"), Fate::Admitted);
    }
    let admitted = world.admitted();
    for _ in 0..20 {
        world.ask(0, "/hits?user_key=ada");
    }
    assert!(world.admitted() <= admitted + 4);
}

/// The record that lists the key is as old as the outage; that the backend refused it since is newer.
#[test]
fn a_key_that_was_refused_does_not_pass_in_an_open_outage() {
    for mode in ["fast", "balanced", "strict"] {
        let cache = format!(
            r#"{{"mode":"{mode}","outage":{{"known":"open"}},"negative_ttl":"1s","ttl":{{"soft":"500ms","hard":"1s"}}}}"#
        );
        let mut backend = Backend::new(&[("hits", Period::Day, 1_000)]);
        backend.add("app", &["secret", "other"]);
        let mut world = World::new(&settings(&cache), 1, backend);
        world.sync_is_up = false;
        let [refused, other] =
            ["secret", "other"].map(|key| format!("/hits?app_id=app&app_key={key}"));
        assert_eq!(world.ask(0, &refused), Fate::Admitted, "{mode}");
        let application = world.backend.applications.get_mut("app").expect("there");
        application.keys.retain(|key| key == "other");
        world.run(1_500);
        assert_eq!(world.ask(0, &refused), Fate::Denied(403), "{mode}");
        world.backend.failing = true;
        // Longer than any refusal is remembered.
        world.run(5_000);
        assert_eq!(world.ask(0, &refused), Fate::Denied(503), "{mode}");
        assert_eq!(world.ask(0, &other), Fate::Admitted, "{mode}");
    }
}
