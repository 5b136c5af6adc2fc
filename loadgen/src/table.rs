//! The result of a run as a person reads it: a table, the totals below it, and a sentence.
//!
//! Owns words and rounding on the terminal. Must not know how a figure was obtained.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use results::record::{Completion, RunRecord, Summary};
use results::saturation::Saturation;

const HEADER: [&str; 11] = [
    "scenario",
    "offered/s",
    "achieved/s",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "p99.9 ms",
    "max ms",
    "errors",
    "Envoy CPU\nµs/request",
    "backend calls\nper 1,000",
];

/// Everything that is printed of a run, except where it is.
pub fn render(record: &RunRecord) -> String {
    let summaries: Vec<&Summary> = record
        .scenarios
        .iter()
        .map(|scenario| &scenario.summary)
        .collect();
    let mut text = table(&summaries);
    text.push('\n');
    for summary in &summaries {
        if let Some(totals) = totals(summary) {
            let _ = writeln!(text, "{totals}");
        }
    }
    for scenario in &record.scenarios {
        if let Some(search) = Saturation::of(scenario) {
            text.push_str(&searched(&scenario.name, &search));
        }
    }
    if record.completion == Completion::Partial {
        text.push_str(
            "\nThis run was ended early; its figures cover what was measured until then.\n",
        );
    }
    if let Some(sentence) = headline(&summaries) {
        let _ = write!(text, "\n{sentence}\n");
    }
    if !record.validity.valid {
        text.push_str("\nNot valid, do not use these figures:\n");
        for reason in &record.validity.reasons {
            let _ = writeln!(text, "  - {reason}");
        }
    }
    text
}

fn table(summaries: &[&Summary]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADER);
    for summary in summaries {
        let mut cells = vec![Cell::new(&summary.name)];
        let figures = row(summary);
        cells.extend(
            figures
                .iter()
                .map(|text| Cell::new(text).set_alignment(CellAlignment::Right)),
        );
        table.add_row(cells);
    }
    format!("{table}\n")
}

/// What a search tried and found.
fn searched(name: &str, search: &Saturation) -> String {
    let mut text = format!("\n{name} {}\n", search.outcome.text());
    for step in &search.steps {
        let verdict = if step.is_carried {
            "carried"
        } else {
            "not carried"
        };
        let rate = thousands(step.rps);
        let _ = writeln!(text, "  {rate:>9}/s  {verdict:<12} {}", step.reason);
    }
    text
}

fn row(summary: &Summary) -> [String; 10] {
    let latency = &summary.latency_us;
    [
        thousands(summary.offered_rps),
        thousands(summary.achieved_rps),
        milliseconds(latency.p50),
        milliseconds(latency.p90),
        milliseconds(latency.p99),
        milliseconds(latency.p999),
        milliseconds(latency.max),
        thousands(summary.errors as f64),
        optional(summary.envoy_cpu_us_per_request),
        optional(summary.backend_calls_per_1000),
    ]
}

fn totals(summary: &Summary) -> Option<String> {
    let (admitted, reported) = (summary.admitted?, summary.reported?);
    let upstream = summary.upstream_requests?;
    let arrived = thousands(upstream as f64);
    Some(if (admitted, reported) == (0, 0) {
        format!(
            "{}: {arrived} requests arrived at the upstream",
            summary.name
        )
    } else {
        let verdict = if admitted == reported && admitted == upstream {
            "agree"
        } else {
            "differ"
        };
        format!(
            "{}: {} admitted, {} reported, {arrived} arrived at the upstream: the three {verdict}",
            summary.name,
            thousands(admitted as f64),
            thousands(reported as f64),
        )
    })
}

/// One sentence that says what the run showed: the cache against one call per request if both are
/// there, else the first scenario.
pub fn headline(summaries: &[&Summary]) -> Option<String> {
    let find = |name: &str| summaries.iter().find(|summary| summary.name == name);
    let (Some(cache), Some(authrep)) = (find("cache"), find("authrep")) else {
        let first = summaries.first()?;
        return Some(format!(
            "{}: {} of {} requests a second answered, half of them within {} ms, 99 % within {} ms.",
            first.name,
            thousands(first.achieved_rps),
            thousands(first.offered_rps),
            milliseconds(first.latency_us.p50),
            milliseconds(first.latency_us.p99),
        ));
    };
    let mut sentence = format!(
        "With the cache half of the requests are answered within {} ms instead of {} ms",
        milliseconds(cache.latency_us.p50),
        milliseconds(authrep.latency_us.p50),
    );
    if let Some(alone) = find("passthrough") {
        let _ = write!(
            sentence,
            " (Envoy alone: {} ms)",
            milliseconds(alone.latency_us.p50)
        );
    }
    if let (Some(with), Some(without)) =
        (cache.backend_calls_per_1000, authrep.backend_calls_per_1000)
    {
        let _ = write!(
            sentence,
            ", with {} instead of {} backend calls per 1,000 requests",
            short(with),
            short(without)
        );
    }
    sentence.push('.');
    Some(sentence)
}

