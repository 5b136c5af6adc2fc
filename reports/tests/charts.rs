//! Charts that need more than an ordinary run: rising load, long runs, two runs, duets.

use std::path::{Path, PathBuf};

use reports::chart::{self, Chart, noise, shift, strip};
use reports::compare::{self, duets as of_duets, page};
use reports::draw::ink::Ink;
use reports::draw::picture::{Mark, Picture};
use reports::draw::svg::{self, Naming};
use reports::duet::{self, Duet, DuetError};
use reports::facts::Facts;
use reports::paired::verdict::Verdict;
use results::histogram;

const FIRST: &str = "2031-05-04-headline-0123abc";
const SECOND: &str = "2031-06-07-headline-89abcde";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn facts(name: &str) -> Facts {
    let run = results::load(&fixture(name)).expect("the fixture is a run");
    Facts::gather(&run).expect("the fixture is complete")
}

fn duets() -> Vec<Duet> {
    duet::load(&fixture("duet.json")).expect("the fixture is a comparison")
}

fn of_run(run: &str, id: &str) -> Option<Chart> {
    chart::all(&facts(run))
        .into_iter()
        .find(|chart| chart.id == id)
}

fn special() -> Vec<Chart> {
    let (first, second) = (facts(FIRST), facts(SECOND));
    let charts = [
        of_run("2031-05-05-step-0123abc", "saturation"),
        of_run("2031-05-06-soak-0123abc", "heat"),
        shift::chart(&first, &second),
        shift::curves(&first, &second),
        strip::chart(&duets()),
        noise::chart(&duets()),
    ];
    charts
        .into_iter()
        .map(|chart| chart.expect("the fixture has its data"))
        .collect()
}

fn file(chart: &Chart) -> String {
    let naming = Naming {
        id: chart.id,
        title: &chart.title,
        description: &chart.alt,
    };
    svg::file(&chart.alone, naming).expect("memory takes every mark")
}

#[test]
fn charts_are_as_recorded() {
    for chart in special() {
        insta::assert_snapshot!(format!("{}-special.svg", chart.id), file(&chart));
    }
}

#[test]
fn drawing_again_gives_the_same_bytes() {
    let drawn = || special().iter().map(file).collect::<Vec<_>>();
    assert_eq!(drawn(), drawn());
}

#[track_caller]
fn check_labels(picture: &Picture, name: &str) {
    let labels: Vec<_> = picture
        .labels()
        .map(|it| (it.text.as_str(), it.bounds()))
        .collect();
    assert!(labels.len() > 5, "{name}");
    for (index, (text, area)) in labels.iter().enumerate() {
        let inside = area.left >= 0
            && area.top >= 0
            && area.right <= picture.width
            && area.bottom <= picture.height;
        assert!(inside, "{name}: `{text}` at {area:?} leaves the picture");
        for (other_text, other) in &labels[index + 1..] {
            assert!(
                !area.overlaps(other),
                "{name}: `{text}` touches `{other_text}`"
            );
        }
    }
}

#[test]
fn no_label_touches_another_or_leaves_the_picture() {
    for chart in special() {
        check_labels(&chart.wide, &format!("{} wide", chart.id));
        check_labels(&chart.narrow, &format!("{} narrow", chart.id));
        check_labels(&chart.alone, &format!("{} alone", chart.id));
    }
}

#[test]
fn every_chart_has_words_and_numbers() {
    for chart in special() {
        assert!(
            chart.alt.len() > 40 && !chart.table.rows.is_empty(),
            "{}",
            chart.id
        );
        for row in &chart.table.rows {
            assert_eq!(row.len(), chart.table.head.len(), "{}", chart.id);
        }
        let says = |words: &[&str]| words.iter().any(|word| chart.meta.contains(word));
        assert!(
            says(&["run 2031-", "cache=after.wasm"]),
            "{}: {}",
            chart.id,
            chart.meta
        );
        assert!(says(&["offered"]), "{}: {}", chart.id, chart.meta);
        assert!(says(&["samples", "pairs"]), "{}: {}", chart.id, chart.meta);
    }
}

