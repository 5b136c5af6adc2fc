//! The report of a recorded run: what is on the pages and in the charts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reports::chart::{self, Chart};
use reports::draw::picture::{Area, Mark, Picture};
use reports::draw::svg::{self, Naming};
use reports::facts::Facts;
use reports::page;
use results::record::{Completion, RunRecord};
use results::run::Run;
use serde_json::Value;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/2031-05-04-headline-0123abc")
}

fn run() -> Run {
    results::load(&fixture()).expect("the fixture is a run")
}

fn facts() -> Facts {
    Facts::gather(&run()).expect("the fixture is complete")
}

/// The fixture with its record changed; the files beside it stay.
fn changed(change: impl FnOnce(&mut RunRecord)) -> Facts {
    let mut run = run();
    change(&mut run.record);
    Facts::gather(&run).expect("the change keeps the run readable")
}

fn html(facts: &Facts) -> String {
    page::html(facts, &chart::all(facts)).expect("the templates fit")
}

fn markdown(facts: &Facts) -> String {
    page::markdown(facts, &chart::all(facts)).expect("the templates fit")
}

fn file(chart: &Chart) -> String {
    let naming = Naming {
        id: chart.id,
        title: &chart.title,
        description: &chart.alt,
    };
    svg::file(&chart.alone, naming).expect("memory takes every mark")
}

fn pictures(chart: &Chart) -> [(&'static str, &Picture); 3] {
    [
        ("wide", &chart.wide),
        ("narrow", &chart.narrow),
        ("alone", &chart.alone),
    ]
}

/// The pieces of `text` between `start` and the next `end`.
fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start)
        .skip(1)
        .filter_map(move |rest| Some(rest.split_once(end)?.0))
}

#[test]
fn the_markdown_page_is_as_recorded() {
    insta::assert_snapshot!("report.md", markdown(&facts()));
}

#[test]
fn charts_are_as_recorded() {
    for chart in chart::all(&facts()) {
        if ["headline", "latency", "cpu"].contains(&chart.id) {
            insta::assert_snapshot!(format!("{}.svg", chart.id), file(&chart));
        }
    }
}

#[test]
fn rendering_again_gives_the_same_bytes() {
    let rendered = || {
        let out = tempfile::tempdir().expect("the system has a temporary folder");
        let files = reports::render(&fixture(), out.path()).expect("the fixture is a run");
        let paths = [vec![files.html, files.markdown], files.charts].concat();
        let bytes = paths.iter().map(|path| {
            let name = path
                .strip_prefix(out.path())
                .expect("files are in the folder");
            (
                name.to_owned(),
                std::fs::read(path).expect("the file was just written"),
            )
        });
        bytes.collect::<Vec<_>>()
    };
    let (first, second) = (rendered(), rendered());
    assert_eq!(first.len(), 2 + 2 * 6);
    for ((name, one), (_, other)) in first.iter().zip(&second) {
        assert!(!one.is_empty() && one == other, "{}", name.display());
    }
}

