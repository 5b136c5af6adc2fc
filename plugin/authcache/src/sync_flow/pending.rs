//! Usage of one application that the backend has not confirmed.
//!
//! Owns [`Pending`]: merging, cutting off a report, and the 24 hours. Must not know calls or phases.
//!
//! Usage is kept by minute and metric, and within that by the worker it came from, because a refresh
//! has to tell every worker which part of its own usage it does not cover. After an hour the minutes of
//! an hour become one ([`Pending::coarsen`]), so the size is bounded by the hours of a day, metrics and
//! workers, not by requests nor by how long the backend is away.

use std::collections::BTreeMap;

use crate::credentials::Credential;
use crate::ids::MetricName;
use crate::protocol::request::{MAX_PARAMETERS, Transaction};
use crate::time::{Period, UnixMillis};

/// A worker's view of a service: its VM, and its number of the service.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct SourceId {
    pub(super) generation: u64,
    pub(super) service: u32,
}

const HOUR_MS: u64 = 3_600_000;
/// Parameters of the usage in one report; some are left for who reports it.
const MAX_USAGE_PARAMETERS: usize = MAX_PARAMETERS - 16;
/// Metrics of a question that reports too: its usage stands in a query, which has to stay short.
const MAX_MERGED_METRICS: usize = 16;

/// Usage that is not confirmed.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    parts: BTreeMap<(UnixMillis, MetricName), BTreeMap<SourceId, u64>>,
    amount: u64,
}

impl Pending {
    pub(super) fn add(
        &mut self,
        minute: UnixMillis,
        metric: MetricName,
        source: SourceId,
        amount: u64,
    ) {
        let part = self.parts.entry((minute, metric)).or_default();
        let sum = part.entry(source).or_default();
        *sum = sum.saturating_add(amount);
        self.amount = self.amount.saturating_add(amount);
    }

    /// Puts back what could not be reported.
    pub(super) fn merge(&mut self, other: Self) {
        for ((minute, metric), sources) in other.parts {
            for (source, amount) in sources {
                self.add(minute, metric.clone(), source, amount);
            }
        }
    }

    /// Whether one call about now may carry all of it: everything is of the minute that starts at
    /// `minute`, and of few metrics.
    pub(super) fn is_all_of(&self, minute: UnixMillis) -> bool {
        self.parts.len() <= MAX_MERGED_METRICS && self.parts.keys().all(|(at, _)| *at == minute)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Units of usage.
    pub(super) fn amount(&self) -> u64 {
        self.amount
    }

    /// Forgets what lies before `earliest` and says how much it was.
    pub(super) fn expire(&mut self, earliest: UnixMillis) -> u64 {
        let mut lost: u64 = 0;
        self.parts.retain(|(minute, _), sources| {
            let keep = *minute >= earliest;
            if !keep {
                lost = lost.saturating_add(sum(sources));
            }
            keep
        });
        self.amount = self.amount.saturating_sub(lost);
        lost
    }

    /// Makes the minutes of each hour one, the last of them, for hours that ended before `now` less an
    /// hour. That crosses no window but minutes, which no limit looks at any more.
    pub(super) fn coarsen(&mut self, now: UnixMillis) {
        let hour = |at: UnixMillis| Period::Hour.window(at).start;
        let recent = UnixMillis(hour(now).0.saturating_sub(HOUR_MS));
        let mut last: BTreeMap<(UnixMillis, MetricName), UnixMillis> = BTreeMap::new();
        let old = self.parts.keys().take_while(|(minute, _)| *minute < recent);
        for (minute, metric) in old {
            last.insert((hour(*minute), metric.clone()), *minute);
        }
        let is_early = |minute: &UnixMillis, metric: &MetricName| {
            last.get(&(hour(*minute), metric.clone()))
                .is_some_and(|last| last != minute)
        };
        let early: Vec<_> = self
            .parts
            .extract_if(.., |(minute, metric), _| is_early(minute, metric))
            .collect();
        for ((minute, metric), sources) in early {
            let Some(last) = last.get(&(hour(minute), metric.clone())) else {
                continue;
            };
            let part = self.parts.entry((*last, metric)).or_default();
            for (source, amount) in sources {
                let sum = part.entry(source).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
    }

    /// Takes the oldest usage, as much as one report holds.
    pub(super) fn cut(&mut self) -> Self {
        let mut cut = Self::default();
        let mut parameters = 0;
        let mut minute = None;
        while let Some(part) = self.parts.first_entry() {
            // Each transaction has a credential and a timestamp beside its usage.
            parameters += if minute == Some(part.key().0) { 1 } else { 3 };
            if parameters > MAX_USAGE_PARAMETERS {
                break;
            }
            minute = Some(part.key().0);
            let (key, sources) = part.remove_entry();
            let amount = sum(&sources);
            cut.amount = cut.amount.saturating_add(amount);
            self.amount = self.amount.saturating_sub(amount);
            cut.parts.insert(key, sources);
        }
        cut
    }

    /// The usage as transactions: one for each minute, dated with its start, which is inside every
    /// calendar window that the usage was admitted in.
    pub(super) fn transactions<'a>(&'a self, credential: &'a Credential) -> Vec<Transaction<'a>> {
        let mut transactions: Vec<Transaction<'_>> = Vec::new();
        for ((minute, metric), sources) in &self.parts {
            let usage = (metric.as_str(), sum(sources));
            match transactions.last_mut() {
                Some(last) if last.timestamp == *minute => last.usage.push(usage),
                _ => transactions.push(Transaction {
                    application: credential.as_ref(),
                    usage: vec![usage],
                    timestamp: *minute,
                }),
            }
        }
        transactions
    }

    /// Minute, metric and sum of everything.
    pub(super) fn sums(&self) -> impl Iterator<Item = (UnixMillis, &MetricName, u64)> {
        self.parts
            .iter()
            .map(|((minute, metric), sources)| (*minute, metric, sum(sources)))
    }

    /// Takes everything: minute, metric, worker and amount.
    pub(super) fn take(
        &mut self,
    ) -> impl Iterator<Item = (UnixMillis, MetricName, SourceId, u64)> + use<> {
        let parts = std::mem::take(self).parts.into_iter();
        parts.flat_map(|((minute, metric), sources)| {
            sources
                .into_iter()
                .map(move |(source, amount)| (minute, metric.clone(), source, amount))
        })
    }

    /// The part of one worker.
    pub(super) fn of(&self, source: SourceId) -> Vec<(String, UnixMillis, u64)> {
        self.parts
            .iter()
            .filter_map(|((minute, metric), sources)| {
                let amount = sources.get(&source)?;
                Some((metric.as_str().to_owned(), *minute, *amount))
            })
            .collect()
    }
}

fn sum(sources: &BTreeMap<SourceId, u64>) -> u64 {
    sources
        .values()
        .fold(0, |sum, amount| sum.saturating_add(*amount))
}
