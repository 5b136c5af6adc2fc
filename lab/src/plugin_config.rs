//! The plugin's configuration for a scenario, as the JSON document that Envoy hands to it.
//!
//! Owns the translation from a scenario's services to the plugin's `services`, `credentials` and
//! `mapping_rules`.
//! Must not know what the plugin makes of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::gateway_services::{self, APP_ID, APP_KEY, GatewayService, Place, Rule, USER_KEY};
use crate::scenario::Scenario;

/// What the singleton is configured with: all it needs besides travels with the usage it is sent.
const SYNC: &str = r#"{"api":"v1"}"#;

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

/// The configuration that the scenario holds, or else the one that it describes.
pub fn for_scenario(scenario: &Scenario) -> Value {
    let mut configuration = match &scenario.plugin.configuration {
        Some(own) => Value::Object(own.clone()),
        None => described(scenario),
    };
    let settings = scenario.plugin.cache.iter();
    let settings: Map<String, Value> = settings
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    if let Some(document) = configuration.as_object_mut()
        && (!settings.is_empty() || scenario.plugin.configuration.is_none())
    {
        let cache = document.entry("cache").or_insert_with(|| json!({}));
        if let Some(cache) = cache.as_object_mut() {
            cache.extend(settings);
        }
    }
    configuration
}

fn described(scenario: &Scenario) -> Value {
    let services = gateway_services::of_scenario(scenario);
    let services: Vec<Value> = services.iter().map(service_configuration).collect();
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

/// Tells the plugin how many gateways share the limits and which one it is, unless the
/// configuration says so itself.
pub fn share(configuration: &mut Value, gateways: u16, index: u16) {
    let Some(document) = configuration.as_object_mut() else {
        return;
    };
    let cache = document.entry("cache").or_insert_with(|| json!({}));
    if let Some(cache) = cache.as_object_mut() {
        cache.entry("gateways").or_insert(json!(gateways));
        cache.entry("gateway_index").or_insert(json!(index));
    }
}

/// The configuration of the singleton beside a filter that is configured so; `None` where a worker does
/// its work.
pub fn sync(configuration: &Value) -> Option<&'static str> {
    let by = configuration.pointer("/cache/sync");
    (by.and_then(Value::as_str) != Some("elected")).then_some(SYNC)
}

fn service_configuration(of: &GatewayService) -> Value {
    let authorities = match of.is_only_one {
        true => vec!["*".to_owned()],
        false => vec![of.host.clone(), format!("{}:*", of.host)],
    };
    json!({
        "id": of.service.id,
        "token": of.service.token,
        "authorities": authorities,
        "credentials": {
            "user_key": lookups(&USER_KEY),
            "app_id": lookups(&APP_ID),
            "app_key": lookups(&APP_KEY),
        },
        "mapping_rules": of.rules.iter().map(mapping_rule).collect::<Vec<_>>(),
    })
}

fn lookups(places: &[Place]) -> Vec<Value> {
    let lookup = |place: &Place| match place {
        Place::Query(name) => json!({ "query_string": { "keys": [name] } }),
        Place::Header(name) => json!({ "header": { "keys": [name] } }),
    };
    places.iter().map(lookup).collect()
}

fn mapping_rule(rule: &Rule) -> Value {
    let usages = rule.usage.iter();
    let usages = usages.map(|(name, delta)| json!({ "name": name, "delta": delta }));
    json!({
        "method": rule.method,
        "pattern": rule.pattern,
        "usages": usages.collect::<Vec<_>>(),
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
    fn a_configuration_of_the_scenarios_own_is_used_as_it_is() {
        let mut scenario = scenario();
        scenario.plugin.cache.clear();
        let own = json!({"header": "x-mine", "cache": {"mode": "off"}});
        scenario.plugin.configuration = own.as_object().cloned();
        assert_eq!(for_scenario(&scenario), own);
        scenario.plugin.cache = toml::toml! { mode = "fast" };
        assert_eq!(for_scenario(&scenario)["cache"], json!({"mode": "fast"}));
        assert_eq!(for_scenario(&scenario)["header"], "x-mine");
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
    fn gateways_that_share_limits_are_told_unless_the_configuration_says_it_already() {
        let mut configuration = json!({"api": "v1"});
        share(&mut configuration, 4, 3);
        assert_eq!(
            configuration["cache"],
            json!({"gateways": 4, "gateway_index": 3})
        );
        let mut own = json!({"cache": {"gateways": 9}});
        share(&mut own, 4, 3);
        assert_eq!(own["cache"]["gateways"], 9);
    }

    #[test]
    fn a_singleton_is_deployed_unless_a_worker_is_elected() {
        let mut scenario = scenario();
        assert_eq!(sync(&for_scenario(&scenario)), Some(SYNC));
        for (by, singleton) in [("singleton", Some(SYNC)), ("elected", None)] {
            scenario.plugin.cache = toml::Table::from_iter([("sync".to_owned(), by.into())]);
            assert_eq!(sync(&for_scenario(&scenario)), singleton);
        }
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
