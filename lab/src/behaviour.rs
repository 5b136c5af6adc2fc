//! How a server of the lab behaves beyond its answers: delays, caps, faults, outages, late counting.
//!
//! Owns the settings, as scenario files and the control APIs write them, and what they mean for the
//! n-th call. Must not know HTTP or how a delay is kept. `docs/BACKEND.md` describes every setting.

pub mod body;
pub mod delay;
pub mod draws;
pub mod error;
pub mod fate;
mod observed;
pub mod outage;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::body::Pace;
use self::delay::Delay;
use self::draws::{Aspect, Draws};
use self::error::{BehaviourError, in_range, rate, status};
use self::outage::Outage;
use crate::backend::statistics::Endpoint;

/// Bodies that an upstream answers with at most.
const LARGEST_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Outages that can be planned at once.
const MOST_OUTAGES: usize = 1000;

/// How the backend behaves on calls of its public API.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendBehaviour {
    /// How long an answer is held back after it was decided.
    pub delay: Delay,
    /// The same for single endpoints, in place of `delay`.
    pub delays: BTreeMap<Endpoint, Delay>,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Calls worked on at once; others wait their turn.
    pub concurrency: Option<u32>,
    /// Calls that may wait for their turn; one more is answered 503 at once. Any number if left out.
    pub queue: Option<u32>,
    /// Share of calls answered with an error instead of being decided.
    pub error_rate: f64,
    /// Status of those errors.
    pub error_status: u16,
    /// Share of calls that are neither decided nor answered: their connection is reset.
    pub reset_rate: f64,
    /// Share of calls that are decided and counted, and whose answer breaks off in its body.
    pub truncate_rate: f64,
    /// Share of calls that are never answered.
    pub hang_rate: f64,
    /// How fast bodies of answers are sent.
    pub body: Pace,
    /// Times at which the backend is not there.
    pub outages: Vec<Outage>,
    /// Endpoints that all of the above applies to; all if left out.
    pub endpoints: Option<Vec<Endpoint>>,
    /// When accepted usage is counted, whatever the endpoint.
    pub counting: Counting,
}

impl Default for BackendBehaviour {
    fn default() -> Self {
        Self {
            delay: Delay::None,
            delays: BTreeMap::new(),
            seed: 0,
            concurrency: None,
            queue: None,
            error_rate: 0.0,
            error_status: 500,
            reset_rate: 0.0,
            truncate_rate: 0.0,
            hang_rate: 0.0,
            body: Pace::Whole,
            outages: Vec::new(),
            endpoints: None,
            counting: Counting::default(),
        }
    }
}

/// When accepted usage is counted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Counting {
    /// Before the call is answered.
    Immediate,
    /// Some time after it was accepted. With lags that differ, later calls may be counted earlier.
    Deferred {
        /// How long after.
        lag: Delay,
    },
}

impl Default for Counting {
    fn default() -> Self {
        // Long enough that two calls in a row do not see one another, as with the real one.
        Self::Deferred {
            lag: Delay::Constant { ms: 100.0 },
        }
    }
}

impl BackendBehaviour {
    /// Refuses values that make no sense.
    pub fn validate(&self) -> Result<(), BehaviourError> {
        self.delay.validate("delay")?;
        for (endpoint, delay) in &self.delays {
            let field = format!("delays.{}", endpoint.name());
            public_call(&field, *endpoint)?;
            delay.validate(&field)?;
        }
        rate("error_rate", self.error_rate)?;
        rate("reset_rate", self.reset_rate)?;
        rate("truncate_rate", self.truncate_rate)?;
        rate("hang_rate", self.hang_rate)?;
        status("error_status", self.error_status)?;
        if self.concurrency == Some(0) {
            let problem = "is 0, which would answer nothing: leave it out for no cap";
            return Err(BehaviourError::new("concurrency", problem));
        }
        if self.queue.is_some() && self.concurrency.is_none() {
            let problem = "bounds the calls that wait for a turn, and needs `concurrency`";
            return Err(BehaviourError::new("queue", problem));
        }
        self.body.validate("body")?;
        self.validate_outages()?;
        for endpoint in self.endpoints.iter().flatten() {
            public_call("endpoints", *endpoint)?;
        }
        match &self.counting {
            Counting::Immediate => Ok(()),
            Counting::Deferred { lag } => lag.validate("counting.lag"),
        }
    }

    fn validate_outages(&self) -> Result<(), BehaviourError> {
        if self.outages.len() > MOST_OUTAGES {
            let problem = format!("has {} entries, at most {MOST_OUTAGES}", self.outages.len());
            return Err(BehaviourError::new("outages", problem));
        }
        let mut outages = self.outages.iter().enumerate();
        outages.try_for_each(|(index, outage)| outage.validate(&format!("outages[{index}]")))
    }

    /// Reads files of observed latencies; their paths are relative to `folder`.
    pub(crate) fn read_files(&mut self, folder: &Path) -> Result<(), BehaviourError> {
        self.delay.read_file("delay", folder)?;
        for (endpoint, delay) in &mut self.delays {
            delay.read_file(&format!("delays.{}", endpoint.name()), folder)?;
        }
        match &mut self.counting {
            Counting::Immediate => Ok(()),
            Counting::Deferred { lag } => lag.read_file("counting.lag", folder),
        }
    }

    /// Whether delays, faults, caps and outages apply to an endpoint. Outages apply to everything
    /// but the internal API unless endpoints are named; the rest to calls of the public API only.
    pub fn applies_to(&self, endpoint: Endpoint) -> bool {
        match &self.endpoints {
            Some(endpoints) => endpoints.contains(&endpoint),
            None => endpoint.is_public_call() || endpoint == Endpoint::Other,
        }
    }

    /// The outage in effect so long after this behaviour was set: the first one listed.
    pub fn outage(&self, endpoint: Endpoint, elapsed: Duration) -> Option<&Outage> {
        let mut outages = self.outages.iter();
        outages.find(|outage| self.applies_to(endpoint) && outage.is_on(elapsed))
    }

    /// The distribution of an endpoint's delays.
    pub fn delay_of(&self, endpoint: Endpoint) -> &Delay {
        self.delays.get(&endpoint).unwrap_or(&self.delay)
    }
}

fn public_call(field: &str, endpoint: Endpoint) -> Result<(), BehaviourError> {
    if endpoint.is_public_call() {
        return Ok(());
    }
    let problem = format!(
        "names `{}`, which is not a call of the public API",
        endpoint.name()
    );
    Err(BehaviourError::new(field, problem))
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
        self.delay.validate("delay")?;
        status("status", self.status)?;
        in_range(
            "body_bytes",
            self.body_bytes as f64,
            LARGEST_BODY_BYTES as f64,
            "bytes",
        )
    }

    /// Reads a file of observed latencies; its path is relative to `folder`.
    pub(crate) fn read_files(&mut self, folder: &Path) -> Result<(), BehaviourError> {
        self.delay.read_file("delay", folder)
    }

    /// How long one answer is held back.
    pub fn draw(&self, draws: &Draws) -> Duration {
        if self.delay == Delay::None {
            return Duration::ZERO;
        }
        self.delay.draw(&mut draws.next().of(Aspect::Delay))
    }
}

#[cfg(test)]
mod tests;
