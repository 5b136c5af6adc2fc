//! The figures of a self-test, the bounds they are held against, and the verdict.
//!
//! Owns the bounds. Must not know how a figure was obtained.

use reports::circumstances::Circumstances;
use serde::Serialize;

/// Everything that a self-test found.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Version of this document.
    pub schema_version: u32,
    /// How it was made.
    pub circumstances: Circumstances,
    /// Whether the executable was built with optimisation; without it figures of cost say nothing.
    pub is_optimised: bool,
    /// As fast as it goes.
    pub closed: Closed,
    /// At set rates.
    pub open: Vec<Open>,
    /// A server that freezes.
    pub freeze: Truth,
    /// A server that is slow once in a hundred.
    pub slow: Truth,
    /// Beside oha, if it was given.
    pub outside: Option<Outside>,
    /// On one worker of Envoy, if it was asked for.
    pub envoy: Option<Saturation>,
    /// The bounds.
    pub checks: Vec<Check>,
    /// Whether all of them hold.
    pub believable: bool,
}

/// The closed loop on one thread.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Closed {
    /// Requests of the measured part.
    pub requests: u64,
    /// Answers a second.
    pub rate: f64,
    /// Processor time of the sending thread for each request.
    pub cpu_us_per_request: f64,
    /// Share of one processor that the sending thread used.
    pub share: f64,
}

/// The open loop at one rate, on one thread.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Open {
    /// Requests a second that were due.
    pub rate: f64,
    /// Requests that were due.
    pub offered: u64,
    /// Share of them that was answered.
    pub delivered: f64,
    /// Median delay of a send, in microseconds.
    pub lag_us_p50: u64,
    /// Its 99th percentile.
    pub lag_us_p99: u64,
    /// Processor time of the sending thread for each request.
    pub cpu_us_per_request: f64,
}

/// A percentile that is known beside the one that was reported.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Truth {
    /// Requests of the load.
    pub requests: u64,
    /// What it is, in microseconds.
    pub true_us: u64,
    /// What was reported.
    pub reported_us: u64,
}

/// The generator and oha in turns, processor time of the whole process for each request.
#[derive(Clone, Debug, Serialize)]
pub struct Outside {
    /// What it calls itself.
    pub version: String,
    /// Requests of each.
    pub requests: u64,
    /// The generator's.
    pub own_cpu_us_per_request: f64,
    /// oha's.
    pub oha_cpu_us_per_request: f64,
}

/// A closed loop of one thread on one worker of Envoy.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Saturation {
    /// Answers a second.
    pub rate: f64,
    /// Share of one processor that Envoy used.
    pub envoy_share: f64,
    /// Share of one processor that the sending thread used.
    pub generator_share: f64,
    /// Envoy's processor time for each request.
    pub envoy_cpu_us_per_request: f64,
}

/// One bound.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was measured.
    pub what: String,
    /// Its value.
    pub value: f64,
    /// The least it may be.
    pub at_least: Option<f64>,
    /// The most it may be.
    pub at_most: Option<f64>,
    /// Whether it is within.
    pub holds: bool,
}

/// Version of [`Outcome`] as JSON.
pub(super) const SCHEMA_VERSION: u32 = 2;

/// Most of the true value that a reported percentile may be off by, after a freeze.
const FREEZE: (f64, f64) = (0.8, 1.2);
/// Most that a percentile may be inflated by answers that do not belong to it.
const INFLATED: f64 = 1.5;
/// Median delay of a send, in microseconds.
const LAG_US: f64 = 150.0;
/// Share of the due requests that is answered.
const DELIVERED: f64 = 0.995;
/// Processor time of a request, as a multiple of oha's.
const COST: f64 = 1.5;
/// Share of a processor that one worker of Envoy is brought to.
const SATURATED: f64 = 0.95;

impl Truth {
    /// Reported over true.
    pub fn ratio(&self) -> f64 {
        self.reported_us as f64 / self.true_us.max(1) as f64
    }
}

impl Outside {
    /// The generator's cost as a multiple of oha's.
    pub fn ratio(&self) -> f64 {
        self.own_cpu_us_per_request / self.oha_cpu_us_per_request.max(1e-9)
    }
}

