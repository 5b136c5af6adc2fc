//! Which requests became faster or slower: the change at every quantile, from one run to another.

use super::percentiles::plot::{self, FIRST, NAMED, POINTS, last_quantile};
use super::{Chart, Words, compose_with, key, meta};
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::Canvas;
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area};
use crate::draw::scale::{Axis, Scale, nines};
use crate::draw::ticks::{self, Tick};
use crate::facts::{Facts, Scenario};
use crate::format::{change, count, percent};
use crate::table::Table;

const HEIGHT: i32 = 460;
/// Beyond this factor in either direction the axis is logarithmic.
const WIDE: f64 = 2.5;

/// A scenario of both runs.
#[derive(Clone, Copy)]
pub(super) struct Both<'a> {
    pub(super) before: &'a Scenario,
    pub(super) after: &'a Scenario,
}

impl Both<'_> {
    fn last_quantile(&self) -> f64 {
        last_quantile(&self.before.corrected).min(last_quantile(&self.after.corrected))
    }

    fn ratio(&self, quantile: f64) -> f64 {
        let value = |s: &Scenario| s.corrected.value_at_quantile(quantile).max(1) as f64;
        value(self.after) / value(self.before)
    }
}

/// Scenarios that are in both runs, in the order of the first, in its colours.
pub(super) fn common<'a>(before: &'a Facts, after: &'a Facts) -> Vec<Both<'a>> {
    let scenarios = before.scenarios.iter();
    scenarios
        .filter_map(|before| {
            let after = after
                .scenarios
                .iter()
                .find(|it| it.name() == before.name())?;
            Some(Both { before, after })
        })
        .collect()
}

/// The change at every quantile.
pub fn chart(before: &Facts, after: &Facts) -> Option<Chart> {
    let shown: Vec<Both<'_>> = common(before, after)
        .into_iter()
        .filter(|both| both.last_quantile() >= 0.5)
        .collect();
    if shown.is_empty() {
        return None;
    }
    let each: Vec<String> = shown
        .iter()
        .map(|both| {
            let p99 = both.last_quantile() >= 0.99;
            let p99 = p99.then(|| format!(", p99 {}", change(both.ratio(0.99))));
            let (name, p50) = (both.before.name(), change(both.ratio(0.5)));
            format!("{name}: p50 {p50}{}", p99.unwrap_or_default())
        })
        .collect();
    let words = Words {
        id: "shift",
        title: "Which requests took longer, and which less long?".to_owned(),
        alt: format!(
            "Change of latency at every quantile from the first to the second run. {}.",
            each.join("; ")
        ),
        note: "Above the line, the second run was slower. Latency from the intended send time. Two runs \
               differ by what else the machine did, so this is a picture and not a verdict."
            .into(),
    };
    Some(compose_with(
        metas(before, after),
        words,
        table(&shown),
        |canvas| draw(canvas, &shown),
    ))
}

/// Latency at every quantile of both runs.
pub fn curves(before: &Facts, after: &Facts) -> Option<Chart> {
    let common = common(before, after);
    let last =
        |it: &Both<'_>| last_quantile(&it.before.corrected).max(last_quantile(&it.after.corrected));
    let longest = common.iter().map(last).fold(0.0, f64::max);
    if longest < 0.5 {
        return None;
    }
    let names: Vec<String> = common
        .iter()
        .map(|it| it.before.name().to_owned())
        .collect();
    let words = Words {
        id: "percentiles",
        title: "How slow are the slowest requests of either run?".to_owned(),
        alt: format!(
            "Latency by quantile on an axis of nines, log scale, of {} in both runs. The numbers are in \
             the table.",
            crate::format::list(&names)
        ),
        note: "Solid: the second run. Dashed: the first. Both from the intended send time. A line ends \
               where fewer than ten samples remain beyond it."
            .into(),
    };
    let curves = common.iter().map(|both| plot::Curve {
        name: both.before.name(),
        ink: both.before.ink,
        solid: &both.after.corrected,
        dashed: &both.before.corrected,
    });
    let plot = plot::Plot {
        curves: curves.collect(),
        solid: "second run".to_owned(),
        dashed: "first run".to_owned(),
        longest,
    };
    Some(compose_with(
        metas(before, after),
        words,
        table(&common),
        |canvas| plot::draw(canvas, &plot),
    ))
}

