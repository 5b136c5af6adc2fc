//! How a server of the lab behaves beyond its answers: delays, caps, errors and hangs.
//!
//! Owns the settings, as scenario files and the control APIs write them, and the seeded drawing of
//! what happens to one call. Must not know HTTP or how a delay is kept.

pub mod delay;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::delay::{Delay, LONGEST_DELAY_MS, in_range, share};
use crate::backend::statistics::Endpoint;

/// Bodies that an upstream answers with at most.
const LARGEST_BODY_BYTES: usize = 64 * 1024 * 1024;

/// A behaviour that makes no sense.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum BehaviourError {
    /// A share that is not one.
    #[error("{field} is {value}, which is not between 0 and 1")]
    Rate {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// A time that is not one.
    #[error("{field} is {value} ms, which is not between 0 and {LONGEST_DELAY_MS}")]
    Delay {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// Percentiles or bounds in the wrong order.
    #[error(
        "{smaller} is {smaller_ms} ms and {larger} is {larger_ms} ms: {larger} has to be the larger one"
    )]
    Order {
        /// The setting that has to be smaller.
        smaller: &'static str,
        /// Its value.
        smaller_ms: f64,
        /// The setting that has to be larger.
        larger: &'static str,
        /// Its value.
        larger_ms: f64,
    },
    /// A status that is not one.
    #[error("{field} is {value}, which is no HTTP status")]
    Status {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: u16,
    },
    /// A cap that lets nothing through.
    #[error("concurrency is 0, which would answer nothing: leave it out for no cap")]
    Concurrency,
    /// An endpoint that behaviours do not apply to.
    #[error("endpoints contains `{0}`, which is not a call of the public API")]
    Endpoint(&'static str),
    /// A body beyond the bound.
    #[error("body_bytes is {0}, the most is {LARGEST_BODY_BYTES}")]
    Body(usize),
}

fn rate(field: &'static str, value: f64) -> Result<(), BehaviourError> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(BehaviourError::Rate { field, value })
    }
}

fn status(field: &'static str, value: u16) -> Result<(), BehaviourError> {
    if (200..=599).contains(&value) {
        Ok(())
    } else {
        Err(BehaviourError::Status { field, value })
    }
}

/// How the backend behaves on calls of its public API.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendBehaviour {
    /// How long an answer is held back after it was decided.
    pub delay: Delay,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Calls worked on at once; others wait their turn.
    pub concurrency: Option<u32>,
    /// Share of calls answered with an error instead of being decided.
    pub error_rate: f64,
    /// Status of those errors.
    pub error_status: u16,
    /// Share of calls that are never answered.
    pub hang_rate: f64,
    /// Endpoints that delay, errors and hangs apply to; all if left out.
    pub endpoints: Option<Vec<Endpoint>>,
    /// How long accepted usage waits before it is counted.
    pub report_lag_ms: f64,
}

impl Default for BackendBehaviour {
    fn default() -> Self {
        Self {
            delay: Delay::None,
            seed: 0,
            concurrency: None,
            error_rate: 0.0,
            error_status: 500,
            hang_rate: 0.0,
            endpoints: None,
            // Long enough that two calls in a row do not see one another, as with the real one.
            report_lag_ms: 100.0,
        }
    }
}

impl BackendBehaviour {
    /// Refuses values that make no sense.
    pub fn validate(&self) -> Result<(), BehaviourError> {
        self.delay.validate()?;
        rate("error_rate", self.error_rate)?;
        rate("hang_rate", self.hang_rate)?;
        rate("error_rate + hang_rate", self.error_rate + self.hang_rate)?;
        status("error_status", self.error_status)?;
        in_range("report_lag_ms", self.report_lag_ms)?;
        if self.concurrency == Some(0) {
            return Err(BehaviourError::Concurrency);
        }
        let endpoints = self.endpoints.iter().flatten();
        match endpoints
            .into_iter()
            .find(|endpoint| !endpoint.is_public_call())
        {
            Some(endpoint) => Err(BehaviourError::Endpoint(endpoint.name())),
            None => Ok(()),
        }
    }

    /// Whether delay, errors and hangs apply to an endpoint.
    pub fn applies_to(&self, endpoint: Endpoint) -> bool {
        endpoint.is_public_call()
            && self
                .endpoints
                .as_ref()
                .is_none_or(|endpoints| endpoints.contains(&endpoint))
    }

    /// How long accepted usage waits before it is counted.
    pub fn report_lag(&self) -> Duration {
        Duration::from_secs_f64(self.report_lag_ms / 1000.0)
    }

    /// What happens to one call.
    pub fn draw(&self, draws: &Draws) -> Fate {
        let mut random = draws.next();
        let chance = share(&mut random);
        let outcome = if chance < self.hang_rate {
            Outcome::Hang
        } else if chance < self.hang_rate + self.error_rate {
            Outcome::Fail
        } else {
            Outcome::Answer
        };
        Fate {
            outcome,
            delay: self.delay.draw(&mut random),
        }
    }
}

/// How the upstream behaves.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamBehaviour {
    /// Status of every answer.
    pub status: u16,
    /// Size of every body.
    pub body_bytes: usize,
    /// How long an answer is held back.
    pub delay: Delay,
    /// Seed of the delays.
    pub seed: u64,
}

impl Default for UpstreamBehaviour {
    fn default() -> Self {
        Self {
            status: 200,
            body_bytes: 32,
            delay: Delay::None,
            seed: 0,
        }
    }
}

