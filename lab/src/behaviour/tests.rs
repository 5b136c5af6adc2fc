//! One behaviour at a time: what is drawn, and what settings say.

mod independence;

use super::draws::Draws;
use super::fate::{Fate, Fault};
use super::outage::OutageKind;
use super::*;

fn fates(behaviour: &BackendBehaviour, calls: u64) -> Vec<Fate> {
    let draws = Draws::new(behaviour.seed);
    (0..calls)
        .map(|_| behaviour.fate(&draws.next(), Endpoint::Authrep))
        .collect()
}

fn delays_ms(delay: &Delay, seed: u64, calls: u64) -> Vec<f64> {
    let behaviour = BackendBehaviour {
        delay: delay.clone(),
        seed,
        ..BackendBehaviour::default()
    };
    let ms = |fate: Fate| fate.delay.as_secs_f64() * 1000.0;
    fates(&behaviour, calls).into_iter().map(ms).collect()
}

const LOG_NORMAL: Delay = Delay::LogNormal {
    p50_ms: 8.0,
    p99_ms: 40.0,
};

#[test]
fn the_same_seed_gives_the_same_delays() {
    assert_eq!(
        delays_ms(&LOG_NORMAL, 7, 100),
        delays_ms(&LOG_NORMAL, 7, 100)
    );
    assert_ne!(
        delays_ms(&LOG_NORMAL, 7, 100),
        delays_ms(&LOG_NORMAL, 8, 100)
    );
}

#[test]
fn distributions_have_the_percentiles_that_were_asked_for() {
    #[track_caller]
    fn check(delay: &Delay, p50_ms: f64, p99_ms: f64) {
        let mut delays = delays_ms(delay, 42, 20_000);
        delays.sort_by(f64::total_cmp);
        let near = |found: f64, expected: f64| (found - expected).abs() <= expected * 0.05;
        let (p50, p99) = (delays[10_000], delays[19_800]);
        assert!(near(p50, p50_ms), "{delay:?}: p50 is {p50}");
        assert!(near(p99, p99_ms), "{delay:?}: p99 is {p99}");
    }
    let (min_ms, max_ms) = (0.0, 10.0);
    let same = Delay::LogNormal {
        p50_ms: 8.0,
        p99_ms: 8.0,
    };
    let ms = (1..=1000).map(f64::from).collect();
    let points = vec![(0.0, 1.0), (0.5, 10.0), (0.98, 20.0), (1.0, 100.0)];
    check(&Delay::Constant { ms: 3.0 }, 3.0, 3.0);
    check(&Delay::Uniform { min_ms, max_ms }, 5.0, 9.9);
    check(&LOG_NORMAL, 8.0, 40.0);
    check(&same, 8.0, 8.0);
    check(&Delay::Samples { ms }, 500.0, 990.0);
    check(&Delay::Quantiles { points }, 10.0, 60.0);
}

#[test]
fn drawn_samples_are_observed_values_and_quantiles_keep_their_bounds() {
    let ms = vec![1.0, 5.0, 9.0];
    let drawn = delays_ms(&Delay::Samples { ms: ms.clone() }, 3, 300);
    let found = |value: &f64| drawn.iter().any(|drawn| (drawn - value).abs() < 1e-6);
    assert!(ms.iter().all(found), "every value is drawn: {drawn:?}");
    assert!(
        drawn
            .iter()
            .all(|drawn| ms.iter().any(|value| (drawn - value).abs() < 1e-6))
    );
    // Nothing is known below the first point and above the last: they are the bounds.
    let points = vec![(0.25, 2.0), (0.75, 4.0)];
    let drawn = delays_ms(&Delay::Quantiles { points }, 3, 300);
    assert!(
        drawn.iter().all(|ms| (1.999..=4.001).contains(ms)),
        "{drawn:?}"
    );
    assert!(drawn.iter().filter(|ms| (**ms - 2.0).abs() < 1e-6).count() > 40);
}

#[test]
fn faults_come_as_often_as_asked_for_and_hide_those_that_come_after() {
    let behaviour = BackendBehaviour {
        reset_rate: 0.1,
        hang_rate: 0.1,
        truncate_rate: 0.1,
        error_rate: 0.2,
        ..BackendBehaviour::default()
    };
    let fates = fates(&behaviour, 20_000);
    let share = |of| fates.iter().filter(|fate| fate.fault == Some(of)).count() as f64 / 20_000.0;
    let near = |found: f64, expected: f64| (found - expected).abs() < 0.01;
    assert!(near(share(Fault::Reset), 0.1));
    assert!(near(share(Fault::Hang), 0.9 * 0.1));
    assert!(near(share(Fault::Truncate), 0.81 * 0.1));
    assert!(near(share(Fault::Fail), 0.729 * 0.2));
}

