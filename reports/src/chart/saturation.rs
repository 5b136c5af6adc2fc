//! How much load is carried, and where it stops being carried: answers and slow requests by rate.

use results::saturation::{Outcome, Saturation};

use super::{Chart, Words, compose, key};
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::Canvas;
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area};
use crate::draw::scale::{Axis, Scale};
use crate::draw::ticks;
use crate::facts::{Facts, Scenario, StepPoint};
use crate::format::{count, micros, number, rate, round_micros, round_rate};
use crate::table::Table;

/// Share of the offered rate that counts as having carried it.
const CARRIED: f64 = 0.99;
/// A 99th percentile this many times the lowest one is no longer the same service.
const SLOW: u64 = 10;

const HEIGHT: i32 = 340;

/// Where a rising load stops being carried.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Knee<'a> {
    /// The last step that was carried; a higher one was not.
    At(&'a StepPoint),
    /// Every step was carried up to this.
    NotReached(&'a StepPoint),
    /// Not even the lowest step was carried.
    Below(&'a StepPoint),
}

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let with_steps = facts.scenarios.iter();
    let shown: Vec<&Scenario> = with_steps.filter(|s| !s.steps.is_empty()).collect();
    if shown.is_empty() {
        return None;
    }
    let is_search = shown.iter().any(|s| Saturation::of(&s.record).is_some());
    let each: Vec<String> = shown.iter().filter_map(|s| describe(s)).collect();
    let words = Words {
        id: "saturation",
        title: title(&each),
        alt: format!(
            "Requests answered per second and 99th percentile of latency, by requests offered per \
             second. {}.",
            each.join("; ")
        ),
        note: if is_search {
            "On the grey diagonal, everything that was offered is answered. The ring is the highest rate \
             that the search counted as carried, if it found one that was not. Each dot is one step."
                .to_owned()
        } else {
            format!(
                "On the grey diagonal, everything that was offered is answered. The ring is the knee: the \
             highest rate up to which at least {} % was answered and p99 stayed below {SLOW} times its \
             lowest value. Each dot is one step of the profile.",
                number(CARRIED * 100.0)
            )
        },
    };
    Some(compose(facts, words, table(&shown), |canvas| {
        draw(canvas, &shown)
    }))
}

fn title(each: &[String]) -> String {
    match each.len() {
        1..=3 => each.join("; "),
        _ => "How much load is carried?".to_owned(),
    }
}

fn describe(scenario: &Scenario) -> Option<String> {
    let name = scenario.name();
    if let Some(search) = Saturation::of(&scenario.record) {
        return Some(format!("{name} {}", search.outcome.text()));
    }
    let told = |step: &StepPoint| {
        let p99 = micros(step.latency_us.p99 as f64);
        format!("{} with a p99 of {p99}", rate(step.offered_rps.round()))
    };
    Some(match knee_of(scenario)? {
        Knee::At(step) => format!("{name} carried {}, no more", told(step)),
        Knee::NotReached(step) => format!("{name} carried all of {}", told(step)),
        Knee::Below(step) => format!(
            "{name} did not carry the lowest rate, {}",
            rate(step.offered_rps.round())
        ),
    })
}

fn by_rate(steps: &[StepPoint]) -> Vec<&StepPoint> {
    let mut steps: Vec<&StepPoint> = steps.iter().collect();
    steps.sort_by(|a, b| a.offered_rps.total_cmp(&b.offered_rps));
    steps
}

fn knee(steps: &[StepPoint]) -> Option<Knee<'_>> {
    let steps = by_rate(steps);
    let lowest = steps.iter().map(|step| step.latency_us.p99).min()?.max(1);
    let carried = |step: &&&StepPoint| {
        step.achieved_rps >= CARRIED * step.offered_rps && step.latency_us.p99 < SLOW * lowest
    };
    let kept = steps.iter().take_while(carried).count();
    let last = kept.checked_sub(1).and_then(|last| steps.get(last));
    match last {
        None => steps.first().map(|step| Knee::Below(step)),
        Some(step) if kept == steps.len() => Some(Knee::NotReached(step)),
        Some(step) => Some(Knee::At(step)),
    }
}

