//! What the Account Management stub is told to serve for a scenario.
//!
//! Owns the translation from a scenario's services to the stub's settings. Must not know the
//! document that the stub makes of them.

use crate::backend::account::settings::{
    AccountSettings, BackendAddress, BackendAuthentication, CredentialsLocation, Errors,
    ProxyConfig, ProxyRule,
};
use crate::gateway_services::{self, APP_ID, APP_KEY, GatewayService, Place, Rule, USER_KEY};
use crate::plugin_config::BACKEND_CLUSTER;
use crate::population::Population;
use crate::scenario::{CredentialKind, Scenario};

/// The settings that the scenario describes, the same for both environments.
pub fn for_scenario(scenario: &Scenario) -> AccountSettings {
    let population = Population::new(&scenario.population);
    let services = gateway_services::of_scenario(scenario).into_iter();
    let kind = scenario.population.credentials;
    AccountSettings {
        access_token: Some(population.access_token()),
        proxy_configs: services.map(|of| proxy_config(of, kind)).collect(),
    }
}

fn proxy_config(of: GatewayService, kind: CredentialKind) -> ProxyConfig {
    let in_headers = gateway_services::is_in_headers(kind);
    let name = |places: &[Place]| name_in(places, in_headers).to_owned();
    ProxyConfig {
        service_id: of.service.id,
        environment: None,
        name: String::new(),
        backend_version: match kind {
            CredentialKind::UserKey | CredentialKind::UserKeyHeader => "1",
            CredentialKind::AppIdKey => "2",
        }
        .to_owned(),
        backend_authentication_type: BackendAuthentication::ServiceToken,
        backend_authentication_value: of.service.token,
        endpoint: format!("http://{}", of.host),
        hosts: vec![of.host],
        api_backend: String::new(),
        hostname_rewrite: String::new(),
        credentials_location: match in_headers {
            true => CredentialsLocation::Headers,
            false => CredentialsLocation::Query,
        },
        auth_user_key: name(&USER_KEY),
        auth_app_id: name(&APP_ID),
        auth_app_key: name(&APP_KEY),
        backend: BackendAddress {
            endpoint: format!("http://{BACKEND_CLUSTER}"),
            host: BACKEND_CLUSTER.to_owned(),
        },
        errors: Errors::default(),
        proxy_rules: of.rules.iter().flat_map(proxy_rules).collect(),
    }
}

/// The name of the query parameter or header among the places.
fn name_in(places: &[Place], in_headers: bool) -> &'static str {
    let name = |place: &Place| match (*place, in_headers) {
        (Place::Header(name), true) | (Place::Query(name), false) => Some(name),
        (Place::Header(_), false) | (Place::Query(_), true) => None,
    };
    places.iter().find_map(name).unwrap_or_default()
}

/// There, a rule has one metric; several metrics are several rules with the same pattern.
fn proxy_rules(rule: &Rule) -> Vec<ProxyRule> {
    let usage = rule.usage.iter();
    usage
        .map(|(metric, delta)| ProxyRule {
            http_method: rule.method.clone(),
            pattern: rule.pattern.clone(),
            metric_system_name: metric.clone(),
            delta: *delta,
            last: false,
        })
        .collect()
}
