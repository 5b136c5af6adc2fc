//! The document that gateways read: one version of a service's proxy configuration.
//!
//! Owns names and shape of that document, which are those of the Account Management API as far as
//! gateways read it. Must not know who asks, or where settings come from.

use serde_json::{Value, json};

use super::settings::{BackendAuthentication, CredentialsLocation, ErrorAnswer, ProxyConfig};

/// The document for a configuration that is in force.
pub(super) fn document(config: &ProxyConfig, version: u64) -> Value {
    let environment = config.environment.map(|environment| environment.name());
    json!({
        "proxy_config": {
            "id": version,
            "version": version,
            "environment": environment,
            "content": content(config),
        },
    })
}

fn content(config: &ProxyConfig) -> Value {
    let name = match config.name.as_str() {
        "" => &config.service_id,
        name => name,
    };
    let authentication = match config.backend_authentication_type {
        BackendAuthentication::ServiceToken => "service_token",
        BackendAuthentication::ProviderKey => "provider_key",
    };
    json!({
        "id": id(&config.service_id),
        "name": name,
        "system_name": name,
        "state": "incomplete",
        "backend_version": config.backend_version,
        "backend_authentication_type": authentication,
        "backend_authentication_value": config.backend_authentication_value,
        "proxy": proxy(config),
    })
}

fn proxy(config: &ProxyConfig) -> Value {
    let credentials_location = match config.credentials_location {
        CredentialsLocation::Query => "query",
        CredentialsLocation::Headers => "headers",
        CredentialsLocation::Authorization => "authorization",
    };
    let mut proxy = json!({
        "service_id": id(&config.service_id),
        "endpoint": config.endpoint,
        "sandbox_endpoint": config.endpoint,
        "api_backend": config.api_backend,
        "hosts": config.hosts,
        "hostname_rewrite": config.hostname_rewrite,
        "credentials_location": credentials_location,
        "auth_user_key": config.auth_user_key,
        "auth_app_id": config.auth_app_id,
        "auth_app_key": config.auth_app_key,
        "authentication_method": config.backend_version,
        "service_backend_version": config.backend_version,
        "backend": { "endpoint": config.backend.endpoint, "host": config.backend.host },
        "policy_chain": [{ "name": "apicast", "version": "builtin", "configuration": {} }],
        "proxy_rules": rules(config),
    });
    let errors = &config.errors;
    error(&mut proxy, "auth_failed", &errors.auth_failed);
    error(&mut proxy, "auth_missing", &errors.auth_missing);
    error(&mut proxy, "no_match", &errors.no_match);
    error(&mut proxy, "limits_exceeded", &errors.limits_exceeded);
    proxy
}

fn error(proxy: &mut Value, name: &str, answer: &ErrorAnswer) {
    proxy[format!("error_{name}")] = json!(answer.body);
    proxy[format!("error_status_{name}")] = json!(answer.status);
    proxy[format!("error_headers_{name}")] = json!(answer.headers);
}

/// Rules are numbered from 1, in the order in which they are looked at.
fn rules(config: &ProxyConfig) -> Vec<Value> {
    let numbered = (1_u64..).zip(&config.proxy_rules);
    numbered
        .map(|(position, rule)| {
            json!({
                "id": position,
                "http_method": rule.http_method,
                "pattern": rule.pattern,
                "metric_system_name": rule.metric_system_name,
                "delta": rule.delta,
                "position": position,
                "last": rule.last,
                "redirect_url": null,
                "parameters": parameters(path_of(&rule.pattern)),
                "querystring_parameters": query_parameters(&rule.pattern),
            })
        })
        .collect()
}

fn path_of(pattern: &str) -> &str {
    pattern.split('?').next().unwrap_or_default()
}

/// Names in braces, in order.
fn parameters(text: &str) -> Vec<&str> {
    let opened = text.split('{').skip(1);
    opened
        .filter_map(|rest| Some(rest.split_once('}')?.0))
        .collect()
}

/// The query part of a pattern, by name.
fn query_parameters(pattern: &str) -> Value {
    let query = pattern.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Ids are numbers there; one that is none stays text.
fn id(text: &str) -> Value {
    match text.parse::<u64>() {
        Ok(number) if number.to_string() == text => json!(number),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_shape_that_gateways_read() {
        let config: ProxyConfig = serde_json::from_value(json!({
            "service_id": "2555417", "environment": "sandbox", "name": "echo",
            "backend_version": "2", "backend_authentication_type": "provider_key",
            "backend_authentication_value": "key",
            "endpoint": "http://gateway.test:80", "hosts": ["gateway.test"],
            "credentials_location": "headers", "auth_app_id": "x-id",
            "backend": {"endpoint": "http://backend.test", "host": "backend.test"},
            "proxy_rules": [
                {"http_method": "GET", "pattern": "/a/{id}/b?x={y}", "metric_system_name": "hits", "delta": 2},
                {"http_method": "POST", "pattern": "/", "metric_system_name": "orders", "delta": 1, "last": true},
            ],
        }))
        .expect("the settings can be read");
        let document = document(&config, 3);
        let expect = |pointer: &str, value: Value| {
            assert_eq!(document.pointer(pointer), Some(&value), "{pointer}");
        };
        expect("/proxy_config/version", json!(3));
        expect("/proxy_config/environment", json!("sandbox"));
        let content = |path: &str| format!("/proxy_config/content/{path}");
        expect(&content("id"), json!(2_555_417));
        expect(&content("backend_version"), json!("2"));
        expect(
            &content("backend_authentication_type"),
            json!("provider_key"),
        );
        expect(&content("backend_authentication_value"), json!("key"));
        expect(&content("proxy/credentials_location"), json!("headers"));
        expect(&content("proxy/auth_app_id"), json!("x-id"));
        expect(&content("proxy/auth_app_key"), json!("app_key"));
        expect(&content("proxy/auth_user_key"), json!("user_key"));
        expect(&content("proxy/hosts/0"), json!("gateway.test"));
        expect(&content("proxy/backend/host"), json!("backend.test"));
        expect(&content("proxy/error_status_limits_exceeded"), json!(429));
        expect(
            &content("proxy/error_no_match"),
            json!("No Mapping Rule matched"),
        );
        expect(
            &content("proxy/proxy_rules/0"),
            json!({
                "id": 1, "position": 1, "http_method": "GET", "pattern": "/a/{id}/b?x={y}",
                "metric_system_name": "hits", "delta": 2, "last": false, "redirect_url": null,
                "parameters": ["id"], "querystring_parameters": {"x": "{y}"},
            }),
        );
        expect(&content("proxy/proxy_rules/1/last"), json!(true));
        expect(&content("proxy/proxy_rules/1/position"), json!(2));
    }
}