#[test]
fn an_endpoint_can_have_a_delay_of_its_own() {
    let behaviour = BackendBehaviour {
        delay: Delay::Constant { ms: 1.0 },
        delays: [(Endpoint::Report, Delay::Constant { ms: 7.0 })].into(),
        ..BackendBehaviour::default()
    };
    let draws = Draws::new(0);
    let delay = |endpoint| behaviour.fate(&draws.of_call(0), endpoint).delay;
    assert_eq!(delay(Endpoint::Report), Duration::from_millis(7));
    assert_eq!(delay(Endpoint::Authorize), Duration::from_millis(1));
}

#[test]
fn usage_lags_on_endpoints_that_behaviour_does_not_apply_to() {
    let behaviour = BackendBehaviour {
        delay: Delay::Constant { ms: 5.0 },
        error_rate: 1.0,
        endpoints: Some(vec![Endpoint::Report]),
        ..BackendBehaviour::default()
    };
    let fate = behaviour.fate(&Draws::new(0).next(), Endpoint::Authrep);
    let expected = Fate {
        fault: None,
        delay: Duration::ZERO,
        lag: Some(Duration::from_millis(100)),
    };
    assert_eq!(fate, expected);
    let immediate = BackendBehaviour {
        counting: Counting::Immediate,
        ..behaviour
    };
    assert_eq!(
        immediate.fate(&Draws::new(0).next(), Endpoint::Authrep).lag,
        None
    );
}

#[test]
fn outages_are_on_from_their_first_moment_until_before_their_last() {
    let outage = |from_s, until_s, kind| Outage {
        from_s,
        until_s,
        kind,
        status: None,
    };
    let behaviour = BackendBehaviour {
        outages: vec![
            outage(20.0, 40.0, OutageKind::Refuse),
            outage(30.0, 50.0, OutageKind::Hang),
            outage(60.0, 60.5, OutageKind::Error),
        ],
        ..BackendBehaviour::default()
    };
    assert_eq!(behaviour.validate(), Ok(()));
    let at = |ms| {
        let on = behaviour.outage(Endpoint::Authrep, Duration::from_millis(ms));
        on.map(|outage| outage.kind)
    };
    let refuse = Some(OutageKind::Refuse);
    assert_eq!((at(19_999), at(20_000), at(39_999)), (None, refuse, refuse));
    assert_eq!((at(40_000), at(50_000)), (Some(OutageKind::Hang), None));
    assert_eq!((at(60_499), at(60_500)), (Some(OutageKind::Error), None));
    let during = Duration::from_secs(25);
    assert!(behaviour.outage(Endpoint::Other, during).is_some());
    assert!(behaviour.outage(Endpoint::Internal, during).is_none());
    let reports = BackendBehaviour {
        endpoints: Some(vec![Endpoint::Report]),
        ..behaviour
    };
    assert!(reports.outage(Endpoint::Authrep, during).is_none());
    assert!(reports.outage(Endpoint::Report, during).is_some());
}

#[test]
fn a_body_takes_the_time_that_its_pace_says() {
    let rate = Pace::Rate {
        bytes_per_second: 100.0,
    };
    assert_eq!(rate.time_for(50), Some(Duration::from_millis(500)));
    assert_eq!(rate.time_for(0), None);
    let duration = Pace::Duration { ms: 30.0 };
    assert_eq!(duration.time_for(7), Some(Duration::from_millis(30)));
    assert_eq!(Pace::Whole.time_for(7), None);
}

const DOCUMENTED: &str = r#"{
    "delay": {"kind": "log_normal", "p50_ms": 8, "p99_ms": 40},
    "delays": {"report": {"kind": "samples", "ms": [1, 2.5]},
               "authorize": {"kind": "quantiles", "points": [[0.5, 8], [0.99, 40]]}},
    "seed": 3, "concurrency": 4, "queue": 10,
    "error_rate": 0.5, "error_status": 503, "reset_rate": 0.01, "truncate_rate": 0.02, "hang_rate": 0.1,
    "body": {"kind": "rate", "bytes_per_second": 200},
    "outages": [{"from_s": 20, "until_s": 40, "kind": "error", "status": 502}],
    "endpoints": ["authorize", "report"],
    "counting": {"kind": "deferred", "lag": {"kind": "uniform", "min_ms": 10, "max_ms": 300}}}"#;

