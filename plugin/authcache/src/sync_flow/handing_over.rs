//! Handing over what is not reported, because another sync side leads.
//!
//! Owns how pending usage becomes usage messages again, as if the workers sent them anew. Must not
//! know who leads.

use std::collections::BTreeMap;

use super::SyncFlow;
use super::application::{Application, Phase};
use super::pending::SourceId;
use crate::ids::MetricName;
use crate::service::Route;
use crate::time::UnixMillis;
use crate::usage::MetricIndex;
use crate::wire::{AccountUsage, ServiceHeader, UsageEntry, UsageMessage, Worker};

/// Accounts of one message, so that reading it takes a few milliseconds.
const MAX_ACCOUNTS: usize = 1_000;
/// Who has no queue to be told anything: a worker that is gone.
const NO_QUEUE: u32 = u32::MAX;

impl SyncFlow {
    /// Gives up everything but the reports that are not answered yet: for who leads now. To be called
    /// again after each answer.
    pub fn retire(&mut self, now: UnixMillis) -> Vec<UsageMessage> {
        self.uncertainty = 0;
        let mut messages = Messages::default();
        for (id, mut application) in std::mem::take(&mut self.applications) {
            if !application.pending.is_empty() {
                self.tell_all(&mut application, now);
            }
            if let Some(service) = self.services.get(application.service) {
                messages.add(&service.route, &mut application);
            }
            if matches!(application.phase, Phase::Reporting(_)) {
                application.asking = None;
                self.applications.insert(id, application);
            }
        }
        let applications = &self.applications;
        self.calls
            .retain(|_, (id, _)| applications.contains_key(id));
        self.ids.retain(|_, id| applications.contains_key(id));
        self.work.retain(|id| applications.contains_key(id));
        for service in &mut self.services {
            service.fresh = 0;
        }
        messages.done
    }

    /// Whether no report waits for its answer.
    pub fn is_retired(&self) -> bool {
        self.calls.is_empty() && self.applications.is_empty()
    }
}

/// Messages in the making: one for each worker, and more where one would be long.
#[derive(Default)]
struct Messages {
    open: BTreeMap<Worker, usize>,
    done: Vec<UsageMessage>,
}

impl Messages {
    fn add(&mut self, route: &Route, application: &mut Application) {
        let refresh_due = application.refresh_due;
        let mut parts: BTreeMap<SourceId, Vec<_>> = BTreeMap::new();
        for (minute, metric, source, amount) in application.pending.take() {
            parts
                .entry(source)
                .or_default()
                .push((minute, metric, amount));
        }
        let (kind, credential) = application.named();
        for (id, part) in parts {
            let source = application.sources.get(&id);
            let message = self.message(Worker {
                generation: id.generation,
                queue: source.map_or(NO_QUEUE, |source| source.queue),
            });
            let Some(message) = message else {
                continue;
            };
            let service = header(&mut message.services, id.service, route);
            let Some(metrics) = message.services.get_mut(service) else {
                continue;
            };
            let entries = part.into_iter().map(|(minute, metric, amount)| {
                let total = source.and_then(|source| source.totals.get(&metric));
                UsageEntry {
                    total: total.copied().unwrap_or_default(),
                    metric: index(&mut metrics.metrics, metric),
                    minute,
                    amount,
                }
            });
            let entries = entries.collect();
            message.accounts.push(AccountUsage {
                service,
                kind,
                credential: credential.to_owned(),
                refresh_due,
                entries,
                statement: None,
            });
        }
    }

    /// The message of a worker that has room for another account.
    fn message(&mut self, worker: Worker) -> Option<&mut UsageMessage> {
        let done = &self.done;
        let has_room = |place: &&usize| {
            done.get(**place)
                .is_some_and(|message| message.accounts.len() < MAX_ACCOUNTS)
        };
        let place = match self.open.get(&worker).filter(has_room) {
            Some(place) => *place,
            None => {
                self.done.push(UsageMessage {
                    worker,
                    services: Vec::new(),
                    accounts: Vec::new(),
                });
                self.open.insert(worker, self.done.len() - 1);
                self.done.len() - 1
            }
        };
        self.done.get_mut(place)
    }
}

/// The place of a service in a message. What a worker reports anew under its old number may have
/// another route since: both are kept apart.
fn header(services: &mut Vec<ServiceHeader>, number: u32, route: &Route) -> usize {
    let same = |known: &ServiceHeader| {
        known.number == number
            && known.route == *route
            && known.metrics.len() < usize::from(u16::MAX) - 1
    };
    services.iter().position(same).unwrap_or_else(|| {
        services.push(ServiceHeader {
            number,
            route: route.clone(),
            metrics: Vec::new(),
        });
        services.len() - 1
    })
}

/// The index of a metric in the table of its message.
fn index(metrics: &mut Vec<MetricName>, metric: MetricName) -> MetricIndex {
    let place = metrics.iter().position(|known| *known == metric);
    let place = place.unwrap_or_else(|| {
        metrics.push(metric);
        metrics.len() - 1
    });
    MetricIndex(u16::try_from(place).unwrap_or(u16::MAX))
}