/// The knee of a scenario: what its search found, which has a bound of its own and may try a rate twice,
/// or what its steps show.
fn knee_of(scenario: &Scenario) -> Option<Knee<'_>> {
    match Saturation::of(&scenario.record) {
        Some(search) => found(&search.outcome, &scenario.steps),
        None => knee(&scenario.steps),
    }
}

fn found<'a>(outcome: &Outcome, steps: &'a [StepPoint]) -> Option<Knee<'a>> {
    let steps = by_rate(steps);
    let mut carried = steps.iter().rev();
    let Some(highest) = carried.find(|step| step.is_carried == Some(true)) else {
        return steps.first().map(|step| Knee::Below(step));
    };
    Some(match outcome {
        Outcome::Knee { .. } => Knee::At(highest),
        // Nobody knows what the target does above it.
        _ => Knee::NotReached(highest),
    })
}

fn table(shown: &[&Scenario]) -> Table {
    let head = [
        "Scenario",
        "From second",
        "Offered (1/s)",
        "Answered (1/s)",
        "Samples",
        "p50 (µs)",
        "p99 (µs)",
        "Knee",
    ];
    let mut table = Table::new("What each step of the load gave", 1, &head);
    for scenario in shown {
        let knee = knee_of(scenario);
        for step in &scenario.steps {
            let is_knee = matches!(knee, Some(Knee::At(found)) if found == step);
            table.push([
                scenario.name().to_owned(),
                number(step.start_s),
                number(step.offered_rps),
                number(step.achieved_rps),
                count(step.samples),
                count(step.latency_us.p50),
                count(step.latency_us.p99),
                if is_knee { "knee" } else { "" }.to_owned(),
            ]);
        }
    }
    table
}

fn draw(canvas: &mut Canvas, shown: &[&Scenario]) {
    let small = canvas.small();
    canvas.top += small / 2;
    key::names(canvas, shown.iter().map(|s| (s.name(), s.ink)));
    let all = || shown.iter().flat_map(|scenario| &scenario.steps);
    let highest = all().map(|step| step.offered_rps).fold(1.0, f64::max) * 1.05;
    let p99 = || all().map(|step| step.latency_us.p99.max(1) as f64);
    let low = ticks::round_down(p99().fold(f64::MAX, f64::min));
    let high = ticks::round_up(p99().fold(1.0, f64::max)).max(low * 10.0);
    let rates = ticks::linear(highest, 4, round_rate);
    let times = ticks::log(low, high, round_micros);
    let labels = rates.iter().chain(&times).map(|tick| tick.label.as_str());
    let left = canvas.inset() + axes::widest(canvas, labels) + small / 2;
    let (linear, log) = (
        Scale::Linear {
            low: 0.0,
            high: highest,
        },
        Scale::Log { low, high },
    );

    let panel = |canvas: &mut Canvas, name: &str| {
        let em = canvas.em();
        let at = (canvas.inset(), canvas.top + small);
        canvas.text(name, at, Anchor::Start, small, Ink::Muted);
        canvas.top += em * 2;
        Area {
            left,
            top: canvas.top,
            right: canvas.width - canvas.inset() - em,
            bottom: canvas.top + HEIGHT,
        }
    };
    let upper = panel(canvas, "answered, requests per second");
    let columns = ticks::linear(highest, 8, round_rate);
    axes::rows(canvas, upper, vertical(upper, linear), rates);
    axes::columns(
        canvas,
        upper,
        horizontal(upper, linear),
        columns.clone(),
        Rule::Grid,
    );
    canvas.path(
        vec![(upper.left, upper.bottom), (upper.right, upper.top)],
        Ink::Plan,
        2,
    );
    curves(canvas, shown, upper, (linear, linear), |step| {
        step.achieved_rps
    });

    let lower = panel(canvas, "p99 of latency, log scale");
    axes::rows(canvas, lower, vertical(lower, log), times);
    axes::columns(
        canvas,
        lower,
        horizontal(lower, linear),
        columns,
        Rule::Grid,
    );
    curves(canvas, shown, lower, (linear, log), |step| {
        step.latency_us.p99.max(1) as f64
    });
    axes::title_below(canvas, lower, "offered, requests per second");
}

