//! A picture as SVG text that follows the reader's light or dark theme.
//!
//! Owns the step from the drawing's plain colours to classes of the style sheet, and the names that
//! assistive technology reads. Must not know what is drawn.

use std::fmt::Write;

use plotters::prelude::*;

use super::ink;
use super::paint::{PaintError, Surface, paint};
use super::picture::Picture;

/// Fonts that come with the systems people read on.
pub const FONT_STACK: &str =
    "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',Arial,sans-serif";

/// plotters divides the size of a font by this before it writes it.
const PLOTTERS_FONT_FACTOR: f64 = 1.24;

/// What a picture is called, and what it shows in words.
#[derive(Clone, Copy)]
pub struct Naming<'a> {
    /// Unique among the pictures of a page.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// What a reader who cannot see it has to know.
    pub description: &'a str,
}

/// An `svg` element for a page that has [`ink::style_sheet`] in its own style.
pub fn inline(picture: &Picture, naming: Naming<'_>) -> Result<String, PaintError> {
    element(picture, naming, "", "")
}

/// A whole SVG file.
pub fn file(picture: &Picture, naming: Naming<'_>) -> Result<String, PaintError> {
    let attributes = format!(
        " xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\"",
        picture.width, picture.height
    );
    element(
        picture,
        naming,
        &attributes,
        &format!("<style>{}</style>\n", ink::style_sheet()),
    )
}

fn element(
    picture: &Picture,
    naming: Naming<'_>,
    attributes: &str,
    style: &str,
) -> Result<String, PaintError> {
    let (id, title) = (naming.id, escape(naming.title));
    let marks = marks(picture)?;
    Ok(format!(
        "<svg{attributes} viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" \
         font-family=\"{FONT_STACK}\">\n<title id=\"{id}-title\">{title}</title>\n\
         <desc id=\"{id}-desc\">{}</desc>\n{style}{marks}</svg>\n",
        picture.width,
        picture.height,
        escape(naming.description),
    ))
}

/// The marks as elements, one a line.
fn marks(picture: &Picture) -> Result<String, PaintError> {
    let mut drawn = String::new();
    {
        let size = (picture.width.unsigned_abs(), picture.height.unsigned_abs());
        let mut backend = SVGBackend::with_string(&mut drawn, size);
        let surface = Surface {
            scale: 1,
            font_size_em: PLOTTERS_FONT_FACTOR,
            ascent_em: 0.0,
        };
        paint(picture, &mut backend, surface)?;
    }
    let mut tidy = String::new();
    // What plotters writes is one tag a line; text stands on a line of its own.
    for line in drawn
        .lines()
        .filter(|line| !line.starts_with("<svg") && *line != "</svg>")
    {
        let is_text = line.starts_with("<text") || !line.starts_with('<');
        let _ = write!(tidy, "{}{}", themed(line), if is_text { "" } else { "\n" });
    }
    Ok(tidy)
}

/// Replaces colours by classes and drops what the `svg` element or the style sheet says already.
fn themed(line: &str) -> String {
    if !line.starts_with('<') {
        return line.to_owned();
    }
    let mut line = line
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" dy=\"0.76em\"", "")
        .replace(" font-family=\"report-sans\"", "")
        .replace(" text-anchor=\"start\"", "")
        .replace(" font-weight=\"bold\"", " font-weight=\"600\"")
        .replace(" \"/>", "\"/>");
    if line.starts_with("<circle") || line.starts_with("<rect") {
        line = line.replace(" stroke-width=\"1\"", "");
    }
    for ink in ink::ALL {
        let (hex, name) = (ink.hex(), ink.name());
        line = line
            .replace(&format!("fill=\"{hex}\""), &format!("class=\"f-{name}\""))
            .replace(&format!("stroke=\"{hex}\""), &format!("class=\"s-{name}\""));
    }
    whole_font_size(line)
}

/// Sizes are whole units; the way through plotters' factor leaves a rounding error.
fn whole_font_size(line: String) -> String {
    const START: &str = "font-size=\"";
    let parts = line.split_once(START).and_then(|(before, rest)| {
        let (size, after) = rest.split_once('"')?;
        Some((before, size.parse::<f64>().ok()?, after))
    });
    match parts {
        Some((before, size, after)) => format!("{before}{START}{size:.0}\"{after}"),
        None => line,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::ink::Ink;
    use crate::draw::picture::{Anchor, Area, Label, Mark};
    use crate::draw::text::Weight;

    #[test]
    fn colours_become_classes_and_text_keeps_its_base_line() {
        let label = Label {
            text: "p99 < 1".into(),
            at: (10, 20),
            size: 22,
            weight: Weight::Strong,
            anchor: Anchor::End,
            ink: Ink::Muted,
        };
        let area = Area {
            left: 1,
            top: 2,
            right: 4,
            bottom: 8,
        };
        let picture = Picture {
            width: 100,
            height: 50,
            marks: vec![
                Mark::Rect {
                    area,
                    ink: Ink::Shade,
                    alpha: 1.0,
                },
                Mark::Path {
                    points: vec![(0, 0), (5, 6)],
                    ink: Ink::Series(2),
                    width: 3,
                },
                Mark::Text(label),
            ],
        };
        let naming = Naming {
            id: "c",
            title: "a & b",
            description: "what it shows",
        };
        let svg = inline(&picture, naming).expect("memory takes every mark");
        let lines: Vec<&str> = svg.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "<title id=\"c-title\">a &amp; b</title>",
                "<desc id=\"c-desc\">what it shows</desc>",
                "<rect x=\"1\" y=\"2\" width=\"3\" height=\"6\" class=\"f-shade\"/>",
                "<polyline fill=\"none\" class=\"s-series-2\" stroke-width=\"3\" points=\"0,0 5,6\"/>",
                "<text x=\"10\" y=\"20\" text-anchor=\"end\" font-size=\"22\" class=\"f-muted\" \
                 font-weight=\"600\">p99 &lt; 1</text>",
                "</svg>",
            ]
        );
    }
}