impl Outcome {
    /// Holds every figure against its bound.
    pub(super) fn judge(mut self) -> Self {
        let (least, most) = FREEZE;
        let mut checks = vec![
            Check::new("p99 after a freeze, reported / true", self.freeze.ratio())
                .at_least(least)
                .at_most(most),
            // What is reported holds the server's own time, so below 1 the server's clock or the
            // generator's is wrong; a little less is rounding.
            Check::new(
                "p90 beside 1 % slow answers, reported / true",
                self.slow.ratio(),
            )
            .at_least(0.95)
            .at_most(INFLATED),
        ];
        for open in &self.open {
            let at = |what: &str| format!("{what} at {}/s", open.rate);
            checks.push(
                Check::new(at("median send lag, µs,"), open.lag_us_p50 as f64).at_most(LAG_US),
            );
            checks.push(Check::new(at("answered / due"), open.delivered).at_least(DELIVERED));
        }
        if let Some(outside) = &self.outside {
            checks.push(Check::new("CPU per request, own / oha", outside.ratio()).at_most(COST));
        }
        if let Some(envoy) = &self.envoy {
            let what = "share of a processor that Envoy used";
            checks.push(Check::new(what, envoy.envoy_share).at_least(SATURATED));
        }
        self.believable = checks.iter().all(|check| check.holds);
        self.checks = checks;
        self
    }
}

impl Check {
    fn new(what: impl Into<String>, value: f64) -> Self {
        Self {
            what: what.into(),
            value,
            at_least: None,
            at_most: None,
            // What is no number, is no evidence.
            holds: value.is_finite(),
        }
    }

    fn at_least(mut self, bound: f64) -> Self {
        self.at_least = Some(bound);
        self.holds &= self.value >= bound;
        self
    }

    fn at_most(mut self, bound: f64) -> Self {
        self.at_most = Some(bound);
        self.holds &= self.value <= bound;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine;

    fn good() -> Outcome {
        Outcome {
            schema_version: SCHEMA_VERSION,
            circumstances: Circumstances {
                command: "loadgen self-test".to_owned(),
                commit: "0123abc4567d".to_owned(),
                dirty: false,
                started_at: "2031-05-05T10:20:00Z".to_owned(),
                duration_s: 45.0,
                machine: machine::describe(),
                envoy: None,
                artefact: None,
            },
            is_optimised: true,
            closed: Closed {
                requests: 1,
                rate: 1.0,
                cpu_us_per_request: 1.0,
                share: 1.0,
            },
            open: vec![Open {
                rate: 4000.0,
                offered: 20_000,
                delivered: 0.995,
                lag_us_p50: 150,
                lag_us_p99: 9000,
                cpu_us_per_request: 1.0,
            }],
            freeze: Truth {
                requests: 40_000,
                true_us: 300_000,
                reported_us: 300_000,
            },
            slow: Truth {
                requests: 1,
                true_us: 2000,
                reported_us: 3000,
            },
            outside: Some(Outside {
                version: "oha 1".to_owned(),
                requests: 1,
                own_cpu_us_per_request: 15.0,
                oha_cpu_us_per_request: 10.0,
            }),
            envoy: Some(Saturation {
                rate: 1.0,
                envoy_share: 0.95,
                generator_share: 0.6,
                envoy_cpu_us_per_request: 1.0,
            }),
            checks: Vec::new(),
            believable: false,
        }
    }

    #[test]
    fn each_bound_refuses_beyond_itself_only() {
        assert!(good().judge().believable, "{:?}", good().judge().checks);
        #[track_caller]
        fn check(change: impl Fn(&mut Outcome), part: &str) {
            let mut outcome = good();
            change(&mut outcome);
            let outcome = outcome.judge();
            let failed: Vec<&str> = outcome
                .checks
                .iter()
                .filter(|check| !check.holds)
                .map(|check| check.what.as_str())
                .collect();
            assert!(!outcome.believable && failed.len() == 1, "{failed:?}");
            assert!(failed[0].contains(part), "{failed:?}");
        }
        check(|o| o.freeze.reported_us = 239_000, "freeze");
        check(|o| o.freeze.reported_us = 361_000, "freeze");
        check(|o| o.slow.reported_us = 3001, "slow");
        check(|o| o.slow.reported_us = 1000, "slow");
        check(|o| o.open[0].lag_us_p50 = 151, "lag, µs, at 4000/s");
        check(|o| o.open[0].delivered = 0.994, "answered / due at 4000/s");
        check(
            |o| o.outside.as_mut().expect("there").own_cpu_us_per_request = 15.1,
            "oha",
        );
        check(
            |o| o.envoy.as_mut().expect("there").envoy_share = 0.94,
            "Envoy",
        );
        check(
            |o| o.envoy.as_mut().expect("there").envoy_share = f64::NAN,
            "Envoy",
        );
    }
}
