//! Curves of latency on an axis of nines: two for each name, one solid and one dashed.
//!
//! Owns scales, names and the end of curves. Must not know what the two stand for.

use hdrhistogram::Histogram;

use crate::chart::key;
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::{Canvas, Form};
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area, Point};
use crate::draw::scale::{Axis, Scale, nines};
use crate::draw::text::{self, Weight};
use crate::draw::ticks::{self, Tick};
use crate::format::{percent, round_micros};

/// Samples that must lie beyond a quantile for it to be shown.
const REMAINING: f64 = 10.0;

/// Where curves begin: the fastest requests of all are a matter of luck.
pub(in crate::chart) const FIRST: f64 = 0.01;

/// Points of a curve.
pub(in crate::chart) const POINTS: u32 = 240;

const HEIGHT: i32 = 620;

/// Quantiles that the axis and the table name.
pub(in crate::chart) const NAMED: [f64; 9] = [
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

/// Two distributions of one name.
pub(in crate::chart) struct Curve<'a> {
    pub(in crate::chart) name: &'a str,
    pub(in crate::chart) ink: Ink,
    pub(in crate::chart) solid: &'a Histogram<u64>,
    pub(in crate::chart) dashed: &'a Histogram<u64>,
}

/// Curves, and what the two kinds of line stand for.
pub(in crate::chart) struct Plot<'a> {
    pub(in crate::chart) curves: Vec<Curve<'a>>,
    pub(in crate::chart) solid: String,
    pub(in crate::chart) dashed: String,
    /// Where the axis of quantiles ends.
    pub(in crate::chart) longest: f64,
}

/// The last quantile with enough samples beyond it; 0 without samples.
pub(in crate::chart) fn last_quantile(samples: &Histogram<u64>) -> f64 {
    if samples.is_empty() {
        0.0
    } else {
        (1.0 - REMAINING / samples.len() as f64).max(0.0)
    }
}

pub(in crate::chart) fn draw(canvas: &mut Canvas, plotted: &Plot<'_>) {
    let longest = plotted.longest;
    let at_ends = names_at_ends(canvas, plotted);
    draw_key(canvas, plotted, at_ends);
    let small = canvas.small();
    let latency = latency_scale(plotted);
    let Scale::Log { low, high } = latency else {
        return;
    };
    let ticks = ticks::log(low, high, round_micros);
    let labels = axes::widest(canvas, ticks.iter().map(|tick| tick.label.as_str()));
    let names = if at_ends {
        widest_name(canvas, plotted) + small
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
    let ends = curves(canvas, plotted, horizontal, vertical);
    if at_ends {
        name_ends(canvas, ends, horizontal, vertical);
    }
}

fn widest_name(canvas: &Canvas, plotted: &Plot<'_>) -> i32 {
    let names = plotted.curves.iter().map(|curve| curve.name);
    names
        .map(|name| text::width(name, canvas.small(), Weight::Strong))
        .max()
        .unwrap_or(0)
}

/// Names stand beside the ends of the curves unless they would take the curves' room.
fn names_at_ends(canvas: &Canvas, plotted: &Plot<'_>) -> bool {
    canvas.form != Form::Narrow && widest_name(canvas, plotted) < canvas.width / 5
}

pub(in crate::chart) fn quantile_ticks(longest: f64) -> Vec<Tick> {
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

fn latency_scale(plotted: &Plot<'_>) -> Scale {
    let both = || {
        plotted
            .curves
            .iter()
            .flat_map(|curve| [curve.solid, curve.dashed])
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

fn draw_key(canvas: &mut Canvas, plotted: &Plot<'_>, at_ends: bool) {
    let (em, small, (thick, thin, _)) = (canvas.em(), canvas.small(), canvas.strokes());
    let at = (canvas.inset(), canvas.top + em);
    canvas.text("latency, log scale", at, Anchor::Start, small, Ink::Muted);
    canvas.top += em * 3 / 2;
    let mut x = canvas.inset();
    for (dashed, name) in [
        (false, plotted.solid.as_str()),
        (true, plotted.dashed.as_str()),
    ] {
        let width = em * 4 + text::width(name, small, Weight::Regular);
        if x > canvas.inset() && x + width > canvas.width {
            x = canvas.inset();
            canvas.top += em * 3 / 2;
        }
        let y = canvas.top + em * 2 / 3;
        let line = vec![(x, y), (x + em * 2, y)];
        if dashed {
            canvas.dashes(&line, Ink::Muted, thin);
        } else {
            canvas.path(line, Ink::Muted, thick);
        }
        let at = (x + em * 5 / 2, canvas.top + em);
        canvas.text(name, at, Anchor::Start, small, Ink::Muted);
        x += width;
    }
    canvas.top += em * 2;
    if !at_ends {
        key::names(
            canvas,
            plotted.curves.iter().map(|curve| (curve.name, curve.ink)),
        );
    }
}

/// Draws the curves; returns where those from the intended send time end.
fn curves<'a>(
    canvas: &mut Canvas,
    plotted: &'a Plot<'_>,
    horizontal: Axis,
    vertical: Axis,
) -> Vec<(&'a str, Point)> {
    let (thick, thin, _) = canvas.strokes();
    for each in &plotted.curves {
        let points = curve(each.dashed, horizontal, vertical);
        canvas.dashes(&points, each.ink, thin);
    }
    let mut ends = Vec::new();
    for each in &plotted.curves {
        let points = curve(each.solid, horizontal, vertical);
        if let Some(end) = points.last().copied() {
            canvas.disc(end, thick * 3 / 2, each.ink);
            ends.push((each.name, end));
        }
        canvas.path(points, each.ink, thick);
    }
    ends
}

fn name_ends(canvas: &mut Canvas, ends: Vec<(&str, Point)>, horizontal: Axis, vertical: Axis) {
    let (small, em) = (canvas.small(), canvas.em());
    let places: Vec<i32> = ends.iter().map(|(_, (_, y))| *y).collect();
    let places = ticks::spread(&places, em * 5 / 4, vertical.to, vertical.from);
    for ((name, _), place) in ends.into_iter().zip(places) {
        let at = (horizontal.to + small, place + em / 3);
        canvas.strong(name, at, Anchor::Start, small, Ink::Text);
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
