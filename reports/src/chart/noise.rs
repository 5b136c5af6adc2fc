//! How much this machine differs from itself: the base against the base, pair by pair.

use super::{Chart, Words, compose_with};
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::Canvas;
use crate::draw::ink::Ink;
use crate::draw::picture::{Anchor, Area};
use crate::draw::scale::{Axis, Scale};
use crate::draw::text::Weight;
use crate::draw::ticks::{self, Tick};
use crate::duet::{Duet, Figures};
use crate::format::{change, count, number};
use crate::table::Table;

const HEIGHT: i32 = 280;
/// Share of the pairs that the axis has room for; wilder ones are drawn at its edge.
const SHOWN: f64 = 0.95;

/// A comparison with its control.
struct Card<'a> {
    duet: &'a Duet,
    control: &'a Figures,
    pairs: Vec<f64>,
}

impl Card<'_> {
    /// The difference that mattered, as a share.
    fn margin(&self) -> f64 {
        self.duet.figures.margins.cpu
    }
}

/// The noise card of the comparisons that had a control.
pub fn chart(duets: &[Duet]) -> Option<Chart> {
    let cards: Vec<Card<'_>> = duets.iter().filter_map(card).collect();
    let first = cards.first()?;
    let each: Vec<String> = cards
        .iter()
        .map(|card| format!("{}: {}", card.duet.base.name, told(card)))
        .collect();
    let words = Words {
        id: "noise",
        title: match cards.as_slice() {
            [only] => format!(
                "Against itself, the base differs by {} ({} to {})",
                change(only.control.cpu_ratio.estimate),
                change(only.control.cpu_ratio.low),
                change(only.control.cpu_ratio.high)
            ),
            _ => "How much does the base differ from itself?".to_owned(),
        },
        alt: format!(
            "CPU time per request of the base against itself in another Envoy, pair by pair. {}.",
            each.join("; ")
        ),
        note: "The same build in two Envoys, in the same minutes as the comparison: what shows here is the \
               machine. Dots: pairs of slices. Line: estimate, with its 95 % interval around it. Grey band: \
               the margin. Pairs beyond the edges are drawn on them; pairs in which an Envoy waited are \
               drawn and not counted."
            .into(),
    };
    let samples: usize = cards.iter().map(|card| card.pairs.len()).sum();
    let meta = format!(
        "{} · {} pairs of the control",
        first.duet.meta(),
        count(samples as u64)
    );
    Some(compose_with(meta, words, table(&cards), |canvas| {
        for card in &cards {
            draw(canvas, card);
        }
    }))
}

fn card(duet: &Duet) -> Option<Card<'_>> {
    let control = duet.control.as_ref()?;
    let pairs = duet.control_pairs();
    (!pairs.is_empty()).then_some(Card {
        duet,
        control,
        pairs,
    })
}

fn told(card: &Card<'_>) -> String {
    let ratio = card.control.cpu_ratio;
    format!(
        "{} ({} to {}), {}; a slowdown of {}\u{a0}% would have been seen in nine of ten tries",
        change(ratio.estimate),
        change(ratio.low),
        change(ratio.high),
        card.control.verdict,
        number(card.control.smallest_visible_effect * 100.0),
    )
}

fn table(cards: &[Card<'_>]) -> Table {
    let head = ["Base", "Pair", "CPU time, control divided by base"];
    let mut table = Table::new("The base against itself", 1, &head);
    for card in cards {
        for (place, ratio) in card.pairs.iter().enumerate() {
            let place = count(place as u64 + 1);
            table.push([card.duet.base.name.clone(), place, format!("{ratio:.4}")]);
        }
    }
    table
}

/// As far from no change as most pairs are, and at least as far as the margin.
fn reach(card: &Card<'_>) -> f64 {
    let mut distances: Vec<f64> = card.pairs.iter().map(|ratio| (ratio - 1.0).abs()).collect();
    distances.sort_by(f64::total_cmp);
    let most = (distances.len() as f64 * SHOWN) as usize;
    let most = distances.get(most.min(distances.len().saturating_sub(1)));
    most.copied().unwrap_or(0.0).max(card.margin()) * 1.25
}

fn draw(canvas: &mut Canvas, card: &Card<'_>) {
    let (em, small, (thick, ..)) = (canvas.em(), canvas.small(), canvas.strokes());
    canvas.paragraph(&card.duet.base.name, em, Weight::Strong, Ink::Text);
    canvas.paragraph(&told(card), small, Weight::Regular, Ink::Muted);
    canvas.top += em * 2;
    let (reach, margin) = (reach(card), card.margin());
    let (low, high) = (1.0 - reach, 1.0 + reach);
    let rows = ticks::around(1.0, low, high, 5, change);
    let labels = rows.iter().map(|tick| tick.label.as_str());
    let plot = Area {
        left: canvas.inset() + axes::widest(canvas, labels) + small / 2,
        top: canvas.top,
        right: canvas.width - canvas.inset() - em,
        bottom: canvas.top + HEIGHT,
    };
    let values = Axis {
        scale: Scale::Linear { low, high },
        from: plot.bottom,
        to: plot.top,
    };
    let band = |low: f64, high: f64| Area {
        top: values.at(high),
        bottom: values.at(low),
        ..plot
    };
    canvas.rect(band(1.0 / (1.0 + margin), 1.0 + margin), Ink::Shade, 1.0);
    axes::rows(canvas, plot, values, rows);
    let ratio = card.control.cpu_ratio;
    canvas.rect(band(ratio.low, ratio.high), Ink::Series(0), 0.25);
    let last = card.pairs.len() as f64;
    let places = Axis {
        scale: Scale::Linear {
            low: 0.0,
            high: last + 1.0,
        },
        from: plot.left,
        to: plot.right,
    };
    for (place, pair) in card.pairs.iter().enumerate() {
        let at = (places.at(place as f64 + 1.0), values.at(*pair));
        canvas.disc(at, thick, Ink::Muted);
    }
    let estimate = values.at(ratio.estimate);
    canvas.path(
        vec![(plot.left, estimate), (plot.right, estimate)],
        Ink::Series(0),
        thick,
    );
    canvas.path(
        vec![(plot.left, plot.bottom), (plot.right, plot.bottom)],
        Ink::Axis,
        2,
    );
    let mut numbers: Vec<Tick> = ticks::linear(last, 8, number);
    numbers.retain(|tick| tick.value > 0.0 && tick.value.fract() == 0.0);
    axes::columns(canvas, plot, places, numbers, Rule::Mark);
    axes::title_below(canvas, plot, "pair of slices, in the order of measuring");
    canvas.text(
        "difference in CPU time per request",
        (canvas.inset(), plot.top - em / 3),
        Anchor::Start,
        small,
        Ink::Muted,
    );
    canvas.top += em;
}
