//! Drawing with a chart's own sizes: what is text, what is small, how wide a line is.
//!
//! Owns the three forms a chart is drawn in. Must not know what a chart shows.

use super::ink::Ink;
use super::picture::{Anchor, Area, Label, Mark, Picture, Point};
use super::text::{self, Weight};

/// Where a picture will be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// On a page, as wide as its text column. The page has the title.
    Wide,
    /// On a page on a phone.
    Narrow,
    /// By itself: title and circumstances are in the picture.
    Alone,
}

/// Unit widths of the forms. Coordinates are whole units, so pictures are drawn large and shown
/// smaller: a wide one at about 1,000 pixels, a narrow one at about 360.
impl Form {
    fn width(self) -> i32 {
        match self {
            Self::Wide | Self::Alone => 1600,
            Self::Narrow => 760,
        }
    }

    fn em(self) -> i32 {
        match self {
            Self::Wide | Self::Alone => 23,
            Self::Narrow => 27,
        }
    }
}

/// A picture in the making. Charts add marks from the top down and say how far they came.
#[derive(Debug)]
pub struct Canvas {
    /// Where it will be looked at.
    pub form: Form,
    /// Width in units.
    pub width: i32,
    /// First unit from the top that is free.
    pub top: i32,
    marks: Vec<Mark>,
}

impl Canvas {
    /// An empty canvas of a form.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            width: form.width(),
            top: 0,
            marks: Vec::new(),
        }
    }

    /// Size of ordinary text.
    pub fn em(&self) -> i32 {
        self.form.em()
    }

    /// Size of axis labels and notes.
    pub fn small(&self) -> i32 {
        self.form.em() - 3
    }

    /// Distance from the left edge. A page has a margin of its own; a picture by itself has none.
    pub fn inset(&self) -> i32 {
        match self.form {
            Form::Wide | Form::Narrow => 2,
            Form::Alone => self.form.em(),
        }
    }

    /// Width of a line that matters, of a thinner one, and of a grid line.
    pub fn strokes(&self) -> (u32, u32, u32) {
        match self.form {
            Form::Wide | Form::Alone => (4, 2, 1),
            Form::Narrow => (5, 3, 2),
        }
    }

    /// A filled rectangle.
    pub fn rect(&mut self, area: Area, ink: Ink, alpha: f64) {
        self.marks.push(Mark::Rect { area, ink, alpha });
    }

    /// A line through points; nothing if there are fewer than two.
    pub fn path(&mut self, points: Vec<Point>, ink: Ink, width: u32) {
        if points.len() > 1 {
            self.marks.push(Mark::Path { points, ink, width });
        }
    }

    /// A line of dashes through points.
    pub fn dashes(&mut self, points: &[Point], ink: Ink, width: u32) {
        let (dash, gap) = (f64::from(width) * 4.0, f64::from(width) * 3.0);
        for piece in dashed(points, dash, gap) {
            self.path(piece, ink, width);
        }
    }

    /// A filled shape; nothing if it has fewer than three corners.
    pub fn polygon(&mut self, points: Vec<Point>, ink: Ink, alpha: f64) {
        if points.len() > 2 {
            self.marks.push(Mark::Polygon { points, ink, alpha });
        }
    }

    /// A filled circle.
    pub fn disc(&mut self, centre: Point, radius: u32, ink: Ink) {
        self.marks.push(Mark::Disc {
            centre,
            radius,
            ink,
        });
    }

    /// A line of text with its anchor on the base line at `at`.
    pub fn text(&mut self, text: &str, at: Point, anchor: Anchor, size: i32, ink: Ink) {
        self.label(text, at, anchor, size, ink, Weight::Regular);
    }

    /// The same, heavier.
    pub fn strong(&mut self, text: &str, at: Point, anchor: Anchor, size: i32, ink: Ink) {
        self.label(text, at, anchor, size, ink, Weight::Strong);
    }

    fn label(
        &mut self,
        text: &str,
        at: Point,
        anchor: Anchor,
        size: i32,
        ink: Ink,
        weight: Weight,
    ) {
        let text = text.to_owned();
        self.marks.push(Mark::Text(Label {
            text,
            at,
            size,
            weight,
            anchor,
            ink,
        }));
    }

    /// Lines of text below each other from `top`; returns the first free unit below them.
    pub fn paragraph(&mut self, text: &str, size: i32, weight: Weight, ink: Ink) {
        let line_height = size * 13 / 10;
        for line in text::wrap(text, size, weight, self.width - 2 * self.inset()) {
            let at = (self.inset(), self.top + size);
            self.label(&line, at, Anchor::Start, size, ink, weight);
            self.top += line_height;
        }
    }

    /// The picture, ending at `top`.
    pub fn finish(mut self) -> Picture {
        let (width, height) = (self.width, self.top);
        if self.form == Form::Alone {
            let area = Area {
                left: 0,
                top: 0,
                right: width,
                bottom: height,
            };
            self.marks.insert(
                0,
                Mark::Rect {
                    area,
                    ink: Ink::Surface,
                    alpha: 1.0,
                },
            );
        }
        Picture {
            width,
            height,
            marks: self.marks,
        }
    }
}

/// Cuts a line into pieces of `dash` units with `gap` between them. The pattern runs on around
/// corners, so that a curve of many short steps is dashed like a straight line.
fn dashed(points: &[Point], dash: f64, gap: f64) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = vec![points.first().copied().into_iter().collect()];
    let (mut drawing, mut left) = (true, dash);
    for pair in points.windows(2) {
        let &[from, to] = pair else { continue };
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let length = dx.hypot(dy);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let share = done / length;
            let at = (
                from.0 + (dx * share).round() as i32,
                from.1 + (dy * share).round() as i32,
            );
            if drawing {
                pieces
                    .last_mut()
                    .into_iter()
                    .for_each(|piece| piece.push(at));
            } else {
                pieces.push(vec![at]);
            }
            drawing = !drawing;
            left = if drawing { dash } else { gap };
        }
        left -= length - done;
        if drawing {
            pieces
                .last_mut()
                .into_iter()
                .for_each(|piece| piece.push(to));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_run_on_around_corners() {
        let pieces = dashed(&[(0, 0), (10, 0), (10, 20)], 6.0, 2.0);
        assert_eq!(
            pieces,
            [
                vec![(0, 0), (6, 0)],
                vec![(8, 0), (10, 0), (10, 4)],
                vec![(10, 6), (10, 12)],
                vec![(10, 14), (10, 20)],
            ]
        );
    }

    #[test]
    fn a_picture_by_itself_has_a_background() {
        let mut canvas = Canvas::new(Form::Alone);
        canvas.paragraph("A title", 30, Weight::Strong, Ink::Text);
        let picture = canvas.finish();
        assert!(matches!(
            picture.marks[0],
            Mark::Rect {
                ink: Ink::Surface,
                ..
            }
        ));
        assert_eq!(picture.height, 39);
    }
}
