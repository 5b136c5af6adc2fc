//! Puts marks on a surface of plotters.
//!
//! Owns the one loop over marks that every surface shares. Must not know file formats.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use thiserror::Error;

use super::picture::{Anchor, Label, Mark, Picture};
use super::text;

/// Why a picture could not be drawn. The backends of plotters have an error type each, of which only
/// the text is of use.
#[derive(Debug, Error)]
#[error("picture could not be drawn: {0}")]
pub struct PaintError(String);

impl PaintError {
    pub(super) fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// How a surface differs from the picture's own units.
#[derive(Clone, Copy)]
pub(super) struct Surface {
    /// Pixels for each unit.
    pub(super) scale: i32,
    /// Ems for each unit of what this backend calls the size of a font.
    pub(super) font_size_em: f64,
    /// How far above the base line the place of a text has to be, in ems.
    pub(super) ascent_em: f64,
}

pub(super) fn paint<B: DrawingBackend>(
    picture: &Picture,
    backend: &mut B,
    surface: Surface,
) -> Result<(), PaintError> {
    text::register();
    for mark in &picture.marks {
        put(mark, backend, surface)?;
    }
    backend.present().map_err(PaintError::new)
}

fn put<B: DrawingBackend>(
    mark: &Mark,
    backend: &mut B,
    surface: Surface,
) -> Result<(), PaintError> {
    let at = |(x, y): (i32, i32)| (x * surface.scale, y * surface.scale);
    let length = |units: u32| units * surface.scale.unsigned_abs();
    match mark {
        Mark::Rect { area, ink, alpha } => {
            let (from, to) = (at((area.left, area.top)), at((area.right, area.bottom)));
            backend.draw_rect(from, to, &colour(ink.light(), *alpha), true)
        }
        Mark::Path { points, ink, width } => {
            let style = colour(ink.light(), 1.0).stroke_width(length(*width));
            backend.draw_path(points.iter().copied().map(at), &style)
        }
        Mark::Polygon { points, ink, alpha } => {
            let corners = points.iter().copied().map(at);
            backend.fill_polygon(corners, &colour(ink.light(), *alpha))
        }
        Mark::Disc {
            centre,
            radius,
            ink,
        } => {
            let style = colour(ink.light(), 1.0);
            backend.draw_circle(at(*centre), length(*radius), &style, true)
        }
        Mark::Text(label) => return write(label, backend, surface),
    }
    .map_err(PaintError::new)
}

fn colour((red, green, blue): (u8, u8, u8), alpha: f64) -> RGBAColor {
    RGBColor(red, green, blue).mix(alpha)
}

fn write<B: DrawingBackend>(
    label: &Label,
    backend: &mut B,
    surface: Surface,
) -> Result<(), PaintError> {
    let em = f64::from(label.size * surface.scale);
    let horizontal = match label.anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let font = FontDesc::new(
        FontFamily::Name(text::FAMILY),
        em * surface.font_size_em,
        label.weight.style(),
    );
    let ink = colour(label.ink.light(), 1.0);
    let style = TextStyle::from(font)
        .color(&ink)
        .pos(Pos::new(horizontal, VPos::Top));
    let rise = (em * surface.ascent_em).round() as i32;
    let (x, y) = (label.at.0 * surface.scale, label.at.1 * surface.scale);
    backend
        .draw_text(&label.text, &style, (x, y - rise))
        .map_err(PaintError::new)
}
