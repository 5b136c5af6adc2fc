//! Whether a long run stays the same: how latencies spread, moment by moment.

use std::collections::BTreeMap;

use super::{Chart, Words, compose};
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::Canvas;
use crate::draw::ink::{HEAT, Ink};
use crate::draw::picture::{Anchor, Area};
use crate::draw::scale::{Axis, Scale};
use crate::draw::text::{self, Weight};
use crate::draw::ticks;
use crate::facts::{CELLS_PER_DECADE, Facts, Scenario};
use crate::format::{count, number, percent, round_micros};
use crate::table::Table;

/// Runs shorter than this are told in full by lines over time.
const LEAST_S: f64 = 120.0;
/// Columns at most.
const COLUMNS: f64 = 60.0;
/// Where the palest colour begins, which is that of everything below as well.
const LEAST_SHARE: f64 = 1e-4;
/// Colours for each factor of ten.
const COLOURS_PER_DECADE: f64 = 2.0;

const HEIGHT: i32 = 300;

/// A column of the picture.
struct Column {
    from_s: f64,
    to_s: f64,
    samples: u64,
    cells: BTreeMap<i32, u64>,
}

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let sampled = facts.scenarios.iter().any(|s| !s.corrected.is_empty());
    if facts.length_s < LEAST_S || !sampled {
        return None;
    }
    let width_s = facts.step_s * (facts.length_s / COLUMNS / facts.step_s).ceil();
    let each: Vec<String> = facts.scenarios.iter().map(describe).collect();
    let words = Words {
        id: "heat",
        title: "Does the spread of latency stay the same?".to_owned(),
        alt: format!(
            "Heat map of latency over time, one panel for each scenario, log scale. {}.",
            each.join("; ")
        ),
        note: format!(
            "Each column is {} s. The stronger a cell, the more of the requests of that moment took that \
             long, on a log scale: the faintest ones are fewer than one in about {}. Warm-up is included.",
            number(width_s),
            // To one digit: a cell's bound is a power of ten to some fraction.
            count(ticks::round_down(1.0 / share_above(1)) as u64)
        ),
    };
    Some(compose(facts, words, table(facts, width_s), |canvas| {
        draw(canvas, facts, width_s)
    }))
}

fn describe(scenario: &Scenario) -> String {
    let samples = count(scenario.corrected.len());
    format!(
        "{}: {samples} samples in the measured part",
        scenario.name()
    )
}

/// Spans put together into columns of `width_s` seconds.
fn columns(scenario: &Scenario, width_s: f64) -> Vec<Column> {
    let mut found: BTreeMap<u32, Column> = BTreeMap::new();
    for span in &scenario.heat {
        let place = (span.start_s / width_s) as u32;
        let from_s = f64::from(place) * width_s;
        let column = found.entry(place).or_insert_with(|| Column {
            from_s,
            to_s: from_s + width_s,
            samples: 0,
            cells: BTreeMap::new(),
        });
        for (cell, samples) in &span.cells {
            *column.cells.entry(*cell).or_default() += samples;
            column.samples += samples;
        }
    }
    found.into_values().collect()
}

/// Colour of a share of the requests.
fn ink(share: f64) -> Ink {
    let above = (share / LEAST_SHARE).log10() * COLOURS_PER_DECADE;
    Ink::Heat((above.max(0.0) as usize).min(HEAT - 1))
}

/// Where the shares of a colour begin.
fn share_above(step: usize) -> f64 {
    LEAST_SHARE * 10_f64.powf(step as f64 / COLOURS_PER_DECADE)
}

fn latency_of(cell: i32) -> f64 {
    10_f64.powf(f64::from(cell) / CELLS_PER_DECADE)
}

fn table(facts: &Facts, width_s: f64) -> Table {
    let head = [
        "Scenario",
        "From second",
        "Latency from (µs)",
        "to (µs)",
        "Requests",
        "Share of the moment",
    ];
    let mut table = Table::new("Requests by time and latency", 1, &head);
    for scenario in &facts.scenarios {
        for column in columns(scenario, width_s) {
            for (cell, samples) in &column.cells {
                let share = *samples as f64 / column.samples.max(1) as f64;
                table.push([
                    scenario.name().to_owned(),
                    number(column.from_s),
                    number(latency_of(*cell)),
                    number(latency_of(cell + 1)),
                    count(*samples),
                    percent((share * 1e4).round() / 1e4),
                ]);
            }
        }
    }
    table
}

