//! Counters and gauges that Envoy exports.
//!
//! Owns the numbers of the host's metrics. Must not know what is counted, beyond names.
//!
//! All workers share one gauge of a name, so a gauge is only ever moved by what changed, never set.
//! Gauges are unsigned: whoever takes away has added before.

use authcache::counters::{Counter, Counters};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

/// By how many thousandths of its limit a counter was over it, for every reading.
const OVERSHOOT: &str = "tollgate_overshoot_permille";

/// A gauge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gauge {
    /// Units of usage that were let through and are not confirmed.
    UsagePending,
    /// Records, over all workers.
    ApplicationsCached,
    /// Requests that wait for the backend, over all workers.
    Waiters,
    /// Units that were handed out and that the backend's counters may not show.
    Uncertainty,
    /// VMs that are the sync side: 1 from the first request on.
    SyncLeaders,
}

/// The metrics of one VM.
#[derive(Debug)]
pub(crate) struct Stats {
    counters: Vec<(Counter, u32)>,
    usage_pending: Option<u32>,
    applications_cached: Option<u32>,
    waiters: Option<u32>,
    uncertainty: Option<u32>,
    sync_leaders: Option<u32>,
    overshoot: Option<u32>,
}

impl Stats {
    /// Defines every metric, so that all are there from the start.
    pub(crate) fn define() -> Self {
        let counters = Counter::ALL.into_iter().filter_map(|counter| {
            let id = hostcalls::define_metric(MetricType::Counter, counter.name()).ok()?;
            Some((counter, id))
        });
        Self {
            counters: counters.collect(),
            usage_pending: gauge("tollgate_usage_pending"),
            applications_cached: gauge("tollgate_applications_cached"),
            waiters: gauge("tollgate_waiters"),
            uncertainty: gauge("tollgate_uncertainty"),
            sync_leaders: gauge("tollgate_sync_leaders"),
            overshoot: hostcalls::define_metric(MetricType::Histogram, OVERSHOOT).ok(),
        }
    }

    /// Adds what was counted.
    pub(crate) fn publish(&self, counted: &Counters) {
        for (counter, id) in &self.counters {
            move_by(
                Some(*id),
                i64::try_from(counted.value(*counter)).unwrap_or(i64::MAX),
            );
        }
    }

    /// Moves a gauge.
    pub(crate) fn move_gauge(&self, gauge: Gauge, by: i64) {
        move_by(self.id(gauge), by);
    }

    /// Enters a reading into the histogram of overshoots.
    pub(crate) fn record_overshoot(&self, per_mille: u64) {
        if let Some(id) = self.overshoot
            && hostcalls::record_metric(id, per_mille).is_err()
        {
            log::error!("metric {id} is gone");
        }
    }

    /// Raises a gauge.
    pub(crate) fn raise(&self, gauge: Gauge, by: u64) {
        self.move_gauge(gauge, i64::try_from(by).unwrap_or(i64::MAX));
    }

    /// Lowers a gauge to `most`, because nobody owns what is beyond it.
    pub(crate) fn cap(&self, gauge: Gauge, most: u64) {
        let shown = self.id(gauge).map(hostcalls::get_metric);
        if let Some(Ok(shown)) = shown {
            self.lower(gauge, shown.saturating_sub(most));
        }
    }

    /// Lowers a gauge by what was raised before.
    pub(crate) fn lower(&self, gauge: Gauge, by: u64) {
        self.move_gauge(
            gauge,
            i64::try_from(by).unwrap_or(i64::MAX).saturating_neg(),
        );
    }

    fn id(&self, gauge: Gauge) -> Option<u32> {
        match gauge {
            Gauge::UsagePending => self.usage_pending,
            Gauge::ApplicationsCached => self.applications_cached,
            Gauge::Waiters => self.waiters,
            Gauge::Uncertainty => self.uncertainty,
            Gauge::SyncLeaders => self.sync_leaders,
        }
    }
}

fn gauge(name: &str) -> Option<u32> {
    hostcalls::define_metric(MetricType::Gauge, name).ok()
}

fn move_by(id: Option<u32>, by: i64) {
    if let Some(id) = id.filter(|_| by != 0)
        && hostcalls::increment_metric(id, by).is_err()
    {
        log::error!("metric {id} is gone");
    }
}
