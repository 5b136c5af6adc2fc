//! What usage of each metric counts for, worked out once per answer.
//!
//! Owns [`Charge`]. Must not know counters.

use super::Reading;
use crate::hierarchy::{Hierarchy, Standing};
use crate::quota::Demand;
use crate::time::UnixMillis;
use crate::usage::Usage;

/// What usage of a metric counts for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Charge {
    /// These limits, by their place.
    Limits(Box<[usize]>),
    /// No limit, provided the metric exists: a successful call named it, which is believed until then.
    Free { until: UnixMillis },
    /// Something that answers do not show.
    Hidden,
}

/// What each metric of the service's table counts for.
pub(crate) fn charges<'a>(
    reading: &Reading,
    metrics: impl IntoIterator<Item = &'a str>,
) -> Vec<Charge> {
    let mut limited: Vec<&str> = Vec::new();
    for limit in &reading.limits {
        if !limited.contains(&limit.metric.as_str()) {
            limited.push(&limit.metric);
        }
    }
    if reading.hierarchy.is_none() && !limited.is_empty() {
        // Nothing is known about ancestors.
        return metrics.into_iter().map(|_| Charge::Hidden).collect();
    }
    let children = reading
        .hierarchy
        .iter()
        .flatten()
        .map(|(parent, names)| (parent.as_str(), names.as_slice()));
    let hierarchy = Hierarchy::new(limited.iter().copied(), children);
    let places = |counts: Vec<usize>| -> Box<[usize]> {
        let of = |place: &usize| limited.get(*place).copied();
        let names: Vec<&str> = counts.iter().filter_map(of).collect();
        let limits = reading.limits.iter().enumerate();
        limits
            .filter(|(_, limit)| names.contains(&limit.metric.as_str()))
            .map(|(place, _)| place)
            .collect()
    };
    metrics
        .into_iter()
        .map(|metric| match hierarchy.standing(metric) {
            Standing::Counts(counts) => Charge::Limits(places(counts)),
            Standing::Outside => Charge::Free {
                until: UnixMillis(0),
            },
            Standing::Hidden => Charge::Hidden,
        })
        .collect()
}

/// What a request asks of each of `limits` limits. One without usage is checked against all of them as
/// they stand.
pub(crate) fn demands(charges: &[Charge], limits: usize, usage: &Usage, demands: &mut Vec<Demand>) {
    sum(charges, usage, demands);
    if usage.is_empty() {
        demands.extend((0..limits).map(|limit| Demand { limit, amount: 0 }));
    }
}

/// Expands usage up the tree: what it adds to each limit, entries that share an ancestor summed.
pub(crate) fn sum(charges: &[Charge], usage: &Usage, demands: &mut Vec<Demand>) {
    demands.clear();
    for (metric, amount) in usage.iter() {
        let Some(Charge::Limits(places)) = charges.get(usize::from(metric.0)) else {
            continue;
        };
        for place in places {
            add(demands, *place, amount);
        }
    }
}

/// What usage may add to each of `limits` limits: where it does not show what a metric counts for,
/// to all of them.
pub(crate) fn demands_at_most(
    charges: &[Charge],
    limits: usize,
    usage: &Usage,
    demands: &mut Vec<Demand>,
) {
    sum(charges, usage, demands);
    for (metric, amount) in usage.iter() {
        let charge = charges.get(usize::from(metric.0));
        if matches!(charge, Some(Charge::Hidden) | None) {
            for place in 0..limits {
                add(demands, place, amount);
            }
        }
    }
}

fn add(demands: &mut Vec<Demand>, place: usize, amount: u64) {
    match demands.iter_mut().find(|demand| demand.limit == place) {
        Some(demand) => demand.amount = demand.amount.saturating_add(amount),
        None => demands.push(Demand {
            limit: place,
            amount,
        }),
    }
}

/// The metrics that count for the limit at `place`.
pub(crate) fn contributors(charges: &[Charge], place: usize) -> Vec<usize> {
    charges
        .iter()
        .enumerate()
        .filter(|(_, charge)| matches!(charge, Charge::Limits(places) if places.contains(&place)))
        .map(|(metric, _)| metric)
        .collect()
}
