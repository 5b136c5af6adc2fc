//! The `services` list: what is protected, how its clients show who they are, and what they use.
//!
//! Owns [`Service`]. Must not know how credentials are found or rules are matched.

mod texts;

use serde::Deserialize;

use self::texts::{HeaderName, ParameterName, RuleMetric};
use super::value::{AtLeastOne, Checked, Fields, Number, Object, Text, Unsupported};
use crate::authority::AuthorityGlob;
use crate::credentials::{Credentials, Lookup};
use crate::ids::{ServiceId, ServiceToken};
use crate::mapping::{MappingRule, MappingRules, Method, MetricTable, Pattern};

/// One service of 3scale, behind this gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// The secret that goes with the id.
    pub token: ServiceToken,
    /// Which of its configurations is in force.
    pub environment: Environment,
    /// Which requests are for it.
    pub authorities: Vec<AuthorityGlob>,
    /// Where its credentials are looked for.
    pub credentials: Credentials,
    /// What a request uses.
    pub rules: MappingRules,
    /// The metrics that the rules name.
    pub metrics: MetricTable,
}

impl Service {
    /// Whether a request with this authority is for the service.
    pub fn serves(&self, authority: &[u8]) -> bool {
        self.authorities.iter().any(|glob| glob.matches(authority))
    }

    /// Whether every request is.
    pub(super) fn serves_all(&self) -> bool {
        self.authorities.iter().any(AuthorityGlob::matches_all)
    }
}

/// The environments of a service's configuration.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Environment {
    /// What clients use.
    #[default]
    Production,
    /// What is tried out.
    Staging,
    /// Another name of it.
    Sandbox,
}

/// Largest usage of one rule. 3scale's counters are signed 64-bit numbers; this leaves room to add.
const DELTA_MAX: u64 = 1_000_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    id: Checked<ServiceId>,
    token: Checked<ServiceToken>,
    environment: Option<Checked<Environment>>,
    authorities: AtLeastOne<Checked<AuthorityGlob>>,
    credentials: RawCredentials,
    mapping_rules: AtLeastOne<Object<RawRule>>,
}

impl Fields for RawService {
    const EXPECTED: &'static str =
        "an object with `id`, `token`, `authorities`, `credentials` and `mapping_rules`";
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCredentialLists {
    user_key: Option<Vec<RawLookup>>,
    app_id: Option<Vec<RawLookup>>,
    app_key: Option<Vec<RawLookup>>,
}

impl Fields for RawCredentialLists {
    const EXPECTED: &'static str = "an object with `user_key`, or `app_id` and `app_key`";
}

#[derive(Deserialize)]
#[serde(try_from = "Object<RawCredentialLists>")]
struct RawCredentials(Credentials);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLookupSources {
    header: Option<Object<RawKeys<HeaderName>>>,
    query_string: Option<Object<RawKeys<ParameterName>>>,
    #[serde(rename = "filter")]
    _filter: Option<Unsupported>,
}

impl Fields for RawLookupSources {
    const EXPECTED: &'static str =
        "an object with exactly one of `header`, `query_string`, `filter`";
}

#[derive(Deserialize)]
#[serde(try_from = "Object<RawLookupSources>")]
struct RawLookup(Lookup);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "T: Text")]
struct RawKeys<T> {
    keys: AtLeastOne<Checked<T>>,
    #[serde(rename = "ops")]
    _ops: Option<Unsupported>,
}

impl<T> Fields for RawKeys<T> {
    const EXPECTED: &'static str = "an object with `keys`";
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    method: Checked<Method>,
    pattern: Checked<Pattern>,
    usages: AtLeastOne<Object<RawUsage>>,
    last: Option<bool>,
}

impl Fields for RawRule {
    const EXPECTED: &'static str = "an object with `method`, `pattern` and `usages`";
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUsage {
    name: Checked<RuleMetric>,
    delta: Number<0, DELTA_MAX>,
}

impl Fields for RawUsage {
    const EXPECTED: &'static str = "an object with `name` and `delta`";
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Object::<RawService>::deserialize(deserializer)?.0;
        let rules = raw
            .mapping_rules
            .0
            .into_iter()
            .map(|rule| MappingRule::from(rule.0));
        let (rules, metrics) = MappingRules::compile(rules).map_err(serde::de::Error::custom)?;
        Ok(Self {
            id: raw.id.0,
            token: raw.token.0,
            environment: raw.environment.unwrap_or_default().0,
            authorities: unchecked(raw.authorities),
            credentials: raw.credentials.0,
            rules,
            metrics,
        })
    }
}

impl TryFrom<Object<RawCredentialLists>> for RawCredentials {
    type Error = &'static str;

    fn try_from(Object(raw): Object<RawCredentialLists>) -> Result<Self, Self::Error> {
        let lookups = |list: Option<Vec<RawLookup>>| -> Vec<Lookup> {
            let list = list.unwrap_or_default();
            list.into_iter().map(|lookup| lookup.0).collect()
        };
        let credentials = Credentials {
            user_key: lookups(raw.user_key),
            app_id: lookups(raw.app_id),
            app_key: lookups(raw.app_key),
        };
        if credentials.user_key.is_empty() && credentials.app_id.is_empty() {
            return Err("no lookup, expected at least one of `user_key` or `app_id`");
        }
        if credentials.app_id.is_empty() && !credentials.app_key.is_empty() {
            return Err("`app_key` without `app_id`, expected lookups of `app_id` as well");
        }
        Ok(Self(credentials))
    }
}

impl TryFrom<Object<RawLookupSources>> for RawLookup {
    type Error = &'static str;

    fn try_from(Object(raw): Object<RawLookupSources>) -> Result<Self, Self::Error> {
        let lookup = match (raw.header, raw.query_string) {
            (Some(header), None) => Lookup::Header(
                unchecked(header.0.keys)
                    .into_iter()
                    .map(|key| key.0)
                    .collect(),
            ),
            (None, Some(query)) => Lookup::QueryString(
                unchecked(query.0.keys)
                    .into_iter()
                    .map(|key| key.0)
                    .collect(),
            ),
            (None, None) => return Err("no source, expected one of `header`, `query_string`"),
            (Some(_), Some(_)) => {
                return Err("two sources, expected one of `header`, `query_string`");
            }
        };
        Ok(Self(lookup))
    }
}

impl From<RawRule> for MappingRule {
    fn from(raw: RawRule) -> Self {
        let usages = raw.usages.0.into_iter();
        Self {
            method: raw.method.0,
            pattern: raw.pattern.0,
            usages: usages
                .map(|Object(usage)| (usage.name.0.0, usage.delta.0))
                .collect(),
            last: raw.last.unwrap_or_default(),
        }
    }
}

fn unchecked<T>(list: AtLeastOne<Checked<T>>) -> Vec<T> {
    list.0.into_iter().map(|checked| checked.0).collect()
}
