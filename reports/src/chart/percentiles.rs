//! How slow the slowest requests are: latency at every quantile, spread by nines.

pub(super) mod plot;

use self::plot::{Curve, NAMED, Plot, last_quantile};
use super::{Chart, Words, compose};
use crate::facts::Facts;
use crate::format::{count, list, micros, percent};
use crate::table::Table;

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let longest = facts
        .scenarios
        .iter()
        .map(|s| last_quantile(&s.corrected))
        .fold(0.0, f64::max);
    if longest < 0.5 {
        return None;
    }
    let each = |quantile: f64| -> Vec<String> {
        let scenarios = facts
            .scenarios
            .iter()
            .filter(|s| last_quantile(&s.corrected) >= quantile);
        let values = scenarios.map(|scenario| {
            let value = scenario.corrected.value_at_quantile(quantile);
            format!("{} ({})", micros(value as f64), scenario.name())
        });
        values.collect()
    };
    let telling = if each(0.999).len() == facts.scenarios.len() {
        0.999
    } else {
        0.99
    };
    let found = list(&each(telling));
    let title = if facts.scenarios.len() <= 3 && !found.is_empty() {
        format!(
            "{} of requests were answered within {found}",
            percent(telling)
        )
    } else {
        "How slow are the slowest requests?".to_owned()
    };
    let half = format!("{} within {}", percent(0.5), list(&each(0.5)));
    // A short run has too few samples for more.
    let told = match found.is_empty() {
        true => half,
        false => format!("{half}; {} within {found}", percent(telling)),
    };
    let words = Words {
        id: "percentiles",
        title,
        alt: format!("Latency by quantile on an axis of nines, log scale. {told}."),
        note: "Each step to the right is one more nine. Solid: from the intended send time, so waiting \
               behind a slow answer counts. Dashed: from the actual send time. A line ends where fewer \
               than ten samples remain beyond it."
            .into(),
    };
    let curves = facts.scenarios.iter().map(|scenario| Curve {
        name: scenario.name(),
        ink: scenario.ink,
        solid: &scenario.corrected,
        dashed: &scenario.service,
    });
    let plot = Plot {
        curves: curves.collect(),
        solid: "from the intended send".to_owned(),
        dashed: "from the actual send".to_owned(),
        longest,
    };
    Some(compose(facts, words, table(facts), |canvas| {
        plot::draw(canvas, &plot)
    }))
}

fn table(facts: &Facts) -> Table {
    let head = [
        "Scenario",
        "Quantile",
        "From intended send (µs)",
        "From actual send (µs)",
    ];
    let caption = "Latency by quantile, from merged histograms of the measured part";
    let mut table = Table::new(caption, 2, &head);
    for scenario in &facts.scenarios {
        let last = last_quantile(&scenario.corrected);
        for quantile in NAMED
            .into_iter()
            .skip(1)
            .filter(|quantile| *quantile <= last)
        {
            table.push([
                scenario.name().to_owned(),
                percent(quantile),
                count(scenario.corrected.value_at_quantile(quantile)),
                count(scenario.service.value_at_quantile(quantile)),
            ]);
        }
    }
    table
}
