//! Counters that are kept elsewhere, as one decision sees them.
//!
//! Owns the notes on what was asked and what has to change. Must not know where the counters are, or
//! how what was asked is fetched.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::super::calendar::{Period, Window};
use super::super::usage::{Amount, Delta, Entry};
use super::{is_kept, kept_after_end};

/// One counter.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CounterId {
    /// Service id.
    pub service: Box<str>,
    /// Application id.
    pub application: Box<str>,
    /// Metric id.
    pub metric: Box<str>,
    /// Period of its window.
    pub period: Period,
    /// First second of its window; the smallest number for eternity.
    pub start: i64,
}

/// What happens to one counter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The counter.
    pub counter: CounterId,
    /// What happens to it. A counter that would leave 64 bits stays as it is.
    pub delta: Delta,
    /// Seconds after which nobody asks for it any more.
    pub kept_for: Option<i64>,
}

/// Totals: service id to metric id to the sum of the eternity counters of all applications.
pub type Totals = HashMap<String, HashMap<String, Amount>>;

/// What is known of the counters.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Values, those that are zero included.
    pub counters: HashMap<CounterId, Amount>,
    /// Totals of every service, if they are known.
    pub totals: Option<Totals>,
}

/// What a decision asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    /// Counters, each once.
    pub counters: Vec<CounterId>,
    /// Whether totals were asked for.
    pub totals: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct Draft {
    known: Known,
    asked: Mutex<Asked>,
    changes: Mutex<Vec<Change>>,
}

/// The part of a draft that is about one application.
pub(in super::super) struct Part<'a> {
    draft: &'a Draft,
    service: &'a str,
    application: &'a str,
}

impl Part<'_> {
    pub(super) fn value(&self, metric: &str, period: Period, now: i64) -> Amount {
        let counter = self.counter(metric, period, period.window(now));
        let value = self.draft.known.counters.get(&counter).copied();
        let mut asked = self.draft.asked.lock();
        if !asked.counters.contains(&counter) {
            asked.counters.push(counter);
        }
        value.unwrap_or_default()
    }

    fn counter(&self, metric: &str, period: Period, window: Window) -> CounterId {
        CounterId {
            service: self.service.into(),
            application: self.application.into(),
            metric: metric.into(),
            period,
            start: window.start,
        }
    }
}

impl Draft {
    pub(in super::super) fn new(known: Known) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    pub(super) fn part<'a>(&'a self, service: &'a str, application: &'a str) -> Part<'a> {
        Part {
            draft: self,
            service,
            application,
        }
    }

    pub(super) fn apply(
        &self,
        service: &str,
        application: &str,
        usage: &[Entry],
        at: i64,
        now: i64,
    ) {
        let part = self.part(service, application);
        let mut changes = self.changes.lock();
        for entry in usage {
            changes.extend(windows(at, now).map(|(period, window)| Change {
                counter: part.counter(&entry.metric, period, window),
                delta: entry.delta,
                kept_for: kept_for(period, window, now),
            }));
        }
    }

    pub(super) fn totals(&self, service: &str) -> HashMap<String, Amount> {
        self.asked.lock().totals = true;
        let known = self.known.totals.as_ref();
        known
            .and_then(|totals| totals.get(service).cloned())
            .unwrap_or_default()
    }

    /// Everything that was asked for, if some of it was not known.
    pub(in super::super) fn missed(&self) -> Option<Asked> {
        let asked = self.asked.lock();
        let unknown = |counter| !self.known.counters.contains_key(counter);
        let missed =
            asked.counters.iter().any(unknown) || (asked.totals && self.known.totals.is_none());
        missed.then(|| asked.clone())
    }

    /// What has to change.
    pub(in super::super) fn into_changes(self) -> Vec<Change> {
        self.changes.into_inner()
    }
}

/// The windows in which usage of the moment `at` counts: those of every period that are still kept.
fn windows(at: i64, now: i64) -> impl Iterator<Item = (Period, Window)> {
    Period::ALL
        .into_iter()
        .map(move |period| (period, period.window(at)))
        .filter(move |(period, window)| is_kept(*period, window.end, now))
}

fn kept_for(period: Period, window: Window, now: i64) -> Option<i64> {
    (period != Period::Eternity).then(|| window.end - now + kept_after_end(period))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_935_748_800;

    #[test]
    fn what_is_not_known_is_asked_for_once_and_counts_as_zero_until_it_is() {
        let draft = Draft::default();
        assert_eq!(draft.missed(), None);
        for _ in 0..2 {
            assert_eq!(draft.part("s", "a").value("m", Period::Day, NOON), 0);
        }
        let asked = draft.missed().expect("the counter is not known");
        assert_eq!(asked.counters.len(), 1);
        let known = Known {
            counters: asked.counters.into_iter().map(|c| (c, 7)).collect(),
            totals: None,
        };
        let draft = Draft::new(known);
        assert_eq!(draft.part("s", "a").value("m", Period::Day, NOON + 5), 7);
        assert_eq!(draft.missed(), None);
        draft.part("s", "b").value("m", Period::Day, NOON);
        let asked = draft.missed().expect("another application");
        assert_eq!(asked.counters.len(), 2, "all are fetched at one moment");
    }

    #[test]
    fn usage_changes_every_window_that_is_still_kept() {
        let draft = Draft::default();
        let entry = Entry {
            metric: "m".into(),
            delta: Delta::Add(2),
        };
        draft.apply("s", "a", &[entry], NOON - 7200, NOON + 15);
        let changes = draft.into_changes();
        let kept: Vec<_> = changes
            .iter()
            .map(|change| (change.counter.period, change.kept_for))
            .collect();
        // The minute of two hours ago is over and forgotten.
        assert_eq!(kept[0], (Period::Hour, Some(2 * 3600 - 15)));
        assert_eq!(kept.last(), Some(&(Period::Eternity, None)));
        assert_eq!(kept.len(), 6);
    }
}
