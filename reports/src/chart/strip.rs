//! Whether a change costs anything: each ratio with its interval, against the margin that matters.

use super::{Chart, Words, compose_with};
use crate::draw::axes::{self, Rule};
use crate::draw::canvas::Canvas;
use crate::draw::ink::Ink;
use crate::draw::picture::Area;
use crate::draw::scale::{Axis, Scale};
use crate::draw::text::Weight;
use crate::draw::ticks;
use crate::duet::Duet;
use crate::format::{change, number};
use crate::paired::Ratio;
use crate::paired::verdict::Verdict;
use crate::table::Table;

const TRACK: i32 = 46;

/// One ratio.
pub(crate) struct Strip {
    /// What it is of.
    pub(crate) name: String,
    /// Candidate divided by base.
    pub(crate) ratio: Ratio,
    /// The difference that matters, as a share; none where nothing is judged.
    pub(crate) margin: Option<f64>,
    /// What it amounts to.
    pub(crate) verdict: Option<Verdict>,
    /// The word for that, where it is not the verdict's own.
    pub(crate) told: Option<&'static str>,
    /// Whether that is no more than a hint.
    pub(crate) is_advisory: bool,
}

/// The verdict strip of one comparison, or of all of a suite.
pub fn chart(duets: &[Duet]) -> Option<Chart> {
    let strips: Vec<Strip> = duets
        .iter()
        .flat_map(|duet| strips(duet, duets.len() > 1))
        .collect();
    let first = duets.first()?;
    let meta: Vec<String> = match duets {
        [_] => vec![first.meta()],
        _ => vec![
            format!("{} comparisons", duets.len()),
            format!("closed loop, {} connections", first.connections),
            format!(
                "{} requests",
                crate::format::count(duets.iter().map(Duet::requests).sum())
            ),
            format!("machine class {}", first.machine.fingerprint),
        ],
    };
    let mut meta = meta.join(" · ");
    if duets.len() > 1 && duets.iter().any(|duet| !duet.validity.valid) {
        meta.push_str(" · NOT ALL VALID: see the report for the reasons");
    }
    Some(of(&strips, title(duets), meta))
}

/// A strip of any ratios.
pub(crate) fn of(strips: &[Strip], title: String, meta: String) -> Chart {
    let each: Vec<String> = strips
        .iter()
        .map(|strip| format!("{}: {}", strip.name, told(strip)))
        .collect();
    let words = Words {
        id: "verdict",
        title,
        alt: format!(
            "Difference of the candidate from the base, in percent, with 95 % intervals. {}.",
            each.join("; ")
        ),
        note: format!(
            "Dot: estimate. Line: 95 % interval. {} A difference is stated only if the whole interval lies \
             beyond the band, and no difference only if it lies within.",
            margins(strips)
        ),
    };
    compose_with(meta, words, table(strips), |canvas| draw(canvas, strips))
}

/// What the grey bands are.
fn margins(strips: &[Strip]) -> String {
    let mut each: Vec<(&str, f64)> = Vec::new();
    for strip in strips {
        if let Some(margin) = strip.margin
            && !each.iter().any(|(_, known)| *known == margin)
        {
            each.push((&strip.name, margin));
        }
    }
    match each[..] {
        [] => "Nothing has a margin.".to_owned(),
        [(_, margin)] => format!("The grey band is the margin: {}.", change(1.0 + margin)),
        _ => {
            let each: Vec<String> = each
                .iter()
                .map(|(name, margin)| format!("{} for {name}", change(1.0 + margin)))
                .collect();
            format!("The grey band is the margin: {}.", each.join(", "))
        }
    }
}

/// What a comparison amounts to, in a line.
pub fn title(duets: &[Duet]) -> String {
    match duets {
        [duet] => {
            let figures = &duet.figures;
            let hint = if duet.advisory {
                " (advisory: the control alarmed)"
            } else {
                ""
            };
            format!(
                "{}: CPU time per request {} ({} to {}){hint}",
                capital(figures.verdict),
                change(figures.cpu_ratio.estimate),
                change(figures.cpu_ratio.low),
                change(figures.cpu_ratio.high),
            )
        }
        _ => {
            let of = |wanted| {
                duets
                    .iter()
                    .filter(|duet| duet.figures.verdict == wanted)
                    .count()
            };
            format!(
                "Of {} comparisons {} slower, {} faster, {} without difference, {} cannot tell",
                duets.len(),
                of(Verdict::Slower),
                of(Verdict::Faster),
                of(Verdict::NoDifference),
                of(Verdict::CannotTell)
            )
        }
    }
}

fn capital(verdict: Verdict) -> String {
    let text = verdict.to_string();
    let mut signs = text.chars();
    let first = signs.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(signs).collect()
}

