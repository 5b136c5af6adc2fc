//! What a request uses: metrics and how much of each.
//!
//! Owns [`MetricIndex`] and [`Usage`]. Must not know limits, periods or where the usage came from.

use serde::{Deserialize, Serialize};

/// A metric of one service, by its place in the service's table of metric names. The table is built
/// once per configuration, so that a request never handles a name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct MetricIndex(pub u16);

/// Usage of one request by metric: as sent, not yet expanded up the metric tree. Each metric occurs
/// at most once; the order is that of first mention.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    entries: Vec<(MetricIndex, u64)>,
}

impl Usage {
    /// Adds `delta` to `metric`; saturates at the largest value.
    pub fn add(&mut self, metric: MetricIndex, delta: u64) {
        match self.entries.iter_mut().find(|(known, _)| *known == metric) {
            Some((_, sum)) => *sum = sum.saturating_add(delta),
            None => self.entries.push((metric, delta)),
        }
    }

    /// Forgets every entry and keeps the memory, so that one value can serve request after request.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Whether no metric is mentioned.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in order of first mention.
    pub fn iter(&self) -> impl Iterator<Item = (MetricIndex, u64)> + '_ {
        self.entries.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching_rules_add_up_per_metric_and_saturate() {
        let mut usage = Usage::default();
        usage.add(MetricIndex(3), 1);
        usage.add(MetricIndex(1), u64::MAX);
        usage.add(MetricIndex(3), 2);
        usage.add(MetricIndex(1), 1);
        let entries: Vec<_> = usage.iter().collect();
        assert_eq!(entries, [(MetricIndex(3), 3), (MetricIndex(1), u64::MAX)]);
    }
}