fn draw(canvas: &mut Canvas, facts: &Facts, width_s: f64) {
    let (em, small) = (canvas.em(), canvas.small());
    legend(canvas);
    let cells = || {
        facts
            .scenarios
            .iter()
            .flat_map(|s| &s.heat)
            .flat_map(|c| c.cells.keys())
    };
    let (Some(lowest), Some(highest)) = (cells().min(), cells().max()) else {
        return;
    };
    let (low, high) = (latency_of(*lowest), latency_of(highest + 1));
    let ticks = ticks::log(low, high, round_micros);
    let labels = ticks.iter().map(|tick| tick.label.as_str());
    let left = canvas.inset() + axes::widest(canvas, labels) + small / 2;
    let last = facts.scenarios.len().saturating_sub(1);
    for (index, scenario) in facts.scenarios.iter().enumerate() {
        let base = canvas.top + em;
        let dot = (canvas.inset() + em / 3, base - em / 3);
        canvas.disc(dot, em.unsigned_abs() / 3, scenario.ink);
        let at = (canvas.inset() + em, base);
        canvas.strong(scenario.name(), at, Anchor::Start, em, Ink::Text);
        canvas.top += em * 2;
        let plot = Area {
            left,
            top: canvas.top,
            right: canvas.width - canvas.inset() - em,
            bottom: canvas.top + HEIGHT,
        };
        let time = Axis {
            scale: Scale::Linear {
                low: 0.0,
                high: facts.length_s.max(width_s),
            },
            from: plot.left,
            to: plot.right,
        };
        let latency = Axis {
            scale: Scale::Log { low, high },
            from: plot.bottom,
            to: plot.top,
        };
        axes::rows(canvas, plot, latency, ticks.clone());
        for column in columns(scenario, width_s) {
            paint(canvas, &column, time, latency);
        }
        canvas.path(
            vec![(plot.left, plot.bottom), (plot.right, plot.bottom)],
            Ink::Axis,
            2,
        );
        canvas.top = plot.bottom + em;
        if index == last {
            let seconds = ticks::linear(facts.length_s, 10, |value| format!("{value}\u{a0}s"));
            axes::columns(canvas, plot, time, seconds, Rule::Mark);
            axes::title_below(canvas, plot, "time from the first request");
        }
    }
}

/// Neighbouring cells of one colour are drawn as one.
fn paint(canvas: &mut Canvas, column: &Column, time: Axis, latency: Axis) {
    let (left, right) = (time.at(column.from_s), time.at(column.to_s));
    let share = |samples: u64| samples as f64 / column.samples.max(1) as f64;
    let mut pieces: Vec<(i32, i32, Ink)> = Vec::new();
    for (&cell, &samples) in &column.cells {
        let ink = ink(share(samples));
        match pieces.last_mut() {
            Some((_, end, before)) if *end == cell && *before == ink => *end = cell + 1,
            _ => pieces.push((cell, cell + 1, ink)),
        }
    }
    for (from, to, ink) in pieces {
        let (top, bottom) = (latency.at(latency_of(to)), latency.at(latency_of(from)));
        let area = Area {
            left,
            top,
            right,
            bottom,
        };
        canvas.rect(area, ink, 1.0);
    }
}

fn legend(canvas: &mut Canvas) {
    let (em, small) = (canvas.em(), canvas.small());
    let name = "latency, log scale; colour: share of the requests of a moment";
    canvas.paragraph(name, small, Weight::Regular, Ink::Muted);
    canvas.top += em / 2;
    let width = em * 5 / 2;
    let (top, bottom) = (canvas.top, canvas.top + em);
    for step in 0..HEAT {
        let left = canvas.inset() + width * step as i32;
        let area = Area {
            left,
            top,
            right: left + width,
            bottom,
        };
        canvas.rect(area, Ink::Heat(step), 1.0);
        // Every second edge is a power of ten.
        if step % COLOURS_PER_DECADE as usize == 0 && step > 0 {
            let share = share_above(step);
            let at = (left, bottom + small * 5 / 4);
            canvas.text(&percent(share), at, Anchor::Middle, small, Ink::Muted);
        }
    }
    let end = canvas.inset() + width * HEAT as i32;
    let hundred = percent(1.0);
    let at = (
        end - text::width(&hundred, small, Weight::Regular) / 2,
        bottom + small * 5 / 4,
    );
    canvas.text(&hundred, at, Anchor::Middle, small, Ink::Muted);
    let at = (canvas.inset(), bottom + small * 5 / 4);
    canvas.text("fewer", at, Anchor::Start, small, Ink::Muted);
    canvas.top = bottom + em * 5 / 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_grow_with_the_logarithm_of_the_share() {
        #[track_caller]
        fn check(share: f64, step: usize) {
            assert_eq!(ink(share), Ink::Heat(step), "{share}");
        }
        check(1e-6, 0);
        check(2e-4, 0);
        check(4e-4, 1);
        check(2e-3, 2);
        check(0.05, 5);
        check(0.2, 6);
        check(1.0, 7);
    }
}
