//! The documents that the backend loads: everyone in a population, in pieces of bounded size.
//!
//! Owns their format on the writing side: JSON Lines, each line a state document by itself. First
//! one line for each service, then one for each application. The reading side is the backend's.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::iter;

use serde::Serialize;

use super::{Application, Credential, Population, Service, secret};
use crate::scenario::CredentialKind;

/// Bytes that [`Population::chunks`] collects before it hands them out.
const CHUNK_BYTES: usize = 64 * 1024;

/// The plan whose limits the scenario sets, and one that lets nothing through.
const BASIC: Plan = Plan("20001", "basic");
const EXHAUSTED: Plan = Plan("20002", "exhausted");

/// Id and name.
#[derive(Clone, Copy)]
struct Plan(&'static str, &'static str);

/// A state document of the backend's bulk load.
#[derive(Debug, Default, Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<ServiceState<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    service_tokens: Vec<TokenState<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricState<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    usage_limits: Vec<LimitState<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    applications: Vec<ApplicationState<'a>>,
}

#[derive(Debug, Serialize)]
struct ServiceState<'a> {
    id: &'a str,
    provider_key: String,
    backend_version: &'static str,
}

#[derive(Debug, Serialize)]
struct TokenState<'a> {
    token: &'a str,
    service_id: &'a str,
}

#[derive(Debug, Serialize)]
struct MetricState<'a> {
    service_id: &'a str,
    id: String,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct LimitState<'a> {
    service_id: &'a str,
    plan_id: &'static str,
    metric_id: String,
    period: &'a str,
    value: u64,
}

#[derive(Debug, Serialize)]
struct ApplicationState<'a> {
    service_id: &'a str,
    id: &'a str,
    plan_id: &'static str,
    plan_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    usage: BTreeMap<&'a str, u64>,
}

impl Population {
    /// Writes everyone as JSON Lines.
    pub fn write_to(&self, mut out: impl Write) -> io::Result<()> {
        self.chunks().try_for_each(|chunk| out.write_all(&chunk))
    }

    /// The same bytes in pieces, made as they are asked for.
    pub fn chunks(&self) -> impl Iterator<Item = Vec<u8>> {
        let services = 0..self.services.len();
        let applications = 0..self.applications();
        let mut lines = services
            .map(|index| self.service_line(&self.services[index]))
            .chain(applications.map(|index| {
                self.application_line(&self.application(index), BASIC, self.usage(index))
            }))
            .chain(iter::once_with(|| {
                self.application_line(&self.exhausted(), EXHAUSTED, BTreeMap::new())
            }));
        iter::from_fn(move || {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES + 1024);
            while chunk.len() < CHUNK_BYTES
                && let Some(line) = lines.next()
            {
                chunk.extend_from_slice(line.as_bytes());
            }
            (!chunk.is_empty()).then_some(chunk)
        })
    }

    fn service_line(&self, service: &Service) -> String {
        line(&Document {
            services: vec![ServiceState {
                id: &service.id,
                provider_key: secret(self.settings.seed, "provider key", 0),
                backend_version: match self.settings.credentials {
                    CredentialKind::UserKey | CredentialKind::UserKeyHeader => "1",
                    CredentialKind::AppIdKey => "2",
                },
            }],
            service_tokens: vec![TokenState {
                token: &service.token,
                service_id: &service.id,
            }],
            metrics: self.metrics(service),
            usage_limits: self.limits(service),
            applications: Vec::new(),
        })
    }

    fn metrics<'a>(&'a self, service: &'a Service) -> Vec<MetricState<'a>> {
        let metrics = &self.settings.metrics;
        let state = |(name, parent): (&'a String, &'a String)| MetricState {
            service_id: &service.id,
            id: self.metric_id(service, name),
            name,
            parent_id: (!parent.is_empty()).then(|| self.metric_id(service, parent)),
        };
        metrics.iter().map(state).collect()
    }

    fn metric_id(&self, service: &Service, name: &str) -> String {
        let position = self.settings.metrics.keys().position(|key| key == name);
        format!("{}{:02}", service.id, position.unwrap_or_default() + 1)
    }

    fn limits<'a>(&'a self, service: &'a Service) -> Vec<LimitState<'a>> {
        let limit = |plan: Plan, metric: &str, period: &'a str, value: u64| LimitState {
            service_id: &service.id,
            plan_id: plan.0,
            metric_id: self.metric_id(service, metric),
            period,
            value,
        };
        let basic = self.settings.limits.iter();
        basic
            .map(|it| limit(BASIC, &it.metric, &it.period, it.value))
            .chain([limit(EXHAUSTED, "hits", "eternity", 0)])
            .collect()
    }

    fn application_line(
        &self,
        application: &Application,
        plan: Plan,
        usage: BTreeMap<&str, u64>,
    ) -> String {
        let (user_key, keys) = match &application.credential {
            Credential::UserKey(key) => (Some(key.as_str()), None),
            Credential::AppKey(key) => (None, Some([key.as_str()])),
        };
        line(&Document {
            applications: vec![ApplicationState {
                service_id: &self.services[application.service].id,
                id: &application.id,
                plan_id: plan.0,
                plan_name: plan.1,
                user_key,
                keys,
                usage,
            }],
            ..Document::default()
        })
    }
}