#[test]
fn a_rising_load_shows_where_it_stops_being_carried() {
    let chart = of_run("2031-05-05-step-0123abc", "saturation").expect("the load rises");
    // The fixture's target answers 1,600 a second; steps are 250 apart.
    assert!(
        chart.title.contains("cache carried 1,500/s"),
        "{}",
        chart.title
    );
    let knees = chart
        .table
        .rows
        .iter()
        .filter(|row| row.last().is_some_and(|it| it == "knee"));
    assert_eq!(knees.count(), 1);
    assert_eq!(chart.table.rows.len(), 8);
}

#[test]
fn a_run_of_one_rate_or_of_seconds_has_no_curve_and_no_map() {
    assert!(of_run(FIRST, "saturation").is_none());
    assert!(of_run(FIRST, "heat").is_none());
    assert!(of_run("2031-05-06-soak-0123abc", "saturation").is_none());
}

#[test]
fn the_map_of_a_long_run_counts_every_request() {
    let chart = of_run("2031-05-06-soak-0123abc", "heat").expect("the run is long");
    let counted: u64 = chart
        .table
        .rows
        .iter()
        .map(|row| row[4].replace(',', "").parse::<u64>().expect("a number"))
        .sum();
    assert_eq!(counted, 150 * 60);
}

#[test]
fn a_run_of_few_samples_is_not_said_to_have_rare_quantiles() {
    let mut facts = facts(FIRST);
    for scenario in &mut facts.scenarios {
        let mut few = histogram::empty();
        (1..=100).for_each(|number| histogram::record(&mut few, number * 10));
        (scenario.corrected, scenario.service) = (few.clone(), few);
    }
    let charts = chart::all(&facts);
    let chart = charts.iter().find(|it| it.id == "percentiles");
    let alt = &chart.expect("half of the samples are known").alt;
    assert!(
        alt.contains("50\u{a0}% within") && alt.ends_with(")."),
        "{alt}"
    );
    assert!(!alt.contains("99"), "{alt}");
}

#[test]
fn a_logarithmic_axis_of_changes_is_named_as_one() {
    let is_named = |times: u64| {
        let mut after = facts(FIRST);
        for scenario in &mut after.scenarios {
            let mut longer = histogram::empty();
            for step in scenario.corrected.iter_recorded() {
                let value = step.value_iterated_to() * times;
                longer
                    .record_n(value, step.count_at_value())
                    .expect("the histogram grows");
            }
            scenario.corrected = longer;
        }
        let chart = shift::chart(&facts(FIRST), &after).expect("both runs have samples");
        check_labels(&chart.narrow, "shift narrow");
        let mut labels = chart.narrow.labels();
        labels.any(|it| it.text.ends_with("run, log scale"))
    };
    assert_eq!((is_named(2), is_named(4)), (false, true));
}

#[test]
fn the_band_of_the_noise_card_is_the_margin_that_was_judged_by() {
    let mut duets = duets();
    duets[0].figures.margins.cpu = 0.1;
    let chart = noise::chart(&duets).expect("there is a control");
    let height = |wanted: Ink| {
        let mut bands = chart.wide.marks.iter().filter_map(|mark| match mark {
            Mark::Rect { area, ink, .. } if *ink == wanted => Some(area.bottom - area.top),
            _ => None,
        });
        f64::from(bands.next().expect("there is such a band"))
    };
    let control = duets[0].control.as_ref().expect("there is a control");
    let interval = control.cpu_ratio.high - control.cpu_ratio.low;
    let expected = (1.1 - 1.0 / 1.1) / interval;
    let found = height(Ink::Shade) / height(Ink::Series(0));
    assert!((found / expected - 1.0).abs() < 0.1, "{found}, {expected}");
}

#[test]
fn a_duet_without_control_has_no_noise_card() {
    let mut duets = duets();
    assert_eq!(duets[0].control_pairs().len(), 48);
    duets[0].control = None;
    assert!(noise::chart(&duets).is_none());
    assert!(strip::chart(&duets).is_some());
}

