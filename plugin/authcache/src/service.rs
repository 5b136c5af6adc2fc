//! A service as one configuration serves it.
//!
//! Owns [`ServedService`], [`Route`] (everything the sync side needs to report usage of a service) and
//! [`FlushPolicy`]. Must not know records or requests.
//!
//! A singleton in a static bootstrap never sees new configuration, so what it needs travels with the
//! usage.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::callout::{CallKind, Callout};
use crate::config::{
    CacheSettings, Epoch, Flush, FlushMode, Gateways, Mode, ReportRetry, Service, Settings,
};
use crate::ids::{ServiceId, ServiceToken};
use crate::key::{HashSeed, Scope};
use crate::lease::terms::{Delays, Terms};
use crate::mapping::MetricTable;
use crate::protocol::request::{Call, Caller};
use crate::usage::MetricIndex;

/// How often the workers hand over what they let through.
pub const TICK_MS: u64 = 100;
/// How long a call for an application takes at most when several gateways share its limits. Not the
/// timeout: whoever waits out a timeout of a second denies for a second near each limit, while calls
/// to a backend that is well take some 10 ms. A reading that takes longer is safe, since its tokens end
/// by when it was asked for. A report that takes longer is not, and is counted
/// (`tollgate_reports_late`).
const CALL_MS: u64 = 100;
/// How many workers are assumed to share a pool where that is not configured.
const WORKERS: u32 = 4;

/// Where the backend of a service is and how the service is reported.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Route {
    /// Envoy's name of the backend's cluster.
    pub cluster: String,
    /// The authority of requests to the backend.
    pub authority: String,
    /// What stands in front of every path.
    pub path_prefix: String,
    /// How long a call may take.
    pub timeout_ms: u64,
    /// The service.
    pub service: ServiceId,
    /// The secret that goes with it.
    pub token: ServiceToken,
    /// When usage is reported.
    pub flush: FlushPolicy,
    /// How long the backend may take to count what it accepted.
    pub settle_delay_ms: u64,
    /// Budget of calls to the backend.
    pub calls_per_second: u64,
    /// How its limits are kept.
    pub policy: Policy,
}

/// How limits are kept, as far as the sync side has to know.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Policy {
    /// What is promised.
    pub mode: Mode,
    /// Who shares the limits.
    pub gateways: Gateways,
    /// How often the backend is asked in the modes with leases.
    pub epoch: Epoch,
    /// What happens to a report of which nobody knows whether it was counted.
    pub report_retry: ReportRetry,
    /// How far the backend's clock may be from this one.
    pub clock_skew_ms: u64,
    /// After this long the workers want to hear of keys and plans again.
    pub soft_ms: u64,
    /// After this long nothing that was read is used any more.
    pub hard_ms: u64,
    /// Slots for leases in the process.
    pub lease_slots: u32,
    /// How many workers share what is left of a limit.
    pub workers: u32,
}

impl Policy {
    /// The policy of a configuration.
    pub fn of(cache: &CacheSettings) -> Self {
        Self {
            mode: cache.mode,
            gateways: cache.gateways,
            epoch: cache.epoch,
            report_retry: cache.report_retry,
            clock_skew_ms: cache.clock_skew_ms,
            soft_ms: cache.ttl.soft_ms,
            hard_ms: cache.ttl.hard_ms,
            lease_slots: u32::try_from(cache.memory.leases).unwrap_or(u32::MAX),
            workers: cache.workers_hint.unwrap_or(WORKERS),
        }
    }
}

