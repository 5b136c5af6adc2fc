//! The scenario file: TOML in, a checked [`Scenario`] out.
//!
//! Owns the file as a whole, how Envoy runs in it, and where a mistake is. Must not know the tables that
//! have modules of their own.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ScenarioError;
use super::filters::HttpFilter;
use super::mix::{EndpointFile, Mix};
use super::plugin::PluginSettings;
use super::population::PopulationSettings;
use crate::behaviour::error::BehaviourError;
use crate::behaviour::{BackendBehaviour, UpstreamBehaviour};

/// One scenario, every field checked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, which reports use.
    pub name: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// How Envoy runs.
    #[serde(default)]
    pub envoy: EnvoySettings,
    /// Whether and how the plugin runs; left out, it does not.
    #[serde(default)]
    pub plugin: PluginSettings,
    /// The 3scale-compatible backend's behaviour.
    #[serde(default)]
    pub backend: BackendBehaviour,
    /// The protected API's behaviour.
    #[serde(default)]
    pub upstream: UpstreamBehaviour,
    /// Who there is.
    #[serde(default)]
    pub population: PopulationSettings,
    /// What they ask for.
    pub endpoints: Vec<EndpointFile>,
    /// How requests are drawn.
    #[serde(default)]
    pub mix: Mix,
    /// What must hold afterwards.
    #[serde(default)]
    pub expect: Expectations,
}

/// How Envoy runs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvoySettings {
    /// Worker threads.
    pub workers: u32,
    /// How many processors Envoy may use, as a container with a limit; left out, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processors: Option<u32>,
    /// Who answers what the plugin lets through.
    pub answers: Answers,
    /// Whether clients reach it over TLS, with a certificate that the lab makes when it starts.
    pub tls: bool,
    /// An own filter chain: what requests pass before the router, in this order. The plugin comes first
    /// unless an entry gives it a place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http_filters: Vec<HttpFilter>,
}

impl Default for EnvoySettings {
    fn default() -> Self {
        Self {
            workers: 1,
            processors: None,
            answers: Answers::Upstream,
            tls: false,
            http_filters: Vec::new(),
        }
    }
}

/// Who answers what the plugin lets through.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// The protected API.
    #[default]
    Upstream,
    /// Envoy itself, with an empty 200: no connection behind it takes part in a measurement.
    Direct,
}

/// What must hold afterwards.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectations {
    /// At most this many backend calls per 1,000 requests at steady state.
    pub backend_calls_per_1000: Option<f64>,
}

/// Reads and checks a scenario; `origin` is what messages call it, and paths in it are relative to
/// `folder`.
pub(super) fn parse(origin: &str, text: &str, folder: &Path) -> Result<Scenario, ScenarioError> {
    let mut scenario: Scenario =
        toml::from_str(text).map_err(|error| syntax_error(origin, text, &error))?;
    match scenario.read_files(folder).or_else(|| scenario.problem()) {
        None => Ok(scenario),
        Some((field, problem)) => Err(ScenarioError::Value {
            origin: origin.to_owned(),
            field,
            problem,
        }),
    }
}

fn syntax_error(origin: &str, text: &str, error: &toml::de::Error) -> ScenarioError {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text[..start].matches('\n').count() + 1;
    ScenarioError::Syntax {
        origin: origin.to_owned(),
        line,
        text: text
            .lines()
            .nth(line - 1)
            .unwrap_or_default()
            .trim()
            .to_owned(),
        problem: error.message().replace('\n', " "),
    }
}

