//! The plugin's configuration for a scenario, as the JSON document that Envoy hands to it.
//!
//! Owns the translation from population and endpoints to services, credentials and mapping rules.
//! Must not know what the plugin makes of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::population::{Population, Service};
use crate::scenario::{EndpointFile, RuleMethods, Scenario, authority};

/// What the singleton is configured with: all it needs besides travels with the usage it is sent.
pub const SYNC: &str = r#"{"api":"v1"}"#;

/// The cluster that both the plugin and Envoy's configuration call the backend.
pub const BACKEND_CLUSTER: &str = "backend";

/// How long the plugin waits for the backend.
const BACKEND_TIMEOUT_MS: u64 = 1000;

/// Why a configuration given as a file cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PluginConfigError {
    /// The file cannot be read.
    #[error("cannot read plugin configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not JSON.
    #[error("plugin configuration `{}` is not JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
}

/// The configuration that the scenario describes.
pub fn for_scenario(scenario: &Scenario) -> Value {
    let population = Population::new(&scenario.population);
    let several = population.services.len() > 1;
    let services: Vec<Value> = population
        .services
        .iter()
        .enumerate()
        .map(|(index, service)| {
            let authorities = match several {
                true => vec![authority(index), format!("{}:*", authority(index))],
                false => vec!["*".to_owned()],
            };
            service_configuration(service, &authorities, scenario)
        })
        .collect();
    let cache: Map<String, Value> = scenario
        .plugin
        .cache
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({
        "api": "v1",
        "backend": {
            "upstream": {
                "name": BACKEND_CLUSTER,
                "url": format!("http://{BACKEND_CLUSTER}"),
                "timeout": BACKEND_TIMEOUT_MS,
            },
        },
        "services": services,
        "cache": cache,
    })
}

/// The configuration in a file, which must at least be JSON; the plugin judges the rest.
pub fn from_file(path: &Path) -> Result<Value, PluginConfigError> {
    let path_buf = || path.to_path_buf();
    let text = fs::read(path).map_err(|source| PluginConfigError::Read {
        path: path_buf(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| PluginConfigError::Json {
        path: path_buf(),
        source,
    })
}

fn service_configuration(service: &Service, authorities: &[String], scenario: &Scenario) -> Value {
    let rule = |endpoint| mapping_rule(endpoint, scenario.plugin.rules_for);
    json!({
        "id": service.id,
        "token": service.token,
        "authorities": authorities,
        "credentials": {
            "user_key": [
                { "query_string": { "keys": ["user_key"] } },
                { "header": { "keys": ["x-user-key"] } },
            ],
            "app_id": [
                { "header": { "keys": ["x-app-id"] } },
                { "query_string": { "keys": ["app_id"] } },
            ],
            "app_key": [
                { "header": { "keys": ["x-app-key"] } },
                { "query_string": { "keys": ["app_key"] } },
            ],
        },
        "mapping_rules": scenario.endpoints.iter().map(rule).collect::<Vec<_>>(),
    })
}

/// Anchored: a rule for `/` must not match every other endpoint's path too.
fn mapping_rule(endpoint: &EndpointFile, methods: RuleMethods) -> Value {
    let usages: Vec<Value> = endpoint
        .usage
        .iter()
        .map(|(name, delta)| json!({ "name": name, "delta": delta }))
        .collect();
    json!({
        "method": match methods {
            RuleMethods::Own => endpoint.method.as_str(),
            RuleMethods::Any => "any",
        },
        "pattern": format!("{}$", endpoint.path),
        "usages": usages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        Scenario::find("cache").expect("it is built in")
    }

    #[test]
    fn the_scenarios_cache_table_becomes_the_cache_object() {
        let mut scenario = scenario();
        scenario.plugin.cache = toml::toml! {
            mode = "fast"
            flush = { mode = "periodical", interval = "5s" }
        };
        let cache = &for_scenario(&scenario)["cache"];
        let expected = json!({"mode": "fast", "flush": {"mode": "periodical", "interval": "5s"}});
        assert_eq!(*cache, expected);
    }

    #[test]
    fn every_endpoint_has_one_anchored_rule() {
        let scenario = scenario();
        let configuration = for_scenario(&scenario);
        let rules = configuration["services"][0]["mapping_rules"]
            .as_array()
            .expect("a list");
        assert_eq!(rules.len(), scenario.endpoints.len());
        for rule in rules {
            let pattern = rule["pattern"].as_str().expect("text");
            assert!(pattern.ends_with('$'), "{pattern}");
        }
    }

    #[test]
    fn several_services_have_an_authority_each_and_one_has_all() {
        let mut scenario = scenario();
        assert_eq!(
            for_scenario(&scenario)["services"][0]["authorities"],
            json!(["*"])
        );
        scenario.population.services = 2;
        let configuration = for_scenario(&scenario);
        assert_eq!(
            configuration["services"][1]["authorities"],
            json!(["service-1.test", "service-1.test:*"])
        );
    }

    #[test]
    fn a_file_that_is_not_json_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        fs::write(file.path(), "{").expect("it can be written");
        let error = from_file(file.path()).expect_err("it is not JSON");
        let name = file.path().display().to_string();
        assert!(error.to_string().contains(&name), "{error}");
    }
}
