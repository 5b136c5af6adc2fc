//! Leases in the abstract world: bounds that hold whatever the schedule, and what they cost.
//! Longer runs: `cargo run --release -p authcache --example quota -- violations 10000`.

#![cfg(test)]

#[path = "support/gateways.rs"]
mod gateways;

use gateways::{Load, Outcome, Setup, World};

/// The default shortest epoch.
const EPOCH_MS: u64 = 450;

#[test]
fn no_adverse_schedule_goes_over_the_limit() {
    for gateways in [1, 2, 4, 8] {
        for seed in 0..40 {
            for max in [1 + seed % 60, 60_000] {
                let outcome = World::new(Setup::adverse(gateways, max, EPOCH_MS, seed)).run();
                assert!(
                    outcome.admitted <= max,
                    "{} of {max} with {gateways} gateways, seed {seed}",
                    outcome.admitted
                );
                assert_eq!(outcome.admitted > 0, max > 0, "seed {seed}");
            }
        }
    }
}

#[test]
fn a_backend_that_counts_later_than_it_was_said_to_is_caught_by_the_same_schedules() {
    let violations = (0..40).filter(|seed| {
        let mut setup = Setup::adverse(4, 60_000, EPOCH_MS, *seed);
        setup.real_settle_ms = 20_000;
        World::new(setup).run().admitted > 60_000
    });
    assert!(violations.count() > 10);
}

fn steady(gateways: u32, max: u64, times: f64, on_first: f64) -> Outcome {
    let per_second = times * max as f64 / 60.0;
    let load = Load::Steady {
        per_second,
        on_first,
    };
    World::new(Setup::new(gateways, max, EPOCH_MS, load)).run()
}

#[test]
fn below_the_limit_little_is_denied_even_where_one_gateway_gets_most() {
    #[track_caller]
    fn check(gateways: u32, max: u64, on_first: f64, most_percent: f64) {
        let missing = steady(gateways, max, 0.9, on_first).missing_percent(max);
        assert!(missing <= most_percent, "{missing:.2} %");
    }
    check(4, 60_000, 0.7, 1.0);
    check(4, 60, 0.7, 12.0);
    check(4, 60_000, 0.25, 1.0);
    check(1, 60_000, 1.0, 1.0);
    check(1, 60, 1.0, 1.0);
}

#[test]
fn calls_stay_few_in_overload_and_far_from_the_limit() {
    for on_first in [0.25, 0.7] {
        let overload = steady(4, 60_000, 3.0, on_first);
        assert!(overload.calls < 300, "{overload:?}");
        // By then nothing is left.
        assert!(2 * overload.calls_in_second_half < 100, "{overload:?}");
        assert!(overload.admitted > 57_000, "{overload:?}");
    }
    // Far is a part of the limit, whatever the rate.
    for max in [60_000, 600_000] {
        let far = steady(4, max, 0.015, 0.25);
        assert!(far.calls <= 4 * 4, "{max} {far:?}");
    }
    let alone = steady(1, 60_000, 0.5, 1.0);
    assert!(2 * alone.calls_in_second_half <= 4, "{alone:?}");
}
