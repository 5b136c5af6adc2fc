//! The usage of one application.
//!
//! Owns [`Entry`] and [`Entries`]. Must not know applications. Mostly there is one metric and one
//! minute: that entry has its place, so that the first hit of a tick allocates nothing.

use crate::time::UnixMillis;
use crate::usage::MetricIndex;

/// Usage of one metric in one minute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The metric.
    pub metric: MetricIndex,
    /// The start of the minute, which is inside every window that the usage was admitted in.
    pub minute: UnixMillis,
    /// How much.
    pub amount: u64,
    /// The record's total of this metric, this usage included.
    pub total: u64,
}

/// Entries, in order of first use.
#[derive(Debug, Default)]
pub struct Entries {
    first: Option<Entry>,
    /// Empty where there is no first one.
    more: Vec<Entry>,
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.more.len() + usize::from(self.first.is_some())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.first.iter().chain(&self.more)
    }

    /// The one of this metric and minute.
    pub(super) fn find(&mut self, metric: MetricIndex, minute: UnixMillis) -> Option<&mut Entry> {
        let known = |entry: &&mut Entry| entry.metric == metric && entry.minute == minute;
        self.first.iter_mut().chain(&mut self.more).find(known)
    }

    /// Adds one at the end.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.first.is_none() {
            self.first = Some(entry);
        } else {
            self.more.push(entry);
        }
    }

    /// Drops those that are not to be kept.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        self.more.retain(&mut keep);
        if !self.first.as_ref().is_some_and(keep) {
            self.first = (!self.more.is_empty()).then(|| self.more.remove(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u16) -> Entry {
        Entry {
            metric: MetricIndex(n),
            minute: UnixMillis(60_000),
            amount: u64::from(n),
            total: 0,
        }
    }

    #[test]
    fn what_is_kept_stays_in_order_and_is_found() {
        for bits in 0..16_u16 {
            let mut entries = Entries::default();
            for n in 0..4 {
                entries.push(entry(n));
            }
            assert_eq!(entries.len(), 4);
            entries.retain(|entry| bits & (1 << entry.metric.0) != 0);
            let kept: Vec<u16> = entries.iter().map(|entry| entry.metric.0).collect();
            let expected: Vec<u16> = (0..4).filter(|n| bits & (1 << n) != 0).collect();
            assert_eq!(kept, expected);
            assert_eq!(entries.is_empty(), expected.is_empty());
            for n in 0..4 {
                let found = entries.find(MetricIndex(n), UnixMillis(60_000));
                assert_eq!(found.is_some(), expected.contains(&n));
                assert!(entries.find(MetricIndex(n), UnixMillis(0)).is_none());
            }
        }
    }
}