fn line(document: &Document<'_>) -> String {
    // Texts and numbers only: nothing of it can fail to become JSON.
    let mut line = serde_json::to_string(document).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::scenario::{LimitSettings, PopulationSettings, UsageSettings};

    fn lines(settings: &PopulationSettings) -> Vec<Value> {
        let mut bytes = Vec::new();
        let written = Population::new(settings).write_to(&mut bytes);
        written.expect("a Vec takes anything");
        let text = String::from_utf8(bytes).expect("JSON is UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("every line is a document"))
            .collect()
    }

    #[test]
    fn the_exhausted_application_comes_last_and_its_plan_lets_nothing_through() {
        let lines = lines(&PopulationSettings {
            applications: 2,
            ..PopulationSettings::default()
        });
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[3]["applications"][0]["plan_id"], "20002");
        let limit = &lines[0]["usage_limits"][0];
        assert_eq!(
            (limit["plan_id"].as_str(), limit["value"].as_u64()),
            (Some("20002"), Some(0))
        );
    }

    #[test]
    fn child_metrics_name_their_parent() {
        let lines = lines(&PopulationSettings::default());
        let metrics = lines[0]["metrics"].as_array().expect("a list");
        let by_name = |name| metrics.iter().find(|it| it["name"] == name);
        let (hits, items) = (by_name("hits"), by_name("items"));
        assert_eq!(hits.expect("a metric")["parent_id"], Value::Null);
        assert_eq!(
            items.expect("a metric")["parent_id"],
            hits.expect("a metric")["id"]
        );
    }

    fn any_settings() -> impl Strategy<Value = PopulationSettings> {
        let counts = (1_u32..5, 0_u32..60, 0_usize..6, any::<u64>(), any::<bool>());
        let usage = proptest::option::of((0_u64..1_000_000, 0.0_f64..3.0));
        (counts, usage).prop_map(|((services, more, children, seed, keys), usage)| {
            PopulationSettings {
                services,
                applications: services + more,
                credentials: if keys {
                    CredentialKind::AppIdKey
                } else {
                    CredentialKind::UserKey
                },
                limits: vec![LimitSettings {
                    metric: "hits".to_owned(),
                    period: "day".to_owned(),
                    value: 10,
                }],
                metrics: PopulationSettings::metrics_of(children + 1),
                seed,
                usage: usage.map(|(calls, exponent)| UsageSettings { calls, exponent }),
            }
        })
    }

    proptest! {
        #[test]
        fn generated_populations_load_and_are_the_same_for_the_same_seed(settings in any_settings()) {
            use crate::backend::ledger::Ledger;
            use crate::backend::ledger::calendar::UnixMillis;
            use crate::backend::population::load;

            let write = |settings: &PopulationSettings| {
                let mut bytes = Vec::new();
                Population::new(settings).write_to(&mut bytes).expect("a Vec takes anything");
                bytes
            };
            let bytes = write(&settings);
            prop_assert_eq!(&bytes, &write(&settings));
            let other = PopulationSettings { seed: settings.seed ^ 1, ..settings.clone() };
            prop_assert_ne!(&bytes, &write(&other));

            let ledger = Ledger::default();
            let now = UnixMillis::from_millis(1_935_748_800_000);
            let loaded = load(bytes.as_slice(), &ledger, |job| ledger.count(job, now));
            let loaded = loaded.expect("what is generated can be loaded");
            prop_assert_eq!(loaded.applications, u64::from(settings.applications) + 1);
            prop_assert_eq!(loaded.services, u64::from(settings.services));

            let population = Population::new(&settings);
            let mut expected = 0;
            for index in 0..settings.applications {
                expected += population.usage(index).get("hits").copied().unwrap_or_default();
            }
            let totals = ledger.totals();
            let counted: i128 = totals.values().filter_map(|of| of.get("hits")).sum();
            prop_assert_eq!(counted, i128::from(expected));
        }
    }
}
