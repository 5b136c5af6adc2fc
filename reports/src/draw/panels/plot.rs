//! One panel: shaded spans, grid, series, marked moments, names at the ends of lines.
//!
//! Owns how each kind of series is drawn. Must not know the other panels.

use super::{Panel, Series, Stack, Style};
use crate::draw::axes;
use crate::draw::canvas::Canvas;
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area, Point};
use crate::draw::scale::{Axis, Scale};
use crate::draw::text::{self, Weight};
use crate::draw::ticks::{self, Tick};

const WARM_UP: &str = "warm-up";

/// One panel with its place on the canvas.
pub(super) struct Plot<'a> {
    pub(super) stack: &'a Stack,
    pub(super) panel: &'a Panel,
    pub(super) plot: Area,
    /// Top of the strip above the plot, where spans and moments are named.
    pub(super) strip: i32,
}

impl Plot<'_> {
    pub(super) fn draw(&self, canvas: &mut Canvas) {
        self.warm_up(canvas);
        self.grid(canvas);
        for series in &self.panel.series {
            self.series(canvas, series);
        }
        let base = vec![
            (self.plot.left, self.plot.bottom),
            (self.plot.right, self.plot.bottom),
        ];
        canvas.path(base, Ink::Axis, 2);
        self.events(canvas);
        self.ends(canvas);
    }

    fn values(&self) -> Axis {
        Axis {
            scale: self.stack.scale,
            from: self.plot.bottom,
            to: self.plot.top,
        }
    }

    fn warm_up(&self, canvas: &mut Canvas) {
        let (plot, small) = (self.plot, canvas.small());
        let right = time(self.stack, plot).at(self.panel.warm_up_s);
        if right <= plot.left {
            return;
        }
        canvas.rect(
            Area {
                right,
                top: self.strip,
                ..plot
            },
            Ink::Shade,
            1.0,
        );
        if self.warm_up_name(small).is_some() {
            let at = (plot.left + small / 2, self.strip + small * 5 / 4);
            canvas.text(WARM_UP, at, Anchor::Start, small, Ink::Muted);
        }
    }

    /// Where the name of the warm-up begins and ends, if there is room for it.
    fn warm_up_name(&self, small: i32) -> Option<(i32, i32)> {
        let room = time(self.stack, self.plot).at(self.panel.warm_up_s) - self.plot.left;
        let width = text::width(WARM_UP, small, Weight::Regular) + small / 2;
        (width <= room).then_some((self.plot.left, self.plot.left + width))
    }

    fn grid(&self, canvas: &mut Canvas) {
        axes::rows(canvas, self.plot, self.values(), self.stack.ticks.clone());
    }

    /// The points of a series, one list for each stretch without a missing value.
    fn stretches(&self, series: &Series) -> Vec<Vec<Point>> {
        let (time, values) = (time(self.stack, self.plot), self.values());
        series
            .points
            .split(|(_, value)| value.is_none())
            .map(|stretch| {
                let known = stretch
                    .iter()
                    .filter_map(|(second, value)| Some((*second, (*value)?)));
                known
                    .map(|(second, value)| (time.at(second), values.at(value)))
                    .collect()
            })
            .filter(|stretch: &Vec<Point>| !stretch.is_empty())
            .collect()
    }

    fn series(&self, canvas: &mut Canvas, series: &Series) {
        let (thick, thin, _) = canvas.strokes();
        for points in self.stretches(series) {
            match series.style {
                Style::Line => canvas.path(points, series.ink, thick),
                Style::Thin => canvas.path(points, series.ink, thin),
                Style::Dashed => canvas.dashes(&points, series.ink, thin),
                Style::Dots => points
                    .into_iter()
                    .for_each(|at| canvas.disc(at, thick, series.ink)),
                Style::Fill => self.fill(canvas, points, series.ink),
                Style::Bars => self.bars(canvas, series),
            }
        }
    }

    fn fill(&self, canvas: &mut Canvas, mut points: Vec<Point>, ink: Ink) {
        if let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) {
            points.extend([(last.0, self.plot.bottom), (first.0, self.plot.bottom)]);
            canvas.polygon(points, ink, 0.6);
        }
    }

    fn bars(&self, canvas: &mut Canvas, series: &Series) {
        let (time, values) = (time(self.stack, self.plot), self.values());
        let half = ((time.at(self.stack.step_s) - time.from) * 2 / 5).max(1);
        let bottom = self.plot.bottom;
        let known = series
            .points
            .iter()
            .filter_map(|(second, value)| Some((*second, (*value)?)));
        for (second, value) in known.filter(|(_, value)| *value > 0.0) {
            let x = time.at(second);
            // A single failure in thousands is less than a unit high; it is still to be seen.
            let top = values.at(value).min(bottom - 8);
            canvas.rect(
                Area {
                    left: x - half,
                    top,
                    right: x + half,
                    bottom,
                },
                series.ink,
                1.0,
            );
        }
    }

    fn events(&self, canvas: &mut Canvas) {
        let (axis, plot, small) = (time(self.stack, self.plot), self.plot, canvas.small());
        let width = |tick: &Tick| text::width(&tick.label, small, Weight::Regular);
        let events = self.panel.events.iter();
        let mut marks: Vec<Tick> = events
            .map(|(value, label)| Tick {
                value: *value,
                label: label.clone(),
                major: true,
            })
            .collect();
        let start = |tick: &Tick| {
            let after = axis.at(tick.value) + small / 3;
            if after + width(tick) <= plot.right {
                after
            } else {
                after - small - width(tick)
            }
        };
        ticks::thin(&mut marks, small / 2, |tick| {
            (start(tick), start(tick) + width(tick))
        });
        if let Some((from, to)) = self.warm_up_name(small) {
            let beside = |mark: &Tick| start(mark) >= to || start(mark) + width(mark) <= from;
            marks
                .iter_mut()
                .filter(|mark| !beside(mark))
                .for_each(|mark| mark.label.clear());
        }
        for mark in &marks {
            let x = axis.at(mark.value);
            // A line without a name stays below the strip, where it could cross another one's name.
            let top = if mark.label.is_empty() {
                plot.top
            } else {
                self.strip
            };
            canvas.dashes(&[(x, top), (x, plot.bottom)], Ink::Axis, 2);
            if !mark.label.is_empty() {
                let at = (start(mark), self.strip + small * 5 / 4);
                canvas.text(&mark.label, at, Anchor::Start, small, Ink::Text);
            }
        }
    }

    /// Names the series at the right edge, beside where they end, each with a sample of its line.
    fn ends(&self, canvas: &mut Canvas) {
        let (plot, small) = (self.plot, canvas.small());
        let (thick, thin, _) = canvas.strokes();
        let named: Vec<(&Series, i32)> = self
            .panel
            .series
            .iter()
            .filter(|series| !series.label.is_empty())
            .filter_map(|series| Some((series, self.stretches(series).last()?.last()?.1)))
            .collect();
        let places: Vec<i32> = named.iter().map(|(_, y)| *y).collect();
        let places = ticks::spread(&places, small * 5 / 4, plot.top + small / 2, plot.bottom);
        for ((series, _), y) in named.into_iter().zip(places) {
            let (from, to) = (plot.right + small / 2, plot.right + small * 2);
            let line = vec![(from, y), (to, y)];
            match series.style {
                Style::Line => canvas.path(line, series.ink, thick),
                Style::Thin => canvas.path(line, series.ink, thin),
                Style::Dashed => canvas.dashes(&line, series.ink, thin),
                Style::Dots => canvas.disc(((from + to) / 2, y), thick, series.ink),
                Style::Fill | Style::Bars => {
                    let (top, bottom) = (y - small / 3, y + small / 3);
                    canvas.rect(
                        Area {
                            left: from,
                            top,
                            right: to,
                            bottom,
                        },
                        series.ink,
                        1.0,
                    );
                }
            }
            let at = (plot.right + key_width(small), y + small / 3);
            canvas.text(series.label, at, Anchor::Start, small, Ink::Text);
        }
    }
}

/// Room for the sample of a line before its name.
pub(super) fn key_width(small: i32) -> i32 {
    small * 5 / 2
}

/// The time axis of a plot.
pub(super) fn time(stack: &Stack, plot: Area) -> Axis {
    let scale = Scale::Linear {
        low: 0.0,
        high: stack.until_s,
    };
    Axis {
        scale,
        from: plot.left,
        to: plot.right,
    }
}
