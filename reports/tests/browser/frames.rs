//! Many pages in one: frames with a page each, so that one call of the browser sees all of them.
//!
//! Owns where frames stand. Must not know what is looked for.

use std::fmt::Write as _;

/// Widths that pages are looked at: a desk and a phone.
pub(crate) const WIDTHS: [u32; 2] = [1200, 390];

/// A report page.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) html: String,
}

/// Every page at every width, with a script that looks at them.
pub(crate) fn probed(pages: &[Page], script: &str) -> String {
    let mut body = String::new();
    for page in pages {
        for width in WIDTHS {
            let name = format!("{} at {width}", page.name);
            body += &frame(&name, &page.html, &format!("width:{width}px;height:900px"));
        }
    }
    document(&format!("{body}<script>{script}</script>"))
}

fn frame(name: &str, html: &str, style: &str) -> String {
    let inner = html.replace('&', "&amp;").replace('"', "&quot;");
    format!("<iframe title=\"{name}\" style=\"border:0;{style}\" srcdoc=\"{inner}\"></iframe>\n")
}

fn document(body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <style>body{{margin:0}}</style></head><body>\n{body}</body></html>\n"
    )
}

/// A place on a sheet of pictures, in pixels.
#[derive(Clone)]
pub(crate) struct Tile {
    pub(crate) name: String,
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Pages are shown at this fraction of their size.
const SCALE: u32 = 6;
/// Pages are cut off here, in pixels of the page.
const LONGEST: u32 = 5600;
const GAP: u32 = 8;

/// A sheet of small pictures: every page by day, by night, and on a phone.
pub(crate) struct Sheet {
    pub(crate) html: String,
    pub(crate) size: (u32, u32),
    pub(crate) tiles: Vec<Tile>,
}

/// The typeface that ships with the crate, so that lines break alike on every machine.
fn typeface() -> String {
    use base64::Engine as _;
    let mut style = String::new();
    let faces: [(&[u8], &str); 2] = [
        (
            include_bytes!("../../assets/report-sans-regular.otf"),
            "400",
        ),
        (
            include_bytes!("../../assets/report-sans-semibold.otf"),
            "600 700",
        ),
    ];
    for (bytes, weight) in faces {
        let data = base64::engine::general_purpose::STANDARD.encode(bytes);
        let _ = write!(
            style,
            "@font-face{{font-family:shipped;font-weight:{weight};\
             src:url(data:font/otf;base64,{data})}}"
        );
    }
    style + "*{font-family:shipped!important}"
}

/// Puts every page on a sheet three times.
pub(crate) fn sheet(pages: &[Page]) -> Sheet {
    let typeface = typeface();
    let [wide, narrow] = WIDTHS;
    let forms = [(wide, "light"), (wide, "dark"), (narrow, "light")];
    let (mut body, mut tiles, mut left) = (String::new(), Vec::new(), 0);
    let height = LONGEST / SCALE;
    for page in pages {
        let html = page
            .html
            .replace("</style>", &format!("{typeface}</style>"));
        for (width, scheme) in forms {
            let name = format!("{} at {width}, {scheme}", page.name);
            let style = format!(
                "position:absolute;left:{left}px;top:0;width:{width}px;height:{LONGEST}px;\
                 color-scheme:{scheme};transform:scale({});transform-origin:0 0",
                1.0 / f64::from(SCALE)
            );
            body += &frame(&name, &html, &style);
            tiles.push(Tile {
                name,
                left,
                top: 0,
                width: width / SCALE,
                height,
            });
            left += width / SCALE + GAP;
        }
    }
    Sheet {
        html: document(&body),
        size: (left, height),
        tiles,
    }
}
