//! The modes with leases: both flows against a backend that counts later.

#![cfg(test)]

mod support;

use authcache::counters::Counter;
use authcache::time::Period;
use proptest::prelude::*;

use support::backend::Backend;
use support::world::{Fate, World};
use support::{NOW, settings};

const STRICT: &str = r#"{"mode":"strict"}"#;
const BALANCED: &str = r#"{"mode":"balanced"}"#;

fn backend(limits: &[(&'static str, Period, u64)], delay_ms: u64) -> Backend {
    let mut backend = Backend::new(limits);
    for key in ["ada", "bob"] {
        backend.add(key, &[]);
    }
    backend.add("app", &["secret"]);
    backend.delay_ms = delay_ms;
    backend
}

/// A world in which the hits of each application are limited.
fn limited(cache: &str, workers: u64, (period, hits): (Period, u64), delay_ms: u64) -> World {
    let backend = backend(&[("hits", period, hits)], delay_ms);
    World::new(&settings(cache), workers, backend)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// One gateway knows everything that was admitted: exactly the limit passes, over any number of
    /// workers, flushes, readings and windows, and whatever is admitted is counted.
    #[test]
    fn one_gateway_admits_exactly_up_to_the_limit(
        gaps in prop::collection::vec(0..400_u64, 200),
        limit in 1..150_u64,
        workers in 1..5_u64,
        delay_ms in 0..1_000_u64,
        mode in prop::sample::select(vec!["strict", "balanced"]),
        soft in prop::sample::select(vec!["500ms", "30s"]),
    ) {
        let settings = settings(&format!(
            r#"{{"mode":"{mode}","ttl":{{"soft":"{soft}","hard":"1h"}},"epoch":{{"min":"200ms","max":"3s"}},"flush":{{"interval":"2s"}}}}"#
        ));
        let limits = [("hits", Period::Eternity, limit), ("search", Period::Year, 1_000)];
        let mut world = World::new(&settings, workers, backend(&limits, delay_ms));
        let workers = usize::try_from(workers).expect("few workers");
        for (n, gap) in gaps.iter().enumerate() {
            world.send(n % workers, ["/hits?user_key=ada", "/images?user_key=ada"][n % 2]);
            world.run(*gap);
        }
        world.run(3_000);
        prop_assert!(world.admitted() <= limit);
        // What idle workers held is back by now.
        for _ in 0..limit.min(60) {
            world.ask(0, "/hits?user_key=ada");
            world.run(150);
        }
        prop_assert_eq!(world.admitted(), limit.min(200 + limit.min(60)));
        world.drain(100_000);
        prop_assert_eq!(world.backend.counted("ada", "hits"), world.admitted());
        prop_assert_eq!(world.count(Counter::UsageLost), 0);
        prop_assert_eq!(world.count(Counter::UsageBuried), 0);
    }
}

#[test]
fn a_hit_needs_no_shared_memory_and_few_calls_are_made() {
    let mut world = limited(BALANCED, 2, (Period::Day, 1_000_000), 50);
    for n in 0..20_000_usize {
        world.send(n % 2, "/hits?user_key=ada");
        world.run(2);
    }
    world.drain(40_000);
    assert_eq!(world.admitted(), 20_000);
    assert!(world.backend.calls() < 20, "{:?}", world.backend.calls);
    let leases = world.count(Counter::LeaseAcquired);
    assert!(leases < 40, "{leases} leases for 20,000 requests");
}

#[test]
fn a_cold_spike_is_one_call_and_every_request_is_counted() {
    for mode in [STRICT, BALANCED] {
        let mut world = limited(mode, 4, (Period::Day, 300), 50);
        for n in 0..500 {
            world.send(n % 4, "/hits?user_key=ada");
        }
        world.run(100);
        assert_eq!(world.backend.calls(), 1, "{mode}");
        assert!(world.admitted() <= 300, "{mode}");
        assert!(world.admitted() >= 250, "{mode}: {}", world.admitted());
        world.drain(100_000);
        assert_eq!(world.backend.counted("ada", "hits"), world.admitted());
    }
}

#[test]
fn a_process_that_takes_over_waits_until_all_that_was_reported_is_counted() {
    let settle_ms = 300;
    for mode in [STRICT, BALANCED] {
        let limits = [("hits", Period::Day, 300)];
        let mut before = World::new(&settings(mode), 4, backend(&limits, settle_ms));
        for n in 0..200 {
            before.send(n % 4, "/hits?user_key=ada");
            before.run(1);
        }
        while before.pending() > 0 {
            before.run(1);
        }
        // All of it is reported, and next to nothing of it is counted.
        let admitted = before.admitted();
        assert_eq!(admitted, 200, "{mode}");
        before.backend.calls.clear();
        let backend = std::mem::take(&mut before.backend);
        let mut world = World::begun(before.now, &settings(mode), 4, backend);
        for n in 0..500 {
            world.send(n % 4, "/hits?user_key=ada");
        }
        world.run(settle_ms);
        assert_eq!((world.backend.calls(), world.fates.len()), (0, 0), "{mode}");
        world.run(300);
        assert_eq!(world.backend.calls(), 1, "{mode}");
        assert_eq!(world.fates.len(), 500, "{mode}");
        assert!(
            admitted + world.admitted() <= 300,
            "{mode}: {}",
            world.admitted()
        );
        assert!(world.admitted() >= 80, "{mode}: {}", world.admitted());
    }
}

#[test]
fn a_call_that_was_put_off_is_made_for_other_workers_though_its_own_clients_left() {
    let limits = [("hits", Period::Day, 300)];
    let mut world = World::begun(NOW, &settings(STRICT), 2, backend(&limits, 0));
    let first = world.send(0, "/hits?user_key=ada");
    let second = world.send(1, "/hits?user_key=ada");
    world.workers[0].0.on_gone(first);
    world.run(600);
    assert_eq!(world.fates.get(&second), Some(&Fate::Admitted));
    assert_eq!(world.backend.calls(), 1);
}

#[test]
fn a_limit_of_one_admits_one_over_all_workers() {
    let mut world = limited(STRICT, 4, (Period::Day, 1), 200);
    for n in 0..40 {
        world.send(n % 4, "/hits?user_key=ada");
        world.run(17);
    }
    assert_eq!(world.admitted(), 1);
}

#[test]
fn an_exhausted_application_costs_neither_calls_nor_leases() {
    let mut world = limited(BALANCED, 1, (Period::Day, 5), 0);
    for _ in 0..5 {
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    }
    world.drain(100_000);
    world.run(40_000);
    world.ask(0, "/hits?user_key=ada");
    world.run(100);
    let (calls, refused) = (world.backend.calls(), world.count(Counter::LeaseRefused));
    for _ in 0..900 {
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Denied(429));
        world.run(1);
    }
    assert!(world.count(Counter::LeaseRefused) - refused <= 11);
    assert!(world.backend.calls() - calls <= 1);
}

#[test]
fn a_raised_limit_is_noticed_within_a_probe() {
    let mut world = limited(BALANCED, 1, (Period::Day, 1), 0);
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    world.backend.limits = vec![("hits", Period::Day, 2)];
    let mut waited = 0;
    while world.ask(0, "/hits?user_key=ada") != Fate::Admitted {
        world.run(500);
        waited += 500;
        assert!(waited < 45_000, "never noticed");
    }
}

#[test]
fn the_next_window_begins_without_a_call() {
    let mut world = limited(STRICT, 2, (Period::Minute, 3), 0);
    for n in 0..10 {
        world.ask(n % 2, "/hits?user_key=ada");
        world.run(150);
    }
    assert_eq!(world.admitted(), 3);
    world.run(30_000);
    let calls = world.backend.calls.get("authorize").copied();
    for n in 0..10 {
        world.send(n % 2, "/hits?user_key=ada");
        world.run(1);
    }
    assert!(world.admitted() > 3);
    assert_eq!(world.backend.calls.get("authorize").copied(), calls);
    world.run(5_000);
    world.ask(0, "/hits?user_key=ada");
    world.ask(0, "/hits?user_key=ada");
    assert_eq!(world.admitted(), 6);
}

#[test]
fn wrong_keys_and_suspended_applications_are_denied_as_ever() {
    let mut world = limited(BALANCED, 2, (Period::Day, 100), 0);
    let right = "/hits?app_id=app&app_key=secret";
    assert_eq!(world.ask(0, right), Fate::Admitted);
    assert_eq!(
        world.ask(0, "/hits?app_id=app&app_key=wrong"),
        Fate::Denied(403)
    );
    assert_eq!(
        world.ask(1, "/hits?app_id=app&app_key=wrong"),
        Fate::Denied(403)
    );
    assert_eq!(world.ask(1, right), Fate::Admitted);
    world
        .backend
        .applications
        .get_mut("app")
        .expect("there")
        .suspended = true;
    let mut waited = 0;
    while world.ask(0, right) != Fate::Denied(403) {
        world.run(1_000);
        waited += 1_000;
        assert!(waited < 70_000, "the revocation was never noticed");
    }
}

#[test]
fn contention_that_is_never_won_asks_the_backend_and_loses_nothing() {
    let mut world = limited(STRICT, 2, (Period::Day, 1_000), 20);
    world.ask(0, "/hits?user_key=ada");
    world.shared.refuse_next(u32::MAX);
    for n in 0..20 {
        world.send(n % 2, "/hits?user_key=ada");
        world.run(20);
    }
    world.shared.refuse_next(0);
    world.run(3_000);
    world.drain(100_000);
    assert_eq!(world.backend.counted("ada", "hits"), world.admitted());
    assert!(world.count(Counter::LeaseConflicts) > 0);
}

#[test]
fn usage_is_kept_while_the_sync_side_is_away() {
    let mut world = limited(STRICT, 2, (Period::Day, 200), 20);
    world.ask(0, "/hits?user_key=ada");
    world.sync_is_up = false;
    for n in 0..300 {
        world.send(n % 2, "/hits?user_key=ada");
        world.run(30);
    }
    assert!(world.admitted() <= 200);
    world.sync_is_up = true;
    world.drain(100_000);
    assert_eq!(world.backend.counted("ada", "hits"), world.admitted());
}

#[test]
fn leases_of_a_worker_that_is_gone_are_reported_as_used() {
    let mut world = limited(STRICT, 2, (Period::Day, 80), 20);
    for n in 0..10 {
        world.ask(n % 2, "/hits?user_key=ada");
    }
    world.run(31_000);
    world.ask(0, "/hits?user_key=ada");
    world.lose_worker(0);
    for _ in 0..400 {
        world.send(1, "/hits?user_key=ada");
        world.run(100);
    }
    world.drain(100_000);
    assert!(world.count(Counter::UsageBuried) > 0);
    // What it held is counted as used, and nothing is admitted beyond the limit.
    assert_eq!(world.backend.counted("ada", "hits"), 80);
    assert!(world.admitted() <= 80);
}

#[test]
fn leases_of_a_worker_that_fails_before_its_first_tick_are_reported_as_used() {
    let limits = [("hits", Period::Day, 80)];
    let mut world = World::new(&settings(STRICT), 2, backend(&limits, 20));
    assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
    let holder = &world.workers[0].1;
    assert!(
        holder.message(0).is_none(),
        "it is handed over with the lease"
    );
    world.lose_worker(0);
    // Nobody asks for the application any more.
    world.run(25_000);
    world.drain(100_000);
    let held = world.count(Counter::UsageBuried) + 1;
    assert!(held > 1, "{held}");
    assert_eq!(world.backend.counted("ada", "hits"), held);
}

#[test]
fn several_gateways_stay_within_the_limit_in_strict_and_near_it_in_balanced() {
    for mode in ["strict", "balanced"] {
        let with = |index| {
            settings(&format!(
                r#"{{"mode":"{mode}","gateways":2,"gateway_index":{index},"epoch":{{"min":"500ms","max":"3s"}}}}"#
            ))
        };
        let limit = 600;
        let backend = backend(&[("hits", Period::Day, limit)], 50);
        let mut worlds = [
            World::new(&with(0), 2, backend),
            World::new(&with(1), 2, Backend::default()),
        ];
        for step in 0..6_000 {
            for place in 0..2 {
                // One backend serves both gateways in turns.
                let other = std::mem::take(&mut worlds[1 - place].backend);
                if !other.applications.is_empty() {
                    worlds[place].backend = other;
                }
                worlds[place].send(step % 2, "/hits?user_key=ada");
                worlds[place].run(20);
            }
        }
        let admitted: u64 = worlds.iter().map(World::admitted).sum();
        assert!(admitted <= limit, "{mode}: {admitted}");
        // The last units are given out in ever smaller parts.
        assert!(
            admitted >= limit * 3 / 4,
            "{mode}: {admitted} {:?}",
            worlds[1].backend.calls
        );
        let calls: u64 = worlds
            .iter()
            .map(|world| world.count(Counter::CalloutsJoint))
            .sum();
        assert_eq!(calls > 0, mode == "balanced", "{mode}: {calls}");
    }
}

/// What a call pays for counts, so near a limit it pays for those who wait for it and for nobody else,
/// and the calls that follow each other wait for more.
#[test]
fn near_a_limit_of_several_gateways_calls_pay_for_those_who_wait() {
    let settings = settings(r#"{"mode":"balanced","gateways":2}"#);
    let mut world = World::new(&settings, 1, backend(&[("hits", Period::Day, 4_000)], 50));
    for _ in 0..3_000 {
        world.send(0, "/hits?user_key=ada");
        world.run(3);
        if world.count(Counter::JointAdmitted) >= 100 {
            break;
        }
    }
    let calls = world.count(Counter::CalloutsJoint);
    let joint = world.count(Counter::JointAdmitted);
    assert!(joint >= 100, "{joint} by {calls}");
    // A hundred milliseconds are 33 requests, an eighth of the part of what is left is more.
    assert!(joint > calls * 10, "{joint} by {calls}");
    world.drain(100_000);
    assert_eq!(world.backend.counted("ada", "hits"), world.admitted());
}

/// Calls near a limit keep a distance that is counted from the last one. A clock that was set back since must
/// not make it as long as that.
#[test]
fn near_a_limit_of_several_gateways_a_clock_that_is_set_back_keeps_nobody_waiting() {
    let settings = settings(r#"{"mode":"balanced","gateways":2}"#);
    let mut world = World::new(&settings, 1, backend(&[("hits", Period::Day, 4_000)], 50));
    let mut sent = 0;
    while world.count(Counter::JointAdmitted) < 100 {
        assert!(sent < 3_000, "nobody ever waited for a call that pays");
        world.send(0, "/hits?user_key=ada");
        world.run(3);
        sent += 1;
    }
    world.run(500);
    world.set_back(30_000);
    let before = world.count(Counter::CalloutsJoint);
    while world.count(Counter::CalloutsJoint) < before + 3 {
        let sent = world.now;
        assert_eq!(world.ask(0, "/hits?user_key=ada"), Fate::Admitted);
        let waited_ms = world.now.ms_since(sent);
        // The distance, and the tick that ends it.
        assert!(waited_ms <= 250, "{waited_ms} ms");
    }
    // One that is held while the clock is set back.
    let held = loop {
        let stream = world.send(0, "/hits?user_key=ada");
        world.run(20);
        if !world.fates.contains_key(&stream) {
            break stream;
        }
    };
    world.set_back(10_000);
    // No longer than a new process would hold it.
    world.run(1_500);
    assert_eq!(world.fates.get(&held), Some(&Fate::Admitted));
}

/// A drain takes seconds, whatever the clock was set to.
#[test]
fn usage_is_reported_soon_after_the_clock_is_set_back() {
    for mode in ["strict", "fast"] {
        let settings = settings(&format!(r#"{{"mode":"{mode}"}}"#));
        let mut world = World::new(&settings, 2, backend(&[("hits", Period::Day, 4_000)], 50));
        for n in 0..100 {
            if n == 50 {
                let counted = world.now;
                world.backend.settle(counted);
                world.set_back(600_000);
            }
            world.send(n % 2, "/hits?user_key=ada");
            world.run(20);
        }
        world.drain(4_000);
        assert_eq!(world.admitted(), 100, "{mode}");
        assert_eq!(world.backend.counted("ada", "hits"), 100, "{mode}");
    }
}

#[test]
fn strict_on_one_of_several_gateways_admits_nothing_beyond_live_tokens_while_the_backend_is_away() {
    // Of `stale` and `closed` neither may count against a reading that hides what others use.
    for known in ["stale", "closed"] {
        let settings = settings(&format!(
            r#"{{"mode":"strict","gateways":2,"outage":{{"known":"{known}"}}}}"#
        ));
        let backend = backend(&[("hits", Period::Day, 60_000)], 50);
        let mut world = World::new(&settings, 2, backend);
        for n in 0..400 {
            world.send(n % 2, "/hits?user_key=ada");
            world.run(5);
        }
        assert_eq!(world.admitted(), 400, "{known}");
        world.backend.failing = true;
        // Longer than any token lives that is not credit, and enough to use the credit up.
        for n in 0..4_000 {
            world.send(n % 2, "/hits?user_key=ada");
            world.run(1);
        }
        let at_end_of_tokens = world.admitted();
        assert!(at_end_of_tokens > 400, "{known}: no token was left");
        for n in 0..1_000 {
            assert_eq!(
                world.ask(n % 2, "/hits?user_key=ada"),
                Fate::Denied(503),
                "{known}: {n}"
            );
            world.run(20);
        }
        assert_eq!(world.admitted(), at_end_of_tokens, "{known}");
    }
}
