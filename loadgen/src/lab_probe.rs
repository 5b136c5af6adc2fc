//! Readings of a lab: its counters and the processor time of its processes.
//!
//! Owns the translation from what the lab counts to what a load is watched by. Must not know where
//! the lab reads its counters.

use std::time::Duration;

use lab::collect::Counts;
use lab::collect::process_usage::ProcessUsage;
use lab::runtime::Lab;
use lab::topology::Role;

use crate::probe::{Counters, Probe, ProbeError, ProcessTimes, Reading};
use crate::summary::Totals;

/// The probe of a lab.
pub struct LabProbe<'a> {
    /// The lab.
    pub lab: &'a Lab,
}

impl Probe for LabProbe<'_> {
    async fn read(&self) -> Result<Reading, ProbeError> {
        let counts = self
            .lab
            .counts()
            .await
            .map_err(|error| ProbeError(Box::new(error)))?;
        // After the counters, whose collection costs Envoy a little of its time.
        let usage = self.lab.usage_of_processes();
        let times = |role| usage.get(&role).map(process_times);
        Ok(Reading {
            counters: Some(counters(&counts)),
            envoy: times(Role::ENVOY),
            backend: times(Role::Backend),
        })
    }

    async fn measuring_begins(&self) -> Result<(), ProbeError> {
        let begun = self.lab.begin_outages().await;
        begun.map_err(|error| ProbeError(Box::new(error)))
    }
}

/// Totals of a scenario from its last counts.
pub fn totals(counts: &Counts) -> Totals {
    Totals {
        admitted: counts.admitted,
        reported: counts.reported,
        upstream_requests: counts.upstream_requests,
    }
}

fn counters(counts: &Counts) -> Counters {
    Counters {
        hits: counts.hits,
        misses: counts.misses,
        denied: counts.denied,
        backend_calls: counts.backend_calls,
    }
}

fn process_times(usage: &ProcessUsage) -> ProcessTimes {
    ProcessTimes {
        cpu: Duration::from_nanos(usage.cpu_ns),
        rss_bytes: usage.rss_bytes,
    }
}
