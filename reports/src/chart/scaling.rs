//! What the number of known applications costs: CPU time of a hit, and bytes.

use super::curves::{self, Curve, Plane, Side};
use super::{Chart, Words, compose_with};
use crate::draw::ink::Ink;
use crate::draw::scale::Scale;
use crate::draw::ticks;
use crate::format::{count, decimal_bytes, number};
use crate::scaling::{Memory, Scaling, told};
use crate::table::Table;

/// The charts there is data for.
pub fn charts(scaling: &Scaling) -> Vec<Chart> {
    [cost(scaling), memory(scaling)]
        .into_iter()
        .flatten()
        .collect()
}

fn meta(scaling: &Scaling) -> String {
    let mut parts = vec![
        "the core alone, without Envoy".to_owned(),
        format!(
            "compared in turns with {} applications",
            count(scaling.base())
        ),
    ];
    if let Some(circumstances) = &scaling.circumstances {
        parts.push(format!("commit {}", circumstances.commit));
        parts.push(format!(
            "machine class {}",
            circumstances.machine.fingerprint
        ));
    }
    parts.join(" · ")
}

/// An axis of numbers of applications, a little longer than they are.
fn across(numbers: impl Iterator<Item = u64> + Clone) -> Side {
    let values = numbers.map(|number| number.max(1) as f64);
    let low = values.clone().fold(f64::MAX, f64::min) / 1.25;
    let high = values.fold(1.0, f64::max) * 1.25;
    let mut named = ticks::log(low, high, |value| count(value as u64));
    let minor = named.iter_mut().filter(|tick| !tick.major);
    minor.for_each(|tick| tick.label.clear());
    Side {
        title: "applications that a worker knows, log scale".to_owned(),
        scale: Scale::Log { low, high },
        ticks: named,
    }
}

fn cost(scaling: &Scaling) -> Option<Chart> {
    let highest = scaling
        .hits
        .iter()
        .flat_map(|cost| [cost.ns_per_hit, cost.base_ns_per_hit])
        .fold(0.0, f64::max);
    if highest <= 0.0 {
        return None;
    }
    let base = scaling.base();
    let words = Words {
        id: "hit-cost",
        title: "What does a hit cost by the number of known applications?".into(),
        alt: format!(
            "CPU time of a hit by the number of known applications. {}.",
            scaling.title()
        ),
        note: format!(
            "CPU time of a hit in the core, without what Envoy does for a request. Dots: medians. Dashed, in \
             the same colour: a worker that knows {} applications, measured in turns with each other number \
             in the same minutes, so the distance between the lines counts, not their height.",
            count(base)
        ),
    };
    let popularities = scaling.popularities();
    let curves = popularities.iter().enumerate().flat_map(|(place, name)| {
        let points = |base: bool| {
            let costs = scaling.hits.iter().filter(|it| it.popularity == *name);
            let points = costs.map(|it| {
                let value = if base {
                    it.base_ns_per_hit
                } else {
                    it.ns_per_hit
                };
                (it.applications as f64, value)
            });
            vec![points.collect::<Vec<_>>()]
        };
        // The dashed one is named by the note: the key would hold every colour twice.
        [
            (String::new(), true),
            (format!("{} keys", told(name)), false),
        ]
        .map(|(name, dashed)| Curve {
            name,
            ink: Ink::Series(place),
            dashed,
            stretches: points(dashed),
        })
    });
    let numbers = scaling.hits.iter().map(|cost| cost.applications);
    let plane = Plane {
        across: across(numbers),
        up: curves::from_zero("CPU time of a hit, nanoseconds", highest, |value| {
            format!("{}\u{a0}ns", number(value))
        }),
        reference: None,
        curves: curves.collect(),
    };
    Some(compose_with(
        meta(scaling),
        words,
        cost_table(scaling),
        |canvas| curves::draw(canvas, &plane),
    ))
}