fn milliseconds(micros: u64) -> String {
    let milliseconds = micros as f64 / 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.2}")
    } else {
        short(milliseconds)
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), short)
}

/// One decimal below a hundred, none above.
fn short(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}")
    } else {
        thousands(value)
    }
}

/// A whole number with separators.
fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use results::record::Percentiles;
    use results::saturation::{Outcome, Step};

    use super::*;

    fn summary(name: &str, p50: u64, calls: Option<f64>) -> Summary {
        let latency_us = Percentiles {
            p50,
            p90: 2 * p50,
            p99: 4 * p50,
            p999: 8 * p50,
            max: 123_456,
        };
        Summary {
            name: name.to_owned(),
            offered_rps: 2000.2,
            achieved_rps: 1999.8,
            measured_s: 10.0,
            requests: 20_002,
            warmup_requests: 0,
            errors: 0,
            errors_by_class: BTreeMap::new(),
            latency_us,
            service_us: latency_us,
            send_lag_us: Percentiles::default(),
            envoy_cpu_us_per_request: calls.map(|_| 61.25),
            generator_cpu_us_per_request: None,
            backend_calls_per_1000: calls,
            hits: None,
            misses: None,
            denied: None,
            admitted: None,
            reported: None,
            upstream_requests: None,
        }
    }

    #[test]
    fn figures_are_rounded_to_what_a_reader_can_use() {
        let text = table(&[
            &summary("cache", 412, Some(4.04)),
            &summary("attach", 15_900, None),
        ]);
        for part in ["2,000", "0.41", "1.65", "123", "61.2", "4.0", "15.9", " - "] {
            assert!(text.contains(part), "`{part}` is missing in\n{text}");
        }
    }

    #[test]
    fn the_sentence_sets_the_cache_against_a_call_per_request() {
        let (alone, authrep, cache) = (
            summary("passthrough", 300, Some(0.0)),
            summary("authrep", 9_210, Some(1000.0)),
            summary("cache", 360, Some(4.1)),
        );
        assert_eq!(
            headline(&[&alone, &authrep, &cache]).as_deref(),
            Some(
                "With the cache half of the requests are answered within 0.36 ms instead of 9.21 ms \
                 (Envoy alone: 0.30 ms), with 4.1 instead of 1,000 backend calls per 1,000 requests."
            )
        );
        let single = headline(&[&summary("attach", 500, None)]).expect("one scenario is enough");
        assert!(
            single.starts_with("attach: 2,000 of 2,000 requests"),
            "{single}"
        );
        assert_eq!(headline(&[]), None);
    }

    #[test]
    fn a_search_says_what_was_found_and_shows_each_step() {
        let step = |rps, is_carried, reason: &str| Step {
            at_s: 0.0,
            rps,
            is_carried,
            reason: reason.to_owned(),
        };
        let search = Saturation {
            outcome: Outcome::Knee { rps: 1_000.0 },
            steps: vec![
                step(1_000.0, true, "100.00 % answered, p99 2.0 ms"),
                step(2_000.0, false, "97.00 % answered, p99 900.0 ms"),
            ],
        };
        assert_eq!(
            searched("cache", &search),
            "\ncache carries 1000/s, no more\n      1,000/s  carried      100.00 % answered, p99 2.0 ms\n      2,000/s  not carried  97.00 % answered, p99 900.0 ms\n"
        );
    }

    #[test]
    fn totals_say_whether_they_agree() {
        let with = |admitted, reported, upstream_requests| {
            let totals = Summary {
                admitted: Some(admitted),
                reported: Some(reported),
                upstream_requests: Some(upstream_requests),
                ..summary("cache", 1, None)
            };
            super::totals(&totals).expect("all three are known")
        };
        assert!(with(1200, 1200, 1200).ends_with("1,200 arrived at the upstream: the three agree"));
        assert!(with(1200, 1199, 1200).ends_with("differ"));
        assert!(with(0, 0, 1200).ends_with("arrived at the upstream"));
        assert_eq!(super::totals(&summary("attach", 1, None)), None);
    }
}
