//! The typeface: what it is, how wide text comes out, and where lines break.
//!
//! Owns the font that ships with the crate. Must not know where text is put.

use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

/// Name of the font inside this crate.
pub(super) const FAMILY: &str = "report-sans";

/// The font's line height (ascent and descent) in ems: what the bitmap backend calls its size.
pub(super) const LINE_HEIGHT_EM: f64 = 3408.0 / 2816.0;

/// How heavy text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weight {
    /// Running text.
    Regular,
    /// Titles and names.
    Strong,
}

impl Weight {
    /// A page shows text in the reader's own font, which may be wider than ours; DejaVu Sans, the
    /// widest of the common ones, by this much.
    fn room_for_other_fonts(self) -> f64 {
        match self {
            Self::Regular => 1.1,
            Self::Strong => 1.2,
        }
    }

    pub(super) fn style(self) -> FontStyle {
        match self {
            Self::Regular => FontStyle::Normal,
            Self::Strong => FontStyle::Bold,
        }
    }
}

/// Makes the font known to plotters, once.
pub(super) fn register() {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        let regular = include_bytes!("../../assets/report-sans-regular.otf");
        let strong = include_bytes!("../../assets/report-sans-semibold.otf");
        // A font that cannot be read shows as an error of the painter, which names the family.
        let _ = register_font(FAMILY, FontStyle::Normal, regular);
        let _ = register_font(FAMILY, FontStyle::Bold, strong);
    });
}

/// Width to keep free for a line of text whose em is `size` units.
pub fn width(text: &str, size: i32, weight: Weight) -> i32 {
    register();
    let points = f64::from(size) * LINE_HEIGHT_EM;
    let font = FontDesc::new(FontFamily::Name(FAMILY), points, weight.style());
    let (width, _) = font.box_size(text).unwrap_or_default();
    (f64::from(width) * weight.room_for_other_fonts()).ceil() as i32
}

/// Breaks text into lines of at most `room` units; a single longer word stays whole.
pub fn wrap(text: &str, size: i32, weight: Weight, room: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // Only plain spaces break: a no-break space holds a number and its unit together.
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size, weight) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_that_ships_with_the_crate_measures_text() {
        let narrow = width("illi", 20, Weight::Regular);
        let wide = width("WMMW", 20, Weight::Regular);
        assert!(0 < narrow && 2 * narrow < wide, "{narrow} {wide}");
        assert!(width("cache", 20, Weight::Strong) > width("cache", 20, Weight::Regular));
    }

    #[test]
    fn every_sign_a_report_uses_has_a_glyph() {
        use ttf_probe::has_glyph;
        for sign in "µ·–—×≤≥…’“”→−≈ 0123456789%/,.`".chars() {
            assert!(has_glyph(sign), "{sign:?}");
        }
    }

    mod ttf_probe {
        use super::*;

        /// A missing glyph is as wide as the one for a private code point that no font has.
        pub(super) fn has_glyph(sign: char) -> bool {
            let missing = width("\u{E123}", 1000, Weight::Regular);
            width(&sign.to_string(), 1000, Weight::Regular) != missing
        }
    }

    #[test]
    fn lines_break_at_spaces_and_keep_numbers_with_their_units() {
        let lines = wrap("half within 312\u{a0}µs and more", 20, Weight::Regular, 170);
        assert!(lines.len() > 1, "{lines:?}");
        assert!(
            lines.iter().any(|line| line.contains("312\u{a0}µs")),
            "{lines:?}"
        );
        assert_eq!(lines.join(" "), "half within 312\u{a0}µs and more");
    }
}
