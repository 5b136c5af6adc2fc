//! What `loadgen duet` compared, side by side.
//!
//! Owns which of its figures are shown and what is said of them. Must not know files or how a page looks.
//! The verdict was reached where it was measured.

use serde_json::{Value, json};

use super::Comparison;
use crate::chart::{noise, strip};
use crate::duet::Duet;
use crate::format::{change, count, number, percent};
use crate::setup::Item;
use crate::table::Table;

/// What `loadgen duet` compared.
pub fn comparison(duets: &[Duet]) -> Comparison {
    let charts = [strip::chart(duets), noise::chart(duets)];
    Comparison {
        kind: "duet",
        title: strip::title(duets),
        statement: "Both sides were measured in turns, in the same minutes. A difference is stated only \
                    if it is significant and the whole interval, which contains how blocks differ, is beyond \
                    the margin; \"cannot tell\" is a result, and the smallest visible effect says what the \
                    run could have seen."
            .to_owned(),
        cautions: [doubts(duets), alarms(duets)].concat(),
        tables: duets.iter().map(table).collect(),
        charts: charts.into_iter().flatten().collect(),
        setup: duets.first().map(setup).unwrap_or_default(),
        json: json!({
            "kind": "duet",
            "comparisons": duets.iter().map(json_of).collect::<Vec<_>>(),
        }),
    }
}

/// Why figures may not be used, as sentences.
pub fn doubts(duets: &[Duet]) -> Vec<String> {
    let mut found = Vec::new();
    for duet in duets {
        let (sides, validity) = (sides(duet), &duet.validity);
        let reasons = validity.reasons.iter();
        found.extend(reasons.map(|it| format!("{sides} is not valid: {it}")));
        if !validity.valid && validity.reasons.is_empty() {
            found.push(format!("{sides} is not valid"));
        }
    }
    found
}

/// Where a control alarmed, as sentences: the verdict is no more than a hint there.
pub fn alarms(duets: &[Duet]) -> Vec<String> {
    let alarmed = duets.iter().filter(|duet| duet.advisory);
    alarmed
        .map(|duet| {
            let (sides, base) = (sides(duet), &duet.base.name);
            format!("{sides}: {base} differed from itself, so the verdict is advisory")
        })
        .collect()
}

fn sides(duet: &Duet) -> String {
    format!("{} against {}", duet.candidate.name, duet.base.name)
}

fn table(duet: &Duet) -> Table {
    let (base, candidate, figures) = (&duet.base, &duet.candidate, &duet.figures);
    let head = [
        "Figure",
        "Base",
        "Candidate",
        "Difference",
        "95 % interval",
        "Verdict",
    ];
    let mut shown = Table::new(sides(duet), 1, &head);
    let interval = |ratio: crate::paired::Ratio| {
        [
            change(ratio.estimate),
            format!("{} to {}", change(ratio.low), change(ratio.high)),
        ]
    };
    let mut row = |name: &str, values: [String; 2], ratio, verdict: String| {
        let name = std::iter::once(name.to_owned());
        let figures = values.into_iter().chain(interval(ratio));
        shown.push(name.chain(figures).chain(std::iter::once(verdict)));
    };
    let micros = |value| crate::format::micros(value);
    row(
        "CPU time per request",
        [
            micros(base.cpu_us_per_request),
            micros(candidate.cpu_us_per_request),
        ],
        figures.cpu_ratio,
        figures.verdict.to_string(),
    );
    row(
        "Median latency",
        [micros(base.p50_us), micros(candidate.p50_us)],
        figures.p50_ratio,
        figures.p50_verdict.to_string(),
    );
    let rate = |value: f64| crate::format::rate(value.round());
    row(
        "Throughput",
        [
            rate(base.requests_per_second),
            rate(candidate.requests_per_second),
        ],
        figures.throughput_ratio,
        figures
            .throughput_verdict
            .map_or_else(|| "–".to_owned(), |it| it.to_string()),
    );
    if let Some(control) = &duet.control {
        row(
            "Control: CPU time of the base against itself",
            ["–".to_owned(), "–".to_owned()],
            control.cpu_ratio,
            control.verdict.to_string(),
        );
    }
    shown
}

fn setup(duet: &Duet) -> Vec<Item> {
    let machine = &duet.machine;
    let module = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "none".to_owned());
    let figures = &duet.figures;
    [
        (
            "Machine",
            format!("{}, {} CPUs", machine.cpu_model, machine.cpus),
        ),
        ("Machine class", machine.fingerprint.clone()),
        (
            "Envoy",
            format!("{}{}", duet.envoy_version, duet.confinement()),
        ),
        ("Module of the base", module(&duet.base.sha256)),
        ("Module of the candidate", module(&duet.candidate.sha256)),
        (
            "Load",
            format!(
                "closed loop, {} connections, slices of {} ms in turns",
                duet.connections,
                number(duet.slice_ms)
            ),
        ),
        (
            "Pairs",
            format!(
                "{}, {} more left out because an Envoy waited",
                count(figures.pairs),
                count(figures.pairs_left_out)
            ),
        ),
        ("Looks", looks(duet)),
        (
            "Smallest visible effect",
            format!(
                "{} in nine of ten tries",
                change(1.0 + figures.smallest_visible_effect)
            ),
        ),
    ]
    .map(|(name, value)| Item { name, value })
    .into()
}

/// How often it was looked at, and what ended it.
fn looks(duet: &Duet) -> String {
    let last = duet.looks.last().filter(|_| duet.stopped_early);
    match (duet.looks_planned, last) {
        (Some(planned), Some(last)) => {
            format!(
                "{planned} planned, over after {} of the run",
                percent(last.share)
            )
        }
        (Some(planned), None) => format!("{planned}, to the end"),
        (None, _) => "one, at the end".to_owned(),
    }
}

fn json_of(duet: &Duet) -> Value {
    let figures = &duet.figures;
    json!({
        "base": duet.base.name,
        "candidate": duet.candidate.name,
        "verdict": figures.verdict,
        "advisory": duet.advisory,
        "valid": duet.validity.valid,
        "reasons": duet.validity.reasons,
        "p": figures.p,
        "cpu_ratio": figures.cpu_ratio,
        "p50_ratio": figures.p50_ratio,
        "p50_verdict": figures.p50_verdict,
        "throughput_ratio": figures.throughput_ratio,
        "throughput_verdict": figures.throughput_verdict,
        "stopped_early": duet.stopped_early,
        "smallest_visible_effect": figures.smallest_visible_effect,
        "control_cpu_ratio": duet.control.as_ref().map(|control| control.cpu_ratio),
    })
}
