//! Mapping rules: method, path and query to usage.
//!
//! Owns [`MappingRules`]. Must not know configuration text, limits or what is done when no rule
//! matches. Rules are compiled when the configuration is read; matching allocates nothing.

mod metrics;
mod path;
mod pattern;

pub use metrics::{MetricTable, TooManyMetrics};
pub use pattern::{Pattern, PatternError};

use thiserror::Error;

use pattern::Match;

use crate::ids::MetricName;
use crate::usage::{MetricIndex, Usage};

/// A rule as it is configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MappingRule {
    /// Which methods it is for.
    pub method: Method,
    /// Which paths and queries it is for.
    pub pattern: Pattern,
    /// What a matching request uses.
    pub usages: Vec<(MetricName, u64)>,
    /// Whether later rules are not looked at once this one has matched.
    pub last: bool,
}

/// The method a rule is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Method {
    /// Every method.
    Any,
    /// One method; letter case does not matter.
    Named(&'static str),
}

/// A text that is not a method.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not a registered HTTP method, nor `any`")]
pub struct MethodError;

/// The registered methods of HTTP. A method that is not among them is more likely a slip of the pen
/// than an extension.
const METHODS: [&str; 39] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "CONNECT",
    "OPTIONS",
    "TRACE",
    "PATCH",
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PROPFIND",
    "PROPPATCH",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

impl Method {
    /// Reads `any` or the name of a method, in any letter case.
    pub fn parse(raw: &str) -> Result<Self, MethodError> {
        if raw.eq_ignore_ascii_case("any") {
            return Ok(Self::Any);
        }
        METHODS
            .into_iter()
            .find(|name| name.eq_ignore_ascii_case(raw))
            .map(Self::Named)
            .ok_or(MethodError)
    }

    fn matches(&self, method: &[u8]) -> bool {
        match self {
            Self::Any => true,
            // Mostly it is spelt in capitals, which compares at once.
            Self::Named(name) => {
                name.as_bytes() == method || name.as_bytes().eq_ignore_ascii_case(method)
            }
        }
    }
}

/// The compiled rules of one service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MappingRules {
    rules: Vec<CompiledRule>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct CompiledRule {
    method: Method,
    pattern: Pattern,
    usages: Vec<(MetricIndex, u64)>,
    last: bool,
}

impl MappingRules {
    /// Compiles `rules`, in order, with the table of the metrics they name.
    pub fn compile(
        rules: impl IntoIterator<Item = MappingRule>,
    ) -> Result<(Self, MetricTable), TooManyMetrics> {
        let mut metrics = MetricTable::default();
        let rules = rules
            .into_iter()
            .map(|rule| CompiledRule::of(rule, &mut metrics))
            .collect::<Result<_, _>>()?;
        Ok((Self { rules }, metrics))
    }

    /// Adds to `out` what a request uses and says whether any rule matched. All matching rules add
    /// up, in order, until one that is the last and does not match by one of several values only. `path` is the raw path as the router uses it,
    /// `query` what follows its `?`; [`MappingRules::needs_method`] says when `method` may be empty.
    pub fn usage(&self, method: &[u8], path: &[u8], query: &[u8], out: &mut Usage) -> bool {
        path::with_canonical(path, |path| self.add_matching(method, path, query, out))
            .unwrap_or_default()
    }

    /// Whether any rule is for a certain method.
    pub fn needs_method(&self) -> bool {
        self.rules.iter().any(|rule| rule.method != Method::Any)
    }

    fn add_matching(&self, method: &[u8], path: &[u8], query: &[u8], out: &mut Usage) -> bool {
        let mut matched = false;
        for rule in &self.rules {
            if !rule.method.matches(method) {
                continue;
            }
            let found = rule.pattern.matches(path, query);
            if found == Match::No {
                continue;
            }
            matched = true;
            for (metric, delta) in &rule.usages {
                out.add(*metric, *delta);
            }
            // By another value of the same parameter a later rule may be the right one.
            if rule.last && found == Match::Yes {
                break;
            }
        }
        matched
    }
}

impl CompiledRule {
    fn of(rule: MappingRule, metrics: &mut MetricTable) -> Result<Self, TooManyMetrics> {
        let usages = rule
            .usages
            .into_iter()
            .map(|(name, delta)| Ok((metrics.intern(name)?, delta)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            method: rule.method,
            pattern: rule.pattern,
            usages,
            last: rule.last,
        })
    }
}
