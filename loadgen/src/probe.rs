//! What the target's side says about itself while it is loaded: counters and CPU.
//!
//! Owns [`Reading`] and the difference of two. Must not know how long a load lasts or what is
//! concluded.

use std::future::Future;
use std::time::Duration;

/// One look at the counters and clocks of the target's side. All of them only ever grow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Counters, absent when the target has none that can be read.
    pub counters: Option<Counters>,
    /// Envoy's CPU time and memory, absent when it is not a process of this machine.
    pub envoy: Option<ProcessTimes>,
    /// The backend's.
    pub backend: Option<ProcessTimes>,
}

/// Counters of the target's side.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Requests answered from the cache.
    pub hits: u64,
    /// Requests that had to ask the backend.
    pub misses: u64,
    /// Requests that were denied.
    pub denied: u64,
    /// Calls of every kind to the backend.
    pub backend_calls: u64,
}

/// CPU time and memory of a process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ProcessTimes {
    /// CPU time since it started.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
}

/// Why a reading failed; it is counted and the next one tried.
#[derive(Debug, thiserror::Error)]
#[error("the target's counters cannot be read")]
pub struct ProbeError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Something that can be asked for readings.
pub trait Probe: Sync {
    /// The counters and clocks of this moment.
    fn read(&self) -> impl Future<Output = Result<Reading, ProbeError>> + Send;

    /// Tells the target that the warm-up is over and what happens from here on is measured.
    fn measuring_begins(&self) -> impl Future<Output = Result<(), ProbeError>> + Send {
        async { Ok(()) }
    }
}

/// The probe of a target about which nothing is known.
#[derive(Clone, Copy, Debug)]
pub struct NoProbe;

impl Probe for NoProbe {
    async fn read(&self) -> Result<Reading, ProbeError> {
        Ok(Reading::default())
    }
}

impl Reading {
    /// What happened between an earlier reading and this one. Memory stays that of the moment.
    pub fn since(&self, earlier: &Reading) -> Reading {
        Reading {
            counters: both(self.counters, earlier.counters, Counters::since),
            envoy: both(self.envoy, earlier.envoy, ProcessTimes::since),
            backend: both(self.backend, earlier.backend, ProcessTimes::since),
        }
    }
}

impl Reading {
    /// What happened in this time and a later one together. Memory is that of the later moment.
    pub fn plus(&self, later: &Reading) -> Reading {
        Reading {
            counters: both(self.counters, later.counters, Counters::plus),
            envoy: both(self.envoy, later.envoy, ProcessTimes::plus),
            backend: both(self.backend, later.backend, ProcessTimes::plus),
        }
    }
}

fn both<T>(now: Option<T>, then: Option<T>, since: impl Fn(T, T) -> T) -> Option<T> {
    Some(since(now?, then?))
}

impl Counters {
    fn since(self, then: Self) -> Self {
        Self {
            hits: self.hits.saturating_sub(then.hits),
            misses: self.misses.saturating_sub(then.misses),
            denied: self.denied.saturating_sub(then.denied),
            backend_calls: self.backend_calls.saturating_sub(then.backend_calls),
        }
    }
}

impl Counters {
    fn plus(self, later: Self) -> Self {
        Self {
            hits: self.hits + later.hits,
            misses: self.misses + later.misses,
            denied: self.denied + later.denied,
            backend_calls: self.backend_calls + later.backend_calls,
        }
    }
}

impl ProcessTimes {
    fn plus(self, later: Self) -> Self {
        Self {
            cpu: self.cpu + later.cpu,
            rss_bytes: later.rss_bytes,
        }
    }

    fn since(self, then: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(then.cpu),
            rss_bytes: self.rss_bytes,
        }
    }
}
