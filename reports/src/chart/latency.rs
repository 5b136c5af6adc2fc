//! Whether latency holds over time, and where it drops as misses give way to hits.

use super::{Chart, Words, compose};
use crate::draw::ink::Ink;
use crate::draw::panels::{self, Panel, Series, Stack, Style};
use crate::draw::scale::Scale;
use crate::draw::ticks;
use crate::facts::{Facts, LatencyPoint, Scenario};
use crate::format::{count, micros, number, round_micros};
use crate::story;
use crate::table::Table;

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let stack = stack(facts)?;
    let title = story::cast(facts)
        .and_then(|cast| drop_of(cast.subject, facts.step_s))
        .unwrap_or_else(|| "Does latency hold over time?".into());
    let each: Vec<String> = facts.scenarios.iter().filter_map(describe).collect();
    let words = Words {
        id: "latency",
        title,
        alt: format!(
            "Latency over time, one panel for each scenario, log scale. {}.",
            each.join("; ")
        ),
        note: format!(
            "Latency from the intended send time, every {}. The shaded part is warm-up and in no other figure.",
            if facts.step_s > 1.0 {
                format!("{} s", number(facts.step_s))
            } else {
                "second".into()
            }
        ),
    };
    Some(compose(facts, words, table(facts), |canvas| {
        panels::draw(canvas, &stack)
    }))
}

/// Reads one figure of a point.
type Measure = fn(&LatencyPoint) -> u64;

/// The drop from miss to hit, if the figures show one: in the 99th percentile, or where misses are
/// rarer than that, in the slowest request.
fn drop_of(subject: &Scenario, step_s: f64) -> Option<String> {
    let (first, rest) = subject.latency.split_first()?;
    let (cold, warm) = subject.counts.split_first()?;
    let misses = median(
        warm.iter()
            .map(|point| point.misses.round() as u64)
            .collect(),
    )?;
    if cold.misses < 10.0 * misses.max(1) as f64 {
        return None;
    }
    let measures: [(&str, Measure); 2] = [
        ("p99", |point| point.latency_us.p99),
        ("the slowest request", |point| point.latency_us.max),
    ];
    let when = if step_s > 1.0 {
        format!("{} seconds", number(step_s))
    } else {
        "second".to_owned()
    };
    measures.into_iter().find_map(|(name, value)| {
        let (before, after) = (value(first), median(rest.iter().map(value).collect())?);
        (before >= 2 * after).then(|| {
            format!(
                "As misses give way to hits, {name} of {} drops from {} in the first {when} to {}",
                subject.name(),
                micros(before as f64),
                micros(after as f64),
            )
        })
    })
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

fn describe(scenario: &Scenario) -> Option<String> {
    let sampled = || scenario.latency.iter().filter(|point| point.samples > 0);
    let medians = || sampled().map(|point| point.latency_us.p50);
    let slowest = sampled().map(|point| point.latency_us.max).max()?;
    Some(format!(
        "{}: p50 between {} and {}, slowest request {}",
        scenario.name(),
        micros(medians().min()? as f64),
        micros(medians().max()? as f64),
        micros(slowest as f64),
    ))
}

fn stack(facts: &Facts) -> Option<Stack> {
    let points = || {
        facts
            .scenarios
            .iter()
            .flat_map(|s| &s.latency)
            .filter(|p| p.samples > 0)
    };
    let lowest = points().map(|point| point.latency_us.p50).min()?;
    let highest = points().map(|point| point.latency_us.max).max()?;
    let low = ticks::round_down(lowest.max(1) as f64);
    let high = ticks::round_up(highest.max(1) as f64).max(low * 10.0);
    Some(Stack {
        until_s: facts.length_s,
        step_s: facts.step_s,
        scale: Scale::Log { low, high },
        ticks: ticks::log(low, high, round_micros),
        title: "latency, log scale",
        panels: facts
            .scenarios
            .iter()
            .map(|scenario| panel(scenario, facts.step_s))
            .collect(),
    })
}

fn panel(scenario: &Scenario, step_s: f64) -> Panel {
    let line = |label, ink, style, value: Measure| Series {
        label,
        ink,
        style,
        points: scenario
            .latency
            .iter()
            .map(|point| {
                let known = point.samples > 0;
                (
                    point.start_s + step_s / 2.0,
                    known.then(|| value(point).max(1) as f64),
                )
            })
            .collect(),
    };
    Panel {
        name: scenario.name().to_owned(),
        ink: scenario.ink,
        note: scenario.record.description.clone(),
        warm_up_s: scenario.warm_up_s,
        events: scenario.events(),
        series: vec![
            line("max", Ink::Muted, Style::Dots, |point| point.latency_us.max),
            line("p99", scenario.ink, Style::Thin, |point| {
                point.latency_us.p99
            }),
            line("p50", scenario.ink, Style::Line, |point| {
                point.latency_us.p50
            }),
        ],
    }
}

fn table(facts: &Facts) -> Table {
    let head = [
        "Scenario",
        "Second",
        "Samples",
        "p50 (µs)",
        "p99 (µs)",
        "Max (µs)",
    ];
    let mut table = Table::new("Latency over time, from the intended send time", 2, &head);
    for scenario in &facts.scenarios {
        for point in &scenario.latency {
            let latency = &point.latency_us;
            let numbers = [point.samples, latency.p50, latency.p99, latency.max].map(count);
            let names = [scenario.name().to_owned(), number(point.start_s)];
            table.push(names.into_iter().chain(numbers));
        }
    }
    table
}
