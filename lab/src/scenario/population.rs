//! The table `population` of a scenario: who there is.
//!
//! Owns its fields and their defaults. Must not know ids, keys or what a backend is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Who there is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PopulationSettings {
    /// Services; applications are dealt out to them in turn.
    pub services: u32,
    /// Applications whose requests are let through.
    pub applications: u32,
    /// How they identify themselves.
    pub credentials: CredentialKind,
    /// Limits of their plan.
    pub limits: Vec<LimitSettings>,
    /// Metrics: name to parent, empty for a root.
    pub metrics: BTreeMap<String, String>,
    /// Decides every id and key.
    pub seed: u64,
    /// What they have used before anything is measured; nothing if left out.
    pub usage: Option<UsageSettings>,
}

/// Usage that a population starts with, spread so that the k-th application has used `k^-exponent`
/// as much as the first.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UsageSettings {
    /// Calls of all applications together, each counting 1.
    pub calls: u64,
    /// From 0, which is alike, to 10; 1 is the classic.
    pub exponent: f64,
}

impl Default for PopulationSettings {
    fn default() -> Self {
        let metrics = [("hits", ""), ("items", "hits")];
        Self {
            services: 1,
            applications: 50,
            credentials: CredentialKind::UserKey,
            limits: Vec::new(),
            metrics: metrics
                .map(|(name, parent)| (name.to_owned(), parent.to_owned()))
                .into(),
            seed: 1,
            usage: None,
        }
    }
}

impl PopulationSettings {
    /// So many metrics: `hits`, and children of it.
    pub fn metrics_of(number: usize) -> BTreeMap<String, String> {
        let children = (1..number).map(|child| (format!("metric_{child}"), "hits".to_owned()));
        children
            .chain([("hits".to_owned(), String::new())])
            .collect()
    }
}

/// How applications identify themselves.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// One secret, in the query.
    UserKey,
    /// One secret, in a header.
    UserKeyHeader,
    /// An id and a secret, in headers.
    AppIdKey,
}

/// One limit of the plan.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// The metric limited.
    pub metric: String,
    /// `minute` to `year`, or `eternity`.
    pub period: String,
    /// How much each application may use in a period.
    pub value: u64,
}
