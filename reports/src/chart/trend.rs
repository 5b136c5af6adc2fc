//! What an experiment gave from version to version. A trend and no verdict: versions are measured on
//! other days, often on other machines.

use super::curves::{self, Curve, Plane, Side};
use super::{Chart, Words, compose_with};
use crate::draw::ink::Ink;
use crate::draw::scale::Scale;
use crate::draw::ticks::Tick;
use crate::facts::Facts;
use crate::format::{count, list, micros, number, rate, round_micros};
use crate::story;
use crate::table::Table;

const CAUTION: &str = "A trend and no verdict: versions were measured on other days. A line is \
     interrupted where the machine class or the offered rate changed.";

/// The run of an experiment that a version was published with.
#[derive(Clone, Copy, Debug)]
pub struct Published<'a> {
    /// Name of the version.
    pub version: &'a str,
    /// Its run.
    pub facts: &'a Facts,
}

/// A figure of one version.
struct Point {
    version: String,
    place: f64,
    value: f64,
    circumstances: (String, u64),
}

/// Values of one name.
struct Line {
    name: String,
    ink: Ink,
    points: Vec<Point>,
}

/// The charts of runs of one experiment, oldest version first.
pub fn charts(runs: &[Published<'_>]) -> Vec<Chart> {
    [cpu(runs), latency(runs), calls(runs)]
        .into_iter()
        .flatten()
        .collect()
}

fn point(place: usize, run: Published<'_>, offered: f64, value: f64) -> Point {
    let class = run.facts.record.machine.fingerprint.clone();
    Point {
        version: run.version.to_owned(),
        place: place as f64,
        value,
        circumstances: (class, offered.round() as u64),
    }
}

/// A line for every scenario for which something is known, in the order in which they first occur.
fn by_scenario(
    runs: &[Published<'_>],
    value: impl Fn(&crate::facts::Scenario) -> Option<f64>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        for scenario in &run.facts.scenarios {
            let Some(value) = value(scenario) else {
                continue;
            };
            let point = point(place, *run, scenario.summary().offered_rps, value);
            match lines.iter_mut().find(|line| line.name == scenario.name()) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: scenario.name().to_owned(),
                    ink: Ink::Series(lines.len()),
                    points: vec![point],
                }),
            }
        }
    }
    lines
}

fn cpu(runs: &[Published<'_>]) -> Option<Chart> {
    let lines = by_scenario(runs, |it| it.summary().envoy_cpu_us_per_request);
    trend(
        runs,
        lines,
        About {
            id: "trend-cpu",
            question: "What does a request cost Envoy, from version to version?",
            unit: "Envoy's CPU time per request, microseconds",
            head: "CPU time (µs)",
            show: micros,
            axis: round_micros,
            reference: None,
        },
    )
}

fn calls(runs: &[Published<'_>]) -> Option<Chart> {
    let mut lines = by_scenario(runs, |it| it.summary().backend_calls_per_1000);
    // What asks for every request is 1,000 by definition, and what never asks is 0.
    let is_told = |line: &Line| {
        line.points
            .iter()
            .any(|it| it.value > 0.0 && it.value < 500.0)
    };
    lines.retain(is_told);
    trend(
        runs,
        lines,
        About {
            id: "trend-calls",
            question: "How often is the backend asked, from version to version?",
            unit: "backend calls per 1,000 requests",
            head: "Calls per 1,000",
            show: number,
            axis: number,
            reference: None,
        },
    )
}

fn latency(runs: &[Published<'_>]) -> Option<Chart> {
    let mut lines: Vec<Line> = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let Some(cast) = story::cast(run.facts) else {
            continue;
        };
        let Some(floor) = cast.floor else { continue };
        let (ours, theirs) = (cast.subject.summary(), floor.summary());
        let pairs = [
            ("p50", ours.latency_us.p50, theirs.latency_us.p50),
            ("p99", ours.latency_us.p99, theirs.latency_us.p99),
        ];
        for (number, (quantile, one, other)) in pairs.into_iter().enumerate() {
            let name = format!("{quantile} of {} / {}", cast.subject.name(), floor.name());
            let value = one as f64 / other.max(1) as f64;
            let point = point(place, *run, ours.offered_rps, value);
            match lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name,
                    ink: Ink::Series(number),
                    points: vec![point],
                }),
            }
        }
    }
    trend(
        runs,
        lines,
        About {
            id: "trend-latency",
            question: "How much longer does a request take than without the plugin?",
            unit: "latency divided by that of Envoy alone, of the same run",
            head: "Ratio",
            show: number,
            axis: number,
            reference: Some(1.0),
        },
    )
}

