//! How requests were decided over time: from the cache, by asking the backend, or refused.

use super::counts::{counted, push_numbers};
use super::{Chart, Words, compose, left_out};
use crate::draw::ink::Ink;
use crate::draw::panels::{self, Panel, Stack, Style};
use crate::draw::scale::Scale;
use crate::draw::ticks::{self, Tick};
use crate::facts::{Facts, Scenario};
use crate::format::{count, list, number, percent, round_rate};
use crate::story;
use crate::table::Table;

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let deciding: Vec<&Scenario> = facts
        .scenarios
        .iter()
        .filter(|s| s.has_decisions())
        .collect();
    if deciding.is_empty() {
        return None;
    }
    let each: Vec<String> = deciding.iter().map(|scenario| describe(scenario)).collect();
    let words = Words {
        id: "decisions",
        title: title(facts),
        alt: format!(
            "Decisions and backend calls per second over time, log scale. {}.",
            each.join("; ")
        ),
        note: note(facts),
    };
    let stack = stack(facts, &deciding);
    Some(compose(facts, words, table(&deciding), |canvas| {
        panels::draw(canvas, &stack)
    }))
}

fn title(facts: &Facts) -> String {
    let share =
        story::cast(facts).and_then(|cast| Some((cast.subject.name(), hit_share(cast.subject)?)));
    match share {
        Some((name, share)) => format!(
            "{name} decided {} of its requests from the cache",
            round(share)
        ),
        None => "How were requests decided?".to_owned(),
    }
}

/// Rounded down, so that 99.997 % does not read as all of them.
fn round(share: f64) -> String {
    percent((share * 10_000.0).floor() / 10_000.0)
}

fn hit_share(scenario: &Scenario) -> Option<f64> {
    let summary = scenario.summary();
    let (hits, misses, denied) = (summary.hits?, summary.misses?, summary.denied.unwrap_or(0));
    let all = hits + misses + denied;
    (all > 0).then(|| hits as f64 / all as f64)
}

fn note(facts: &Facts) -> String {
    let mut note =
        "The axis is logarithmic, so that a few misses show beside thousands of hits; nothing at \
                    all is on the line marked 0."
            .to_owned();
    let without = left_out(facts, Scenario::has_decisions);
    if !without.is_empty() {
        note = format!("{note} Nothing is decided in {}.", list(&without));
    }
    note
}

fn describe(scenario: &Scenario) -> String {
    let summary = scenario.summary();
    let counted = |value: Option<u64>| count(value.unwrap_or(0));
    format!(
        "{}: {} hits, {} misses, {} denied in the measured part",
        scenario.name(),
        counted(summary.hits),
        counted(summary.misses),
        counted(summary.denied)
    )
}

fn stack(facts: &Facts, deciding: &[&Scenario]) -> Stack {
    let values = || {
        let points = deciding.iter().flat_map(|scenario| &scenario.counts);
        points
            .flat_map(|p| [p.hits, p.misses, p.denied, p.backend_calls])
            .filter(|v| *v > 0.0)
    };
    // The smallest value is a whole power of ten, so that the first tick is apart from 0.
    let low = 10_f64.powf(values().fold(1.0, f64::min).log10().floor());
    let high = ticks::round_up(values().fold(10.0, f64::max));
    let mut ticks = ticks::log(low, high, round_rate);
    ticks
        .iter_mut()
        .filter(|tick| !tick.major)
        .for_each(|tick| tick.label.clear());
    ticks.insert(
        0,
        Tick {
            value: 0.0,
            label: "0".into(),
            major: true,
        },
    );
    Stack {
        until_s: facts.length_s,
        step_s: facts.step_s,
        scale: Scale::LogAndZero { low, high },
        ticks,
        title: "per second, log scale above 0",
        panels: deciding
            .iter()
            .map(|scenario| panel(scenario, facts.step_s))
            .collect(),
    }
}

fn panel(scenario: &Scenario, step_s: f64) -> Panel {
    let steps = counted(scenario, step_s);
    Panel {
        name: scenario.name().to_owned(),
        ink: scenario.ink,
        note: scenario
            .summary()
            .backend_calls_per_1000
            .map_or_else(String::new, |calls| {
                format!(
                    "{} backend calls per 1,000 requests once warm",
                    number(calls)
                )
            }),
        warm_up_s: scenario.warm_up_s,
        events: scenario.events(),
        series: vec![
            steps("denied", Ink::Denied, Style::Thin, |point| point.denied),
            steps("misses", Ink::Miss, Style::Line, |point| point.misses),
            steps("hits", Ink::Hit, Style::Line, |point| point.hits),
            steps("calls", Ink::Call, Style::Dashed, |point| {
                point.backend_calls
            }),
        ],
    }
}

fn table(deciding: &[&Scenario]) -> Table {
    let head = [
        "Scenario",
        "Second",
        "Hits (1/s)",
        "Misses (1/s)",
        "Denied (1/s)",
        "Backend calls (1/s)",
    ];
    let mut table = Table::new("Decisions per second over time", 2, &head);
    for scenario in deciding {
        for point in &scenario.counts {
            let numbers = [
                point.start_s,
                point.hits,
                point.misses,
                point.denied,
                point.backend_calls,
            ];
            push_numbers(&mut table, scenario, numbers);
        }
    }
    table
}
