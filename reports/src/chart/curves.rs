//! Lines over a plane: values by something that is no time.
//!
//! Owns their layout: key, axes with their titles, dots. Must not know what the
//! values are.

use super::key;
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::Canvas;
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area};
use crate::draw::scale::{Axis, Scale};
use crate::draw::ticks::{self, Tick};

const HEIGHT: i32 = 380;

/// A line with dots.
pub(super) struct Curve {
    /// As it stands in the key; empty for one that is not in it.
    pub(super) name: String,
    pub(super) ink: Ink,
    pub(super) dashed: bool,
    /// Places and values; a line connects those of a list, and none goes from list to list.
    pub(super) stretches: Vec<Vec<(f64, f64)>>,
}

/// One side of the plane.
pub(super) struct Side {
    pub(super) title: String,
    pub(super) scale: Scale,
    pub(super) ticks: Vec<Tick>,
}

/// The plane with everything on it.
pub(super) struct Plane {
    pub(super) across: Side,
    pub(super) up: Side,
    /// A value that others are held against.
    pub(super) reference: Option<f64>,
    pub(super) curves: Vec<Curve>,
}

/// An upward axis from 0 to a named value above the highest one.
pub(super) fn from_zero(title: &str, highest: f64, name: impl Fn(f64) -> String) -> Side {
    let step = ticks::round_up(highest * 1.05 / 5.0);
    let high = (highest * 1.05 / step).ceil() * step;
    Side {
        title: title.to_owned(),
        scale: Scale::Linear { low: 0.0, high },
        ticks: ticks::linear(high, 5, name),
    }
}

pub(super) fn draw(canvas: &mut Canvas, plane: &Plane) {
    let (em, small, (thick, thin, _)) = (canvas.em(), canvas.small(), canvas.strokes());
    canvas.top += small / 2;
    let named = plane.curves.iter().filter(|it| !it.name.is_empty());
    key::names(canvas, named.map(|it| (it.name.as_str(), it.ink)));
    let at = (canvas.inset(), canvas.top + small);
    canvas.text(&plane.up.title, at, Anchor::Start, small, Ink::Muted);
    canvas.top += em * 2;
    let labels = plane.up.ticks.iter().map(|tick| tick.label.as_str());
    let plot = Area {
        left: canvas.inset() + axes::widest(canvas, labels) + small / 2,
        top: canvas.top,
        right: canvas.width - canvas.inset() - em,
        bottom: canvas.top + HEIGHT,
    };
    let (x, y) = (
        Axis {
            scale: plane.across.scale,
            from: plot.left,
            to: plot.right,
        },
        Axis {
            scale: plane.up.scale,
            from: plot.bottom,
            to: plot.top,
        },
    );
    axes::rows(canvas, plot, y, plane.up.ticks.clone());
    axes::columns(canvas, plot, x, plane.across.ticks.clone(), Rule::Grid);
    let base = vec![(plot.left, plot.bottom), (plot.right, plot.bottom)];
    canvas.path(base, Ink::Axis, 2);
    if let Some(value) = plane.reference {
        let line = [(plot.left, y.at(value)), (plot.right, y.at(value))];
        canvas.dashes(&line, Ink::Axis, thin);
    }
    for curve in &plane.curves {
        for stretch in &curve.stretches {
            let points = stretch
                .iter()
                .map(|(place, value)| (x.at(*place), y.at(*value)));
            let points: Vec<_> = points.collect();
            match curve.dashed {
                true => canvas.dashes(&points, curve.ink, thin),
                false => canvas.path(points.clone(), curve.ink, thick),
            }
            for point in points {
                canvas.disc(point, thick * 2, curve.ink);
            }
        }
    }
    axes::title_below(canvas, plot, &plane.across.title);
}
