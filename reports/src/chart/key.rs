//! Names beside their colours, for charts whose lines cannot be named where they end.
//!
//! Owns their places. Must not know what is named.

use crate::draw::canvas::Canvas;
use crate::draw::ink::Ink;
use crate::draw::picture::Anchor;
use crate::draw::text::{self, Weight};

/// As many names beside each other as there is room for.
pub(super) fn names<'a>(canvas: &mut Canvas, items: impl Iterator<Item = (&'a str, Ink)>) {
    let (em, small) = (canvas.em(), canvas.small());
    let mut x = canvas.inset();
    for (name, ink) in items {
        let width = em * 2 + text::width(name, small, Weight::Strong);
        if x > canvas.inset() && x + width > canvas.width {
            x = canvas.inset();
            canvas.top += em * 3 / 2;
        }
        let base = canvas.top + em / 2;
        let dot = (x + em / 3, base - em / 3);
        canvas.disc(dot, em.unsigned_abs() / 3, ink);
        canvas.strong(name, (x + em, base), Anchor::Start, small, Ink::Text);
        x += width;
    }
    canvas.top += em * 3 / 2;
}