impl Route {
    /// Who calls, without options beside the cache's own.
    pub fn caller(&self) -> Caller<'_> {
        Caller {
            service: &self.service,
            token: &self.token,
            path_prefix: &self.path_prefix,
            extensions: &[],
        }
    }

    /// The longest that a call is taken to last, in milliseconds.
    pub fn call_ms(&self) -> u64 {
        self.timeout_ms.min(CALL_MS)
    }

    /// How far from the beginning and from the end of a minute usage may go with a question: the call
    /// may take until its timeout, and the backend's clock decides when it arrives.
    pub fn merging_margins_ms(&self) -> (u64, u64) {
        let skew_ms = self.policy.clock_skew_ms;
        (skew_ms, skew_ms.saturating_add(self.timeout_ms))
    }

    /// What leases of its applications keep to.
    pub fn terms(&self) -> Terms {
        let policy = &self.policy;
        let delays = Delays {
            epoch_ms: policy.epoch.min_ms,
            tick_ms: TICK_MS,
            rtt_ms: self.call_ms(),
            settle_ms: self.settle_delay_ms,
        };
        let Gateways { count, index } = policy.gateways;
        Terms::new(count, index, delays, policy.hard_ms)
    }

    /// So long after a process began, a reading may lack what the process before it had reported, and
    /// other gateways may use readings that do. Nothing is leased until then.
    pub fn quiet_ms(&self) -> u64 {
        let counted_ms = self.call_ms().saturating_add(self.settle_delay_ms);
        let terms = self.terms();
        match self.policy.mode {
            mode if !mode.leases() => 0,
            _ if terms.is_alone() => counted_ms,
            _ => counted_ms.saturating_add(terms.valid_ms),
        }
    }

    /// Sends `call` to the backend of the service.
    pub fn callout(&self, kind: CallKind, call: Call) -> Callout {
        Callout {
            kind,
            cluster: self.cluster.clone(),
            authority: self.authority.clone(),
            timeout_ms: self.timeout_ms,
            call,
        }
    }

    /// The route of one service of a configuration.
    pub fn of(settings: &Settings, service: &Service) -> Self {
        let (backend, cache) = (&settings.backend, &settings.cache);
        Self {
            cluster: backend.cluster.clone(),
            authority: backend.authority.clone(),
            path_prefix: backend.path_prefix.clone(),
            timeout_ms: backend.timeout_ms,
            service: service.id.clone(),
            token: service.token.clone(),
            flush: FlushPolicy::of(&cache.flush),
            settle_delay_ms: cache.settle_delay_ms,
            calls_per_second: u64::from(cache.calls_per_second),
            policy: Policy::of(cache),
        }
    }
}

impl FlushPolicy {
    fn of(flush: &Flush) -> Self {
        let (by_capacity, by_time) = match flush.mode {
            FlushMode::Default => (true, true),
            FlushMode::ContainerLimit => (true, false),
            FlushMode::Periodical => (false, true),
        };
        Self {
            capacity: by_capacity.then_some(flush.capacity),
            interval_ms: by_time.then_some(flush.interval_ms),
            idle_ms: by_time.then_some(flush.idle_ms),
        }
    }
}

/// When usage is reported: once that much has come together, once it is that old, or both. Without
/// either it waits for the other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlushPolicy {
    /// Units of usage of one service that are reported at once.
    pub capacity: Option<u64>,
    /// How long usage waits at most.
    pub interval_ms: Option<u64>,
    /// When no usage at all has arrived for that long, what is there is reported.
    pub idle_ms: Option<u64>,
}

/// A service with its scope and the table that its metrics are numbered by.
#[derive(Clone, Debug)]
pub struct ServedService {
    /// The number of this service and table in the VM.
    pub number: u32,
    /// The part of keys that its applications share.
    pub scope: Rc<Scope>,
    /// How it is reported.
    pub route: Route,
    /// The metrics of its mapping rules.
    pub metrics: MetricTable,
    /// What its leases keep to.
    pub terms: Terms,
}

impl ServedService {
    /// The names of the metric table, in order.
    pub fn metric_names(&self) -> impl Clone + Iterator<Item = &str> {
        (0..)
            .map_while(|place| self.metrics.name(MetricIndex(place)))
            .map(|name| name.as_str())
    }
}

