//! Who there is in a scenario: services, plans, limits and applications, expanded from a few numbers.
//!
//! Owns the deterministic ids and secrets and the state document that the backend loads. Must not
//! know how applications put their credentials into requests.

use serde::Serialize;

use crate::digest;
use crate::scenario::{CredentialKind, PopulationSettings};

/// Everyone in a scenario. The same settings always give the same ids and secrets.
#[derive(Clone, Debug)]
pub struct Population {
    /// Services, in order.
    pub services: Vec<Service>,
    /// Applications whose requests are let through, in order.
    pub applications: Vec<Application>,
    /// One more application, whose limit lets nothing through.
    pub exhausted: Application,
    settings: PopulationSettings,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// The secret that gateways use towards the backend.
    pub token: String,
}

/// One application.
#[derive(Clone, Debug)]
pub struct Application {
    /// Index of its service.
    pub service: usize,
    /// Its `app_id`.
    pub id: String,
    /// Its secrets.
    pub credential: Credential,
}

/// What an application identifies itself with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// One secret.
    UserKey(String),
    /// The application's id and this secret.
    AppKey(String),
}

/// The state document of the backend's bulk load.
#[derive(Debug, Serialize)]
pub struct State {
    services: Vec<ServiceState>,
    service_tokens: Vec<TokenState>,
    metrics: Vec<MetricState>,
    usage_limits: Vec<LimitState>,
    applications: Vec<ApplicationState>,
}

#[derive(Debug, Serialize)]
struct ServiceState {
    id: String,
    provider_key: String,
    backend_version: &'static str,
}

#[derive(Debug, Serialize)]
struct TokenState {
    token: String,
    service_id: String,
}

#[derive(Debug, Serialize)]
struct MetricState {
    service_id: String,
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct LimitState {
    service_id: String,
    plan_id: &'static str,
    metric_id: String,
    period: String,
    value: u64,
}

#[derive(Debug, Serialize)]
struct ApplicationState {
    service_id: String,
    id: String,
    state: &'static str,
    plan_id: &'static str,
    plan_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
}

/// The plan whose limits the scenario sets, and one that lets nothing through.
const PLANS: [(&str, &str); 2] = [("20001", "basic"), ("20002", "exhausted")];

impl Population {
    /// Expands the settings of a scenario.
    pub fn new(settings: &PopulationSettings) -> Self {
        let services = (0..settings.services)
            .map(|index| Service {
                id: (2_555_417_834_780 + u64::from(index)).to_string(),
                token: secret(settings.seed, "service token", index.into()),
            })
            .collect();
        let applications = (0..settings.applications)
            .map(|index| application(settings, index.into()))
            .collect();
        Self {
            services,
            applications,
            exhausted: application(settings, u64::from(settings.applications)),
            settings: settings.clone(),
        }
    }

    /// What the backend has to know.
    pub fn state(&self) -> State {
        State {
            services: self.services.iter().map(|it| self.service(it)).collect(),
            service_tokens: self.services.iter().map(token).collect(),
            metrics: self.per_service(|service| self.metrics(service)),
            usage_limits: self.per_service(|service| self.limits(service)),
            applications: self
                .applications
                .iter()
                .map(|application| self.application(application, 0))
                .chain([self.application(&self.exhausted, 1)])
                .collect(),
        }
    }

    /// A secret that no application has; `n` tells them apart.
    pub fn unknown_secret(&self, n: u64) -> String {
        secret(self.settings.seed, "unknown", n)
    }

    fn per_service<T>(&self, of: impl Fn(&Service) -> Vec<T>) -> Vec<T> {
        self.services.iter().flat_map(of).collect()
    }

    fn service(&self, service: &Service) -> ServiceState {
        ServiceState {
            id: service.id.clone(),
            provider_key: secret(self.settings.seed, "provider key", 0),
            backend_version: match self.settings.credentials {
                CredentialKind::UserKey | CredentialKind::UserKeyHeader => "1",
                CredentialKind::AppIdKey => "2",
            },
        }
    }

    fn metrics(&self, service: &Service) -> Vec<MetricState> {
        let metrics = &self.settings.metrics;
        let state = |(name, parent): (&String, &String)| MetricState {
            service_id: service.id.clone(),
            id: self.metric_id(service, name),
            name: name.clone(),
            parent_id: (!parent.is_empty()).then(|| self.metric_id(service, parent)),
        };
        metrics.iter().map(state).collect()
    }

