//! Panels below each other over one time axis, with one value axis for all.
//!
//! Owns their layout: margins, grid, shaded spans, marked moments, names at the ends of lines. Must
//! not know what the values are.

use self::plot::{Plot, key_width, time};
use super::axes::{self, Rule};
use super::canvas::Canvas;
use super::ink::Ink;
use super::picture::{Anchor, Area};
use super::scale::Scale;
use super::text::{self, Weight};
use super::ticks::{self, Tick};

mod plot;

/// How the points of a series are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// A line that matters.
    Line,
    /// A thinner line.
    Thin,
    /// A thin line of dashes.
    Dashed,
    /// A dot for each point.
    Dots,
    /// Everything below the line.
    Fill,
    /// A bar for each point, as wide as its span of time.
    Bars,
}

/// Values over time. A point without a value interrupts the line.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name, at the end of the line.
    pub label: &'static str,
    /// Its colour.
    pub ink: Ink,
    /// How it is shown.
    pub style: Style,
    /// Second and value.
    pub points: Vec<(f64, Option<f64>)>,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Its name.
    pub name: String,
    /// Colour of the name's mark.
    pub ink: Ink,
    /// What stands beside the name.
    pub note: String,
    /// Second at which warm-up ends; 0 without one.
    pub warm_up_s: f64,
    /// Moments to mark.
    pub events: Vec<(f64, String)>,
    /// From back to front.
    pub series: Vec<Series>,
}

/// Panels with common axes.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Where the time axis ends, in seconds.
    pub until_s: f64,
    /// Seconds that one point stands for.
    pub step_s: f64,
    /// How values spread.
    pub scale: Scale,
    /// Values that the axis names.
    pub ticks: Vec<Tick>,
    /// What the values are, with how they spread.
    pub title: &'static str,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// Height of one panel's plot.
const PLOT_HEIGHT: i32 = 270;

/// A value for each span of `step_s` seconds as points at both of its ends, because it holds for the
/// whole span.
pub fn steps(spans: impl Iterator<Item = (f64, f64)>, step_s: f64) -> Vec<(f64, Option<f64>)> {
    spans
        .flat_map(|(start_s, value)| [(start_s, Some(value)), (start_s + step_s, Some(value))])
        .collect()
}

/// Draws the panels from the canvas' top downwards.
pub fn draw(canvas: &mut Canvas, stack: &Stack) {
    let (em, small) = (canvas.em(), canvas.small());
    let (left, right) = margins(canvas, stack);
    canvas.text(
        stack.title,
        (canvas.inset(), canvas.top + em),
        Anchor::Start,
        small,
        Ink::Muted,
    );
    canvas.top += em * 2;
    let last = stack.panels.len().saturating_sub(1);
    for (index, panel) in stack.panels.iter().enumerate() {
        heading(canvas, panel);
        let strip = canvas.top + em / 2;
        let top = strip + small * 7 / 4;
        let plot = Area {
            left,
            top,
            right,
            bottom: top + PLOT_HEIGHT,
        };
        Plot {
            stack,
            panel,
            plot,
            strip,
        }
        .draw(canvas);
        canvas.top = plot.bottom + em * 3 / 2;
        if index == last {
            time_axis(canvas, stack, plot);
        }
    }
}

/// Where plots begin and end, so that the widest label on either side has room.
fn margins(canvas: &Canvas, stack: &Stack) -> (i32, i32) {
    let small = canvas.small();
    let names = axes::widest(canvas, stack.ticks.iter().map(|tick| tick.label.as_str()));
    let series = stack.panels.iter().flat_map(|panel| &panel.series);
    let ends = axes::widest(canvas, series.map(|series| series.label));
    (
        canvas.inset() + names + small / 2,
        canvas.width - canvas.inset() - ends - key_width(small),
    )
}

fn heading(canvas: &mut Canvas, panel: &Panel) {
    let (em, small) = (canvas.em(), canvas.small());
    let base = canvas.top + em;
    canvas.disc(
        (canvas.inset() + em / 3, base - em / 3),
        em.unsigned_abs() / 3,
        panel.ink,
    );
    let name_at = canvas.inset() + em;
    canvas.strong(&panel.name, (name_at, base), Anchor::Start, em, Ink::Text);
    canvas.top += em * 5 / 4;
    let note_at = name_at + text::width(&panel.name, em, Weight::Strong) + em;
    let note_width = text::width(&panel.note, small, Weight::Regular);
    if note_at + note_width < canvas.width {
        canvas.text(
            &panel.note,
            (note_at, base),
            Anchor::Start,
            small,
            Ink::Muted,
        );
    } else {
        canvas.paragraph(&panel.note, small, Weight::Regular, Ink::Muted);
    }
}

fn time_axis(canvas: &mut Canvas, stack: &Stack, plot: Area) {
    let ticks = ticks::linear(stack.until_s, 10, |value| format!("{value}\u{a0}s"));
    axes::columns(canvas, plot, time(stack, plot), ticks, Rule::Mark);
    axes::title_below(canvas, plot, "time from the first request");
}
