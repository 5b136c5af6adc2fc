//! From what a load gave to the figures of a record.
//!
//! Owns what each figure of [`Summary`] is computed from. Must not know how anything was measured.

use results::histogram::percentiles;
use results::record::Summary;

use crate::measure::Measured;
use crate::saturation::Loaded;
use crate::validity::Evidence;

/// Totals of a whole scenario, after the drain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Totals {
    /// Requests that the plugin let through.
    pub admitted: u64,
    /// Usage in the backend's ledger.
    pub reported: u64,
    /// Requests that arrived at the upstream.
    pub upstream_requests: u64,
}

/// The figures of a scenario.
pub fn summarise(name: &str, measured: &Measured, totals: Option<Totals>) -> Summary {
    let interval = &measured.interval;
    let counters = measured.change.counters;
    let per_request = |cpu_s: f64| cpu_s * 1e6 / interval.sent.max(1) as f64;
    Summary {
        name: name.to_owned(),
        offered_rps: rate(interval.offered, measured.scheduled_s),
        achieved_rps: rate(interval.answered(), measured.answered_s),
        measured_s: measured.scheduled_s,
        requests: interval.sent,
        warmup_requests: measured.warm_up_sent,
        errors: interval.failed(),
        errors_by_class: errors(measured).into_iter().collect(),
        latency_us: percentiles(&interval.corrected),
        service_us: percentiles(&interval.service),
        send_lag_us: percentiles(&interval.lag),
        envoy_cpu_us_per_request: measured
            .change
            .envoy
            .map(|e| per_request(e.cpu.as_secs_f64())),
        generator_cpu_us_per_request: measured
            .generator_cpu
            .map(|cpu| per_request(cpu.as_secs_f64())),
        backend_calls_per_1000: counters
            .map(|counters| counters.backend_calls as f64 * 1000.0 / interval.sent.max(1) as f64),
        hits: counters.map(|counters| counters.hits),
        misses: counters.map(|counters| counters.misses),
        denied: counters.map(|counters| counters.denied),
        admitted: totals.map(|totals| totals.admitted),
        reported: totals.map(|totals| totals.reported),
        upstream_requests: totals.map(|totals| totals.upstream_requests),
    }
}

/// What speaks for or against the figures. Those of a search rest on the steps that were carried; the
/// others overload the target on purpose.
pub fn evidence(name: &str, loaded: &Loaded, busy_before: Option<f64>) -> Evidence {
    let whole = &loaded.measured;
    let judged = match (&loaded.found, &loaded.carried) {
        (None, _) => Some(whole),
        // Without a single good answer nothing was overloaded: something else is wrong.
        (Some(_), None) => Some(whole).filter(|whole| whole.interval.ok == 0),
        (Some(_), carried) => carried.as_ref(),
    };
    let interval = judged.map(|measured| &measured.interval);
    let sent = whole.interval.sent;
    Evidence {
        scenario: name.to_owned(),
        busy_before,
        generator_share: judged.and_then(|measured| measured.generator_share),
        stolen: whole.stolen,
        offered: interval.map_or(sent, |interval| interval.offered),
        sent: interval.map_or(sent, |interval| interval.sent),
        late: interval.map_or(0, |interval| interval.late),
        errors: judged.map(errors).unwrap_or_default(),
        failed_readings: whole.failed_readings,
        unstable_after_s: whole.is_unstable.then_some(whole.warm_up_s),
    }
}

fn errors(measured: &Measured) -> Vec<(String, u64)> {
    measured
        .interval
        .errors
        .iter()
        .map(|(class, count)| (class.to_string(), *count))
        .collect()
}

fn rate(requests: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        requests as f64 / seconds
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use results::saturation::{Outcome, Saturation};

    use super::*;
    use crate::latency::{ErrorClass, Interval};
    use crate::probe::{Counters, ProcessTimes, Reading};

    fn measured() -> Measured {
        let mut interval = Interval {
            offered: 2000,
            sent: 2000,
            ok: 1990,
            ..Interval::default()
        };
        interval.errors.insert(ErrorClass::Timeout, 4);
        interval.errors.insert(ErrorClass::Status(503), 6);
        let counters = Counters {
            hits: 1900,
            misses: 100,
            denied: 3,
            backend_calls: 150,
        };
        let envoy = ProcessTimes {
            cpu: Duration::from_millis(80),
            rss_bytes: 1,
        };
        Measured {
            interval,
            warm_up_sent: 500,
            warm_up_s: 5,
            started: std::time::Instant::now(),
            begins_at_s: 5,
            ends_at_s: 6.0,
            is_unstable: false,
            scheduled_s: 10.0,
            answered_s: 12.5,
            change: Reading {
                counters: Some(counters),
                envoy: Some(envoy),
                backend: None,
            },
            generator_cpu: Some(Duration::from_millis(40)),
            generator_share: Some(0.004),
            stolen: None,
            failed_readings: 0,
            is_partial: false,
        }
    }

    #[test]
    fn figures_are_per_request_of_the_measured_part() {
        let totals = Totals {
            admitted: 2497,
            reported: 2497,
            upstream_requests: 2497,
        };
        let summary = summarise("cache", &measured(), Some(totals));
        assert_eq!(summary.offered_rps, 200.0);
        // Answers with an unexpected status are answers; timeouts are not.
        assert!((summary.achieved_rps - 1996.0 / 12.5).abs() < 1e-9);
        assert_eq!(summary.errors, 10);
        assert_eq!(summary.errors_by_class.get("status_503"), Some(&6));
        assert_eq!(summary.envoy_cpu_us_per_request, Some(40.0));
        assert_eq!(summary.generator_cpu_us_per_request, Some(20.0));
        assert_eq!(summary.backend_calls_per_1000, Some(75.0));
        assert_eq!((summary.hits, summary.admitted), (Some(1900), Some(2497)));
    }

    #[test]
    fn a_search_is_judged_by_the_steps_that_were_carried() {
        let carried = Measured {
            interval: Interval {
                offered: 500,
                sent: 500,
                ok: 500,
                ..Interval::default()
            },
            generator_share: Some(0.3),
            ..measured()
        };
        let found = |carried_rps| {
            Some(Saturation {
                outcome: Outcome::EndedEarly { carried_rps },
                steps: Vec::new(),
            })
        };
        let mut loaded = Loaded {
            measured: measured(),
            carried: Some(carried),
            found: found(Some(50.0)),
        };
        let judged = evidence("cache", &loaded, None);
        assert_eq!((judged.offered, judged.generator_share), (500, Some(0.3)));
        assert!(judged.errors.is_empty(), "{judged:?}");
        loaded.carried = None;
        loaded.found = found(None);
        let judged = evidence("cache", &loaded, None);
        assert_eq!((judged.offered, judged.sent), (2000, 2000));
        assert!(judged.errors.is_empty(), "{judged:?}");
        loaded.found = None;
        assert_eq!(evidence("cache", &loaded, None).errors.len(), 2);
    }

    #[test]
    fn what_the_target_does_not_tell_stays_unknown() {
        let measured = Measured {
            change: Reading::default(),
            ..measured()
        };
        let summary = summarise("attach", &measured, None);
        assert_eq!(summary.envoy_cpu_us_per_request, None);
        assert_eq!((summary.hits, summary.backend_calls_per_1000), (None, None));
        assert_eq!(summary.reported, None);
    }
}
