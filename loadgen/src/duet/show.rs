//! Comparisons as tables for people.
//!
//! Owns words and units. Must not know how a figure was computed.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use reports::format::percent;
use reports::paired::Ratio;

use super::figures::Figures;
use super::record::Duet;
use super::suite::Outcome;

/// One comparison.
pub fn duet(duet: &Duet) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "",
        "base",
        "candidate",
        "candidate / base (95 %)",
        "verdict",
    ]);
    let figures = &duet.figures;
    let (base, candidate) = (&duet.base, &duet.candidate);
    table.add_row(["", &base.name, &candidate.name, "", ""].map(str::to_owned));
    let mut row = |name: &str, values: [f64; 2], unit: &str, ratio: Ratio, verdict: String| {
        let [base, candidate] = values.map(|value| format!("{value:.1} {unit}"));
        table.add_row([name.to_owned(), base, candidate, interval(ratio), verdict]);
    };
    row(
        "CPU per request",
        [base.cpu_us_per_request, candidate.cpu_us_per_request],
        "µs",
        figures.cpu_ratio,
        verdict(figures, duet.advisory),
    );
    row(
        "p50",
        [base.p50_us, candidate.p50_us],
        "µs",
        figures.p50_ratio,
        figures.p50_verdict.to_string(),
    );
    row(
        "throughput",
        [base.requests_per_second, candidate.requests_per_second],
        "/s",
        figures.throughput_ratio,
        figures.throughput_verdict.to_string(),
    );
    if let Some(control) = &duet.control {
        table.add_row([
            "control: base against itself".to_owned(),
            String::new(),
            String::new(),
            interval(control.cpu_ratio),
            verdict(control, false),
        ]);
    }
    let mut text = format!(
        "{table}\n{} pairs ({} more left out: an Envoy waited), p = {:.2e}; a slowdown of {:.1} % would have \
         been seen in nine of ten tries\n",
        figures.pairs,
        figures.pairs_left_out,
        figures.p,
        figures.smallest_visible_effect * 100.0
    );
    if let Some(last) = duet.looks.last().filter(|_| duet.stopped_early) {
        text.push_str(&format!(
            "over after {} of the run: the answer was clear\n",
            percent(last.look.share)
        ));
    }
    for reason in &duet.validity.reasons {
        text.push_str(&format!("not valid: {reason}\n"));
    }
    text
}

/// A whole suite.
pub fn suite(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "base",
        "candidate",
        "CPU base / candidate (95 %)",
        "throughput candidate / base",
        "goal",
        "",
    ]);
    for outcome in outcomes {
        let figures = &outcome.duet.figures;
        let verdict = match outcome.goal {
            Some(goal) if outcome.reached >= goal => "reached",
            Some(_) => "missed",
            None => "",
        };
        table.add_row([
            outcome.duet.base.name.clone(),
            outcome.duet.candidate.name.clone(),
            interval(figures.cpu_ratio.inverse()),
            format!("{:.2}", figures.throughput_ratio.estimate),
            outcome.goal.map_or_else(String::new, |goal| {
                format!("≥ {goal:.2}: {:.3}", outcome.reached)
            }),
            verdict.to_owned(),
        ]);
    }
    let mut text = format!("{table}\n");
    for reason in outcomes.iter().flat_map(|it| &it.duet.validity.reasons) {
        text.push_str(&format!("not valid: {reason}\n"));
    }
    text
}

fn interval(ratio: Ratio) -> String {
    format!(
        "{:.3} ({:.3} to {:.3})",
        ratio.estimate, ratio.low, ratio.high
    )
}

fn verdict(figures: &Figures, is_advisory: bool) -> String {
    match is_advisory {
        true => format!("{} (advisory: the control alarmed)", figures.verdict),
        false => figures.verdict.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverted_ratio_keeps_its_ends_in_order() {
        let ratio = Ratio {
            estimate: 1.25,
            low: 1.0,
            high: 2.0,
        };
        assert_eq!(interval(ratio.inverse()), "0.800 (0.500 to 1.000)");
    }
}
