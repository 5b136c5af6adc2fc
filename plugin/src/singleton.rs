//! The singleton service: the sync side on Envoy's main thread.
//!
//! Owns its callbacks. Must not decide what is reported or refreshed, or when.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use authcache::callout::CallOutcome;
use authcache::sync_flow::{LossCause, SyncFlow, SyncSettings, SyncStep};
use authcache::time::UnixMillis;
use authcache::wire::{News, UsageMessage};
use proxy_wasm::traits::{Context, RootContext};

use crate::host::queue::{self, QueueId};
use crate::host::shared::HostShared;
use crate::host::stats::{Gauge, Stats};
use crate::host::{self};

/// Most messages of one callback, so that a backlog does not keep the main thread from other work.
/// The rest waits for the next tick.
const MAX_MESSAGES: usize = 256;

/// The root context of the singleton.
#[derive(Debug)]
pub(crate) struct SingletonRoot {
    flow: SyncFlow,
    calls: BTreeMap<u32, u64>,
    shown_uncertainty: u64,
    /// There from the first tick on: a VM that only checks the configuration has none.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    queue: Option<QueueId>,
    stats: Stats,
}

impl SingletonRoot {
    pub(crate) fn new() -> Self {
        Self {
            flow: SyncFlow::new(host::seed(), Rc::new(HostShared)),
            calls: BTreeMap::new(),
            shown_uncertainty: 0,
            running: None,
        }
    }

    fn start(&mut self) {
        if self.running.is_none() {
            self.running = Some(Running {
                queue: queue::register(queue::USAGE),
                stats: Stats::define(),
            });
        }
    }

    /// Takes over what the workers sent.
    fn receive(&mut self, now: UnixMillis) {
        let Some(queue) = self.running.as_ref().and_then(|running| running.queue) else {
            return;
        };
        for _ in 0..MAX_MESSAGES {
            let Some(bytes) = queue::receive(queue) else {
                return;
            };
            match UsageMessage::decode(&bytes) {
                Ok(message) => {
                    let steps = self.flow.on_usage(&message, now);
                    self.carry_out(steps, now);
                }
                Err(error) => log::error!("a usage message is not understood: {error}"),
            }
        }
    }

    /// Does what is due.
    fn work(&mut self, now: UnixMillis) {
        let steps = self.flow.poll(now);
        self.carry_out(steps, now);
        self.publish(now);
    }

    fn carry_out(&mut self, steps: Vec<SyncStep>, now: UnixMillis) {
        let mut steps = VecDeque::from(steps);
        while let Some(step) = steps.pop_front() {
            match step {
                SyncStep::Call { id, callout } => match host::callout::send(&callout) {
                    Some(token) => {
                        self.calls.insert(token, id);
                    }
                    None => steps.extend(self.flow.on_outcome(id, &CallOutcome::Unsent, now)),
                },
                SyncStep::Send { queue, message } => match News::Refresh(message).encode() {
                    Ok(bytes) => {
                        queue::send(QueueId(queue), &bytes);
                    }
                    Err(error) => log::error!("news for a worker cannot be written: {error}"),
                },
                SyncStep::ReportRefused {
                    service,
                    status,
                    code,
                } => log::error!(
                    "the backend refuses reports of service {service} with status {status} \
                     ({code}); their usage is kept and reported again"
                ),
                SyncStep::Lost {
                    service,
                    amount,
                    cause,
                } => log_loss(&service, amount, cause),
            }
        }
    }

    fn publish(&mut self, now: UnixMillis) {
        let Some(running) = &self.running else {
            return;
        };
        let stats = &running.stats;
        stats.publish(&self.flow.counters.take());
        stats.raise(Gauge::UsagePending, self.flow.take_buried());
        stats.lower(Gauge::UsagePending, self.flow.take_settled());
        let uncertainty = self.flow.uncertainty();
        let before = std::mem::replace(&mut self.shown_uncertainty, uncertainty);
        stats.raise(Gauge::Uncertainty, uncertainty.saturating_sub(before));
        stats.lower(Gauge::Uncertainty, before.saturating_sub(uncertainty));
        if let Some(pending) = self.flow.quiet_pending(now) {
            stats.cap_pending(pending);
        }
        for per_mille in self.flow.take_overshoots() {
            stats.record_overshoot(per_mille);
        }
    }
}

impl Context for SingletonRoot {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _trailers: usize) {
        let Some(call) = self.calls.remove(&token) else {
            return;
        };
        let now = host::now();
        let outcome = host::callout::outcome(headers, body);
        let steps = self.flow.on_outcome(call, &outcome, now);
        self.carry_out(steps, now);
        self.work(now);
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
        self.start();
        let now = host::now();
        self.receive(now);
        self.work(now);
    }

    fn on_queue_ready(&mut self, _queue: u32) {
        let now = host::now();
        self.receive(now);
        self.work(now);
    }
}

fn log_loss(service: &str, amount: u64, cause: LossCause) {
    let cause = match cause {
        LossCause::TooOld => "it could not be reported for 24 hours",
        LossCause::TooMany => "there are too many applications",
    };
    log::error!(
        "{amount} units of usage of service {service} are lost: {cause}; \
         tollgate_usage_lost counts what follows"
    );
}
