//! The texts of a service.
//!
//! Owns how each is read and what a message says about it. Must not know where they stand.

use super::Environment;
use crate::authority::AuthorityGlob;
use crate::config::value::{Text, word};
use crate::ids::{MetricName, ServiceId, ServiceToken};
use crate::mapping::{Method, Pattern};

impl Text for Environment {
    const EXPECTED: &'static str = "one of `production`, `staging`, `sandbox`";

    fn read(raw: &str) -> Result<Self, String> {
        word(
            raw,
            &[
                ("production", Self::Production),
                ("staging", Self::Staging),
                ("sandbox", Self::Sandbox),
            ],
        )
    }
}

impl Text for ServiceId {
    const EXPECTED: &'static str = "a service id of 1 to 255 bytes, as a string";

    fn read(raw: &str) -> Result<Self, String> {
        Self::parse(raw).map_err(|error| error.to_string())
    }
}

impl Text for ServiceToken {
    const EXPECTED: &'static str = "a service token of 1 to 255 bytes, as a string";
    const SECRET: bool = true;

    fn read(raw: &str) -> Result<Self, String> {
        Self::parse(raw).map_err(|error| error.to_string())
    }
}

impl Text for AuthorityGlob {
    const EXPECTED: &'static str = "a host, with or without port, in which `*`, `+` and `?` are \
                                    wildcards";

    fn read(raw: &str) -> Result<Self, String> {
        Self::parse(raw).map_err(|error| error.to_string())
    }
}

impl Text for Method {
    const EXPECTED: &'static str = "an HTTP method or `any`";

    fn read(raw: &str) -> Result<Self, String> {
        Self::parse(raw).map_err(|error| error.to_string())
    }
}

impl Text for Pattern {
    const EXPECTED: &'static str = "a pattern like `/cars/{id}$` or `/search?kind={*}`";

    fn read(raw: &str) -> Result<Self, String> {
        Self::parse(raw).map_err(|error| error.to_string())
    }
}

/// A metric that a rule names.
pub(super) struct RuleMetric(pub(super) MetricName);

impl Text for RuleMetric {
    const EXPECTED: &'static str = "the name of a metric, without `[` and `]`";

    fn read(raw: &str) -> Result<Self, String> {
        // `usage[NAME]` is how the name is sent, and brackets have no escape in there.
        if raw.contains(['[', ']']) {
            return Err("a bracket".to_owned());
        }
        MetricName::parse(raw)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

/// Header names are compared in lower case, as Envoy keeps them.
pub(super) struct HeaderName(pub(super) String);

impl Text for HeaderName {
    const EXPECTED: &'static str = "the name of a request header";

    fn read(raw: &str) -> Result<Self, String> {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if raw.is_empty() || raw.len() > NAME_BYTES_MAX || !raw.bytes().all(is_token) {
            return Err("no header has this name".to_owned());
        }
        Ok(Self(raw.to_ascii_lowercase()))
    }
}

/// Parameter names are compared by what they stand for.
pub(super) struct ParameterName(pub(super) String);

impl Text for ParameterName {
    const EXPECTED: &'static str = "the name of a query parameter, not escaped";

    fn read(raw: &str) -> Result<Self, String> {
        if raw.is_empty() || raw.len() > NAME_BYTES_MAX {
            return Err(format!("not between 1 and {NAME_BYTES_MAX} bytes"));
        }
        Ok(Self(raw.to_owned()))
    }
}

const NAME_BYTES_MAX: usize = 255;
