//! What usage of each metric counts for, worked out once per answer.
//!
//! Owns [`Charge`]. Must not know counters.

use super::Reading;
use crate::hierarchy::{Hierarchy, Standing};
use crate::time::UnixMillis;

/// What usage of a metric counts for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Charge {
    /// These limits, by their place.
    Limits(Box<[usize]>),
    /// No limit, provided the metric exists: a successful call named it, which is believed until then.
    Free { until: UnixMillis },
    /// Something that answers do not show.
    Hidden,
}

/// What each metric of the service's table counts for.
pub(super) fn charges<'a>(
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

/// The metrics that count for the limit at `place`.
pub(super) fn contributors(charges: &[Charge], place: usize) -> Vec<usize> {
    charges
        .iter()
        .enumerate()
        .filter(|(_, charge)| matches!(charge, Charge::Limits(places) if places.contains(&place)))
        .map(|(metric, _)| metric)
        .collect()
}
