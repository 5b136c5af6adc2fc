//! A picture as a list of marks.
//!
//! Owns what a mark is and where its edges are. Must not know how marks reach a surface.

use super::ink::Ink;
use super::text::{self, Weight};

/// A place: units to the right of the left edge, and below the top edge.
pub type Point = (i32, i32);

/// A rectangle with its edges on these units.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Area {
    /// Left edge.
    pub left: i32,
    /// Top edge.
    pub top: i32,
    /// Right edge.
    pub right: i32,
    /// Bottom edge.
    pub bottom: i32,
}

impl Area {
    /// Distance from the left to the right edge.
    pub fn width(&self) -> i32 {
        self.right - self.left
    }

    /// Distance from the top to the bottom edge.
    pub fn height(&self) -> i32 {
        self.bottom - self.top
    }

    /// Whether some of the inside of both is the same.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

/// Which point of a line of text its place is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// What it says.
    pub text: String,
    /// Place of the anchor on the base line.
    pub at: Point,
    /// Size of an em.
    pub size: i32,
    /// How heavy it is.
    pub weight: Weight,
    /// Which point of the text `at` is.
    pub anchor: Anchor,
    /// Its colour.
    pub ink: Ink,
}

impl Label {
    /// The room that the text takes, with capitals and descenders.
    pub fn bounds(&self) -> Area {
        let width = text::width(&self.text, self.size, self.weight);
        let left = match self.anchor {
            Anchor::Start => self.at.0,
            Anchor::Middle => self.at.0 - width / 2,
            Anchor::End => self.at.0 - width,
        };
        Area {
            left,
            top: self.at.1 - self.size * 3 / 4,
            right: left + width,
            bottom: self.at.1 + self.size / 4,
        }
    }
}

/// One thing in a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A filled rectangle.
    Rect {
        /// Where.
        area: Area,
        /// Its colour.
        ink: Ink,
        /// How much it covers what is below, from 0 to 1.
        alpha: f64,
    },
    /// A line through points.
    Path {
        /// Where.
        points: Vec<Point>,
        /// Its colour.
        ink: Ink,
        /// Its width.
        width: u32,
    },
    /// A filled shape.
    Polygon {
        /// Its corners.
        points: Vec<Point>,
        /// Its colour.
        ink: Ink,
        /// How much it covers what is below, from 0 to 1.
        alpha: f64,
    },
    /// A filled circle.
    Disc {
        /// Its middle.
        centre: Point,
        /// Its radius.
        radius: u32,
        /// Its colour.
        ink: Ink,
    },
    /// A line of text.
    Text(Label),
}

/// Marks from back to front on a surface of this size.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Units from the left to the right edge.
    pub width: i32,
    /// Units from the top to the bottom edge.
    pub height: i32,
    /// What is on it.
    pub marks: Vec<Mark>,
}

impl Picture {
    /// Every line of text.
    pub fn labels(&self) -> impl Iterator<Item = &Label> {
        self.marks.iter().filter_map(|mark| match mark {
            Mark::Text(label) => Some(label),
            _ => None,
        })
    }
}