impl UpstreamBehaviour {
    /// Refuses values that make no sense.
    pub fn validate(&self) -> Result<(), BehaviourError> {
        self.delay.validate()?;
        status("status", self.status)?;
        if self.body_bytes > LARGEST_BODY_BYTES {
            return Err(BehaviourError::Body(self.body_bytes));
        }
        Ok(())
    }

    /// How long one answer is held back.
    pub fn draw(&self, draws: &Draws) -> Duration {
        if self.delay == Delay::None {
            return Duration::ZERO;
        }
        self.delay.draw(&mut draws.next())
    }
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fate {
    /// Whether it is answered.
    pub outcome: Outcome,
    /// How long the answer is held back.
    pub delay: Duration,
}

/// Whether a call is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// As it deserves.
    Answer,
    /// With an error.
    Fail,
    /// Never.
    Hang,
}

/// Random numbers call by call: the n-th call gets the same ones in every run with the same seed,
/// whatever calls are worked on at the same time.
#[derive(Debug)]
pub struct Draws {
    seed: u64,
    calls: AtomicU64,
}

impl Draws {
    /// Numbers from a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            calls: AtomicU64::new(0),
        }
    }

    fn next(&self) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(self.calls.fetch_add(1, Ordering::Relaxed));
        random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays_ms(delay: Delay, seed: u64, calls: usize) -> Vec<f64> {
        let behaviour = BackendBehaviour {
            delay,
            ..BackendBehaviour::default()
        };
        let draws = Draws::new(seed);
        (0..calls)
            .map(|_| behaviour.draw(&draws).delay.as_secs_f64() * 1000.0)
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let delay = Delay::LogNormal {
            p50_ms: 8.0,
            p99_ms: 40.0,
        };
        assert_eq!(delays_ms(delay, 7, 100), delays_ms(delay, 7, 100));
        assert_ne!(delays_ms(delay, 7, 100), delays_ms(delay, 8, 100));
    }

    #[test]
    fn distributions_have_the_percentiles_that_were_asked_for() {
        #[track_caller]
        fn check(delay: Delay, p50_ms: f64, p99_ms: f64) {
            let mut delays = delays_ms(delay, 42, 20_000);
            delays.sort_by(f64::total_cmp);
            let near = |found: f64, expected: f64| (found - expected).abs() <= expected * 0.05;
            let (p50, p99) = (delays[10_000], delays[19_800]);
            assert!(near(p50, p50_ms), "{delay:?}: p50 is {p50}");
            assert!(near(p99, p99_ms), "{delay:?}: p99 is {p99}");
        }
        check(Delay::Constant { ms: 3.0 }, 3.0, 3.0);
        check(
            Delay::Uniform {
                min_ms: 0.0,
                max_ms: 10.0,
            },
            5.0,
            9.9,
        );
        check(
            Delay::LogNormal {
                p50_ms: 8.0,
                p99_ms: 40.0,
            },
            8.0,
            40.0,
        );
        check(
            Delay::LogNormal {
                p50_ms: 8.0,
                p99_ms: 8.0,
            },
            8.0,
            8.0,
        );
    }

    #[test]
    fn errors_and_hangs_come_as_often_as_asked_for() {
        let behaviour = BackendBehaviour {
            error_rate: 0.2,
            hang_rate: 0.1,
            ..BackendBehaviour::default()
        };
        let draws = Draws::new(1);
        let outcomes: Vec<Outcome> = (0..10_000)
            .map(|_| behaviour.draw(&draws).outcome)
            .collect();
        let share = |of| outcomes.iter().filter(|outcome| **outcome == of).count();
        assert!((1900..2100).contains(&share(Outcome::Fail)));
        assert!((900..1100).contains(&share(Outcome::Hang)));
    }

    #[test]
    fn settings_read_as_documented() {
        let text = r#"{"delay":{"kind":"log_normal","p50_ms":8,"p99_ms":40},"seed":3,"concurrency":4,
            "error_rate":0.5,"error_status":503,"hang_rate":0.1,"endpoints":["authorize","report"]}"#;
        let behaviour: BackendBehaviour = serde_json::from_str(text).expect("documented settings");
        assert_eq!(behaviour.validate(), Ok(()));
        assert!(behaviour.applies_to(Endpoint::Report));
        assert!(!behaviour.applies_to(Endpoint::Authrep));
        let empty: BackendBehaviour = serde_json::from_str("{}").expect("everything has a default");
        assert_eq!(empty, BackendBehaviour::default());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            r#"{"delya":{"kind":"none"}}"#,
            r#"{"delay":{"kind":"gamma"}}"#,
            r#"{"delay":{"kind":"constant","ms":1,"mss":2}}"#,
            r#"{"error_rate":1.5}"#,
            r#"{"error_rate":0.6,"hang_rate":0.6}"#,
            r#"{"error_status":99}"#,
            r#"{"concurrency":0}"#,
            r#"{"endpoints":["internal"]}"#,
            r#"{"report_lag_ms":-1}"#,
            r#"{"delay":{"kind":"log_normal","p50_ms":0,"p99_ms":40}}"#,
            r#"{"delay":{"kind":"log_normal","p50_ms":50,"p99_ms":40}}"#,
            r#"{"delay":{"kind":"uniform","min_ms":5,"max_ms":4}}"#,
        ] {
            let read: Result<BackendBehaviour, _> = serde_json::from_str(text);
            let refused = read.map_or(true, |behaviour| behaviour.validate().is_err());
            assert!(refused, "{text}");
        }
    }
}