fn horizontal(plot: Area, scale: Scale) -> Axis {
    Axis {
        scale,
        from: plot.left,
        to: plot.right,
    }
}

fn vertical(plot: Area, scale: Scale) -> Axis {
    Axis {
        scale,
        from: plot.bottom,
        to: plot.top,
    }
}

fn curves(
    canvas: &mut Canvas,
    shown: &[&Scenario],
    plot: Area,
    (rates, values): (Scale, Scale),
    value: fn(&StepPoint) -> f64,
) {
    let (thick, ..) = canvas.strokes();
    let (x, y) = (horizontal(plot, rates), vertical(plot, values));
    let at = |step: &StepPoint| (x.at(step.offered_rps), y.at(value(step)));
    for scenario in shown {
        let steps = by_rate(&scenario.steps);
        canvas.path(
            steps.iter().map(|step| at(step)).collect(),
            scenario.ink,
            thick,
        );
        for step in steps {
            canvas.disc(at(step), thick * 2, scenario.ink);
        }
        if let Some(Knee::At(step)) = knee_of(scenario) {
            canvas.disc(at(step), thick * 4, scenario.ink);
            canvas.disc(at(step), thick * 5 / 2, Ink::Surface);
        }
    }
}

#[cfg(test)]
mod tests {
    use results::record::Percentiles;

    use super::*;

    fn step(offered_rps: f64, achieved_rps: f64, p99: u64) -> StepPoint {
        let latency_us = Percentiles {
            p99,
            ..Percentiles::default()
        };
        StepPoint {
            start_s: 0.0,
            offered_rps,
            achieved_rps,
            samples: 100,
            latency_us,
            is_carried: None,
        }
    }

    #[test]
    fn the_knee_is_the_last_rate_before_the_first_that_was_not_carried() {
        let fine = step(100.0, 100.0, 500);
        let busy = step(200.0, 199.0, 900);
        let slow = step(300.0, 300.0, 5_000);
        let short = step(300.0, 250.0, 900);
        let again = step(400.0, 400.0, 900);
        assert_eq!(knee(&[fine, busy, slow]), Some(Knee::At(&busy)));
        assert_eq!(knee(&[again, fine, busy, short]), Some(Knee::At(&busy)));
        assert_eq!(knee(&[busy, fine]), Some(Knee::NotReached(&busy)));
        assert_eq!(knee(&[short]), Some(Knee::Below(&short)));
        assert_eq!(knee(&[]), None);
    }

    #[test]
    fn the_knee_of_a_search_is_what_the_search_found() {
        let of = |offered, is_carried| StepPoint {
            is_carried: Some(is_carried),
            ..step(offered, offered, 500)
        };
        let (low, hiccup, middle, high) = (
            of(100.0, true),
            of(199.0, false),
            of(200.0, true),
            of(400.0, false),
        );
        let steps = [low, hiccup, middle, high];
        let knee = Outcome::Knee { rps: 200.0 };
        assert_eq!(found(&knee, &steps), Some(Knee::At(&middle)));
        let bound = Outcome::GeneratorBound {
            at_rps: 400.0,
            carried_rps: Some(200.0),
        };
        assert_eq!(found(&bound, &steps), Some(Knee::NotReached(&middle)));
        let below = Outcome::Below { lowest_rps: 400.0 };
        assert_eq!(found(&below, &[high]), Some(Knee::Below(&high)));
        assert_eq!(found(&knee, &[]), None);
    }
}
