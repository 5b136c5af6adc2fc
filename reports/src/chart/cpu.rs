//! What a request costs in processor time.

use super::{Chart, Words, compose, left_out};
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::{Canvas, Form};
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area};
use crate::draw::scale::{Axis, Scale};
use crate::draw::text::{self, Weight};
use crate::draw::ticks;
use crate::facts::{Facts, Scenario};
use crate::format::{list, micros, number, round_micros};
use crate::story;
use crate::table::Table;

const BAR: i32 = 40;
const THIN_BAR: i32 = 16;
/// Between the two bars of a scenario, so that the value of the thin one has room.
const BAR_GAP: i32 = 6;

/// A scenario with what is known of its costs, in microseconds per request.
struct Cost<'a> {
    scenario: &'a Scenario,
    envoy: f64,
    generator: Option<f64>,
}

pub(super) fn chart(facts: &Facts) -> Option<Chart> {
    let costs: Vec<Cost<'_>> = facts.scenarios.iter().filter_map(cost).collect();
    if costs.is_empty() {
        return None;
    }
    let each: Vec<String> = costs
        .iter()
        .map(|cost| format!("{}: {}", cost.scenario.name(), micros(cost.envoy)))
        .collect();
    let words = Words {
        id: "cpu",
        title: title(facts, &costs),
        alt: format!("Envoy's CPU time per request. {}.", each.join("; ")),
        note: note(facts),
    };
    Some(compose(facts, words, table(&costs), |canvas| {
        draw(canvas, &costs)
    }))
}

fn cost(scenario: &Scenario) -> Option<Cost<'_>> {
    let summary = scenario.summary();
    let envoy = summary.envoy_cpu_us_per_request?;
    Some(Cost {
        scenario,
        envoy,
        generator: summary.generator_cpu_us_per_request,
    })
}