#[test]
fn every_figure_of_the_page_is_that_of_the_record() {
    let (facts, page) = (facts(), html(&facts()));
    let rows: Vec<(&str, &str)> = page
        .split("<tr data-field=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once("</tr>")?.0.split_once('"'))
        .collect();
    assert_eq!(rows.len(), 25);
    for (field, row) in rows {
        let shown: Vec<&str> = between(row, "<data value=\"", "</data>").collect();
        assert_eq!(shown.len(), facts.scenarios.len(), "{field}");
        for (shown, scenario) in shown.iter().zip(&facts.scenarios) {
            let summary = serde_json::to_value(scenario.summary()).expect("a summary is JSON");
            let path = format!("/{}", field.replace('.', "/"));
            let recorded = summary
                .pointer(&path)
                .and_then(Value::as_f64)
                .expect("a number");
            let (value, text) = shown.split_once("\">").expect("value and text");
            assert_eq!(value.parse::<f64>().expect("a number"), recorded, "{field}");
            let (read, precision) = read(text);
            assert!(
                (read - recorded).abs() <= precision,
                "{field}: {text} for {recorded}"
            );
        }
    }
}

/// The number that a text shows in the unit of the record, and by how much rounding may have moved it.
fn read(text: &str) -> (f64, f64) {
    let text = text.replace(',', "").replace("&#x2f;", "/");
    let digits: String = text
        .chars()
        .take_while(|sign| sign.is_ascii_digit() || *sign == '.')
        .collect();
    let factor = match text[digits.len()..].trim_start_matches('\u{a0}') {
        "ms" => 1e3,
        "s" => 1e6,
        "µs" | "/s" | "" => 1.0,
        unit => panic!("unknown unit `{unit}` in `{text}`"),
    };
    let places = digits
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    let half_a_digit = 0.5 * 10_f64.powi(-i32::try_from(places).expect("few digits"));
    (
        digits.parse::<f64>().expect("a number") * factor,
        half_a_digit * factor * 1.000_001,
    )
}

#[test]
fn the_page_asks_nothing_of_the_network() {
    let page = html(&facts());
    for word in [
        "http:", "https:", "src=", "@import", "url(", "<link", "<script", "<iframe",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    for address in between(&page, "href=\"", "\"") {
        assert!(address.starts_with('#'), "{address}");
    }
    for chart in chart::all(&facts()) {
        let text = file(&chart).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(
            !text.contains("http") && !text.contains("url("),
            "{}",
            chart.id
        );
    }
}

#[test]
fn every_chart_can_be_read_without_seeing_it() {
    let (facts, page) = (facts(), html(&facts()));
    let charts = chart::all(&facts);
    let ids: Vec<&str> = charts.iter().map(|chart| chart.id).collect();
    assert_eq!(
        ids,
        [
            "headline",
            "percentiles",
            "latency",
            "throughput",
            "decisions",
            "cpu"
        ]
    );
    for chart in &charts {
        let figure = between(&page, &format!("<figure id=\"{}\">", chart.id), "</figure>")
            .next()
            .unwrap_or_else(|| panic!("{} is on the page", chart.id))
            .to_owned();
        for form in ["wide", "narrow"] {
            let id = format!("{}-{form}", chart.id);
            assert!(figure.contains(&format!("aria-labelledby=\"{id}-title {id}-desc\"")));
            assert!(figure.contains(&format!("<title id=\"{id}-title\">")));
            assert!(figure.contains(&format!("<desc id=\"{id}-desc\">")));
        }
        assert_eq!(figure.matches("role=\"img\"").count(), 2, "{}", chart.id);
        assert_eq!(figure.matches("<table>").count(), 1, "{}", chart.id);
        assert!(!chart.table.rows.is_empty(), "{}", chart.id);
        for row in &chart.table.rows {
            assert_eq!(row.len(), chart.table.head.len(), "{}", chart.id);
        }
        for part in [
            facts.record.id.as_str(),
            "2,000/s",
            "96,000 latency samples",
            "backend delay",
        ] {
            assert!(chart.meta.contains(part), "{}: {part}", chart.id);
        }
        assert!(
            chart.alt.len() > 40 && markdown(&facts).contains(&chart.alt),
            "{}",
            chart.id
        );
    }
}

#[test]
fn ids_of_a_page_are_unique() {
    let page = html(&facts());
    let ids: Vec<&str> = between(&page, " id=\"", "\"").collect();
    let unique: BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len());
}

#[test]
fn no_label_touches_another_or_leaves_the_picture() {
    for chart in chart::all(&facts()) {
        for (form, picture) in pictures(&chart) {
            check_labels(picture, &format!("{} {form}", chart.id));
        }
    }
}

#[track_caller]
fn check_labels(picture: &Picture, name: &str) {
    let surface = Area {
        left: 0,
        top: 0,
        right: picture.width,
        bottom: picture.height,
    };
    let labels: Vec<(&str, Area)> = picture
        .labels()
        .map(|label| (label.text.as_str(), label.bounds()))
        .collect();
    assert!(labels.len() > 5, "{name}");
    for (index, (text, area)) in labels.iter().enumerate() {
        let inside = area.left >= surface.left
            && area.top >= surface.top
            && area.right <= surface.right
            && area.bottom <= surface.bottom;
        assert!(inside, "{name}: `{text}` at {area:?} leaves {surface:?}");
        for (other_text, other) in &labels[index + 1..] {
            assert!(
                !area.overlaps(other),
                "{name}: `{text}` {area:?} touches `{other_text}` {other:?}"
            );
        }
    }
}

#[test]
fn labels_keep_apart_in_runs_of_other_sizes() {
    let long_names = changed(|record| {
        for scenario in &mut record.scenarios {
            scenario.name = format!("{}-behind-two-gateways", scenario.name);
            scenario.description = "a description that is far too long to stand beside a name, \
                                    on a phone at least, and wraps"
                .into();
            scenario.events.extend(
                [
                    (4.2, "backend paused"),
                    (4.6, "backend resumed"),
                    (19.5, "upstream restarted"),
                ]
                .map(|(at_s, label)| results::record::Event {
                    at_s,
                    label: label.into(),
                }),
            );
        }
    });
    let single = changed(|record| drop(record.scenarios.drain(1..)));
    let extremes = changed(|record| {
        record.scenarios[0].summary.latency_us.p50 = 1;
        record.scenarios[1].summary.latency_us.p99 = 99_000_000;
        record.scenarios[2].summary.envoy_cpu_us_per_request = Some(12_345.6);
    });
    for facts in [long_names, single, extremes] {
        for chart in chart::all(&facts) {
            for (form, picture) in pictures(&chart) {
                check_labels(picture, &format!("{} {form}", chart.id));
            }
        }
    }
}

#[test]
fn events_are_marked_and_named() {
    let facts = changed(|record| {
        let event = results::record::Event {
            at_s: 9.0,
            label: "backend paused".into(),
        };
        record.scenarios[2].events.push(event);
    });
    let charts = chart::all(&facts);
    let latency = charts
        .iter()
        .find(|chart| chart.id == "latency")
        .expect("there is latency");
    assert_eq!(
        latency
            .wide
            .labels()
            .filter(|label| label.text == "backend paused")
            .count(),
        1
    );
}

#[test]
fn a_run_that_is_not_valid_says_so_on_every_page_and_chart() {
    let reason = "2.4 % of sends were late by over 1 ms, the bound is 1 %";
    let facts = changed(|record| {
        record.validity.valid = false;
        record.validity.reasons.push(reason.to_owned());
        record.completion = Completion::Partial;
    });
    for page in [html(&facts), markdown(&facts)] {
        assert!(page.contains("Not valid: these figures may not be quoted."));
        assert!(page.contains("The run was also ended early."));
        assert!(page.contains(reason));
    }
    for chart in chart::all(&facts) {
        assert!(chart.meta.contains("NOT VALID") && chart.meta.contains("ended early"));
        let text: Vec<&str> = chart
            .alone
            .labels()
            .map(|label| label.text.as_str())
            .collect();
        assert!(text.join(" ").contains("NOT VALID"), "{}", chart.id);
    }
}

#[test]
fn a_partial_run_is_marked() {
    let facts = changed(|record| record.completion = Completion::Partial);
    assert!(html(&facts).contains("Partial: the run was ended early."));
    assert!(markdown(&facts).contains("> **Partial: the run was ended early."));
}

#[test]
fn a_record_that_contradicts_its_logs_is_not_valid() {
    let facts = changed(|record| record.scenarios[2].summary.latency_us.p99 = 400);
    let page = html(&facts);
    assert!(page.contains("Not valid"));
    assert!(
        page.contains(
            "corrected p99 of `cache` is 400 µs in run.json and 558 µs in the interval log"
        )
    );
}

#[test]
fn usage_that_does_not_add_up_is_not_called_exact() {
    let facts = changed(|record| record.scenarios[2].summary.reported = Some(39_999));
    assert!(html(&facts).contains("cache: NOT EXACT. 40,000 admitted, 39,999 in the backend"));
}

#[test]
fn a_target_that_the_lab_did_not_start_gets_the_charts_there_is_data_for() {
    let facts = changed(|record| {
        record.scenarios.drain(1..);
        let scenario = &mut record.scenarios[0];
        scenario.scenario = Value::Null;
        let summary = &mut scenario.summary;
        summary.envoy_cpu_us_per_request = None;
        summary.backend_calls_per_1000 = None;
        (summary.hits, summary.misses, summary.denied) = (None, None, None);
        (
            summary.admitted,
            summary.reported,
            summary.upstream_requests,
        ) = (None, None, None);
        (record.envoy, record.artefact) = (None, None);
    });
    let ids: Vec<&str> = chart::all(&facts).iter().map(|chart| chart.id).collect();
    assert_eq!(ids, ["headline", "percentiles", "latency", "throughput"]);
    let page = html(&facts);
    assert!(page.contains("not started by the lab"));
    assert!(page.contains("were answered: passthrough within 307"));
}

#[test]
fn text_of_a_record_cannot_become_markup() {
    let facts = changed(|record| {
        record.machine.os = "<script>alert(1)</script> | pipe".into();
        record.scenarios[0].description = "a < b & c".into();
    });
    let page = html(&facts);
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
    assert!(markdown(&facts).contains("\\| pipe"));
    let charts = chart::all(&facts);
    let latency = charts
        .iter()
        .find(|chart| chart.id == "latency")
        .expect("there is latency");
    assert!(file(latency).contains("a &lt; b &amp; c"));
}

#[test]
fn a_scenario_keeps_its_colour_in_every_chart() {
    let facts = facts();
    for chart in chart::all(&facts) {
        let inks: Vec<_> = facts
            .scenarios
            .iter()
            .map(|scenario| scenario.ink)
            .collect();
        let used = chart.wide.marks.iter().filter_map(|mark| match mark {
            Mark::Rect { ink, .. } | Mark::Path { ink, .. } | Mark::Disc { ink, .. } => Some(*ink),
            Mark::Polygon { .. } | Mark::Text(_) => None,
        });
        let series = used.filter(|ink| ink.name().starts_with("series-"));
        let series: Vec<_> = series.collect();
        assert!(
            !series.is_empty() && series.iter().all(|ink| inks.contains(ink)),
            "{}",
            chart.id
        );
    }
}