#[test]
fn settings_read_as_documented_and_back() {
    let behaviour: BackendBehaviour = serde_json::from_str(DOCUMENTED).expect("it is documented");
    assert_eq!(behaviour.validate(), Ok(()));
    assert!(behaviour.applies_to(Endpoint::Report));
    assert!(!behaviour.applies_to(Endpoint::Authrep));
    let text = serde_json::to_string(&behaviour).expect("it can be written");
    assert_eq!(
        serde_json::from_str::<BackendBehaviour>(&text).ok(),
        Some(behaviour)
    );
    let empty: BackendBehaviour = serde_json::from_str("{}").expect("everything has a default");
    assert_eq!(empty, BackendBehaviour::default());
}

#[test]
fn what_cannot_be_read_is_refused() {
    for text in [
        r#"{"delya":{"kind":"none"}}"#,
        r#"{"delay":{"kind":"gamma"}}"#,
        r#"{"delay":{"kind":"constant","ms":1,"mss":2}}"#,
        r#"{"delays":{"reports":{"kind":"none"}}}"#,
        r#"{"body":{"kind":"rate"}}"#,
        r#"{"counting":{"kind":"deferred"}}"#,
        r#"{"outages":[{"from_s":1,"until_s":2,"kind":"sleep"}]}"#,
        r#"{"report_lag_ms":100}"#,
    ] {
        assert!(
            serde_json::from_str::<BackendBehaviour>(text).is_err(),
            "{text}"
        );
    }
}

#[test]
fn nonsense_is_refused_with_the_field_and_the_expectation() {
    #[track_caller]
    fn check(text: &str, field: &str, expectation: &str) {
        let behaviour: BackendBehaviour = serde_json::from_str(text).expect("it can be read");
        let error = behaviour.validate().expect_err(text);
        assert_eq!(error.field, field, "{text}");
        assert!(error.problem.contains(expectation), "{text}: {error}");
    }
    check(r#"{"error_rate":1.5}"#, "error_rate", "between 0 and 1");
    check(r#"{"reset_rate":-0.5}"#, "reset_rate", "between 0 and 1");
    check(r#"{"truncate_rate":2}"#, "truncate_rate", "between 0 and 1");
    check(r#"{"hang_rate":2}"#, "hang_rate", "between 0 and 1");
    check(r#"{"error_status":99}"#, "error_status", "from 200 to 599");
    check(r#"{"concurrency":0}"#, "concurrency", "leave it out");
    check(r#"{"queue":3}"#, "queue", "needs `concurrency`");
    check(r#"{"endpoints":["internal"]}"#, "endpoints", "`internal`");
    check(
        r#"{"delays":{"other":{"kind":"none"}}}"#,
        "delays.other",
        "`other`",
    );
    let lag = r#"{"counting":{"kind":"deferred","lag":{"kind":"constant","ms":-1}}}"#;
    check(lag, "counting.lag.ms", "between 0 and 600000");
    let delay = |of: &str| format!(r#"{{"delays":{{"report":{of}}}}}"#);
    let log_normal = |p50| format!(r#"{{"kind":"log_normal","p50_ms":{p50},"p99_ms":40}}"#);
    check(&delay(&log_normal(0)), "delays.report.p50_ms", "above 0");
    check(
        &delay(&log_normal(50)),
        "delays.report.p99_ms",
        "less than p50_ms",
    );
    let uniform = r#"{"kind":"uniform","min_ms":5,"max_ms":4}"#;
    check(&delay(uniform), "delays.report.max_ms", "less than min_ms");
    check(
        &delay(r#"{"kind":"samples","ms":[]}"#),
        "delays.report.ms",
        "has 0 values",
    );
    let samples = r#"{"kind":"samples","ms":[1,-2]}"#;
    check(&delay(samples), "delays.report.ms[1]", "between 0");
    let points = r#"{"kind":"quantiles","points":[[0.5,8],[0.4,9]]}"#;
    check(&delay(points), "delays.report.points[1]", "ascend");
    check(
        r#"{"delay":{"kind":"file","path":"a.txt"}}"#,
        "delay.path",
        "scenario file",
    );
    let slow = r#"{"body":{"kind":"rate","bytes_per_second":0}}"#;
    check(slow, "body.bytes_per_second", "above 0");
    let outage = |of: &str| format!(r#"{{"outages":[{{"from_s":5,{of}}}]}}"#);
    let ends_first = outage(r#""until_s":5,"kind":"hang""#);
    check(&ends_first, "outages[0].until_s", "not after from_s");
    let status = outage(r#""until_s":6,"kind":"hang","status":500"#);
    check(&status, "outages[0].status", "kind `error`");
}
