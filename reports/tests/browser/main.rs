//! Pages as a browser shows them: nothing overlaps or sticks out, every chart has words and a table,
//! and pages look as recorded, by day, by night and on a phone.
//!
//! Needs Chromium. `UPDATE_SCREENSHOTS=1 cargo test -p reports --test browser` writes the reference
//! picture anew, which is then read in review.

mod chromium;
mod frames;
mod pixels;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use reports::around::Around;
use reports::compare::{self, page};
use reports::facts::Facts;
use reports::part::{self, Kind, Told};
use reports::publish::{Edition, publish};
use reports::site::write_site;
use serde::Deserialize;

use frames::{Page, Sheet};
use pixels::{MOST_OTHER, Pixels};

const PROBE: &str = include_str!("probe.js");

#[derive(Debug, Deserialize)]
struct Finding {
    page: String,
    what: String,
    r#where: String,
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn fixture(name: &str) -> PathBuf {
    tests().join("fixtures").join(name)
}

fn part(name: &str, kind: Kind) -> Page {
    let content = part::load(kind, &fixture(name)).expect("the fixture can be read");
    let html = content.html(Told::default(), &Around::default());
    Page {
        name: name.to_owned(),
        html: html.expect("the template fits"),
    }
}

/// One page of every kind, with every kind of chart; made once for all tests.
fn pages() -> Vec<Page> {
    static PAGES: OnceLock<Vec<Page>> = OnceLock::new();
    PAGES.get_or_init(make_pages).clone()
}

fn make_pages() -> Vec<Page> {
    let facts = |name: &str| {
        let run = results::load(&fixture(name)).expect("the fixture is a run");
        Facts::gather(&run).expect("the fixture is complete")
    };
    let (first, second) = (
        facts("2031-05-04-headline-0123abc"),
        facts("2031-06-07-headline-89abcde"),
    );
    let comparison = page::html(&compare::runs(&first, &second)).expect("the template fits");
    let mut pages = vec![
        part("2031-05-04-headline-0123abc", Kind::Run),
        part("2031-05-05-step-0123abc", Kind::Run),
        part("2031-05-06-soak-0123abc", Kind::Run),
        Page {
            name: "comparison".to_owned(),
            html: comparison,
        },
        part("duet.json", Kind::Duet),
        part("quota.json", Kind::Quota),
        part("scale.json", Kind::Scale),
    ];
    let place = tempfile::tempdir().expect("the system has a temporary folder");
    let site = place.path().join("site");
    let published = place.path().join("published");
    let versions: [(&str, &[(Kind, &str)]); 2] = [
        (
            "v0.1",
            &[
                (Kind::Run, "2031-05-04-headline-0123abc"),
                (Kind::Quota, "quota.json"),
                (Kind::Scale, "scale.json"),
                (Kind::Duet, "duet.json"),
            ],
        ),
        ("v0.2", &[(Kind::Run, "2031-06-07-headline-89abcde")]),
    ];
    for (version, results) in versions {
        let results = results.iter().map(|(kind, name)| (*kind, fixture(name)));
        let edition = Edition {
            version: version.into(),
            results: results.collect(),
            ..Edition::default()
        };
        publish(&edition, &published).expect("the fixtures are valid");
    }
    write_site(&published, &fixture(""), &site).expect("the fixtures are runs");
    for (name, file) in [("site", "index.html"), ("version", "v0.1/index.html")] {
        let html = fs::read_to_string(site.join(file)).expect("it was just written");
        pages.push(Page {
            name: name.to_owned(),
            html,
        });
    }
    pages
}

fn probe(browser: &Path, pages: &[Page]) -> Vec<Finding> {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let path = folder.path().join("probed.html");
    fs::write(&path, frames::probed(pages, PROBE)).expect("the folder is writable");
    let document = chromium::document(browser, &path);
    let found = document
        .split_once("<pre id=\"findings\">")
        .and_then(|(_, rest)| Some(rest.split_once("</pre>")?.0))
        .expect("the script came to its end");
    let text = found
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&text).expect("the script writes JSON")
}

