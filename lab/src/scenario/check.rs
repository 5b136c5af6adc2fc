//! Which values of a scenario are impossible, beyond what its types already exclude.

use std::collections::BTreeMap;

use super::body::BodySettings;
use super::file::Scenario;
use super::filters;
use super::mix::{ApplicationMix, EndpointFile};
use super::population::{LimitSettings, PopulationSettings};

impl Scenario {
    /// The first impossible value: its field and what is wrong with it.
    pub(super) fn problem(&self) -> Option<(String, String)> {
        let problem = |field: &str, problem: String| Some((field.to_owned(), problem));
        if self.name.is_empty() || !self.name.chars().all(is_name_character) {
            return problem(
                "name",
                format!("`{}` is not letters, digits, - and _", self.name),
            );
        }
        if self.envoy.workers == 0 {
            return problem("envoy.workers", "0 workers serve nothing".to_owned());
        }
        if self.envoy.processors == Some(0) {
            return problem(
                "envoy.processors",
                "on 0 processors nothing runs".to_owned(),
            );
        }
        if let (Some(wasm), Some(_)) = (&self.plugin.wasm, &self.plugin.sample) {
            let wasm = wasm.display();
            return problem(
                "plugin.sample",
                format!("`{wasm}` is to run already: only one of the two can"),
            );
        }
        if let Some((index, text)) = filters::problem(&self.envoy.http_filters, self.plugin.enabled)
        {
            return problem(&format!("envoy.http_filters[{index}]"), text);
        }
        if !(0.0..=1.0).contains(&self.mix.unknown_keys) {
            let share = self.mix.unknown_keys;
            return problem("mix.unknown_keys", format!("{share} is not from 0 to 1"));
        }
        if let ApplicationMix::Zipf { exponent } = self.mix.applications
            && !(exponent.is_finite() && exponent > 0.0)
        {
            return problem(
                "mix.applications.exponent",
                format!("{exponent} is not above 0"),
            );
        }
        if let Err(error) = self.backend.validate() {
            return problem(&format!("backend.{}", error.field), error.problem);
        }
        if let Err(error) = self.upstream.validate() {
            return problem(&format!("upstream.{}", error.field), error.problem);
        }
        self.population
            .problem()
            .or_else(|| self.endpoints_problem())
    }

    fn endpoints_problem(&self) -> Option<(String, String)> {
        if self.endpoints.is_empty() {
            return Some(("endpoints".to_owned(), "there is none".to_owned()));
        }
        self.endpoints
            .iter()
            .enumerate()
            .find_map(|(index, endpoint)| {
                let (field, problem) = endpoint.problem(&self.population.metrics)?;
                Some((format!("endpoints[{index}].{field}"), problem))
            })
    }
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

impl PopulationSettings {
    /// The first impossible value: its field and what is wrong with it.
    pub(crate) fn problem(&self) -> Option<(String, String)> {
        let problem =
            |field: &str, text: &str| Some((format!("population.{field}"), text.to_owned()));
        if let Some(usage) = self.usage
            && !(0.0..=10.0).contains(&usage.exponent)
        {
            let text = format!("{} is not from 0 to 10", usage.exponent);
            return problem("usage.exponent", &text);
        }
        if self.services == 0 || self.applications < self.services {
            return problem("applications", "every service needs at least one");
        }
        if !self.metrics.contains_key("hits") {
            return problem(
                "metrics",
                "`hits` is missing, which counts admitted requests",
            );
        }
        let orphan = |parent: &&String| !parent.is_empty() && !self.metrics.contains_key(*parent);
        if let Some(parent) = self.metrics.values().find(orphan) {
            return problem(
                "metrics",
                &format!("`{parent}` is a parent and not a metric"),
            );
        }
        if let Some(name) = self.metrics.keys().find(|name| self.is_in_a_circle(name)) {
            return problem("metrics", &format!("`{name}` is its own ancestor"));
        }
        let unknown = |limit: &&LimitSettings| !self.metrics.contains_key(&limit.metric);
        if let Some(limit) = self.limits.iter().find(unknown) {
            return problem("limits", &format!("`{}` is not a metric", limit.metric));
        }
        let periods = ["minute", "hour", "day", "week", "month", "year", "eternity"];
        let odd = |limit: &&LimitSettings| !periods.contains(&limit.period.as_str());
        self.limits
            .iter()
            .find(odd)
            .and_then(|limit| problem("limits", &format!("`{}` is not a period", limit.period)))
    }

    fn is_in_a_circle(&self, name: &str) -> bool {
        let mut ancestor = name;
        for _ in 0..=self.metrics.len() {
            match self.metrics.get(ancestor) {
                Some(parent) if !parent.is_empty() => ancestor = parent,
                _ => return false,
            }
        }
        true
    }
}

impl EndpointFile {
    fn problem(&self, metrics: &BTreeMap<String, String>) -> Option<(&'static str, String)> {
        if self.method.is_empty() || !self.method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Some(("method", format!("`{}` is not a method", self.method)));
        }
        if !self.path.starts_with('/') || self.path.contains(['?', '#', ' ']) {
            return Some((
                "path",
                format!(
                    "`{}` is not a path that starts with / and has no query",
                    self.path
                ),
            ));
        }
        if !(self.weight.is_finite() && self.weight > 0.0) {
            return Some(("weight", format!("{} is not above 0", self.weight)));
        }
        if let Some(status) = self.status.filter(|status| !(200..=599).contains(status)) {
            return Some(("status", format!("{status} is not from 200 to 599")));
        }
        if self.usage.is_empty() {
            return Some(("usage", "it is empty, so no rule would match".to_owned()));
        }
        if let Some(problem) = self.body.as_ref().and_then(BodySettings::problem) {
            return Some(problem);
        }
        self.usage
            .keys()
            .find(|metric| !metrics.contains_key(*metric))
            .map(|metric| ("usage", format!("`{metric}` is not a metric")))
    }
}