fn title(facts: &Facts, costs: &[Cost<'_>]) -> String {
    let of = |scenario: &Scenario| {
        costs
            .iter()
            .find(|cost| cost.scenario.name() == scenario.name())
            .map(|cost| cost.envoy)
    };
    let told = story::cast(facts).and_then(|cast| {
        let (ours, theirs) = (of(cast.subject)?, of(cast.slow)?);
        let floor = cast
            .floor
            .and_then(|floor| Some((floor.name(), of(floor)?)));
        let costs = [
            Some((cast.subject.name(), ours)),
            Some((cast.slow.name(), theirs)),
            floor,
        ];
        let costs = costs.into_iter().flatten();
        let costs = costs.map(|(name, cost)| format!("{} in {name}", micros(cost)));
        Some(format!(
            "Envoy's CPU time per request: {}",
            list(&costs.collect::<Vec<_>>())
        ))
    });
    told.unwrap_or_else(|| "What does a request cost Envoy?".into())
}

fn note(facts: &Facts) -> String {
    let mut note = "CPU time per request falls as load rises, so it is comparable only at equal rates. The thin \
                    bar is the load generator, which is not part of the product."
        .to_owned();
    let without = left_out(facts, |scenario| cost(scenario).is_some());
    if !without.is_empty() {
        note = format!("{note} Not measured in {}.", list(&without));
    }
    note
}

fn table(costs: &[Cost<'_>]) -> Table {
    let head = [
        "Scenario",
        "Envoy (µs)",
        "Load generator (µs)",
        "Offered (1/s)",
    ];
    let mut table = Table::new("CPU time per request of the measured part", 1, &head);
    for cost in costs {
        table.push([
            cost.scenario.name().to_owned(),
            number(cost.envoy),
            cost.generator.map_or_else(|| "–".to_owned(), number),
            number(cost.scenario.summary().offered_rps),
        ]);
    }
    table
}

fn draw(canvas: &mut Canvas, costs: &[Cost<'_>]) {
    let (em, small) = (canvas.em(), canvas.small());
    key(canvas);
    let names = costs
        .iter()
        .map(|c| text::width(c.scenario.name(), em, Weight::Strong));
    let from = match canvas.form {
        Form::Narrow => canvas.inset(),
        Form::Wide | Form::Alone => canvas.inset() + em + names.max().unwrap_or(0),
    };
    let values = || {
        costs
            .iter()
            .flat_map(|c| [Some(c.envoy), c.generator])
            .flatten()
    };
    let high = values().fold(f64::MIN_POSITIVE, f64::max);
    let room = values()
        .map(|v| text::width(&micros(v), em, Weight::Strong))
        .max()
        .unwrap_or(0);
    let to = canvas.width - canvas.inset() - room - small;
    let axis = Axis {
        scale: Scale::Linear { low: 0.0, high },
        from,
        to,
    };
    let top = canvas.top;
    let row = BAR + BAR_GAP + THIN_BAR + em * 3 / 2 + name_height(canvas);
    let bottom = top + row * i32::try_from(costs.len()).unwrap_or(i32::MAX);
    let plot = Area {
        left: from,
        top,
        right: to,
        bottom,
    };
    axes::columns(
        canvas,
        plot,
        axis,
        ticks::linear(high, 6, round_micros),
        Rule::Grid,
    );
    let below = std::mem::replace(&mut canvas.top, top);
    for cost in costs {
        bars(canvas, axis, cost);
        canvas.top += row;
    }
    canvas.path(vec![(from, top), (from, bottom)], Ink::Axis, 2);
    canvas.top = below;
}

fn key(canvas: &mut Canvas) {
    let (em, small) = (canvas.em(), canvas.small());
    let base = canvas.top + em;
    canvas.text(
        "CPU time per request",
        (canvas.inset(), base),
        Anchor::Start,
        small,
        Ink::Muted,
    );
    let mut x =
        canvas.inset() + em * 2 + text::width("CPU time per request", small, Weight::Regular);
    for (ink, height, name) in [
        (Ink::Muted, em, "Envoy"),
        (Ink::Plan, em / 2, "load generator"),
    ] {
        let middle = base - em / 3;
        let (top, bottom) = (middle - height / 2, middle + height / 2);
        canvas.rect(
            Area {
                left: x,
                top,
                right: x + em * 3 / 2,
                bottom,
            },
            ink,
            1.0,
        );
        canvas.text(name, (x + em * 2, base), Anchor::Start, small, Ink::Muted);
        x += em * 3 + text::width(name, small, Weight::Regular);
    }
    canvas.top += em * 2;
}

/// On a phone a scenario's name stands above its bars.
fn name_height(canvas: &Canvas) -> i32 {
    if canvas.form == Form::Narrow {
        canvas.em() * 3 / 2
    } else {
        0
    }
}

fn bars(canvas: &mut Canvas, axis: Axis, cost: &Cost<'_>) {
    let (em, small) = (canvas.em(), canvas.small());
    let top = canvas.top + em / 2 + name_height(canvas);
    let bottom = top + BAR;
    let name_base = if name_height(canvas) > 0 {
        top - em / 2
    } else {
        top + BAR / 2 + em / 3
    };
    canvas.strong(
        cost.scenario.name(),
        (canvas.inset(), name_base),
        Anchor::Start,
        em,
        Ink::Text,
    );
    let right = axis.at(cost.envoy);
    canvas.rect(
        Area {
            left: axis.from,
            top,
            right,
            bottom,
        },
        cost.scenario.ink,
        1.0,
    );
    let at = (right + small / 2, top + BAR / 2 + em / 3);
    canvas.strong(&micros(cost.envoy), at, Anchor::Start, em, Ink::Text);
    if let Some(generator) = cost.generator {
        let (top, right) = (bottom + BAR_GAP, axis.at(generator));
        let area = Area {
            left: axis.from,
            top,
            right,
            bottom: top + THIN_BAR,
        };
        canvas.rect(area, Ink::Plan, 1.0);
        let at = (right + small / 2, top + THIN_BAR / 2 + small / 3);
        canvas.text(&micros(generator), at, Anchor::Start, small, Ink::Muted);
    }
}
