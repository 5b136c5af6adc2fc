//! The table of figures, as `run.json` has them.
//!
//! Owns which figures are shown, in which order and unit. Must not know pages.

use results::record::{Percentiles, Summary};
use serde::Serialize;

use crate::facts::Facts;
use crate::format::{count, micros, number, rate};

/// A figure: what is shown, and the exact value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// What is shown.
    pub text: String,
    /// The value as `run.json` has it; empty if it was not measured.
    pub value: String,
}

/// One figure of every scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name for people.
    pub name: &'static str,
    /// Its path in a summary of `run.json`.
    pub field: &'static str,
    /// One for each scenario.
    pub cells: Vec<Cell>,
}

/// Figures that are read together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// What they are.
    pub name: &'static str,
    /// The figures.
    pub rows: Vec<Row>,
}

type Figure = (&'static str, &'static str, fn(&Summary) -> Cell);

const LOAD: [Figure; 5] = [
    ("Offered", "offered_rps", |s| {
        requests_per_second(s.offered_rps)
    }),
    ("Achieved", "achieved_rps", |s| {
        requests_per_second(s.achieved_rps)
    }),
    ("Requests", "requests", |s| whole(Some(s.requests))),
    ("Requests of warm-up", "warmup_requests", |s| {
        whole(Some(s.warmup_requests))
    }),
    ("Errors", "errors", |s| whole(Some(s.errors))),
];

const LATENCY: [Figure; 5] = [
    ("p50", "latency_us.p50", |s| time(s.latency_us.p50)),
    ("p90", "latency_us.p90", |s| time(s.latency_us.p90)),
    ("p99", "latency_us.p99", |s| time(s.latency_us.p99)),
    ("p99.9", "latency_us.p999", |s| time(s.latency_us.p999)),
    ("max", "latency_us.max", |s| time(s.latency_us.max)),
];

const SERVICE: [Figure; 5] = [
    ("p50", "service_us.p50", |s| time(s.service_us.p50)),
    ("p90", "service_us.p90", |s| time(s.service_us.p90)),
    ("p99", "service_us.p99", |s| time(s.service_us.p99)),
    ("p99.9", "service_us.p999", |s| time(s.service_us.p999)),
    ("max", "service_us.max", |s| time(s.service_us.max)),
];

const COST: [Figure; 4] = [
    ("Envoy CPU per request", "envoy_cpu_us_per_request", |s| {
        cpu(s.envoy_cpu_us_per_request)
    }),
    (
        "Generator CPU per request",
        "generator_cpu_us_per_request",
        |s| cpu(s.generator_cpu_us_per_request),
    ),
    ("Backend calls per 1,000", "backend_calls_per_1000", |s| {
        plain(s.backend_calls_per_1000)
    }),
    ("Send lag p99", "send_lag_us.p99", |s| {
        time(s.send_lag_us.p99)
    }),
];

const DECISIONS: [Figure; 6] = [
    ("Hits", "hits", |s| whole(s.hits)),
    ("Misses", "misses", |s| whole(s.misses)),
    ("Denied", "denied", |s| whole(s.denied)),
    ("Admitted, warm-up included", "admitted", |s| {
        whole(s.admitted)
    }),
    ("Reported in the ledger", "reported", |s| whole(s.reported)),
    ("Arrived at the upstream", "upstream_requests", |s| {
        whole(s.upstream_requests)
    }),
];

/// Every figure that is shown.
pub fn groups(facts: &Facts) -> Vec<Group> {
    let groups: [(&'static str, &[Figure]); 5] = [
        ("Load", &LOAD),
        ("Latency from the intended send time", &LATENCY),
        ("Latency from the actual send time", &SERVICE),
        ("Cost", &COST),
        ("Decisions and usage", &DECISIONS),
    ];
    groups
        .into_iter()
        .map(|(name, figures)| group(facts, name, figures))
        .collect()
}

fn group(facts: &Facts, name: &'static str, figures: &[Figure]) -> Group {
    let rows = figures.iter().map(|&(name, field, cell)| {
        let cells = facts
            .scenarios
            .iter()
            .map(|scenario| cell(scenario.summary()))
            .collect();
        Row { name, field, cells }
    });
    Group {
        name,
        rows: rows.collect(),
    }
}

/// p50 and p99 of a scenario, for its card.
pub fn card(latency: &Percentiles) -> (Cell, Cell) {
    (time(latency.p50), time(latency.p99))
}

fn unknown() -> Cell {
    Cell {
        text: "–".to_owned(),
        value: String::new(),
    }
}

fn whole(value: Option<u64>) -> Cell {
    value.map_or_else(unknown, |value| Cell {
        text: count(value),
        value: value.to_string(),
    })
}

fn time(value: u64) -> Cell {
    Cell {
        text: micros(value as f64),
        value: value.to_string(),
    }
}

fn cpu(value: Option<f64>) -> Cell {
    value.map_or_else(unknown, |value| Cell {
        text: micros(value),
        value: value.to_string(),
    })
}

fn plain(value: Option<f64>) -> Cell {
    value.map_or_else(unknown, |value| Cell {
        text: number(value),
        value: value.to_string(),
    })
}

fn requests_per_second(value: f64) -> Cell {
    Cell {
        text: rate(value),
        value: value.to_string(),
    }
}
