//! Grids: lines across a plot with the names of their values beside them.
//!
//! Owns where the names stand. Must not know what the values are.

use super::canvas::Canvas;
use super::ink::Ink;
use super::picture::{Anchor, Area};
use super::scale::Axis;
use super::text::{self, Weight};
use super::ticks::{self, Tick};

/// Width of the widest of these names at the size of axis labels.
pub fn widest<'a>(canvas: &Canvas, names: impl Iterator<Item = &'a str>) -> i32 {
    let width = |name| text::width(name, canvas.small(), Weight::Regular);
    names.map(width).max().unwrap_or(0)
}

/// Lines from left to right, named at their left end.
pub fn rows(canvas: &mut Canvas, plot: Area, axis: Axis, mut ticks: Vec<Tick>) {
    let (small, (.., hair)) = (canvas.small(), canvas.strokes());
    ticks::thin(&mut ticks, small / 2, |tick| {
        let y = axis.at(tick.value);
        (y - small / 2, y + small / 2)
    });
    for tick in &ticks {
        let y = axis.at(tick.value);
        canvas.path(vec![(plot.left, y), (plot.right, y)], Ink::Grid, hair);
        if !tick.label.is_empty() {
            let at = (plot.left - small / 2, y + small / 3);
            canvas.text(&tick.label, at, Anchor::End, small, Ink::Muted);
        }
    }
}

/// What stands above the name of a value below a plot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// A line through the whole plot.
    Grid,
    /// A short line below it.
    Mark,
}

/// Values named below the plot; leaves the canvas' top below the names.
pub fn columns(canvas: &mut Canvas, plot: Area, axis: Axis, mut ticks: Vec<Tick>, rule: Rule) {
    let (small, (.., hair)) = (canvas.small(), canvas.strokes());
    let (width, base) = (canvas.width, plot.bottom + small * 3 / 2);
    let half = |tick: &Tick| text::width(&tick.label, small, Weight::Regular).div_euclid(2) + 1;
    // At the edges a name moves inwards rather than out of the picture.
    let middle = |tick: &Tick| axis.at(tick.value).max(half(tick)).min(width - half(tick));
    ticks::thin(&mut ticks, small * 2 / 3, |tick| {
        (middle(tick) - half(tick), middle(tick) + half(tick))
    });
    for tick in &ticks {
        let x = axis.at(tick.value);
        match rule {
            Rule::Grid => canvas.path(vec![(x, plot.top), (x, plot.bottom)], Ink::Grid, hair),
            Rule::Mark if tick.label.is_empty() => {}
            Rule::Mark => {
                canvas.path(
                    vec![(x, plot.bottom), (x, plot.bottom + small / 3)],
                    Ink::Axis,
                    2,
                );
            }
        }
        if !tick.label.is_empty() {
            canvas.text(
                &tick.label,
                (middle(tick), base),
                Anchor::Middle,
                small,
                Ink::Muted,
            );
        }
    }
    canvas.top = base + small;
}

/// What the values below a plot are, centred below their names.
pub fn title_below(canvas: &mut Canvas, plot: Area, title: &str) {
    let small = canvas.small();
    // A title wider than its plot moves inwards rather than out of the picture.
    let half = text::width(title, small, Weight::Regular) / 2 + 1;
    let middle = (plot.left + plot.right) / 2;
    let middle = middle.min(canvas.width - half).max(half);
    let at = (middle, canvas.top + small / 2);
    canvas.text(title, at, Anchor::Middle, small, Ink::Muted);
    canvas.top += small * 3 / 2;
}
