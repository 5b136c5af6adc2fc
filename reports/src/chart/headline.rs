//! How long a request takes: median and 99th percentile of every scenario.

use super::{Chart, Words, compose};
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::{Canvas, Form};
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area};
use crate::draw::scale::{Axis, Scale};
use crate::draw::text::{self, Weight};
use crate::draw::ticks;
use crate::facts::{Facts, Scenario};
use crate::format::{micros, round_micros};
use crate::story;
use crate::table::Table;

/// Height of a scenario's row.
const ROW: i32 = 84;

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let title = story::finding(facts).unwrap_or_else(|| "How long does a request take?".into());
    let each: Vec<String> = facts
        .scenarios
        .iter()
        .map(|scenario| {
            let (p50, p99) = ends(scenario);
            format!(
                "{}: p50 {}, p99 {}",
                scenario.name(),
                micros(p50),
                micros(p99)
            )
        })
        .collect();
    let words = Words {
        id: "headline",
        title,
        alt: format!(
            "Median and 99th percentile of latency on a log axis. {}.",
            each.join("; ")
        ),
        note:
            "Latency from the intended send time. The axis is logarithmic: each step to the right \
               is a multiple, and there is no zero."
                .into(),
    };
    Some(compose(facts, words, table(facts), |canvas| {
        draw(canvas, facts)
    }))
}

fn ends(scenario: &Scenario) -> (f64, f64) {
    let latency = &scenario.summary().latency_us;
    (latency.p50.max(1) as f64, latency.p99.max(1) as f64)
}

fn table(facts: &Facts) -> Table {
    let head = ["Scenario", "p50 (µs)", "p99 (µs)", "Requests"];
    let mut table = Table::new("Latency from the intended send time", 1, &head);
    for scenario in &facts.scenarios {
        let summary = scenario.summary();
        let numbers = [
            summary.latency_us.p50,
            summary.latency_us.p99,
            summary.requests,
        ];
        let name = std::iter::once(scenario.name().to_owned());
        table.push(name.chain(numbers.map(crate::format::count)));
    }
    table
}

fn draw(canvas: &mut Canvas, facts: &Facts) {
    key(canvas);
    let axis = axis(canvas, facts);
    let top = canvas.top;
    let row = ROW + name_height(canvas);
    let bottom = top + row * i32::try_from(facts.scenarios.len()).unwrap_or(i32::MAX);
    if let Scale::Log { low, high } = axis.scale {
        let plot = Area {
            left: axis.from,
            top,
            right: axis.to,
            bottom,
        };
        axes::columns(
            canvas,
            plot,
            axis,
            ticks::log(low, high, round_micros),
            Rule::Grid,
        );
    }
    let below = std::mem::replace(&mut canvas.top, top);
    for scenario in &facts.scenarios {
        self::row(canvas, axis, scenario);
        canvas.top += row;
    }
    canvas.top = below;
}

/// On a phone a scenario's name stands above its row.
fn name_height(canvas: &Canvas) -> i32 {
    if canvas.form == Form::Narrow {
        canvas.em()
    } else {
        0
    }
}

fn key(canvas: &mut Canvas) {
    let (em, small) = (canvas.em(), canvas.small());
    let base = canvas.top + em;
    let mut x = canvas.inset();
    for (filled, name) in [(true, "p50"), (false, "p99")] {
        dot(canvas, (x + em * 2 / 5, base - em / 3), Ink::Muted, filled);
        canvas.text(
            name,
            (x + em * 5 / 4, base),
            Anchor::Start,
            small,
            Ink::Muted,
        );
        x += em * 2 + text::width(name, small, Weight::Regular);
    }
    canvas.text(
        "of latency, log scale",
        (x + em / 3, base),
        Anchor::Start,
        small,
        Ink::Muted,
    );
    canvas.top += em * 2;
}

fn dot(canvas: &mut Canvas, centre: (i32, i32), ink: Ink, filled: bool) {
    let radius = canvas.em().unsigned_abs() * 2 / 5;
    canvas.disc(centre, radius, ink);
    if !filled {
        canvas.disc(centre, radius / 2, Ink::Surface);
    }
}

/// An axis with room for the value beside the first and the last dot.
fn axis(canvas: &Canvas, facts: &Facts) -> Axis {
    let (em, small) = (canvas.em(), canvas.small());
    let names = facts
        .scenarios
        .iter()
        .map(|s| text::width(s.name(), em, Weight::Strong));
    let from = match canvas.form {
        Form::Narrow => canvas.inset(),
        Form::Wide | Form::Alone => canvas.inset() + em * 2 + names.max().unwrap_or(0),
    };
    let to = canvas.width - canvas.inset();
    let lowest = facts
        .scenarios
        .iter()
        .map(|s| ends(s).0)
        .fold(f64::MAX, f64::min);
    let highest = facts
        .scenarios
        .iter()
        .map(|s| ends(s).1)
        .fold(1.0, f64::max);
    let room = |value| text::width(&micros(value), em, Weight::Strong) + small;
    let (mut low, mut high) = (ticks::round_down(lowest), ticks::round_up(highest));
    let axis = |low, high| Axis {
        scale: Scale::Log { low, high },
        from,
        to,
    };
    for _ in 0..8 {
        if axis(low, high).at(lowest) - room(lowest) < from || low >= high {
            low = ticks::round_down(low * 0.99);
        }
        if axis(low, high).at(highest) + room(highest) > to {
            high = ticks::round_up(high * 1.01);
        }
    }
    axis(low, high)
}

fn row(canvas: &mut Canvas, axis: Axis, scenario: &Scenario) {
    let (em, small, (thick, ..)) = (canvas.em(), canvas.small(), canvas.strokes());
    let middle = canvas.top + name_height(canvas) + ROW / 2;
    let name_base = if name_height(canvas) > 0 {
        canvas.top + em
    } else {
        middle + em / 3
    };
    canvas.strong(
        scenario.name(),
        (canvas.inset(), name_base),
        Anchor::Start,
        em,
        Ink::Text,
    );
    let (p50, p99) = ends(scenario);
    let (left, right) = (axis.at(p50), axis.at(p99));
    canvas.path(
        vec![(left, middle), (right, middle)],
        scenario.ink,
        thick * 2,
    );
    dot(canvas, (right, middle), scenario.ink, false);
    dot(canvas, (left, middle), scenario.ink, true);
    let base = middle + em / 3;
    canvas.strong(
        &micros(p50),
        (left - small, base),
        Anchor::End,
        em,
        Ink::Text,
    );
    canvas.text(
        &micros(p99),
        (right + small, base),
        Anchor::Start,
        em,
        Ink::Text,
    );
}