fn metas(before: &Facts, after: &Facts) -> String {
    format!("first: {} · second: {}", meta(before), meta(after))
}

fn table(shown: &[Both<'_>]) -> Table {
    let head = [
        "Scenario",
        "Quantile",
        "First run (µs)",
        "Second run (µs)",
        "Change",
    ];
    let mut table = Table::new("Latency by quantile, from the intended send time", 1, &head);
    for both in shown {
        let named = NAMED.into_iter().skip(1);
        for quantile in named.filter(|quantile| *quantile <= both.last_quantile()) {
            let value = |s: &Scenario| count(s.corrected.value_at_quantile(quantile));
            table.push([
                both.before.name().to_owned(),
                percent(quantile),
                value(both.before),
                value(both.after),
                change(both.ratio(quantile)),
            ]);
        }
    }
    table
}

/// Quantiles of a curve, at equal steps on the axis of nines.
fn quantiles(last: f64) -> impl Iterator<Item = f64> {
    let (from, to) = (nines(FIRST), nines(last));
    (0..=POINTS).map(move |step| {
        1.0 - 10_f64.powf(-(from + (to - from) * f64::from(step) / f64::from(POINTS)))
    })
}

/// How changes spread, and which of them are named.
fn scale(shown: &[Both<'_>]) -> (Scale, Vec<Tick>) {
    let all = || {
        shown
            .iter()
            .flat_map(|both| quantiles(both.last_quantile()).map(|quantile| both.ratio(quantile)))
    };
    let (low, high) = (all().fold(0.95, f64::min), all().fold(1.05, f64::max));
    if high <= WIDE && low >= 1.0 / WIDE {
        let room = (high - low) * 0.05;
        let (low, high) = (low - room, high + room);
        return (
            Scale::Linear { low, high },
            ticks::around(1.0, low, high, 8, change),
        );
    }
    let (low, high) = (ticks::round_down(low), ticks::round_up(high));
    (Scale::Log { low, high }, ticks::log(low, high, change))
}

fn draw(canvas: &mut Canvas, shown: &[Both<'_>]) {
    let (em, small, (thick, ..)) = (canvas.em(), canvas.small(), canvas.strokes());
    let (changes, rows) = scale(shown);
    canvas.text(
        match changes {
            Scale::Log { .. } => "change of latency from the first to the second run, log scale",
            _ => "change of latency from the first to the second run",
        },
        (canvas.inset(), canvas.top + em),
        Anchor::Start,
        small,
        Ink::Muted,
    );
    canvas.top += em * 2;
    key::names(
        canvas,
        shown
            .iter()
            .map(|both| (both.before.name(), both.before.ink)),
    );
    let labels = rows.iter().map(|tick| tick.label.as_str());
    let plot = Area {
        left: canvas.inset() + axes::widest(canvas, labels) + small / 2,
        top: canvas.top,
        right: canvas.width - canvas.inset() - em,
        bottom: canvas.top + HEIGHT,
    };
    let vertical = Axis {
        scale: changes,
        from: plot.bottom,
        to: plot.top,
    };
    let longest = shown.iter().map(Both::last_quantile).fold(0.5, f64::max);
    let horizontal = Axis {
        scale: Scale::Nines { high: longest },
        from: plot.left,
        to: plot.right,
    };
    axes::rows(canvas, plot, vertical, rows);
    axes::columns(
        canvas,
        plot,
        horizontal,
        plot::quantile_ticks(longest),
        Rule::Grid,
    );
    axes::title_below(canvas, plot, "quantile");
    let none = vertical.at(1.0);
    canvas.path(vec![(plot.left, none), (plot.right, none)], Ink::Axis, 3);
    for both in shown {
        let points = quantiles(both.last_quantile())
            .map(|quantile| (horizontal.at(quantile), vertical.at(both.ratio(quantile))));
        canvas.path(points.collect(), both.before.ink, thick);
    }
}
