//! The singleton service: the sync side on Envoy's main thread.
//!
//! Owns its callbacks. Must not decide what is reported or refreshed, or when.

use authcache::leadership::Candidate;
use authcache::sync_flow::SyncSettings;
use proxy_wasm::traits::{Context, RootContext};

use crate::host;
use crate::host::stats::Stats;
use crate::sync_side::SyncHost;

/// The root context of the singleton.
#[derive(Debug)]
pub(crate) struct SingletonRoot {
    context_id: u32,
    sync: SyncHost,
    /// There from the first tick on: a VM that only checks the configuration has none.
    stats: Option<Stats>,
}

impl SingletonRoot {
    pub(crate) fn new(context_id: u32) -> Self {
        Self {
            context_id,
            sync: SyncHost::new(host::seed()),
            stats: None,
        }
    }
}

impl Context for SingletonRoot {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _trailers: usize) {
        let now = host::now();
        let outcome = || host::callout::outcome(headers, body);
        self.sync.on_answer(token, outcome, self.context_id, now);
        if let Some(stats) = &self.stats {
            self.sync.publish(stats, now);
        }
    }
}

impl RootContext for SingletonRoot {
    fn on_configure(&mut self, _size: usize) -> bool {
        if let Err(error) = SyncSettings::parse(&host::configuration()) {
            log::error!("the configuration of the singleton is refused: {error}");
            return false;
        }
        host::start_ticks();
        true
    }

    fn on_tick(&mut self) {
        let now = host::now();
        self.sync
            .on_tick(Candidate::Singleton, self.context_id, now);
        let stats = self.stats.get_or_insert_with(Stats::define);
        self.sync.publish(stats, now);
    }

    fn on_queue_ready(&mut self, queue: u32) {
        let now = host::now();
        self.sync.on_queue_ready(queue, self.context_id, now);
        if let Some(stats) = &self.stats {
            self.sync.publish(stats, now);
        }
    }
}
