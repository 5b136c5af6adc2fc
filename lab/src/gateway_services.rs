//! What gateways have to know of a scenario's services, whichever way they learn it.
//!
//! Owns authorities, credentials and mapping rules, from which both the plugin's own configuration
//! (`plugin_config`) and what the Account Management stub serves (`account_config`) are written, so
//! that they say the same. Must not know either format.

use std::collections::BTreeMap;

use crate::population::{Population, Service};
use crate::scenario::{CredentialKind, EndpointFile, RuleMethods, Scenario, authority};

/// One service, as a gateway sees it.
#[derive(Debug)]
pub(crate) struct GatewayService {
    /// Its id and secret.
    pub(crate) service: Service,
    /// The host that stands for it.
    pub(crate) host: String,
    /// Whether requests for any other host are for it too.
    pub(crate) is_only_one: bool,
    /// Its mapping rules, in order.
    pub(crate) rules: Vec<Rule>,
}

/// One mapping rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// HTTP method.
    pub(crate) method: String,
    /// Pattern of paths.
    pub(crate) pattern: String,
    /// Metric to delta.
    pub(crate) usage: BTreeMap<String, u64>,
}

/// Where a credential is looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// This query parameter.
    Query(&'static str),
    /// This header.
    Header(&'static str),
}

/// Where each credential is looked for; clients use the first place, or for user keys in a header the
/// second.
pub(crate) const USER_KEY: [Place; 2] = [Place::Query("user_key"), Place::Header("x-user-key")];
/// See [`USER_KEY`].
pub(crate) const APP_ID: [Place; 2] = [Place::Header("x-app-id"), Place::Query("app_id")];
/// See [`USER_KEY`].
pub(crate) const APP_KEY: [Place; 2] = [Place::Header("x-app-key"), Place::Query("app_key")];

/// Where clients of a scenario put their credentials: in all of them one kind of place, which is
/// all that the Account Management API can say.
pub(crate) fn is_in_headers(kind: CredentialKind) -> bool {
    let first = match kind {
        CredentialKind::UserKey => USER_KEY[0],
        CredentialKind::UserKeyHeader => USER_KEY[1],
        CredentialKind::AppIdKey => APP_ID[0],
    };
    matches!(first, Place::Header(_))
}

/// The services of a scenario, in order.
pub(crate) fn of_scenario(scenario: &Scenario) -> Vec<GatewayService> {
    let services = Population::new(&scenario.population).services;
    let is_only_one = services.len() == 1;
    services
        .into_iter()
        .enumerate()
        .map(|(index, service)| GatewayService {
            service,
            host: authority(index),
            is_only_one,
            rules: scenario
                .endpoints
                .iter()
                .map(|endpoint| Rule::new(endpoint, scenario.plugin.rules_for))
                .collect(),
        })
        .collect()
}

impl Rule {
    /// Anchored: a rule for `/` must not match every other endpoint's path too.
    fn new(endpoint: &EndpointFile, methods: RuleMethods) -> Self {
        Self {
            method: match methods {
                RuleMethods::Own => endpoint.method.clone(),
                RuleMethods::Any => "any".to_owned(),
            },
            pattern: format!("{}$", endpoint.path),
            usage: endpoint.usage.clone(),
        }
    }
}
