//! Bulk loading: a whole population of services and applications in one document.
//!
//! Owns the document's format, which is the `state` of the golden cases. Must not know who makes
//! populations.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use super::ledger::calendar::Period;
use super::ledger::catalogue::{Limit, Metric};
use super::ledger::directory::{Activity, Application, DefaultService, Service};

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

impl Population {
    /// Loads everything into a ledger.
    pub fn load_into(self, ledger: &Ledger) {
        let directory = &ledger.directory;
        for service in self.services {
            let default = match service.default_service {
                Some(true) => DefaultService::Yes,
                Some(false) => DefaultService::No,
                None => DefaultService::Unsaid,
            };
            let service = Service {
                id: service.id,
                provider_key: service.provider_key,
                active: Activity(service.state),
                backend_version: service.backend_version,
                referrer_filters_required: service.referrer_filters_required,
            };
            directory.put_service(service, default);
        }
        for TokenEntry { token, service_id } in self.service_tokens {
            directory.put_token(&token, &service_id);
        }
        for metric in self.metrics {
            let book = directory.book_or_new(&metric.service_id);
            book.catalogue.write().put_metric(Metric {
                id: metric.id.into(),
                name: metric.name.into(),
                parent: metric.parent_id.map(Into::into),
            });
        }
        for limit in self.usage_limits {
            let book = directory.book_or_new(&limit.service_id);
            let value = limit.value.into();
            let (metric, period) = (limit.metric_id.into(), limit.period);
            let entry = Limit {
                metric,
                period,
                value,
            };
            book.catalogue.write().put_limit(&limit.plan_id, entry);
        }
        for application in self.applications {
            load_application(ledger, application);
        }
    }
}

fn load_application(ledger: &Ledger, entry: ApplicationEntry) {
    let book = ledger.directory.book_or_new(&entry.service_id);
    let id: Arc<str> = entry.id.into();
    if let Some(user_key) = entry.user_key {
        book.user_keys.put(&user_key, id.clone());
    }
    let application = Application {
        id: id.clone(),
        state: Activity(entry.state),
        plan_id: entry.plan_id,
        plan_name: entry.plan_name,
        redirect_url: entry.redirect_url,
        keys: entry.keys,
        referrer_filters: entry.referrer_filters,
    };
    book.applications.put(&id, Arc::new(application));
}
