//! The Account Management stub: service configuration as gateways fetch it.
//!
//! Owns which configurations there are, their versions, who may read them, and the calls below
//! `/admin/api` that serve them:
//!
//! | Call | Answer |
//! | --- | --- |
//! | `GET /admin/api/services/ID/proxy/configs/ENVIRONMENT/latest.json` | the configuration in force |
//!
//! Must not know the ledger: what is served is what was set, whether or not the service exists.

mod proxy_config;
pub mod settings;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use self::settings::{AccountSettings, Environment, ProxyConfig, SettingsError};
use super::params::Params;
use super::params::encoding::decode_path;

/// What is served, and to whom. Empty, it serves nobody anything.
#[derive(Debug, Default, Serialize)]
pub(super) struct Account {
    #[serde(skip)]
    access_token: Option<String>,
    configs: BTreeMap<String, BTreeMap<Environment, Versioned>>,
}

/// A configuration and how often it has changed.
#[derive(Clone, Debug, Serialize)]
struct Versioned {
    version: u64,
    config: ProxyConfig,
}

/// The answer to a call: a status and JSON.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Account {
    /// Adds configurations; one that differs from what its service has there is a new version.
    pub(super) fn set(&mut self, settings: AccountSettings) -> Result<(), SettingsError> {
        settings.validate()?;
        if settings.access_token.is_some() {
            self.access_token = settings.access_token;
        }
        for config in settings.proxy_configs {
            let environments = match config.environment {
                Some(environment) => vec![environment],
                None => Environment::ALL.to_vec(),
            };
            for environment in environments {
                self.set_one(environment, config.clone());
            }
        }
        Ok(())
    }

    fn set_one(&mut self, environment: Environment, mut config: ProxyConfig) {
        config.environment = Some(environment);
        let of_service = self.configs.entry(config.service_id.clone()).or_default();
        let version = match of_service.get(&environment) {
            Some(present) if present.config == config => return,
            Some(present) => present.version + 1,
            None => 1,
        };
        of_service.insert(environment, Versioned { version, config });
    }

    /// Answers a call; `authorization` is the header of that name.
    pub(super) fn answer(
        &self,
        method: &str,
        path: &str,
        query: &str,
        authorization: Option<&[u8]>,
    ) -> Reply {
        if !self.allows(query, authorization) {
            let error = "Your access token does not have the correct permissions";
            let body = json!({ "error": error });
            return Reply { status: 403, body };
        }
        let found = (method == "GET" || method == "HEAD")
            .then(|| self.find(path))
            .flatten();
        match found {
            Some(Versioned { version, config }) => Reply {
                status: 200,
                body: proxy_config::document(config, *version),
            },
            None => Reply {
                status: 404,
                body: json!({ "status": "Not found" }),
            },
        }
    }

    fn find(&self, path: &str) -> Option<&Versioned> {
        let path = path.strip_prefix("/admin/api/services/")?;
        let (service, rest) = path.split_once('/')?;
        let environment = rest.strip_prefix("proxy/configs/")?;
        let environment = environment.strip_suffix("/latest.json")?;
        let environment = Environment::from_name(environment)?;
        self.configs.get(&decode_path(service))?.get(&environment)
    }

    /// The token comes as the parameter `access_token`, or with HTTP basic authentication as user
    /// or password, whichever is not empty. The parameter goes first.
    fn allows(&self, query: &str, authorization: Option<&[u8]>) -> bool {
        let sent = parameter(query).or_else(|| basic(authorization?));
        match (&self.access_token, sent) {
            (Some(token), Some(sent)) => *token == sent,
            _ => false,
        }
    }
}

fn parameter(query: &str) -> Option<String> {
    let params = Params::parse(query.as_bytes()).ok()?;
    let token = params.values.get("access_token")?;
    token.text().map(str::to_owned)
}

fn basic(header: &[u8]) -> Option<String> {
    let (scheme, credentials) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    [user, password]
        .into_iter()
        .find(|part| !part.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/admin/api/services/7/proxy/configs/production/latest.json";

    fn account() -> Account {
        let mut account = Account::default();
        account.set(settings("/a")).expect("the settings are valid");
        account
    }

    fn settings(pattern: &str) -> AccountSettings {
        let text = json!({
            "access_token": "secret",
            "proxy_configs": [{
                "service_id": "7", "backend_authentication_value": "token",
                "proxy_rules": [{"http_method": "GET", "pattern": pattern,
                                 "metric_system_name": "hits", "delta": 1}],
            }],
        });
        serde_json::from_value(text).expect("the settings can be read")
    }

    fn version(account: &Account, environment: &str) -> Value {
        let path = PATH.replace("production", environment);
        let reply = account.answer("GET", &path, "access_token=secret", None);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body["proxy_config"]["version"].clone()
    }

    #[test]
    fn a_change_is_a_new_version_and_the_same_again_is_not() {
        let mut account = account();
        assert_eq!(version(&account, "production"), 1);
        account.set(settings("/a")).expect("valid");
        assert_eq!(version(&account, "production"), 1);
        let mut only_sandbox = settings("/b");
        only_sandbox.proxy_configs[0].environment = Some(Environment::Sandbox);
        account.set(only_sandbox).expect("valid");
        assert_eq!(version(&account, "sandbox"), 2);
        assert_eq!(version(&account, "production"), 1);
    }

    #[test]
    fn the_token_is_a_parameter_or_comes_with_basic_authentication() {
        let account = account();
        let status = |query: &str, header: Option<&str>| {
            let header = header.map(|text| format!("Basic {}", STANDARD.encode(text)));
            let header = header.as_ref().map(|header| header.as_bytes());
            account.answer("GET", PATH, query, header).status
        };
        assert_eq!(status("access_token=secret", None), 200);
        assert_eq!(status("", Some(":secret")), 200);
        assert_eq!(status("", Some("secret:")), 200);
        assert_eq!(status("", Some("user:secret")), 403);
        assert_eq!(status("", None), 403);
        assert_eq!(status("access_token=other", Some(":secret")), 403);
        assert_eq!(status("access_token[]=secret", None), 403);
        let bearer = account.answer("GET", PATH, "", Some(b"Bearer secret"));
        assert_eq!(bearer.status, 403);
        let empty = Account::default().answer("GET", PATH, "access_token=", None);
        assert_eq!(empty.status, 403, "nobody has been given access");
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let account = account();
        for path in [
            &PATH.replace("/7/", "/8/"),
            &PATH.replace("production", "staging"),
            &PATH.replace("latest", "1"),
            "/admin/api/services/7.json",
        ] {
            let reply = account.answer("GET", path, "access_token=secret", None);
            assert_eq!(reply.status, 404, "{path}");
            assert_eq!(reply.body, json!({"status": "Not found"}), "{path}");
        }
        let posted = account.answer("POST", PATH, "access_token=secret", None);
        assert_eq!(posted.status, 404);
    }
}