    fn metric_id(&self, service: &Service, name: &str) -> String {
        let position = self.settings.metrics.keys().position(|key| key == name);
        format!("{}{:02}", service.id, position.unwrap_or_default() + 1)
    }

    fn limits(&self, service: &Service) -> Vec<LimitState> {
        let limit = |plan: usize, metric: &str, period: &str, value: u64| LimitState {
            service_id: service.id.clone(),
            plan_id: PLANS[plan].0,
            metric_id: self.metric_id(service, metric),
            period: period.to_owned(),
            value,
        };
        let basic = self.settings.limits.iter();
        basic
            .map(|it| limit(0, &it.metric, &it.period, it.value))
            .chain([limit(1, "hits", "eternity", 0)])
            .collect()
    }

    fn application(&self, application: &Application, plan: usize) -> ApplicationState {
        let (user_key, keys) = match &application.credential {
            Credential::UserKey(key) => (Some(key.clone()), Vec::new()),
            Credential::AppKey(key) => (None, vec![key.clone()]),
        };
        ApplicationState {
            service_id: self.services[application.service].id.clone(),
            id: application.id.clone(),
            state: "active",
            plan_id: PLANS[plan].0,
            plan_name: PLANS[plan].1,
            user_key,
            keys,
        }
    }
}

fn application(settings: &PopulationSettings, index: u64) -> Application {
    let id = secret(settings.seed, "application", index)[..8].to_owned();
    Application {
        service: (index % u64::from(settings.services)) as usize,
        credential: match settings.credentials {
            CredentialKind::UserKey | CredentialKind::UserKeyHeader => {
                Credential::UserKey(secret(settings.seed, "user key", index))
            }
            CredentialKind::AppIdKey => Credential::AppKey(secret(settings.seed, "app key", index)),
        },
        // The index keeps ids apart however many there are.
        id: format!("{id}{index:06}"),
    }
}

fn token(service: &Service) -> TokenState {
    TokenState {
        token: service.token.clone(),
        service_id: service.id.clone(),
    }
}

/// 32 hexadecimal digits, as 3scale makes its keys.
fn secret(seed: u64, purpose: &str, index: u64) -> String {
    let mut text = digest::of_bytes(format!("{seed}/{purpose}/{index}").as_bytes());
    text.truncate(32);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn settings(services: u32, applications: u32) -> PopulationSettings {
        PopulationSettings {
            services,
            applications,
            ..PopulationSettings::default()
        }
    }

    #[test]
    fn the_same_settings_give_the_same_secrets_and_another_seed_gives_others() {
        let keys = |seed| {
            let settings = PopulationSettings {
                seed,
                ..settings(1, 20)
            };
            serde_json::to_string(&Population::new(&settings).state()).expect("it serialises")
        };
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
    }

    #[test]
    fn ids_and_secrets_are_distinct() {
        let population = Population::new(&settings(1, 5_000));
        let ids: BTreeSet<&str> = population
            .applications
            .iter()
            .flat_map(|application| match &application.credential {
                Credential::UserKey(key) | Credential::AppKey(key) => [&*application.id, key],
            })
            .collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn applications_are_dealt_out_to_services_in_turn() {
        let population = Population::new(&settings(3, 7));
        let services: Vec<usize> = population
            .applications
            .iter()
            .map(|it| it.service)
            .collect();
        assert_eq!(services, [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(population.state().metrics.len(), 6);
    }

    #[test]
    fn the_exhausted_application_has_a_plan_that_lets_nothing_through() {
        let state = Population::new(&settings(1, 2)).state();
        let last = state.applications.last().expect("it comes last");
        let limit = state.usage_limits.last().expect("its limit comes last");
        assert_eq!(
            (last.plan_id, limit.plan_id, limit.value),
            ("20002", "20002", 0)
        );
        assert_eq!(state.applications.len(), 3);
    }

    #[test]
    fn child_metrics_name_their_parent() {
        let state = Population::new(&settings(1, 1)).state();
        let by_name = |name: &str| {
            let found = state.metrics.iter().find(|metric| metric.name == name);
            found.expect("the metric exists")
        };
        assert_eq!(by_name("hits").parent_id, None);
        assert_eq!(by_name("items").parent_id, Some(by_name("hits").id.clone()));
    }
}
