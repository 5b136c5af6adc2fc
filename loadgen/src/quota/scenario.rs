//! What the lab is told of a case.
//!
//! Owns the scenario of a case: one application, one limit, one endpoint, and how late the backend
//! counts. Must not know when it runs or what is sent.

use std::time::Duration;

use lab::behaviour::Counting;
use lab::behaviour::delay::Delay;
use lab::scenario::{EndpointFile, LimitSettings, Scenario, ScenarioError};

use super::case::Case;

/// The shipped scenario with one application, one limit, one endpoint, and a backend that answers at
/// once and counts after `lag`.
pub(super) fn of(case: &Case, lag: Duration) -> Result<Scenario, ScenarioError> {
    let mut scenario = Scenario::find("cache")?;
    scenario.backend = Default::default();
    scenario.backend.counting = Counting::Deferred {
        lag: Delay::Constant {
            ms: lag.as_secs_f64() * 1_000.0,
        },
    };
    scenario.population.applications = 1;
    scenario.population.limits = vec![LimitSettings {
        metric: "hits".to_owned(),
        period: "minute".to_owned(),
        value: case.limit,
    }];
    scenario.endpoints = vec![EndpointFile {
        method: "GET".to_owned(),
        path: "/hello".to_owned(),
        usage: [("hits".to_owned(), 1)].into(),
        weight: 1.0,
        status: None,
        body: None,
    }];
    scenario.plugin.cache =
        toml::Table::from_iter([("mode".to_owned(), toml::Value::from(case.mode.to_string()))]);
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Mode;

    #[test]
    fn a_case_is_one_application_with_one_limit() {
        let case = Case {
            mode: Mode::Strict,
            gateways: 1,
            workers: 1,
            limit: 60,
            load: 3.0,
            uneven: None,
        };
        let scenario = of(&case, Duration::from_millis(50)).expect("it comes with the lab");
        assert_eq!(scenario.population.limits.len(), 1);
        assert_eq!(scenario.requests().request(0, 0).expected_status, 200);
        assert_eq!(scenario.plugin.cache["mode"].as_str(), Some("strict"));
    }
}
