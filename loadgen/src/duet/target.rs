//! What can be compared, as a person writes it.
//!
//! Owns the text form `SCENARIO[:passthrough][=FILE.wasm]`. Must not know what is done with it.

use std::path::PathBuf;

use lab::scenario::{Scenario, ScenarioError};
use thiserror::Error;

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Target {
    /// As it was written.
    pub label: String,
    /// The scenario with what was asked for.
    pub scenario: Scenario,
}

/// Why there is no such target.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// No such scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A module for a scenario in which none runs, or several.
    #[error(
        "`{0}`: the module can replace the plugin or the only Wasm filter of a scenario, and neither \
         runs there"
    )]
    NoModule(String),
    /// A scenario whose gateway the client of a comparison cannot talk to.
    #[error(
        "`{0}`: it serves over TLS (`envoy.tls`), which the client of a comparison does not speak; expected a \
         scenario without"
    )]
    Tls(String),
}

/// What is behind a scenario to run it without the plugin and without filters of its own.
const PASSTHROUGH: &str = ":passthrough";

impl Target {
    /// The same with an Envoy on so many processors, where a number is given.
    #[must_use]
    pub fn on(mut self, processors: Option<u32>) -> Self {
        self.scenario.envoy.processors = processors.or(self.scenario.envoy.processors);
        self
    }

    /// Reads a target.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let (rest, wasm) = match text.split_once('=') {
            Some((rest, wasm)) => (rest, Some(PathBuf::from(wasm))),
            None => (text, None),
        };
        let (name, is_passthrough) = match rest.strip_suffix(PASSTHROUGH) {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let mut scenario = Scenario::find(name)?;
        if scenario.envoy.tls {
            return Err(TargetError::Tls(text.to_owned()));
        }
        if is_passthrough {
            scenario = scenario.without_filters();
        }
        if let Some(wasm) = wasm
            && !scenario.replace_module(wasm)
        {
            return Err(TargetError::NoModule(text.to_owned()));
        }
        Ok(Self {
            label: text.to_owned(),
            scenario,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_scenario_without_its_plugin_or_with_another() {
        let plain = Target::parse("cache").expect("built in");
        assert!(plain.scenario.plugin.enabled);
        let without = Target::parse("cache:passthrough").expect("built in");
        assert!(!without.scenario.plugin.enabled);
        assert_eq!(without.scenario.population, plain.scenario.population);
        let other = Target::parse("cache=/tmp/a=b.wasm").expect("built in");
        assert_eq!(other.scenario.plugin.wasm, Some("/tmp/a=b.wasm".into()));
        assert_eq!(other.label, "cache=/tmp/a=b.wasm");
    }

    #[test]
    fn what_cannot_run_is_refused_with_the_reason() {
        let text = |target| {
            let error = Target::parse(target).expect_err("it cannot run");
            error.to_string()
        };
        assert!(text("cash").contains("`cash`"));
        assert!(text("passthrough=/tmp/x.wasm").contains("neither runs"));
        assert!(text("cache:passthrough=/tmp/x.wasm").contains("neither runs"));
        assert!(text("cache-tls").contains("`envoy.tls`"));
    }
}
