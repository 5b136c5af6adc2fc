//! Who there is in a test: services, plans with their limits, applications with their secrets.
//!
//! Every test spells out the state it is about, so a population is built from nothing and starts
//! with the two services that [`crate::harness::setup`] configures.

use serde_json::{Value, json};

/// The service whose applications have one secret each, and the authority it is served under.
pub(crate) const KEYS: Service = Service {
    id: "70010",
    token: "tokenkeys-4f1c9be2",
    authority: "keys.test",
    backend_version: "1",
};

/// The service whose applications have an id and keys.
pub(crate) const APPS: Service = Service {
    id: "70020",
    token: "tokenapps-b07d33ac",
    authority: "apps.test",
    backend_version: "2",
};

/// Another service whose applications have one secret each.
pub(crate) const OTHER: Service = Service {
    id: "70030",
    token: "tokenother-9e5a1170",
    authority: "other.test",
    backend_version: "1",
};

/// A service as both sides know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    pub(crate) id: &'static str,
    pub(crate) token: &'static str,
    pub(crate) authority: &'static str,
    pub(crate) backend_version: &'static str,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [KEYS, APPS, OTHER];
}

/// The metrics of every service: name and parent. `bikes` is two levels below `hits`.
const METRICS: [(&str, &str); 4] = [
    ("hits", ""),
    ("rides", "hits"),
    ("bikes", "rides"),
    ("orders", "hits"),
];

/// A limit that no test reaches. An answer explains limited metrics only, so most plans have it.
pub(crate) const AMPLE: &[Limit] = &[("hits", "eternity", 1_000_000_000)];

/// A limit on every metric that no test reaches: every request can be decided from the cache.
pub(crate) const AMPLE_EVERYWHERE: &[Limit] = &[
    ("hits", "eternity", 1_000_000_000),
    ("rides", "eternity", 1_000_000_000),
    ("bikes", "eternity", 1_000_000_000),
    ("orders", "eternity", 1_000_000_000),
];

/// Metric, period, value.
pub(crate) type Limit = (&'static str, &'static str, u64);

/// The state document that the backend loads.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    limits: Vec<Value>,
    applications: Vec<Value>,
}

impl Population {
    pub(crate) fn new() -> Self {
        Self {
            limits: Vec::new(),
            applications: Vec::new(),
        }
    }

    /// An application of [`KEYS`] with a plan of its own.
    pub(crate) fn user(self, user_key: &str, limits: &[Limit]) -> Self {
        self.user_of(KEYS, user_key, limits)
    }

    /// An application with one secret.
    pub(crate) fn user_of(self, service: Service, user_key: &str, limits: &[Limit]) -> Self {
        let id = format!("id-of-{user_key}");
        self.application(service, &id, limits, json!({ "user_key": user_key }))
    }

    /// An application of [`APPS`] with a plan of its own.
    pub(crate) fn app(self, id: &str, keys: &[&str], limits: &[Limit]) -> Self {
        self.application(APPS, id, limits, json!({ "keys": keys }))
    }

    /// An application of [`KEYS`] that the provider has suspended.
    pub(crate) fn suspended(self, user_key: &str) -> Self {
        let secret = json!({ "user_key": user_key, "state": "suspended" });
        self.application(KEYS, &format!("id-of-{user_key}"), AMPLE, secret)
    }

    fn application(mut self, service: Service, id: &str, limits: &[Limit], more: Value) -> Self {
        let plan = format!("plan-of-{id}");
        let limit = |(metric, period, value): &Limit| {
            json!({
                "service_id": service.id, "plan_id": plan, "metric_id": metric_id(service, metric),
                "period": period, "value": value,
            })
        };
        self.limits.extend(limits.iter().map(limit));
        let mut application = json!({
            "service_id": service.id, "id": id, "state": "active",
            "plan_id": plan, "plan_name": "a plan",
        });
        merge(&mut application, more);
        self.applications.push(application);
        self
    }

    pub(crate) fn state(&self) -> Value {
        let services = Service::ALL.map(|service| {
            json!({
                "id": service.id, "provider_key": "provider-key",
                "backend_version": service.backend_version,
            })
        });
        let tokens =
            Service::ALL.map(|service| json!({ "token": service.token, "service_id": service.id }));
        let metrics: Vec<Value> = Service::ALL.into_iter().flat_map(metrics).collect();
        json!({
            "services": services, "service_tokens": tokens, "metrics": metrics,
            "usage_limits": self.limits, "applications": self.applications,
        })
    }
}

fn metrics(service: Service) -> impl Iterator<Item = Value> {
    METRICS.into_iter().map(move |(name, parent)| {
        let mut metric = json!({
            "service_id": service.id, "id": metric_id(service, name), "name": name,
        });
        if !parent.is_empty() {
            metric["parent_id"] = json!(metric_id(service, parent));
        }
        metric
    })
}

fn metric_id(service: Service, name: &str) -> String {
    let place = METRICS.iter().position(|(known, _)| *known == name);
    let place = place.expect("the metric is one of the tests' metrics");
    format!("{}{place}", service.id)
}

/// Puts the fields of one object into another; objects inside objects are merged too.
pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
