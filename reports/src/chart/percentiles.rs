//! How slow the slowest requests are: latency at every quantile, spread by nines.

use hdrhistogram::Histogram;

use super::{Chart, Words, compose};
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::{Canvas, Form};
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area, Point};
use crate::draw::scale::{Axis, Scale, nines};
use crate::draw::text::{self, Weight};
use crate::draw::ticks::{self, Tick};
use crate::facts::{Facts, Scenario};
use crate::format::{count, list, micros, percent, round_micros};
use crate::table::Table;

/// Samples that must lie beyond a quantile for it to be shown.
const REMAINING: f64 = 10.0;

/// Where curves begin: the fastest requests of all are a matter of luck.
const FIRST: f64 = 0.01;

/// Points of a curve.
const POINTS: u32 = 240;

const HEIGHT: i32 = 620;

/// Quantiles that the axis and the table name.
const NAMED: [f64; 9] = [
    0.0,
    0.5,
    0.9,
    0.99,
    0.999,
    0.9999,
    0.99999,
    0.999_999,
    0.999_999_9,
];

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let longest = facts
        .scenarios
        .iter()
        .map(|s| last_quantile(&s.corrected))
        .fold(0.0, f64::max);
    if longest < 0.5 {
        return None;
    }
    let each = |quantile: f64| -> Vec<String> {
        let scenarios = facts
            .scenarios
            .iter()
            .filter(|s| last_quantile(&s.corrected) >= quantile);
        let values = scenarios.map(|scenario| {
            let value = scenario.corrected.value_at_quantile(quantile);
            format!("{} ({})", micros(value as f64), scenario.name())
        });
        values.collect()
    };
    let telling = if each(0.999).len() == facts.scenarios.len() {
        0.999
    } else {
        0.99
    };
    let found = list(&each(telling));
    let title = if facts.scenarios.len() <= 3 && !found.is_empty() {
        format!(
            "{} of requests were answered within {found}",
            percent(telling)
        )
    } else {
        "How slow are the slowest requests?".to_owned()
    };
    let words = Words {
        id: "percentiles",
        title,
        alt: format!(
            "Latency by quantile on an axis of nines, log scale. {} within {}; {} within {found}.",
            percent(0.5),
            list(&each(0.5)),
            percent(telling),
        ),
        note: "Each step to the right is one more nine. Solid: from the intended send time, so waiting \
               behind a slow answer counts. Dashed: from the actual send time. A line ends where fewer \
               than ten samples remain beyond it."
            .into(),
    };
    Some(compose(facts, words, table(facts), |canvas| {
        draw(canvas, facts, longest)
    }))
}

/// The last quantile with enough samples beyond it; 0 without samples.
fn last_quantile(samples: &Histogram<u64>) -> f64 {
    if samples.is_empty() {
        0.0
    } else {
        (1.0 - REMAINING / samples.len() as f64).max(0.0)
    }
}

fn table(facts: &Facts) -> Table {
    let head = [
        "Scenario",
        "Quantile",
        "From intended send (µs)",
        "From actual send (µs)",
    ];
    let caption = "Latency by quantile, from merged histograms of the measured part";
    let mut table = Table::new(caption, 2, &head);
    for scenario in &facts.scenarios {
        let last = last_quantile(&scenario.corrected);
        for quantile in NAMED
            .into_iter()
            .skip(1)
            .filter(|quantile| *quantile <= last)
        {
            table.push([
                scenario.name().to_owned(),
                percent(quantile),
                count(scenario.corrected.value_at_quantile(quantile)),
                count(scenario.service.value_at_quantile(quantile)),
            ]);
        }
    }
    table
}

fn draw(canvas: &mut Canvas, facts: &Facts, longest: f64) {
    let at_ends = names_at_ends(canvas, facts);
    key(canvas, facts, at_ends);
    let small = canvas.small();
    let latency = latency_scale(facts);
    let Scale::Log { low, high } = latency else {
        return;
    };
    let ticks = ticks::log(low, high, round_micros);
    let labels = axes::widest(canvas, ticks.iter().map(|tick| tick.label.as_str()));
    let names = if at_ends {
        widest_name(canvas, facts) + small
    } else {
        small / 2
    };
    let plot = Area {
        left: canvas.inset() + labels + small / 2,
        top: canvas.top,
        right: canvas.width - canvas.inset() - names,
        bottom: canvas.top + HEIGHT,
    };
    let vertical = Axis {
        scale: latency,
        from: plot.bottom,
        to: plot.top,
    };
    let horizontal = Axis {
        scale: Scale::Nines { high: longest },
        from: plot.left,
        to: plot.right,
    };
    axes::rows(canvas, plot, vertical, ticks);
    axes::columns(
        canvas,
        plot,
        horizontal,
        quantile_ticks(longest),
        Rule::Grid,
    );
    axes::title_below(canvas, plot, "share of requests answered within this time");
    canvas.path(
        vec![(plot.left, plot.bottom), (plot.right, plot.bottom)],
        Ink::Axis,
        2,
    );
    let ends = curves(canvas, facts, horizontal, vertical);
    if at_ends {
        name_ends(canvas, ends, horizontal, vertical);
    }
}

fn widest_name(canvas: &Canvas, facts: &Facts) -> i32 {
    let names = facts.scenarios.iter().map(Scenario::name);
    names
        .map(|name| text::width(name, canvas.small(), Weight::Strong))
        .max()
        .unwrap_or(0)
}

/// Names stand beside the ends of the curves unless they would take the curves' room.
fn names_at_ends(canvas: &Canvas, facts: &Facts) -> bool {
    canvas.form != Form::Narrow && widest_name(canvas, facts) < canvas.width / 5
}

