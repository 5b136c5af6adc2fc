//! The state document: services, tokens, metrics, limits and applications as JSON.
//!
//! Owns its fields. Must not know what becomes of them in a ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::backend::ledger::calendar::Period;

/// What is to exist. Loading adds to what is there, and replaces what has the same id.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Population {
    /// Services.
    pub services: Vec<ServiceEntry>,
    /// Service tokens.
    pub service_tokens: Vec<TokenEntry>,
    /// Metrics.
    pub metrics: Vec<MetricEntry>,
    /// Usage limits.
    pub usage_limits: Vec<LimitEntry>,
    /// Applications.
    pub applications: Vec<ApplicationEntry>,
}

/// A service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // The names are those of the internal API.
pub struct ServiceEntry {
    pub id: String,
    pub provider_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_version: Option<String>,
    #[serde(default = "active")]
    pub state: String,
    #[serde(default)]
    pub referrer_filters_required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_service: Option<bool>,
}

/// A service token.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TokenEntry {
    pub token: String,
    pub service_id: String,
}

/// A metric.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct MetricEntry {
    pub service_id: String,
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
}

/// A usage limit.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LimitEntry {
    pub service_id: String,
    pub plan_id: String,
    pub metric_id: String,
    #[serde(with = "period_name")]
    pub period: Period,
    pub value: u64,
}

/// An application.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ApplicationEntry {
    pub service_id: String,
    pub id: String,
    #[serde(default = "active")]
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_key: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub keys: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub referrer_filters: BTreeSet<String>,
    /// By metric name: what its counters are set to in every window of the moment of loading.
    /// Parents are not added to: they have their own entry.
    #[serde(
        default,
        deserialize_with = "counters",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub usage: BTreeMap<String, u64>,
}

/// Counters have 64 bits with a sign.
fn counters<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, u64>, D::Error> {
    let counters = BTreeMap::<String, u64>::deserialize(from)?;
    let too_large = |(_, value): &(&String, &u64)| i64::try_from(**value).is_err();
    match counters.iter().find(too_large) {
        Some((metric, value)) => Err(D::Error::custom(format!(
            "usage of `{metric}` is {value}, the most is {}",
            i64::MAX
        ))),
        None => Ok(counters),
    }
}

fn active() -> String {
    "active".to_owned()
}

mod period_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Period;

    pub(super) fn serialize<S: Serializer>(period: &Period, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(period.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Period, D::Error> {
        let name = String::deserialize(from)?;
        Period::parse(&name).ok_or_else(|| D::Error::custom(format!("unknown period `{name}`")))
    }
}