/// Every service that configurations of one VM serve. A listener update brings a second
/// configuration into the VM; services that it left as they were keep their records.
#[derive(Debug, Default)]
pub struct ServiceRegistry {
    services: Vec<Rc<ServedService>>,
}

impl ServiceRegistry {
    /// The service with this route and table: one that is there already, or a new one.
    pub fn register(
        &mut self,
        seed: HashSeed,
        route: Route,
        metrics: MetricTable,
    ) -> Rc<ServedService> {
        self.drop_unused();
        let same = |known: &&Rc<ServedService>| known.route == route && known.metrics == metrics;
        if let Some(known) = self.services.iter().find(same) {
            return Rc::clone(known);
        }
        let number = self.services.last().map_or(0, |last| last.number + 1);
        let backend = [&*route.cluster, &*route.authority, &*route.path_prefix];
        let service = Rc::new(ServedService {
            terms: route.terms(),
            number,
            scope: Rc::new(Scope::new(seed, backend, route.service.as_str(), number)),
            route,
            metrics,
        });
        self.services.push(Rc::clone(&service));
        service
    }

    /// The service with this number.
    pub fn find(&self, number: u32) -> Option<&Rc<ServedService>> {
        self.services
            .iter()
            .find(|service| service.number == number)
    }

    /// The service whose applications have keys of this scope.
    pub fn of(&self, scope: &Rc<Scope>) -> Option<&Rc<ServedService>> {
        self.services.iter().find(|service| service.scope == *scope)
    }

    /// Forgets services that no configuration and no pending usage refers to, except the last one,
    /// whose number the next is counted from.
    fn drop_unused(&mut self) {
        let newest = self.services.last().map(|last| last.number);
        self.services
            .retain(|service| Rc::strong_count(service) > 1 || Some(service.number) == newest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(service: &str) -> Route {
        Route {
            cluster: "backend".to_owned(),
            authority: "backend.example".to_owned(),
            path_prefix: String::new(),
            timeout_ms: 1_000,
            service: ServiceId::parse(service).expect("an id"),
            token: ServiceToken::parse("token").expect("a token"),
            flush: FlushPolicy {
                capacity: None,
                interval_ms: Some(1_000),
                idle_ms: None,
            },
            settle_delay_ms: 300,
            calls_per_second: 100,
            policy: Policy::of(&CacheSettings::default()),
        }
    }

    #[test]
    fn leases_count_on_quick_calls_whatever_the_timeout() {
        let mut route = route("1");
        let epoch_ms = route.policy.epoch.min_ms;
        assert_eq!(route.terms().valid_ms, epoch_ms + CALL_MS + 150);
        route.timeout_ms = 40;
        assert_eq!(route.terms().valid_ms, epoch_ms + 40 + 150);
    }

    #[test]
    fn a_process_waits_until_what_the_one_before_it_reported_is_counted() {
        let mut route = route("1");
        let valid_ms = route.terms().valid_ms;
        assert_eq!(route.policy.gateways.count, 1);
        assert_eq!(route.quiet_ms(), CALL_MS + 300);
        route.policy.gateways.count = 2;
        assert_eq!(route.quiet_ms(), CALL_MS + 300 + valid_ms);
        route.policy.mode = Mode::Fast;
        assert_eq!(route.quiet_ms(), 0);
    }

    #[test]
    fn an_unchanged_service_stays_the_same_and_numbers_are_not_reused() {
        let mut registry = ServiceRegistry::default();
        let seed = HashSeed(1, 2);
        let first = registry.register(seed, route("1"), MetricTable::default());
        let again = registry.register(seed, route("1"), MetricTable::default());
        assert!(Rc::ptr_eq(&first, &again));
        let second = registry.register(seed, route("2"), MetricTable::default());
        assert_ne!(first.number, second.number);
        let number = second.number;
        drop(second);
        let third = registry.register(seed, route("3"), MetricTable::default());
        assert!(third.number > number);
        assert!(registry.find(first.number).is_some());
    }
}
