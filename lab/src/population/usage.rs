//! Usage that applications start with: a few use a lot, most use little.
//!
//! Owns the Zipf spread of calls over applications and over metrics. Must not know counters.

use std::collections::BTreeMap;

use crate::scenario::PopulationSettings;

/// How the calls of a population are spread: the k-th application has `first / k^exponent` of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    first: f64,
    exponent: f64,
}

impl Spread {
    pub(super) fn new(settings: &PopulationSettings) -> Self {
        let Some(usage) = settings.usage else {
            return Self {
                first: 0.0,
                exponent: 0.0,
            };
        };
        let ranks = 1..=settings.applications;
        let sum: f64 = ranks.map(|rank| weight(rank, usage.exponent)).sum();
        Self {
            first: usage.calls as f64 / sum.max(1.0),
            exponent: usage.exponent,
        }
    }

    /// Metric name to amount; metrics that were not used are left out.
    pub(super) fn of<'a>(
        &self,
        settings: &'a PopulationSettings,
        index: u32,
    ) -> BTreeMap<&'a str, u64> {
        let mut usage = BTreeMap::new();
        // Rounded down, so that most of a long tail has used nothing and needs no counters.
        let calls = (self.first * weight(index + 1, self.exponent)) as u64;
        if calls == 0 {
            return usage;
        }
        let leaves: Vec<&str> = leaves(settings).collect();
        let Some(each) = calls.checked_div(leaves.len() as u64) else {
            return usage;
        };
        // What does not divide goes to one of them, another one from application to application.
        let rest = calls - each * leaves.len() as u64;
        let lucky = (settings.seed.wrapping_add(index.into()) % leaves.len() as u64) as usize;
        for (position, leaf) in leaves.into_iter().enumerate() {
            let amount = each + if position == lucky { rest } else { 0 };
            let mut at = Some(leaf);
            while let Some(metric) = at.filter(|_| amount > 0) {
                *usage.entry(metric).or_default() += amount;
                at = parent(settings, metric);
            }
        }
        usage
    }
}

fn weight(rank: u32, exponent: f64) -> f64 {
    f64::from(rank).powf(-exponent)
}

/// Metrics that no other metric counts in.
fn leaves(settings: &PopulationSettings) -> impl Iterator<Item = &str> {
    let metrics = &settings.metrics;
    let is_parent = move |name: &str| metrics.values().any(|parent| parent == name);
    let names = metrics.keys().map(String::as_str);
    names.filter(move |name| !is_parent(name))
}

fn parent<'a>(settings: &'a PopulationSettings, metric: &str) -> Option<&'a str> {
    let parent = settings.metrics.get(metric)?;
    (!parent.is_empty()).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::UsageSettings;

    fn settings(calls: u64, exponent: f64) -> PopulationSettings {
        PopulationSettings {
            applications: 1000,
            metrics: PopulationSettings::metrics_of(4),
            usage: Some(UsageSettings { calls, exponent }),
            ..PopulationSettings::default()
        }
    }

    #[test]
    fn calls_halve_with_the_doubled_rank_and_add_up_to_what_was_asked_for() {
        let settings = settings(1_000_000, 1.0);
        let spread = Spread::new(&settings);
        let hits = |index| spread.of(&settings, index).get("hits").copied();
        assert_eq!(hits(0).map(|hits| hits / 10), hits(1).map(|hits| hits / 5));
        let sum: u64 = (0..1000).filter_map(hits).sum();
        // Each application loses less than one call to rounding.
        assert!((999_000..=1_000_000).contains(&sum), "{sum}");
    }

    #[test]
    fn parents_have_used_what_their_children_used() {
        let settings = settings(1_000_000, 1.0);
        let usage = Spread::new(&settings).of(&settings, 3);
        let children = usage.iter().filter(|(name, _)| **name != "hits");
        assert_eq!(
            children.map(|(_, amount)| amount).sum::<u64>(),
            usage["hits"]
        );
        assert_eq!(usage.len(), 4);
    }

    #[test]
    fn the_tail_of_a_steep_spread_has_used_nothing() {
        let settings = settings(1000, 2.0);
        assert!(Spread::new(&settings).of(&settings, 999).is_empty());
    }
}
