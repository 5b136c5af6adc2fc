//! Sums by application, metric and minute.
//!
//! Owns [`Tally`]. Must not know who counted.

use std::collections::BTreeMap;

use authcache::time::{Period, UnixMillis};

/// Units of usage, ancestors not included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<(usize, usize, UnixMillis), u64>);

impl Tally {
    pub(crate) fn add(&mut self, application: usize, metric: usize, at: UnixMillis, amount: u64) {
        let minute = Period::Minute.window(at).start;
        *self.0.entry((application, metric, minute)).or_default() += amount;
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Of one metric of one application.
    pub(crate) fn of(&self, application: usize, metric: usize) -> u64 {
        let whole =
            (application, metric, UnixMillis(0))..=(application, metric, UnixMillis(u64::MAX));
        self.0.range(whole).map(|(_, amount)| amount).sum()
    }

    /// Where `other` differs.
    pub(crate) fn difference(&self, other: &Self) -> Vec<(usize, usize, UnixMillis, u64, u64)> {
        let mut differences = Vec::new();
        for key in self.0.keys().chain(other.0.keys()) {
            let here = self.0.get(key).copied().unwrap_or_default();
            let there = other.0.get(key).copied().unwrap_or_default();
            let difference = (key.0, key.1, key.2, here, there);
            if here != there && !differences.contains(&difference) {
                differences.push(difference);
            }
        }
        differences
    }
}