#[test]
fn nothing_overlaps_or_sticks_out_and_every_chart_has_words_and_numbers() {
    let Some(browser) = chromium::find() else {
        return;
    };
    let findings = probe(&browser, &pages());
    let lines: Vec<String> = findings
        .iter()
        .map(|it| format!("{}: {}: {}", it.page, it.what, it.r#where))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// Every fault that the script looks for is found where it is planted, and only there.
#[test]
fn planted_faults_are_found() {
    let Some(browser) = chromium::find() else {
        return;
    };
    let sound = part("2031-05-05-step-0123abc", Kind::Run);
    let change = |name: &str, from: &str, to: &str| planted(&sound, name, from, to);
    let text = "<text x=\"300\" y=\"60\" font-size=\"40\">planted</text>";
    let no_table = planted(
        &sound,
        "chart without table",
        "<tbody>",
        "<tbody hidden><!--",
    );
    let pages = [
        change("overlap", "</svg>", &format!("{text}{text}</svg>")),
        change(
            "leaves its picture",
            "</svg>",
            "<text x=\"1590\" y=\"9\" font-size=\"40\">planted and far too long</text></svg>",
        ),
        change(
            "wider than the window",
            "</header>",
            "</header><div style=\"width:1300px\">planted</div>",
        ),
        change(
            "picture without words",
            "</header>",
            "</header><img width=\"9\" height=\"9\">",
        ),
        planted(&no_table, "chart without table", "</tbody>", "--></tbody>"),
        change("chart not shown", "<svg ", "<svg style=\"display:none\" "),
        planted(
            &part("scale.json", Kind::Scale),
            "axis without unit",
            "applications that asked, log scale",
            "n",
        ),
    ];
    let findings = probe(&browser, &pages);
    for page in &pages {
        for width in frames::WIDTHS {
            let shown = format!("{} at {width}", page.name);
            let found = findings.iter().filter(|it| it.page == shown);
            let found: BTreeSet<&str> = found.map(|it| it.what.as_str()).collect();
            assert_eq!(found, BTreeSet::from([page.name.as_str()]), "{shown}");
        }
    }
}

/// A page with a fault.
fn planted(page: &Page, name: &str, from: &str, to: &str) -> Page {
    assert!(page.html.contains(from), "{name}: {from}");
    Page {
        name: name.to_owned(),
        html: page.html.replace(from, to),
    }
}

fn shown(browser: &Path, sheet: &Sheet) -> Pixels {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let (page, picture) = (
        folder.path().join("sheet.html"),
        folder.path().join("sheet.png"),
    );
    fs::write(&page, &sheet.html).expect("the folder is writable");
    chromium::picture(browser, &page, sheet.size, &picture);
    Pixels::read(&picture).small()
}

#[test]
fn pages_look_as_recorded_by_day_by_night_and_on_a_phone() {
    let Some(browser) = chromium::find() else {
        return;
    };
    let pages = pages();
    let sheet = frames::sheet(&pages);
    let found = shown(&browser, &sheet);
    let reference = tests().join("screenshots/pages.png");
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        found.write(&reference);
    }
    let recorded = Pixels::read(&reference);
    for tile in &sheet.tiles {
        let (found, recorded) = (found.tile(tile), recorded.tile(tile));
        let difference = found.difference(&recorded);
        assert!(
            difference <= MOST_OTHER,
            "{}: {:.1} % of the pixels differ from {}. If the change is meant, run \
             UPDATE_SCREENSHOTS=1 cargo test -p reports --test browser, and look at the picture",
            tile.name,
            difference * 100.0,
            reference.display()
        );
        let (white, black) = found.brightness();
        match tile.name.ends_with("dark") {
            true => assert!(black > 0.5, "{}: {black} of it is dark", tile.name),
            false => assert!(white > 0.5, "{}: {white} of it is light", tile.name),
        }
    }
    // A page that lost its first chart is not within the tolerance.
    let mut pages = pages;
    let start = pages[0]
        .html
        .find("<figure id=\"headline\">")
        .expect("there is such a chart");
    let end = pages[0].html[start..]
        .find("</figure>")
        .expect("charts end")
        + start;
    pages[0].html.replace_range(start..end, "<figure>");
    let first = frames::sheet(&pages[..1]);
    let found = shown(&browser, &first);
    for tile in first.tiles.iter().filter(|it| it.name.contains("at 1200")) {
        let difference = found.tile(tile).difference(&recorded.tile(tile));
        assert!(difference > MOST_OTHER, "{}: {difference}", tile.name);
    }
}
