//! Bytes per application.
//!
//! Owns [`live_bytes`] and [`Memory`]. Must not know time.

use authcache::config::ConfigError;
use serde::Serialize;
use stats_alloc::INSTRUMENTED_SYSTEM;

use crate::population::Population;

/// Denials that are remembered by default.
const NEGATIVE: u32 = 10_000;

/// Bytes that are allocated and not freed.
pub(crate) fn live_bytes() -> i64 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

/// What one worker holds after it saw a number of applications with three limits.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    /// Applications that asked.
    pub(crate) applications: u32,
    /// Those that have a record.
    pub(crate) known: usize,
    /// Bytes of the worker while none of them has leases.
    pub(crate) worker_bytes: i64,
    /// The same for each known application: key, record, wallet and their place in the index.
    pub(crate) bytes_per_application: f64,
    /// More for each while all of them have leases; not measured where some are evicted.
    pub(crate) bytes_per_holder: Option<f64>,
    /// Bytes of keys and values in shared data, once per process, for each application that asked.
    pub(crate) shared_bytes_per_application: f64,
}

impl Memory {
    /// A worker comes to know so many. With `leases` all of them have
    /// leases in the end.
    pub(crate) fn measure(
        population: &mut Population,
        applications: u32,
        base: i64,
        leases: bool,
    ) -> Self {
        population.grow(applications);
        let known = population.known();
        let held = population.held_bytes();
        let worker_bytes = held - base;
        let holders = leases.then(|| {
            population.lease_all();
            population.held_bytes() - held
        });
        let per = |bytes: i64, number: usize| bytes as f64 / number.max(1) as f64;
        Self {
            applications,
            known,
            worker_bytes,
            bytes_per_application: per(worker_bytes, known),
            bytes_per_holder: holders.map(|bytes| per(bytes, known)),
            shared_bytes_per_application: per(population.shared_bytes(), applications as usize),
        }
    }
}

/// What a worker takes whatever it knows, and for each remembered denial.
#[derive(Debug, Serialize)]
pub(crate) struct Fixed {
    pub(crate) empty_worker_bytes: i64,
    pub(crate) bytes_per_denial: f64,
}

impl Fixed {
    pub(crate) fn measure() -> Result<Self, ConfigError> {
        let mut population = Population::new(1_000)?;
        let empty = population.held_bytes();
        population.refuse(NEGATIVE);
        let denials = population.held_bytes() - empty;
        Ok(Self {
            empty_worker_bytes: empty,
            bytes_per_denial: denials as f64 / f64::from(NEGATIVE),
        })
    }
}