fn cost_table(scaling: &Scaling) -> Table {
    let base = format!("With {} (ns)", count(scaling.base()));
    let head = [
        "Applications",
        "Keys",
        "A hit (ns)",
        base.as_str(),
        "Ratio",
        "Lower quartile",
        "Upper quartile",
    ];
    let mut table = Table::new("CPU time of a hit", 2, &head);
    for cost in &scaling.hits {
        let [low, high] = cost.ratio_quartiles;
        table.push([
            count(cost.applications),
            told(&cost.popularity).to_owned(),
            number(cost.ns_per_hit),
            number(cost.base_ns_per_hit),
            number(cost.ratio),
            number(low),
            number(high),
        ]);
    }
    table
}

fn memory(scaling: &Scaling) -> Option<Chart> {
    let all = || scaling.memory.iter().chain(&scaling.bounded);
    let values = || all().map(|it| it.worker_bytes.max(1) as f64);
    all().next()?;
    let words = Words {
        id: "memory",
        title: match scaling.memory.last() {
            Some(most) => format!(
                "An application costs a worker {}",
                decimal_bytes(most.bytes_per_application)
            ),
            None => "How much memory do applications take?".to_owned(),
        },
        alt: format!(
            "Live bytes of a worker by the number of applications that asked. {}",
            scaling.memory_in_words()
        ),
        note: "Both axes are logarithmic. Counted by an allocator, without leases. With a bound a worker \
               evicts what was used longest ago."
            .into(),
    };
    let low = 10_f64.powf(values().fold(f64::MAX, f64::min).log10().floor());
    let high = ticks::round_up(values().fold(1.0, f64::max)).max(low * 10.0);
    let mut sizes = ticks::log(low, high, decimal_bytes);
    let minor = sizes.iter_mut().filter(|tick| !tick.major);
    minor.for_each(|tick| tick.label.clear());
    let curve = |name: &str, ink, of: &[Memory]| {
        let points = of
            .iter()
            .map(|it| (it.applications as f64, it.worker_bytes.max(1) as f64));
        Curve {
            name: name.to_owned(),
            ink,
            dashed: false,
            stretches: vec![points.collect()],
        }
    };
    let curves = [
        curve("without a bound", Ink::Series(0), &scaling.memory),
        curve("with a bound", Ink::Series(1), &scaling.bounded),
    ];
    let has_points = |curve: &Curve| !curve.stretches.iter().all(Vec::is_empty);
    let plane = Plane {
        across: Side {
            title: "applications that asked, log scale".to_owned(),
            ..across(all().map(|it| it.applications))
        },
        up: Side {
            title: "bytes that a worker holds, log scale".to_owned(),
            scale: Scale::Log { low, high },
            ticks: sizes,
        },
        reference: None,
        curves: curves.into_iter().filter(has_points).collect(),
    };
    Some(compose_with(
        meta(scaling),
        words,
        memory_table(scaling),
        |canvas| curves::draw(canvas, &plane),
    ))
}

fn memory_table(scaling: &Scaling) -> Table {
    let head = [
        "Bound",
        "Applications that asked",
        "Known",
        "Bytes of a worker",
        "For each (B)",
        "More with leases (B)",
        "Shared data, for each (B)",
    ];
    let mut table = Table::new("Memory", 1, &head);
    let rows = |name: &'static str, of: &'_ [Memory]| -> Vec<Vec<String>> {
        let row = |it: &Memory| {
            vec![
                name.to_owned(),
                count(it.applications),
                count(it.known),
                count(it.worker_bytes.max(0).unsigned_abs()),
                number(it.bytes_per_application),
                it.bytes_per_holder.map_or_else(|| "–".to_owned(), number),
                number(it.shared_bytes_per_application),
            ]
        };
        of.iter().map(row).collect()
    };
    for row in [
        rows("none", &scaling.memory),
        rows("bound", &scaling.bounded),
    ]
    .concat()
    {
        table.push(row);
    }
    table
}