fn strips(duet: &Duet, is_one_of_many: bool) -> Vec<Strip> {
    let figures = &duet.figures;
    let of = |name: &str, ratio, margin, verdict| Strip {
        name: match is_one_of_many {
            true => format!("{} against {}: {name}", duet.candidate.name, duet.base.name),
            false => name.to_owned(),
        },
        ratio,
        margin,
        verdict,
        told: None,
        is_advisory: duet.advisory,
    };
    let cpu = of(
        "CPU time per request",
        figures.cpu_ratio,
        Some(figures.margins.cpu),
        Some(figures.verdict),
    );
    if is_one_of_many {
        return vec![cpu];
    }
    let mut all = vec![
        cpu,
        of(
            "median latency",
            figures.p50_ratio,
            Some(figures.margins.p50),
            Some(figures.p50_verdict),
        ),
        of(
            "throughput",
            figures.throughput_ratio,
            figures
                .throughput_verdict
                .map(|_| figures.margins.throughput),
            figures.throughput_verdict,
        ),
    ];
    all.extend(duet.control.as_ref().map(|control| Strip {
        is_advisory: false,
        ..of(
            "control: CPU time of the base against itself",
            control.cpu_ratio,
            Some(figures.margins.cpu),
            Some(control.verdict),
        )
    }));
    all
}

fn told(strip: &Strip) -> String {
    let Ratio {
        estimate,
        low,
        high,
    } = strip.ratio;
    let figures = format!("{} ({} to {})", change(estimate), change(low), change(high));
    match (verdict(strip), strip.is_advisory) {
        (None, _) => figures,
        (Some(verdict), false) => format!("{figures}, {verdict}"),
        (Some(verdict), true) => format!("{figures}, {verdict}, advisory"),
    }
}

fn verdict(strip: &Strip) -> Option<String> {
    let own = strip.verdict.map(|verdict| verdict.to_string());
    strip.told.map(str::to_owned).or(own)
}

fn table(strips: &[Strip]) -> Table {
    let head = [
        "Figure",
        "Ratio",
        "95 % from",
        "to",
        "Margin (%)",
        "Verdict",
    ];
    let mut table = Table::new("Candidate divided by base", 1, &head);
    for strip in strips {
        let ratio = |value: f64| format!("{value:.4}");
        table.push([
            strip.name.clone(),
            ratio(strip.ratio.estimate),
            ratio(strip.ratio.low),
            ratio(strip.ratio.high),
            strip
                .margin
                .map_or_else(|| "–".to_owned(), |margin| number(margin * 100.0)),
            verdict(strip).unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    table
}

/// An axis of ratios from the lowest to the highest, with the margins and no change in it.
fn axis(canvas: &Canvas, strips: &[Strip]) -> Axis {
    let margin = |strip: &Strip| strip.margin.unwrap_or(0.0);
    let low = strips
        .iter()
        .map(|it| it.ratio.low.min(1.0 / (1.0 + margin(it))));
    let high = strips.iter().map(|it| it.ratio.high.max(1.0 + margin(it)));
    let (low, high) = (low.fold(1.0, f64::min), high.fold(1.0, f64::max));
    let room = ((high - low) * 0.06).max(0.005);
    Axis {
        scale: Scale::Linear {
            low: low - room,
            high: high + room,
        },
        from: canvas.inset(),
        to: canvas.width - canvas.inset(),
    }
}

fn draw(canvas: &mut Canvas, strips: &[Strip]) {
    let (em, small) = (canvas.em(), canvas.small());
    let axis = axis(canvas, strips);
    for strip in strips {
        canvas.paragraph(&strip.name, em, Weight::Strong, Ink::Text);
        canvas.paragraph(&told(strip), small, Weight::Regular, Ink::Muted);
        canvas.top += small / 2;
        track(canvas, axis, strip);
        canvas.top += TRACK + em;
    }
    canvas.top -= em / 2;
    let plot = Area {
        left: axis.from,
        top: canvas.top - 1,
        right: axis.to,
        bottom: canvas.top,
    };
    canvas.path(
        vec![(plot.left, plot.bottom), (plot.right, plot.bottom)],
        Ink::Axis,
        2,
    );
    if let Scale::Linear { low, high } = axis.scale {
        axes::columns(
            canvas,
            plot,
            axis,
            ticks::around(1.0, low, high, 8, change),
            Rule::Mark,
        );
    }
    axes::title_below(canvas, plot, "difference of the candidate from the base");
}

fn track(canvas: &mut Canvas, axis: Axis, strip: &Strip) {
    let (thick, ..) = canvas.strokes();
    let (top, bottom) = (canvas.top, canvas.top + TRACK);
    let middle = (top + bottom) / 2;
    let whole = Area {
        left: axis.from,
        top,
        right: axis.to,
        bottom,
    };
    canvas.rect(whole, Ink::Shade, 1.0);
    if let Some(margin) = strip.margin {
        let (left, right) = (axis.at(1.0 / (1.0 + margin)), axis.at(1.0 + margin));
        canvas.rect(
            Area {
                left,
                right,
                ..whole
            },
            Ink::Plan,
            1.0,
        );
    }
    let zero = axis.at(1.0);
    canvas.path(vec![(zero, top), (zero, bottom)], Ink::Axis, 2);
    let ink = match strip.verdict {
        Some(Verdict::Slower) => Ink::Error,
        Some(Verdict::Faster) => Ink::Hit,
        _ => Ink::Text,
    };
    let (low, high) = (axis.at(strip.ratio.low), axis.at(strip.ratio.high));
    canvas.path(vec![(low, middle), (high, middle)], ink, thick * 3 / 2);
    for end in [low, high] {
        canvas.path(
            vec![(end, middle - TRACK / 5), (end, middle + TRACK / 5)],
            ink,
            thick,
        );
    }
    let estimate = (axis.at(strip.ratio.estimate), middle);
    canvas.disc(estimate, TRACK.unsigned_abs() / 4, ink);
}