/// What a trend is about.
struct About {
    id: &'static str,
    question: &'static str,
    unit: &'static str,
    head: &'static str,
    show: fn(f64) -> String,
    axis: fn(f64) -> String,
    reference: Option<f64>,
}

fn trend(runs: &[Published<'_>], lines: Vec<Line>, about: About) -> Option<Chart> {
    let values = || {
        lines
            .iter()
            .flat_map(|line| &line.points)
            .map(|it| it.value)
    };
    let highest = values().chain(about.reference).fold(0.0, f64::max);
    if lines.is_empty() || highest <= 0.0 {
        return None;
    }
    let newest = lines.iter().filter_map(|line| {
        let last = line.points.last()?;
        let value = (about.show)(last.value);
        Some(format!("{}: {value} in {}", line.name, last.version))
    });
    let newest = list(&newest.collect::<Vec<_>>());
    let words = Words {
        id: about.id,
        title: about.question.to_owned(),
        alt: format!("Line chart over versions: {}. {newest}.", about.unit),
        note: format!("{newest}. {CAUTION}"),
    };
    let last = runs.len().saturating_sub(1) as f64;
    let versions = runs.iter().enumerate().map(|(place, run)| Tick {
        value: place as f64,
        label: run.version.to_owned(),
        major: place + 1 == runs.len(),
    });
    let table = table(&lines, &about);
    let plane = Plane {
        across: Side {
            title: "published version".to_owned(),
            scale: Scale::Linear {
                low: -0.5,
                high: last + 0.5,
            },
            ticks: versions.collect(),
        },
        up: curves::from_zero(about.unit, highest, about.axis),
        reference: about.reference,
        curves: lines.iter().map(curve).collect(),
    };
    Some(compose_with(meta(runs), words, table, |canvas| {
        curves::draw(canvas, &plane)
    }))
}

fn meta(runs: &[Published<'_>]) -> String {
    let experiment = runs.last().map(|run| run.facts.record.experiment.clone());
    let samples: u64 = runs.iter().map(|run| run.facts.samples()).sum();
    let ids = runs.iter().map(|run| run.facts.record.id.clone());
    [
        format!("experiment {}", experiment.unwrap_or_default()),
        format!("{} versions", count(runs.len() as u64)),
        format!("{} latency samples", count(samples)),
        format!("runs {}", list(&ids.collect::<Vec<_>>())),
    ]
    .join(" · ")
}

fn table(lines: &[Line], about: &About) -> Table {
    let head = [
        "Of",
        "Version",
        about.head,
        "Offered (1/s)",
        "Machine class",
    ];
    let mut table = Table::new(about.unit, 2, &head);
    for line in lines {
        for point in &line.points {
            let (class, offered) = &point.circumstances;
            table.push([
                line.name.clone(),
                point.version.clone(),
                number(point.value),
                rate(*offered as f64),
                class.clone(),
            ]);
        }
    }
    table
}

fn curve(line: &Line) -> Curve {
    let alike = |a: &Point, b: &Point| a.circumstances == b.circumstances;
    let stretches = line.points.chunk_by(alike);
    let stretches = stretches.map(|it| it.iter().map(|it| (it.place, it.value)).collect());
    Curve {
        name: line.name.clone(),
        ink: line.ink,
        dashed: false,
        stretches: stretches.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_interrupted_where_circumstances_change() {
        let point = |place: f64, class: &str| Point {
            version: format!("v{place}"),
            place,
            value: 1.0,
            circumstances: (class.to_owned(), 2_000),
        };
        let line = Line {
            name: "cache".into(),
            ink: Ink::Series(0),
            points: vec![point(0.0, "a"), point(1.0, "a"), point(2.0, "b")],
        };
        let lengths: Vec<usize> = curve(&line).stretches.iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 1]);
    }
}
