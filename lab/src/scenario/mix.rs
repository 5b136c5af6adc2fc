//! The tables `endpoints` and `mix` of a scenario: what is asked for, and how often.
//!
//! Owns their fields and their defaults. Must not know how a request is drawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::BodySettings;

/// One kind of request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointFile {
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// What a request costs: metric to delta; 1 of `hits` if left out.
    #[serde(default = "one_hit")]
    pub usage: BTreeMap<String, u64>,
    /// Share of requests, relative to the other endpoints' weights.
    #[serde(default = "one")]
    pub weight: f64,
    /// The status that the filter chain answers a known client with, instead of the upstream's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What each request carries; nothing if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<BodySettings>,
}

fn one_hit() -> BTreeMap<String, u64> {
    [("hits".to_owned(), 1)].into()
}

fn one() -> f64 {
    1.0
}

/// How requests are drawn.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Which application a request comes from.
    pub applications: ApplicationMix,
    /// Share of requests with a key nobody has.
    pub unknown_keys: f64,
}

/// Which application a request comes from.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
pub enum ApplicationMix {
    /// All alike.
    #[default]
    Uniform,
    /// The n-th as often as n to the power of minus `exponent`.
    Zipf {
        /// Above 0; 1 is the classic.
        exponent: f64,
    },
}
