//! A self-test as a table for people.
//!
//! Owns words and units. Must not know how a figure was obtained.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::outcome::{Check, Outcome};

/// The whole self-test.
pub fn render(outcome: &Outcome) -> String {
    let mut figures = Table::new();
    figures.load_style(UTF8_FULL_CONDENSED);
    figures.set_header([
        "on one thread",
        "rate",
        "CPU per request",
        "median lag",
        "p99 lag",
    ]);
    let closed = &outcome.closed;
    figures.add_row([
        "as fast as it goes".to_owned(),
        format!("{:.0} /s", closed.rate),
        format!("{:.1} µs", closed.cpu_us_per_request),
        String::new(),
        String::new(),
    ]);
    for open in &outcome.open {
        figures.add_row([
            "at a set rate".to_owned(),
            format!("{} /s", open.rate),
            format!("{:.1} µs", open.cpu_us_per_request),
            format!("{} µs", open.lag_us_p50),
            format!("{} µs", open.lag_us_p99),
        ]);
    }
    let mut text = format!("{figures}\n");
    for (name, point, truth) in [
        ("after a freeze", "p99", &outcome.freeze),
        ("beside 1 % slow answers", "p90", &outcome.slow),
    ] {
        text += &format!(
            "{point} {name}: {:.1} ms reported, {:.1} ms true, {} requests\n",
            truth.reported_us as f64 / 1e3,
            truth.true_us as f64 / 1e3,
            truth.requests,
        );
    }
    if let Some(outside) = &outcome.outside {
        text += &format!(
            "CPU per request in a closed loop, whole process: {:.1} µs, {} {:.1} µs, {} requests each\n",
            outside.own_cpu_us_per_request,
            outside.version,
            outside.oha_cpu_us_per_request,
            outside.requests
        );
    }
    if let Some(envoy) = &outcome.envoy {
        text += &format!(
            "one worker of Envoy: {:.0} /s, {:.1} µs of Envoy each; Envoy used {:.1} % of a processor, \
             the generator {:.1} %\n",
            envoy.rate,
            envoy.envoy_cpu_us_per_request,
            envoy.envoy_share * 100.0,
            envoy.generator_share * 100.0
        );
    }
    let mut bounds = Table::new();
    bounds.load_style(UTF8_FULL_CONDENSED);
    bounds.set_header(["bound", "value", "allowed", ""]);
    for check in &outcome.checks {
        let verdict = if check.holds {
            "holds"
        } else {
            "DOES NOT HOLD"
        };
        bounds.add_row([
            check.what.clone(),
            format!("{:.3}", check.value),
            allowed(check),
            verdict.to_owned(),
        ]);
    }
    text += &format!("{bounds}\n");
    if !outcome.is_optimised {
        text += "Built without optimisation: what a request costs, and how fast it goes, is not that of `--release`.\n";
    }
    text += match outcome.believable {
        true => "The generator can be believed on this machine.\n",
        false => {
            "The generator cannot be believed on this machine now. Is it busy with something else?\n"
        }
    };
    text
}

fn allowed(check: &Check) -> String {
    match (check.at_least, check.at_most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => String::new(),
    }
}