impl Scenario {
    /// Finds the files that the scenario names, and reads observed latencies; the first problem.
    fn read_files(&mut self, folder: &Path) -> Option<(String, String)> {
        if let Err((field, problem)) = self.plugin.read_files(folder) {
            return Some((format!("plugin.{field}"), problem));
        }
        for (index, filter) in self.envoy.http_filters.iter_mut().enumerate() {
            if let Err((field, problem)) = filter.read_files(folder) {
                return Some((format!("envoy.http_filters[{index}].{field}"), problem));
            }
        }
        let backend = self.backend.read_files(folder);
        let upstream = self.upstream.read_files(folder);
        let at =
            |part: &str, error: BehaviourError| (format!("{part}.{}", error.field), error.problem);
        let backend = backend.err().map(|error| at("backend", error));
        backend.or_else(|| upstream.err().map(|error| at("upstream", error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ApplicationMix;

    const SMALLEST: &str = r#"
name = "small"
description = "The least a file can say."
[plugin]
enabled = true
[[endpoints]]
method = "GET"
path = "/"
usage = { hits = 1 }
"#;

    #[test]
    fn what_a_file_leaves_out_has_a_default() {
        let scenario = parse("small.toml", SMALLEST, Path::new("")).expect("the file is valid");
        assert_eq!(scenario.envoy.workers, 1);
        assert_eq!(scenario.population.applications, 50);
        assert_eq!(scenario.endpoints[0].weight, 1.0);
        assert_eq!(scenario.mix.applications, ApplicationMix::Uniform);
    }

    #[test]
    fn a_mistake_names_file_line_and_field() {
        #[track_caller]
        fn check(from: &str, to: &str, parts: &[&str]) {
            let text = SMALLEST.replacen(from, to, 1);
            let error =
                parse("small.toml", &text, Path::new("")).expect_err("the file has a mistake");
            let message = error.to_string();
            for part in parts.iter().chain(&["`small.toml`"]) {
                assert!(message.contains(part), "{part} in {message}");
            }
        }
        check(
            "enabled = true",
            "enabled = 7",
            &["line 5", "enabled = 7", "boolean"],
        );
        check("enabled", "enabeld", &["line 5", "enabeld"]);
        let chain = |entry: &str| format!("[[envoy.http_filters]]\n{entry}\n[plugin]");
        check("[plugin]", &chain("wsam = 'a'"), &["line ", "wsam"]);
        check("[plugin]", &chain(""), &["line 4", "exactly one of"]);
        check(
            "[plugin]",
            &chain("wasm = 'none.wasm'"),
            &["`envoy.http_filters[0].wasm`", "none.wasm", "exists"],
        );
        check(
            "[plugin]",
            &chain("file = 'none.yaml'"),
            &[
                "`envoy.http_filters[0].file`",
                "none.yaml",
                "cannot be read",
            ],
        );
        let twice = chain("plugin = true").replace("[plugin]", &chain("plugin = true"));
        check(
            "[plugin]",
            &twice,
            &["`envoy.http_filters[1]`", "has a place already"],
        );
        check(
            "enabled = true",
            "enabled = true\nconfiguration_file = 'none.json'",
            &["`plugin.configuration_file`", "none.json", "cannot be read"],
        );
        check(
            "usage =",
            "status = 99\nusage =",
            &["endpoints[0].status", "99"],
        );
        check("name = \"small\"\n", "", &["name"]);
        check("\"/\"", "\"/?a=1\"", &["endpoints[0].path", "/?a=1"]);
        check("hits = 1", "hints = 1", &["endpoints[0].usage", "`hints`"]);
        check("hits = 1", "hits = -1", &["line 9", "-1"]);
        check(
            "usage =",
            "body = { size = \"a lot\" }\nusage =",
            &["endpoints[0].body.size", "`a lot`"],
        );
        check(
            "usage =",
            "body = { sise = 1 }\nusage =",
            &["line 9", "sise"],
        );
        check("usage =", "weight = 0.0\nusage =", &["endpoints[0].weight"]);
        check(
            "[plugin]",
            "[envoy]\nworkers = 0\n[plugin]",
            &["envoy.workers"],
        );
        check(
            "[plugin]",
            "[mix]\nunknown_keys = 1.5\n[plugin]",
            &["mix.unknown_keys", "1.5"],
        );
        check(
            "[plugin]",
            "[backend]\nerror_rate = 2.0\n[plugin]",
            &["`backend.error_rate`", "is 2, which is not between 0 and 1"],
        );
        check(
            "[plugin]",
            "[backend]\ndeley = 2.0\n[plugin]",
            &["line 5", "deley"],
        );
        check(
            "[plugin]",
            "[backend.delays]\nreport = { kind = \"constant\", ms = -1 }\n[plugin]",
            &["`backend.delays.report.ms`", "-1 ms"],
        );
        check(
            "[plugin]",
            "[upstream]\ndelay = { kind = \"file\", path = \"none.txt\" }\n[plugin]",
            &["`upstream.delay.path`", "none.txt", "cannot be read"],
        );
        let circle = "[population.metrics]\nhits = \"\"\na = \"b\"\nb = \"a\"\n[plugin]";
        check("[plugin]", circle, &["population.metrics", "ancestor"]);
    }
}
