//! What answers say, as values that travel between the sync side and the workers.
//!
//! Owns [`Reading`] and [`Uncovered`]. Must not know what a record does with them.

use serde::{Deserialize, Serialize};

use crate::ids::AppKey;
use crate::key::KeyDigest;
use crate::protocol::response::{StatusAnswer, UsageReport};
use crate::quota::Limit;
use crate::time::{Period, UnixMillis, Window};

/// One limit as an answer shows it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LimitReading {
    /// The metric's name.
    pub metric: String,
    /// The calendar period.
    pub period: Period,
    /// The window of the counter.
    pub window: Window,
    /// The limit.
    pub max: u64,
    /// The counter.
    pub current: u64,
}

/// What one answer says about an application.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reading {
    /// When the question was sent: the answer covers nothing that was reported later.
    pub started: UnixMillis,
    /// Every limit of the plan.
    pub limits: Vec<LimitReading>,
    /// The children of the limited metrics; `None` when the answer does not list them.
    pub hierarchy: Option<Vec<(String, Vec<String>)>>,
    /// Digests of the application's keys; `None` when the answer does not list them.
    pub keys: Option<Vec<KeyDigest>>,
}

impl Reading {
    /// What `answer` says. `started` is when the question was sent.
    pub fn of(answer: &StatusAnswer, started: UnixMillis) -> Self {
        let digests = |keys: &Vec<AppKey>| -> Vec<KeyDigest> {
            keys.iter().map(|key| KeyDigest::of(key.expose())).collect()
        };
        Self {
            started,
            limits: answer.reports.iter().map(LimitReading::of).collect(),
            hierarchy: answer.hierarchy.clone(),
            keys: answer.app_keys.as_ref().map(digests),
        }
    }
}

impl LimitReading {
    fn of(report: &UsageReport) -> Self {
        Self {
            metric: report.metric.clone(),
            period: report.period,
            window: report.window,
            max: report.max,
            current: report.current,
        }
    }
}

/// What the sync side knows about one worker's usage of one application at the moment it asked.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Uncovered {
    /// Usage that the reading does not cover: metric, a moment inside its minute, amount.
    pub usage: Vec<(String, UnixMillis, u64)>,
    /// The totals of the last message of this worker, by metric.
    pub totals: Vec<(String, u64)>,
}

impl Reading {
    /// The limits, with nothing ahead of them.
    pub(super) fn limits(&self) -> Vec<Limit> {
        let limits = self.limits.iter().map(|limit| Limit {
            period: limit.period,
            window: limit.window,
            max: limit.max,
            reading: limit.current,
            ahead: 0,
        });
        limits.collect()
    }

    /// The metric of each limit.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.limits.iter().map(|limit| limit.metric.clone());
        names.collect()
    }
}

impl Uncovered {
    /// The total that the last message of the worker gave for `metric`.
    pub(super) fn total(&self, metric: &str) -> Option<u64> {
        let mut totals = self.totals.iter();
        totals
            .find(|(name, _)| name == metric)
            .map(|(_, total)| *total)
    }

    /// What is not covered of `metric` at times that are `within`.
    pub(super) fn sum(&self, metric: &str, within: impl Fn(UnixMillis) -> bool) -> u64 {
        self.usage
            .iter()
            .filter(|(name, at, _)| name == metric && within(*at))
            .fold(0, |sum, (_, _, amount)| sum.saturating_add(*amount))
    }
}
