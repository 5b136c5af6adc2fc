//! What the Account Management stub is told to serve.
//!
//! Owns the settings, their defaults and which values are impossible. Must not know the format that
//! gateways read.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the stub serves, and the token that reads it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// The token that may read; left out, it stays what it is.
    pub access_token: Option<String>,
    /// Configurations, which replace those of the same service and environment.
    pub proxy_configs: Vec<ProxyConfig>,
}

/// Why settings make no sense.
#[derive(Debug, Error, PartialEq)]
#[error("proxy_configs[{index}].{field} {problem}")]
pub struct SettingsError {
    index: usize,
    field: String,
    problem: String,
}

/// The environment of a gateway.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Staging.
    Sandbox,
    /// Production.
    Production,
}

impl Environment {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sandbox, Self::Production];

    /// The name in paths and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }

    /// The environment with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|environment| environment.name() == name)
    }
}

/// Where a request's credentials are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialsLocation {
    /// Query parameters.
    #[default]
    Query,
    /// Headers.
    Headers,
    /// HTTP basic authentication.
    Authorization,
}

/// How a gateway identifies itself towards the backend.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendAuthentication {
    /// With the token of the service.
    #[default]
    ServiceToken,
    /// With the key of the provider.
    ProviderKey,
}

/// One service's configuration. Names are those of the Account Management API.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ProxyConfig {
    pub service_id: String,
    /// Both if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The service id if left out.
    #[serde(default)]
    pub name: String,
    #[serde(default = "user_keys")]
    pub backend_version: String,
    #[serde(default)]
    pub backend_authentication_type: BackendAuthentication,
    pub backend_authentication_value: String,
    #[serde(default)]
    pub endpoint: String,
    #[serde(default)]
    pub hosts: Vec<String>,
    #[serde(default)]
    pub api_backend: String,
    #[serde(default)]
    pub hostname_rewrite: String,
    #[serde(default)]
    pub credentials_location: CredentialsLocation,
    #[serde(default = "user_key")]
    pub auth_user_key: String,
    #[serde(default = "app_id")]
    pub auth_app_id: String,
    #[serde(default = "app_key")]
    pub auth_app_key: String,
    #[serde(default)]
    pub backend: BackendAddress,
    #[serde(default)]
    pub errors: Errors,
    #[serde(default)]
    pub proxy_rules: Vec<ProxyRule>,
}

/// Where the gateway finds the backend.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BackendAddress {
    pub endpoint: String,
    pub host: String,
}

/// What the gateway answers to requests it does not let through.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Errors {
    pub auth_failed: ErrorAnswer,
    pub auth_missing: ErrorAnswer,
    pub no_match: ErrorAnswer,
    pub limits_exceeded: ErrorAnswer,
}

/// One such answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ErrorAnswer {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Default for Errors {
    fn default() -> Self {
        let answer = |status, body: &str| ErrorAnswer {
            status,
            headers: "text/plain; charset=us-ascii".to_owned(),
            body: body.to_owned(),
        };
        Self {
            auth_failed: answer(403, "Authentication failed"),
            auth_missing: answer(403, "Authentication parameters missing"),
            no_match: answer(404, "No Mapping Rule matched"),
            limits_exceeded: answer(429, "Usage limit exceeded"),
        }
    }
}

/// One mapping rule: a pattern of requests and one metric that they add to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ProxyRule {
    pub http_method: String,
    pub pattern: String,
    pub metric_system_name: String,
    pub delta: u64,
    /// No rule after this one is looked at when it matches.
    #[serde(default)]
    pub last: bool,
}

fn user_keys() -> String {
    "1".to_owned()
}

fn user_key() -> String {
    "user_key".to_owned()
}

fn app_id() -> String {
    "app_id".to_owned()
}

fn app_key() -> String {
    "app_key".to_owned()
}

impl AccountSettings {
    /// Refuses what no service has.
    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let mut configs = self.proxy_configs.iter().enumerate();
        configs.try_for_each(|(index, config)| {
            config.validate().map_err(|(field, problem)| SettingsError {
                index,
                field,
                problem,
            })
        })
    }
}

impl ProxyConfig {
    fn validate(&self) -> Result<(), (String, String)> {
        if self.service_id.is_empty() {
            return Err(("service_id".to_owned(), "is empty".to_owned()));
        }
        if !["1", "2", "oauth", "oidc"].contains(&self.backend_version.as_str()) {
            let version = &self.backend_version;
            let problem = format!("is `{version}`, which is not 1, 2, oauth or oidc");
            return Err(("backend_version".to_owned(), problem));
        }
        let mut rules = self.proxy_rules.iter().enumerate();
        match rules.find(|(_, rule)| !rule.pattern.starts_with('/')) {
            None => Ok(()),
            Some((index, rule)) => {
                let problem = format!("is `{}`, which does not start with /", rule.pattern);
                Err((format!("proxy_rules[{index}].pattern"), problem))
            }
        }
    }
}
