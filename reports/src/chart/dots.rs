//! A value for each of many cases, in groups: a line from nothing to a dot, and a mark for what was
//! promised.
//!
//! Owns their layout. Must not know what the values are.

use crate::draw::axes::{self, Rule};
use crate::draw::canvas::{Canvas, Form};
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area};
use crate::draw::scale::{Axis, Scale};
use crate::draw::text::{self, Weight};
use crate::draw::ticks::Tick;

/// One case.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: f64,
    /// The value as it is written at the end of the row.
    pub(super) text: String,
    /// Where a mark stands.
    pub(super) mark: Option<f64>,
    pub(super) ink: Ink,
}

/// Cases under a name.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) note: String,
    pub(super) rows: Vec<Row>,
}

/// All of them over one axis.
pub(super) struct Dots {
    pub(super) title: &'static str,
    pub(super) scale: Scale,
    pub(super) ticks: Vec<Tick>,
    pub(super) groups: Vec<Group>,
}

/// Places of a row.
struct Places {
    axis: Axis,
    height: i32,
    /// From a row's top to the middle of its line.
    middle: i32,
}

pub(super) fn draw(canvas: &mut Canvas, dots: &Dots) {
    let (em, small) = (canvas.em(), canvas.small());
    let places = places(canvas, dots);
    let top = canvas.top;
    // The grid lies behind everything, so it is drawn once the height is known.
    let heights = dots.groups.iter().map(|group| {
        let rows = i32::try_from(group.rows.len()).unwrap_or(i32::MAX);
        em * 5 / 2 + rows.saturating_mul(places.height)
    });
    let plot = Area {
        left: places.axis.from,
        top: top + em * 5 / 2,
        right: places.axis.to,
        bottom: top + heights.sum::<i32>(),
    };
    axes::columns(canvas, plot, places.axis, dots.ticks.clone(), Rule::Grid);
    let below = std::mem::replace(&mut canvas.top, top);
    for group in &dots.groups {
        let base = canvas.top + em * 3 / 2;
        canvas.strong(
            &group.name,
            (canvas.inset(), base),
            Anchor::Start,
            em,
            Ink::Text,
        );
        let beside = canvas.inset() + text::width(&group.name, em, Weight::Strong) + em;
        canvas.text(
            &group.note,
            (beside, base),
            Anchor::Start,
            small,
            Ink::Muted,
        );
        canvas.top += em * 5 / 2;
        for row in &group.rows {
            draw_row(canvas, &places, row);
            canvas.top += places.height;
        }
    }
    canvas.top = below;
    axes::title_below(canvas, plot, dots.title);
}

fn places(canvas: &Canvas, dots: &Dots) -> Places {
    let (em, small) = (canvas.em(), canvas.small());
    let rows = || dots.groups.iter().flat_map(|group| &group.rows);
    let names = axes::widest(canvas, rows().map(|row| row.name.as_str()));
    let texts = rows().map(|row| text::width(&row.text, small, Weight::Strong));
    let texts = texts.max().unwrap_or(0);
    let (from, height, middle) = match canvas.form {
        Form::Wide | Form::Alone => (canvas.inset() + names + em, em * 3 / 2, em * 3 / 4),
        // On a phone the name stands above its line.
        Form::Narrow => (canvas.inset() + em / 2, em * 3, em * 2),
    };
    let axis = Axis {
        scale: dots.scale,
        from,
        to: canvas.width - canvas.inset() - texts - em,
    };
    Places {
        axis,
        height,
        middle,
    }
}

fn draw_row(canvas: &mut Canvas, places: &Places, row: &Row) {
    let (small, (thick, ..)) = (canvas.small(), canvas.strokes());
    let middle = canvas.top + places.middle;
    let base = middle + small / 3;
    let name_base = match canvas.form {
        Form::Narrow => canvas.top + small * 5 / 4,
        Form::Wide | Form::Alone => base,
    };
    let at = (canvas.inset(), name_base);
    canvas.text(&row.name, at, Anchor::Start, small, Ink::Text);
    if let Some(mark) = row.mark {
        let (x, half) = (places.axis.at(mark), small / 2);
        canvas.path(
            vec![(x, middle - half), (x, middle + half)],
            Ink::Text,
            thick,
        );
    }
    let end = places.axis.at(row.value);
    canvas.path(
        vec![(places.axis.from, middle), (end, middle)],
        row.ink,
        thick,
    );
    canvas.disc((end, middle), thick * 2, row.ink);
    let at = (canvas.width - canvas.inset(), base);
    canvas.strong(&row.text, at, Anchor::End, small, Ink::Text);
}
