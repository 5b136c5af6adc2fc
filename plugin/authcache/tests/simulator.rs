//! The simulator itself: it finds nothing in the core, it repeats itself, and it makes what it finds
//! short. Many more runs are played by `cargo run --release -p authcache --example simulate`.

#![cfg(test)]

#[path = "../simulator/mod.rs"]
mod simulator;

use authcache::callout::{CallKind, Callout};
use authcache::protocol::request::Call;
use authcache::time::UnixMillis;
use simulator::acts::Act;
use simulator::audit::Rule;
use simulator::backend::{Backend, Malformed};
use simulator::run::{Outcome, run};
use simulator::scenario::{Mode, Scenario, Traffic, Wanted};
use simulator::shrink::shrink;
use simulator::trace::Trace;

const RUNS: u64 = 150;

fn play(seed: u64, wanted: &Wanted) -> Outcome {
    run(&Scenario::draw(seed, wanted), Trace::default()).0
}

#[test]
fn no_rule_is_broken_in_installations_drawn_at_random() {
    for seed in 0..RUNS {
        let outcome = play(seed, &Wanted::default());
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

/// In this history a limit before another one comes and goes while a worker holds tokens of both.
#[test]
fn a_plan_that_changes_its_limits_keeps_their_tokens_apart() {
    let wanted = Wanted {
        mode: Some(Mode::Strict),
        gateways: Some(1),
        ..Wanted::default()
    };
    assert_eq!(play(701_776, &wanted).violation, None);
}

#[test]
fn the_same_seed_is_the_same_history_and_another_seed_another() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let hash = play(seed, &Wanted::default()).hash;
        assert_eq!(play(seed, &Wanted::default()).hash, hash, "seed {seed}");
        assert!(hashes.insert(hash), "seed {seed}");
    }
}

#[test]
fn one_worker_in_fast_lets_through_what_a_central_counter_would() {
    let wanted = Wanted {
        mode: Some(Mode::Fast),
        gateways: Some(1),
        workers: Some(1),
        no_crashes: true,
        exact: true,
        traffic: Some(Traffic {
            limit: 60,
            load: 3.0,
            uneven: None,
        }),
        ..Wanted::default()
    };
    for seed in 0..10 {
        let outcome = play(seed, &wanted);
        assert_eq!(outcome.violation, None, "seed {seed}");
        assert!(outcome.offered > 350, "{}", outcome.offered);
        // Clocks differ by up to 10 ms, so a request at a minute's edge may count for the other one.
        assert!(outcome.admitted.abs_diff(outcome.ideal) <= 2, "{outcome:?}");
    }
}

#[test]
fn a_call_that_the_protocol_does_not_know_is_noticed() {
    #[track_caller]
    fn check(kind: CallKind, form: &str, expected: Option<Malformed>) {
        let wanted = Wanted::default();
        let mut backend = Backend::new(&Scenario::draw(1, &wanted));
        let (query, body) = match kind {
            CallKind::Report => (String::new(), form.as_bytes().to_vec()),
            _ => (form.to_owned(), Vec::new()),
        };
        let callout = Callout {
            kind,
            cluster: String::new(),
            authority: String::new(),
            timeout_ms: 1_000,
            call: Call {
                method: "GET",
                path: format!("/transactions/authorize.xml{query}"),
                headers: Vec::new(),
                body,
            },
        };
        let handled = backend.handle(&callout, UnixMillis(1_935_742_830_000));
        assert_eq!(handled.malformed, expected, "{form}");
    }
    let (ask, report) = (CallKind::Authrep, CallKind::Report);
    check(ask, "", Some(Malformed("it has no query")));
    check(ask, "?service_id=nobody", None);
    let units = "transactions[0][usage][hits]=many";
    let no_number = Malformed("an amount of usage is no number");
    check(report, units, Some(no_number));
    check(report, "transactions[0][usage][hits]=1", None);
}

#[test]
fn a_history_that_fails_becomes_short() {
    // Two gateways that do not know of each other let through too much.
    let wanted = Wanted {
        mode: Some(Mode::Fast),
        gateways: Some(2),
        no_crashes: true,
        exact: true,
        traffic: Some(Traffic {
            limit: 10,
            load: 30.0,
            uneven: None,
        }),
        ..Wanted::default()
    };
    let failing = Scenario::draw(1, &wanted);
    let (outcome, _) = run(&failing, Trace::default());
    assert_eq!(
        outcome.violation.map(|violation| violation.rule),
        Some(Rule::Limit)
    );
    let short = shrink(&failing, Rule::Limit, 1_000);
    let (outcome, trace) = run(&short, Trace::told());
    assert_eq!(
        outcome.violation.map(|violation| violation.rule),
        Some(Rule::Limit)
    );
    // One request more than the limit is needed.
    assert!(
        (11..=14).contains(&short.acts.len()),
        "{}",
        short.acts.len()
    );
    let requests = |(_, act): &(u64, Act)| matches!(act, Act::Request { .. });
    assert!(short.acts.iter().all(requests));
    assert!(trace.into_lines().len() >= 11);
}
