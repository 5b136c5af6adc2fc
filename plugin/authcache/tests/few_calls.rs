//! What an application far from its limits costs: at most four calls a minute and gateway, however many
//! requests come and however they are spread.

#![cfg(test)]

#[path = "../simulator/mod.rs"]
mod simulator;
mod support;

use authcache::config::Settings;
use authcache::time::Period;

use simulator::run::run;
use simulator::scenario::{Mode, Scenario, Traffic, Wanted};
use simulator::trace::Trace;
use support::backend::Backend;
use support::world::{Fate, World};

const MINUTES: u64 = 30;
const CALLS_A_MINUTE: u64 = 4;
/// A hundredth of it is far from it.
const LIMIT: u64 = 60_000;
/// Units of a request that stands for so many.
const BULK: u64 = 10_000;

/// Requests a minute to each gateway: fewer than readings, about as many as pauses of two seconds make
/// reports of, and many.
const RATES: [f64; 4] = [1.0, 5.0, 15.0, 60.0];

#[test]
fn an_application_far_from_its_limits_costs_four_calls_a_minute_whatever_the_gaps_between_requests()
{
    for mode in [Mode::Strict, Mode::Balanced, Mode::Fast] {
        for (gateways, workers) in [(1, 1), (1, 2), (4, 2)] {
            for rate in RATES {
                let calls = calls_of(mode, gateways, workers, rate);
                let most = CALLS_A_MINUTE * MINUTES * gateways as u64;
                assert!(
                    calls <= most,
                    "{mode:?}, {gateways} gateways, {workers} workers, {rate} a minute: {calls} calls"
                );
            }
        }
    }
}

fn calls_of(mode: Mode, gateways: usize, workers: usize, rate: f64) -> u64 {
    let wanted = Wanted {
        mode: Some(mode),
        gateways: Some(gateways),
        workers: Some(workers),
        no_crashes: true,
        traffic: Some(Traffic {
            limit: LIMIT,
            load: rate * gateways as f64 / LIMIT as f64,
            uneven: None,
        }),
        seconds: Some(MINUTES * 60),
        ..Wanted::default()
    };
    let (outcome, _) = run(&Scenario::draw(3, &wanted), Trace::default());
    assert_eq!(outcome.violation, None, "{mode:?}");
    assert_eq!(outcome.admitted, outcome.offered, "{mode:?}");
    outcome.calls
}

/// So much that the capacity of a service is reached again and again between two reports.
#[test]
fn more_usage_than_a_service_gathers_costs_no_more_calls() {
    for mode in ["strict", "balanced", "fast"] {
        for workers in [1, 2] {
            let limits = [("hits", Period::Minute, 1_000_000_000)];
            let mut backend = Backend::new(&limits);
            backend.add("ada", &[]);
            let mut world = World::new(&bulk(mode), workers, backend);
            let mut sent = 0;
            while sent < MINUTES * 60 * 5 {
                let worker = usize::try_from(sent % workers).expect("few workers");
                let fate = world.ask(worker, "/bulk?user_key=ada");
                assert_eq!(fate, Fate::Admitted, "{mode}");
                world.run(200);
                sent += 1;
            }
            let calls = world.backend.calls();
            let most = CALLS_A_MINUTE * MINUTES;
            assert!(calls <= most, "{mode}, {workers} workers: {calls} calls");
            world.drain(60_000);
            assert_eq!(world.backend.counted("ada", "hits"), sent * BULK, "{mode}");
        }
    }
}

fn bulk(mode: &str) -> Settings {
    let text = format!(
        r#"{{
          "api": "v1",
          "backend": {{"upstream": {{"name": "backend", "url": "http://backend.example", "timeout": 1000}}}},
          "services": [{{
            "id": "1", "token": "token", "authorities": ["*"],
            "credentials": {{"user_key": [{{"query_string": {{"keys": ["user_key"]}}}}]}},
            "mapping_rules": [
              {{"method": "GET", "pattern": "/bulk", "usages": [{{"name": "hits", "delta": {BULK}}}]}}
            ]
          }}],
          "cache": {{"mode": "{mode}"}}
        }}"#
    );
    Settings::parse(text.as_bytes()).expect("the settings of a test are valid")
}