fn quantile_ticks(longest: f64) -> Vec<Tick> {
    let named = NAMED.into_iter().filter(|quantile| *quantile <= longest);
    let major = |value| nines(value).fract() < 1e-6;
    named
        .map(|value| Tick {
            value,
            label: percent(value),
            major: major(value),
        })
        .collect()
}

fn latency_scale(facts: &Facts) -> Scale {
    let both = || {
        facts
            .scenarios
            .iter()
            .flat_map(|s| [&s.corrected, &s.service])
    };
    let filled = || both().filter(|samples| !samples.is_empty());
    let lowest = filled().map(|samples| samples.value_at_quantile(FIRST));
    let lowest = lowest.min().unwrap_or(1);
    let shown = filled().map(|samples| samples.value_at_quantile(last_quantile(samples)));
    let low = ticks::round_down(lowest.max(1) as f64);
    let high = ticks::round_up(shown.max().unwrap_or(1).max(1) as f64);
    Scale::Log {
        low,
        high: high.max(low * 10.0),
    }
}

fn key(canvas: &mut Canvas, facts: &Facts, at_ends: bool) {
    let (em, small, (thick, thin, _)) = (canvas.em(), canvas.small(), canvas.strokes());
    let at = (canvas.inset(), canvas.top + em);
    canvas.text("latency, log scale", at, Anchor::Start, small, Ink::Muted);
    canvas.top += em * 3 / 2;
    let mut x = canvas.inset();
    for (dashed, name) in [
        (false, "from the intended send"),
        (true, "from the actual send"),
    ] {
        let y = canvas.top + em * 2 / 3;
        let line = vec![(x, y), (x + em * 2, y)];
        if dashed {
            canvas.dashes(&line, Ink::Muted, thin);
        } else {
            canvas.path(line, Ink::Muted, thick);
        }
        let at = (x + em * 5 / 2, canvas.top + em);
        canvas.text(name, at, Anchor::Start, small, Ink::Muted);
        x += em * 4 + text::width(name, small, Weight::Regular);
    }
    canvas.top += em * 2;
    if !at_ends {
        key_of_names(canvas, facts);
    }
}

/// The scenarios' colours, as many beside each other as there is room for.
fn key_of_names(canvas: &mut Canvas, facts: &Facts) {
    let (em, small) = (canvas.em(), canvas.small());
    let mut x = canvas.inset();
    for scenario in &facts.scenarios {
        let width = em * 2 + text::width(scenario.name(), small, Weight::Strong);
        if x > canvas.inset() && x + width > canvas.width {
            x = canvas.inset();
            canvas.top += em * 3 / 2;
        }
        let base = canvas.top + em / 2;
        canvas.disc(
            (x + em / 3, base - em / 3),
            em.unsigned_abs() / 3,
            scenario.ink,
        );
        canvas.strong(
            scenario.name(),
            (x + em, base),
            Anchor::Start,
            small,
            Ink::Text,
        );
        x += width;
    }
    canvas.top += em * 3 / 2;
}

/// Draws the curves; returns where those from the intended send time end.
fn curves<'a>(
    canvas: &mut Canvas,
    facts: &'a Facts,
    horizontal: Axis,
    vertical: Axis,
) -> Vec<(&'a Scenario, Point)> {
    let (thick, thin, _) = canvas.strokes();
    for scenario in &facts.scenarios {
        let points = curve(&scenario.service, horizontal, vertical);
        canvas.dashes(&points, scenario.ink, thin);
    }
    let mut ends = Vec::new();
    for scenario in &facts.scenarios {
        let points = curve(&scenario.corrected, horizontal, vertical);
        if let Some(end) = points.last().copied() {
            canvas.disc(end, thick * 3 / 2, scenario.ink);
            ends.push((scenario, end));
        }
        canvas.path(points, scenario.ink, thick);
    }
    ends
}

fn name_ends(canvas: &mut Canvas, ends: Vec<(&Scenario, Point)>, horizontal: Axis, vertical: Axis) {
    let (small, em) = (canvas.small(), canvas.em());
    let places: Vec<i32> = ends.iter().map(|(_, (_, y))| *y).collect();
    let places = ticks::spread(&places, em * 5 / 4, vertical.to, vertical.from);
    for ((scenario, _), place) in ends.into_iter().zip(places) {
        let at = (horizontal.to + small, place + em / 3);
        canvas.strong(scenario.name(), at, Anchor::Start, small, Ink::Text);
    }
}

/// Steps of equal width on the axis of nines, up to the last quantile with enough samples.
fn curve(samples: &Histogram<u64>, horizontal: Axis, vertical: Axis) -> Vec<Point> {
    if samples.is_empty() {
        return Vec::new();
    }
    let (from, to) = (nines(FIRST), nines(last_quantile(samples)));
    let quantiles = (0..=POINTS).map(|step| {
        let nines = from + (to - from) * f64::from(step) / f64::from(POINTS);
        1.0 - 10_f64.powf(-nines)
    });
    quantiles
        .map(|quantile| {
            let value = samples.value_at_quantile(quantile);
            (horizontal.at(quantile), vertical.at(value as f64))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_where_fewer_than_ten_samples_remain() {
        #[track_caller]
        fn check(samples: u64, last: f64) {
            let mut histogram = results::histogram::empty();
            (0..samples).for_each(|value| results::histogram::record(&mut histogram, 100 + value));
            assert!(
                (last_quantile(&histogram) - last).abs() < 1e-12,
                "{samples}"
            );
        }
        check(0, 0.0);
        check(5, 0.0);
        check(1_000, 0.99);
        check(10_000, 0.999);
    }
}
