//! Whether the offered load was sent and answered.

use super::counts::{counted, push_numbers};
use super::{Chart, Words, compose};
use crate::draw::ink::Ink;
use crate::draw::panels::{self, Panel, Series, Stack, Style};
use crate::draw::scale::Scale;
use crate::draw::ticks;
use crate::facts::{CountPoint, Facts, Scenario};
use crate::format::{errors, list, rate, round_rate};
use crate::table::Table;

/// Share of the offered rate that counts as having kept it.
const KEPT: f64 = 0.99;

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let points = || facts.scenarios.iter().flat_map(|scenario| &scenario.counts);
    let highest = points()
        .flat_map(|p| [p.offered, p.sent, p.ok, p.errors])
        .fold(0.0, f64::max);
    if highest <= 0.0 {
        return None;
    }
    let each: Vec<String> = facts.scenarios.iter().map(describe).collect();
    let words = Words {
        id: "throughput",
        title: title(facts),
        alt: format!("Requests per second over time. {}.", each.join("; ")),
        note: "The grey area is what the schedule offered; the line is what was answered as expected. \
               Where the area shows above the line, load was not kept up with."
            .into(),
    };
    let high = highest * 1.1;
    let stack = Stack {
        until_s: facts.length_s,
        step_s: facts.step_s,
        scale: Scale::Linear { low: 0.0, high },
        ticks: ticks::linear(high, 4, round_rate),
        title: "requests per second",
        panels: facts
            .scenarios
            .iter()
            .map(|scenario| panel(scenario, facts.step_s))
            .collect(),
    };
    Some(compose(facts, words, table(facts), |canvas| {
        panels::draw(canvas, &stack)
    }))
}

fn kept(scenario: &Scenario) -> bool {
    scenario.summary().achieved_rps >= KEPT * scenario.summary().offered_rps
}

fn title(facts: &Facts) -> String {
    let fell_behind: Vec<String> = facts
        .scenarios
        .iter()
        .filter(|scenario| !kept(scenario))
        .map(|scenario| {
            let summary = scenario.summary();
            let (answered, offered) = (rate(summary.achieved_rps), rate(summary.offered_rps));
            format!("{} answered {answered} of {offered}", scenario.name())
        })
        .collect();
    let failed: u64 = facts
        .scenarios
        .iter()
        .map(|scenario| scenario.summary().errors)
        .sum();
    let errors = errors(failed);
    match (fell_behind.is_empty(), facts.scenarios.len()) {
        (true, 1) => format!("The offered rate was kept, with {errors}"),
        (true, _) => format!("Every scenario kept the offered rate, with {errors} in all"),
        (false, _) => format!("{}, with {errors} in all", list(&fell_behind)),
    }
}

fn describe(scenario: &Scenario) -> String {
    let summary = scenario.summary();
    format!(
        "{}: offered {}, answered {}, {}",
        scenario.name(),
        rate(summary.offered_rps),
        rate(summary.achieved_rps),
        errors(summary.errors)
    )
}

fn panel(scenario: &Scenario, step_s: f64) -> Panel {
    let steps = counted(scenario, step_s);
    let middle = |point: &CountPoint| (point.start_s + step_s / 2.0, Some(point.errors));
    let failures = Series {
        label: "errors",
        ink: Ink::Error,
        style: Style::Bars,
        points: scenario.counts.iter().map(middle).collect(),
    };
    let summary = scenario.summary();
    let (answered, offered) = (rate(summary.achieved_rps), rate(summary.offered_rps));
    Panel {
        name: scenario.name().to_owned(),
        ink: scenario.ink,
        note: format!(
            "answered {answered} of {offered}, {}",
            errors(summary.errors)
        ),
        warm_up_s: scenario.warm_up_s,
        events: scenario.events(),
        series: vec![
            steps("offered", Ink::Plan, Style::Fill, |point| point.offered),
            steps("sent", Ink::Muted, Style::Dashed, |point| point.sent),
            steps("ok", scenario.ink, Style::Line, |point| point.ok),
            failures,
        ],
    }
}

fn table(facts: &Facts) -> Table {
    let head = [
        "Scenario",
        "Second",
        "Offered (1/s)",
        "Sent (1/s)",
        "OK (1/s)",
        "Errors (1/s)",
    ];
    let mut table = Table::new("Requests per second over time", 2, &head);
    for scenario in &facts.scenarios {
        for point in &scenario.counts {
            let numbers = [
                point.start_s,
                point.offered,
                point.sent,
                point.ok,
                point.errors,
            ];
            push_numbers(&mut table, scenario, numbers);
        }
    }
    table
}
