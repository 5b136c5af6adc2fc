//! The Account Management stub: what it serves for a scenario is what the scenario's plugin
//! configuration says.

#[path = "servers/harness.rs"]
#[allow(dead_code)] // Each test file uses a part of it.
mod harness;

use std::collections::BTreeMap;

use harness::{Server, call, call_with};
use lab::population::Population;
use lab::scenario::{CredentialKind, Scenario};
use lab::{account_config, plugin_config};
use serde_json::{Value, json};

async fn served(scenario: &Scenario) -> Server {
    let server = Server::backend().await;
    load(&server, scenario).await;
    server
}

async fn load(server: &Server, scenario: &Scenario) {
    let settings = json!(account_config::for_scenario(scenario)).to_string();
    let loaded = call(server, "PUT", "/control/account", &settings).await;
    assert_eq!(loaded.status, 200, "{}", loaded.body);
}

fn scenario(kind: CredentialKind, services: u32) -> Scenario {
    let mut scenario = Scenario::find("cache").expect("it is built in");
    scenario.population.credentials = kind;
    scenario.population.services = services;
    scenario.endpoints[0].usage = [("hits".to_owned(), 1), ("items".to_owned(), 2)].into();
    scenario
}

fn target(service: &str, environment: &str, token: &str) -> String {
    format!(
        "/admin/api/services/{service}/proxy/configs/{environment}/latest.json?access_token={token}"
    )
}

/// Mapping rules as served: those of the same method and pattern next to each other are one.
fn rules(proxy: &Value) -> Vec<(String, String, BTreeMap<String, u64>)> {
    let mut rules: Vec<(String, String, BTreeMap<String, u64>)> = Vec::new();
    for rule in proxy["proxy_rules"].as_array().expect("a list of rules") {
        let text = |name: &str| rule[name].as_str().expect("text").to_owned();
        let (method, pattern) = (text("http_method"), text("pattern"));
        if rules
            .last()
            .is_none_or(|last| (&last.0, &last.1) != (&method, &pattern))
        {
            rules.push((method, pattern, BTreeMap::new()));
        }
        let usage = &mut rules.last_mut().expect("there is one").2;
        usage.insert(
            text("metric_system_name"),
            rule["delta"].as_u64().expect("a number"),
        );
        assert_eq!(rule["last"], false);
    }
    rules
}

fn rules_of_the_plugin(service: &Value) -> Vec<(String, String, BTreeMap<String, u64>)> {
    let rules = service["mapping_rules"]
        .as_array()
        .expect("a list of rules");
    let rule = |rule: &Value| {
        let text = |name: &str| rule[name].as_str().expect("text").to_owned();
        let usages = rule["usages"].as_array().expect("a list of usages").iter();
        let usage = |usage: &Value| {
            let name = usage["name"].as_str().expect("text").to_owned();
            (name, usage["delta"].as_u64().expect("a number"))
        };
        (text("method"), text("pattern"), usages.map(usage).collect())
    };
    rules.iter().map(rule).collect()
}

#[tokio::test]
async fn it_serves_what_the_plugins_configuration_says() {
    for (kind, services, first_lookups) in [
        (CredentialKind::UserKey, 1, &["user_key"][..]),
        (CredentialKind::AppIdKey, 2, &["app_id", "app_key"][..]),
    ] {
        let scenario = scenario(kind, services);
        let token = Population::new(&scenario.population).access_token();
        let server = served(&scenario).await;
        let configuration = plugin_config::for_scenario(&scenario);
        let of_plugin = configuration["services"].as_array().expect("a list");
        assert_eq!(of_plugin.len(), services as usize);
        for (service, environment) in of_plugin
            .iter()
            .flat_map(|it| [(it, "sandbox"), (it, "production")])
        {
            let id = service["id"].as_str().expect("text");
            let answer = call(&server, "GET", &target(id, environment, &token), "").await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let config = &answer.json()["proxy_config"];
            assert_eq!(config["environment"], environment);
            let content = &config["content"];
            assert_eq!(content["id"].to_string(), id);
            assert_eq!(content["backend_authentication_type"], "service_token");
            assert_eq!(content["backend_authentication_value"], service["token"]);
            let proxy = &content["proxy"];
            assert_eq!(rules(proxy), rules_of_the_plugin(service));
            let upstream = &configuration["backend"]["upstream"];
            assert_eq!(proxy["backend"]["endpoint"], upstream["url"]);
            let host = &proxy["hosts"][0];
            let authorities = &service["authorities"];
            assert!(
                authorities[0] == *host || *authorities == json!(["*"]),
                "{authorities}"
            );
            for name in first_lookups {
                let key = &proxy[format!("auth_{name}")];
                let lookup = match proxy["credentials_location"].as_str() {
                    Some("query") => json!({ "query_string": { "keys": [key] } }),
                    Some("headers") => json!({ "header": { "keys": [key] } }),
                    other => panic!("credentials in {other:?}"),
                };
                assert_eq!(service["credentials"][*name][0], lookup);
            }
        }
        assert_eq!(server.stats().await["calls"]["account"], 2 * services);
    }
}

#[tokio::test]
async fn the_version_increases_with_every_change_and_a_reset_forgets_all() {
    let mut scenario = scenario(CredentialKind::UserKey, 1);
    let population = Population::new(&scenario.population);
    let (id, token) = (population.services[0].id.clone(), population.access_token());
    let server = served(&scenario).await;
    let target = target(&id, "production", &token);
    let version = async || {
        let answer = call(&server, "GET", &target, "").await;
        answer.json()["proxy_config"]["version"].clone()
    };
    assert_eq!(version().await, 1);
    load(&server, &scenario).await;
    assert_eq!(version().await, 1, "nothing has changed");
    scenario.endpoints[0].path = "/moved".to_owned();
    load(&server, &scenario).await;
    assert_eq!(version().await, 2);
    let known = call(&server, "GET", "/control/account", "").await;
    assert!(known.body.contains("/moved$"), "{}", known.body);
    assert!(!known.body.contains(&token), "the token stays a secret");
    call(&server, "GET", "/control/reset", "").await;
    assert_eq!(call(&server, "GET", &target, "").await.status, 403);
}

#[tokio::test]
async fn access_needs_the_token_and_errors_are_json() {
    let scenario = scenario(CredentialKind::UserKey, 1);
    let population = Population::new(&scenario.population);
    let (id, token) = (population.services[0].id.clone(), population.access_token());
    let server = served(&scenario).await;
    let refused = call(&server, "GET", &target(&id, "production", "wrong"), "").await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json(),
        json!({"error": "Your access token does not have the correct permissions"})
    );
    for target in [
        target("1", "production", &token),
        target(&id, "staging", &token),
    ] {
        let missing = call(&server, "GET", &target, "").await;
        assert_eq!(missing.status, 404, "{target}");
        assert_eq!(missing.json(), json!({"status": "Not found"}), "{target}");
    }
    use base64::Engine;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!(":{token}"));
    let authorization = format!("Basic {basic}");
    let headers = [("authorization", authorization.as_str())];
    let without = target(&id, "production", "").replace("?access_token=", "");
    let answer = call_with(&server, "GET", &without, &headers, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}
