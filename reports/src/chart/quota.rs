//! How exactly limits were kept: usage over the limit, and requests denied in vain.

use super::dots::{self, Dots, Group, Row};
use super::{Chart, Words, compose_with};
use crate::draw::ink::Ink;
use crate::draw::scale::Scale;
use crate::draw::ticks::{self, Tick};
use crate::format::{count, percent};
use crate::quota::{Case, Figures, Quota, share};
use crate::table::Table;

/// The charts of the cases; none if there are no cases.
pub fn charts(quota: &Quota) -> Vec<Chart> {
    if quota.cases.is_empty() {
        return Vec::new();
    }
    vec![overshoot(quota), denied(quota)]
}

fn meta(quota: &Quota) -> String {
    let requests: u64 = quota.cases.iter().map(|case| case.figures.offered).sum();
    let mut parts = vec![
        format!("{} cases of one minute", count(quota.cases.len() as u64)),
        format!("{} requests offered", count(requests)),
        "counted by the backend's ledger".to_owned(),
    ];
    if let Some(circumstances) = &quota.circumstances {
        parts.push(format!("commit {}", circumstances.commit));
        parts.push(format!(
            "machine class {}",
            circumstances.machine.fingerprint
        ));
    }
    if !quota.doubts().is_empty() {
        parts.push("NOT VALID: see the report for the reasons".to_owned());
    }
    parts.join(" · ")
}

fn overshoot(quota: &Quota) -> Chart {
    let words = Words {
        id: "overshoot",
        title: "How far over a limit was usage let through?".into(),
        alt: format!(
            "Usage that the ledger counted beyond the limit, in percent of the limit, for each case. {}",
            quota.worst()
        ),
        note: "Dot: usage beyond the limit. Upright mark: the most that the mode promises; without one \
               it promises nothing. The axis is logarithmic above 0, so lengths of lines are no \
               proportions."
            .into(),
    };
    let columns = ["Over the limit", "Over the limit (%)", "Promise"];
    let title = "Usage beyond the limit, for each case";
    let table = table(quota, title, columns, |case, figures| {
        [
            count(figures.overshoot),
            share(figures.overshoot_percent),
            case.promise(),
        ]
    });
    let values = || {
        let cases = quota.cases.iter();
        let values =
            cases.flat_map(|it| [Some(it.figures.overshoot_percent), it.promise_percent()]);
        values.flatten().filter(|value| *value > 0.0)
    };
    let low = 10_f64.powf(values().fold(0.1, f64::min).log10().floor());
    let high = ticks::round_up(values().fold(1.0, f64::max));
    let shown = Dots {
        title: "beyond the limit, percent of it, log scale above 0",
        scale: Scale::LogAndZero { low, high },
        ticks: log_ticks(low, high),
        groups: groups(quota, true, |case, figures| Row {
            name: case.to_string(),
            value: figures.overshoot_percent,
            text: match figures.overshoot {
                0 => "0".to_owned(),
                units => format!("{} · {}", count(units), share(figures.overshoot_percent)),
            },
            mark: case.promise_percent(),
            ink: match figures.within_bound {
                Some(false) => Ink::Error,
                Some(true) => Ink::Hit,
                None => Ink::Muted,
            },
        }),
    };
    compose_with(meta(quota), words, table, |canvas| {
        dots::draw(canvas, &shown)
    })
}

fn denied(quota: &Quota) -> Chart {
    let most = quota
        .cases
        .iter()
        .map(|case| case.figures.false_denials_percent)
        .fold(0.0, f64::max);
    let words = Words {
        id: "denied-in-vain",
        title: format!(
            "At most {} of a case's requests were denied in vain",
            share(most)
        ),
        alt: format!(
            "Requests that an ideal counter would have let through and that were not, in percent of \
             those sent, for each case. {}",
            quota.worst()
        ),
        note: "An ideal counter knows everything at once. What it would have let through and was not let \
               through was denied in vain: this is the price of never passing a limit."
            .into(),
    };
    let columns = ["Denied in vain (%)", "Backend calls per minute"];
    let title = "Requests denied in vain, for each case";
    let table = table(quota, title, columns, |_, figures| {
        [
            share(figures.false_denials_percent),
            count(figures.backend_calls),
        ]
    });
    let high = ticks::round_up(most.max(1.0));
    let shown = Dots {
        title: "requests denied in vain, percent of those sent",
        scale: Scale::Linear { low: 0.0, high },
        ticks: ticks::linear(high, 5, |value| percent(value / 100.0)),
        groups: groups(quota, false, |case, figures| Row {
            name: case.to_string(),
            value: figures.false_denials_percent,
            text: share(figures.false_denials_percent),
            mark: None,
            ink: Ink::Denied,
        }),
    };
    compose_with(meta(quota), words, table, |canvas| {
        dots::draw(canvas, &shown)
    })
}

/// Every case with what was offered and let through, and in columns of their own what a chart is about.
fn table<const COLUMNS: usize>(
    quota: &Quota,
    title: &str,
    columns: [&str; COLUMNS],
    cells: impl Fn(&Case, &Figures) -> [String; COLUMNS],
) -> Table {
    let head = ["Mode", "Case", "Offered", "Let through"];
    let head: Vec<&str> = head.into_iter().chain(columns).collect();
    let mut table = Table::new(title, 2, &head);
    for case in &quota.cases {
        let figures = &case.figures;
        let every = [
            case.mode.clone(),
            case.to_string(),
            count(figures.offered),
            count(figures.admitted),
        ];
        table.push(every.into_iter().chain(cells(case, figures)));
    }
    table
}

fn groups(quota: &Quota, promises: bool, row: impl Fn(&Case, &Figures) -> Row) -> Vec<Group> {
    let modes = quota.modes().into_iter();
    modes
        .map(|mode| Group {
            name: mode.to_owned(),
            note: match mode {
                _ if !promises => "",
                "strict" => "promises none over the limit",
                "balanced" => "promises half a percent at most, or two",
                _ => "promises nothing",
            }
            .to_owned(),
            rows: quota.of(mode).map(|it| row(it, &it.figures)).collect(),
        })
        .collect()
}

/// Powers of ten as percentages, and 0.
fn log_ticks(low: f64, high: f64) -> Vec<Tick> {
    let mut ticks = ticks::log(low, high, |value| percent(value / 100.0));
    let minor = ticks.iter_mut().filter(|tick| !tick.major);
    minor.for_each(|tick| tick.label.clear());
    let zero = Tick {
        value: 0.0,
        label: "0".into(),
        major: true,
    };
    ticks.insert(0, zero);
    ticks
}