#[test]
fn two_runs_get_differences_and_no_verdict() {
    let found = compare::runs(&facts(FIRST), &facts(SECOND));
    let markdown = page::markdown(&found).expect("the template fits");
    insta::assert_snapshot!("compare.md", markdown);
    assert!(markdown.contains("no verdict") && markdown.contains("loadgen duet"));
    assert!(found.json["verdict"].is_null());
    let figures = found.json["scenarios"][2]["figures"]
        .as_array()
        .expect("a list");
    let cpu = figures
        .iter()
        .find(|it| it["field"] == "envoy_cpu_us_per_request");
    let cpu = cpu.expect("CPU time was measured");
    assert_eq!(
        (cpu["first"].as_f64(), cpu["second"].as_f64()),
        (Some(66.0), Some(61.5))
    );
    let change = cpu["change"].as_f64().expect("a number");
    assert!((change - (61.5 / 66.0 - 1.0)).abs() < 1e-12);
}

#[test]
fn runs_of_different_circumstances_say_so() {
    let (first, mut second) = (facts(FIRST), facts(SECOND));
    assert_eq!(
        compare::runs(&first, &second).cautions,
        Vec::<String>::new()
    );
    second.record.machine.fingerprint = "another".into();
    second.record.validity.valid = false;
    second
        .record
        .validity
        .reasons
        .push("the machine was busy".into());
    second.scenarios.remove(0);
    let found = compare::runs(&first, &second);
    let cautions = found.cautions.join("\n");
    for part in [
        "different classes",
        "the machine was busy",
        "passthrough is only in",
    ] {
        assert!(cautions.contains(part), "{cautions}");
        assert!(
            page::html(&found)
                .expect("the template fits")
                .contains(part)
        );
    }
}

#[test]
fn a_duet_keeps_the_verdict_it_was_given() {
    let mut duets = duets();
    let found = of_duets::comparison(&duets);
    insta::assert_snapshot!(
        "duet.md",
        page::markdown(&found).expect("the template fits")
    );
    assert_eq!(found.json["comparisons"][0]["verdict"], "slower");
    duets[0].advisory = true;
    duets[0].figures.verdict = Verdict::CannotTell;
    let found = of_duets::comparison(&duets);
    assert!(found.title.starts_with("Cannot tell") && found.title.contains("advisory"));
    assert!(found.cautions.join("").contains("advisory"));
}

#[test]
fn a_suite_is_read_like_a_duet_and_other_files_are_refused() {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let check = |text: &str| {
        let path = folder.path().join("file.json");
        std::fs::write(&path, text).expect("the folder is writable");
        duet::load(&path)
    };
    let one = std::fs::read_to_string(fixture("duet.json")).expect("the fixture is there");
    let suite = format!(
        r#"[{{"reached":1,"goal":null,"duet":{one}}},{{"reached":1,"goal":2,"duet":{one}}}]"#
    );
    let duets = check(&suite).expect("a suite");
    assert_eq!(duets.len(), 2);
    let chart = strip::chart(&duets).expect("there are comparisons");
    assert_eq!(chart.table.rows.len(), 2);
    check_labels(&chart.narrow, "suite");
    assert!(matches!(check("[]"), Err(DuetError::Empty { .. })));
    assert!(matches!(check("{}"), Err(DuetError::NotADuet { .. })));
    let newer = one.replacen("\"schema_version\": 1", "\"schema_version\": 9", 1);
    assert!(matches!(
        check(&newer),
        Err(DuetError::Version { found: 9, .. })
    ));
}

#[test]
fn pages_of_comparisons_ask_nothing_of_the_network() {
    let runs = compare::runs(&facts(FIRST), &facts(SECOND));
    for found in [runs, of_duets::comparison(&duets())] {
        let page = page::html(&found).expect("the template fits");
        for word in [
            "http:", "https:", "src=", "@import", "url(", "<link", "<script",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
