//! Why a configuration was refused.
//!
//! Owns [`ConfigError`]: the path of the setting and what is wrong with it. Must not know the
//! settings themselves, except those that are commonly put in the wrong place.

use thiserror::Error;

/// A configuration that cannot be used. The previous one stays in force.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// More text than any configuration needs.
    #[error("the configuration has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Not JSON at all.
    #[error("the configuration is not JSON: {problem}")]
    Syntax {
        /// What the parser found, and where.
        problem: String,
    },
    /// A setting that is unknown, missing, of the wrong type or impossible.
    #[error("{path}: {problem}")]
    Setting {
        /// Where it stands, like `services[0].credentials.user_key[1].query_string.keys[0]`.
        path: String,
        /// What was found and what was expected. Never a token.
        problem: String,
    },
}

/// Settings of the `cache` object. At the top level they are in the wrong place.
const CACHE_SETTINGS: [&str; 23] = [
    "mode",
    "gateways",
    "gateway_index",
    "unique_callout",
    "epoch",
    "report_retry",
    "flush",
    "ttl",
    "negative_ttl",
    "outage",
    "memory",
    "workers_hint",
    "settle_delay",
    "clock_skew",
    "calls_per_second",
    "unknown_calls_per_second",
    "headers",
    "sync",
    "decision_record",
    "strict_headers",
    "shadow",
    "log_level",
    "no_match_status",
];

/// Settings of the 2021 prototype and what took their place.
const PROTOTYPE_SETTINGS: [(&str, &str); 4] = [
    (
        "failure_mode_deny",
        "use `cache.outage`: `{\"known\":\"closed\",\"unknown\":\"closed\"}` denies during an outage",
    ),
    (
        "max_tries",
        "nothing took its place: no request depends on contended memory",
    ),
    (
        "max_shared_memory_bytes",
        "use `cache.memory.applications` and `cache.memory.negative`",
    ),
    ("delta_store_config", "use `cache.flush`"),
];

impl ConfigError {
    /// The path of the whole document.
    const ROOT: &'static str = "configuration";

    /// A problem with the setting at `path`.
    pub(super) fn setting(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Setting {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// Turns what the parser says into a path and a problem.
    pub(super) fn of_json(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = match shortened(error.path().to_string()) {
            // A field may be called nothing at all, or by what does not show.
            root if root.is_empty() || root == "." => Self::ROOT.to_owned(),
            path => path,
        };
        let inner = error.into_inner();
        let problem = inner.to_string();
        if !inner.is_data() {
            return Self::Syntax { problem };
        }
        if let Some(name) = quoted(&problem, "missing field `") {
            return Self::setting(below(&path, name), "required, but missing");
        }
        if let Some(name) = quoted(&problem, "duplicate field `") {
            return Self::setting(below(&path, name), "given twice");
        }
        if problem.starts_with("unknown field `") {
            let problem = unknown_field(&path, &problem);
            return Self::setting(path, problem);
        }
        Self::setting(path, shortened(without_misplaced_text(problem)))
    }
}

/// The path of a field of the object at `path`.
fn below(path: &str, name: &str) -> String {
    match path {
        ConfigError::ROOT => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

fn quoted<'a>(problem: &'a str, before: &str) -> Option<&'a str> {
    let rest = problem.strip_prefix(before)?;
    rest.split_once('`').map(|(name, _)| name)
}

/// Says where an unknown setting belongs, if it is known to be something else's.
fn unknown_field(path: &str, problem: &str) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    if let Some((_, instead)) = PROTOTYPE_SETTINGS.iter().find(|(known, _)| *known == name) {
        return format!("a setting of the 2021 prototype, {instead}");
    }
    if path == name && CACHE_SETTINGS.contains(&name) {
        return format!("{problem}; settings of the cache stand in the `cache` object");
    }
    shortened(problem.to_owned())
}

/// No more than fits a log line, without line breaks that a document may have put into a name.
fn shortened(text: String) -> String {
    const SHOWN_CHARS: usize = 600;
    text.chars()
        .filter(|found| !found.is_control())
        .take(SHOWN_CHARS)
        .collect()
}

/// Takes the value out of a message about a text where an object or a list was expected: it may be
/// anything, a token included.
fn without_misplaced_text(problem: String) -> String {
    let containers = ["an object", "a list", "a sequence", "struct "];
    match problem.rsplit_once(", expected ") {
        Some((found, expected))
            if found.starts_with("invalid type: string")
                && containers.iter().any(|kind| expected.starts_with(kind)) =>
        {
            format!("invalid type: a string, expected {expected}")
        }
        _ => problem,
    }
}
