//! The naive model: a log of everything counted, gone through from its start for every question.
//!
//! Written from the protocol document and shares no code with the ledger. Periods are compared by
//! the text of their start as another library writes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

pub(crate) const PERIODS: [&str; 7] =
    ["minute", "hour", "day", "week", "month", "year", "eternity"];

pub(crate) type Usage = Vec<(String, String)>;

/// What one entry of a usage does.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Add(i128),
    Set(i128),
}

#[derive(Debug)]
struct Counted {
    at: i64,
    application: String,
    metric: String,
    effect: Effect,
}

/// One limit in an answer: metric, period, largest value, stored value, value shown.
pub(crate) type ReportRow = (String, String, i128, i128, i128);

/// What the model expects of an authorization call.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Expected {
    pub(crate) authorized: bool,
    pub(crate) reports: BTreeSet<ReportRow>,
    /// Calls left and seconds to the end of the period, -1 for eternity; nothing if unlimited.
    pub(crate) left: Option<(i128, i64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Child to parent, by name.
    pub(crate) parents: BTreeMap<String, String>,
    /// By metric and period.
    pub(crate) limits: BTreeMap<(String, String), i128>,
    log: Vec<Counted>,
}

/// Where the period that holds a moment starts, and how long it still lasts.
fn period_of(period: &str, at: i64) -> (String, i64) {
    let moment = Timestamp::from_second(at).expect("a moment of these tests");
    let moment = moment.to_zoned(TimeZone::UTC);
    let date = moment.date();
    let midnight = |date: jiff::civil::Date| date.at(0, 0, 0, 0);
    let (start, end) = match period {
        "minute" | "hour" => {
            let minute = if period == "minute" {
                date.at(moment.hour(), moment.minute(), 0, 0)
            } else {
                date.at(moment.hour(), 0, 0, 0)
            };
            let seconds = if period == "minute" { 60 } else { 3600 };
            let length = jiff::SignedDuration::from_secs(seconds);
            (minute, minute.checked_add(length).expect("in range"))
        }
        "day" => (midnight(date), midnight(date.tomorrow().expect("in range"))),
        "week" => {
            let monday = match date.weekday() {
                Weekday::Monday => date,
                _ => date.nth_weekday(-1, Weekday::Monday).expect("in range"),
            };
            let next = monday.nth_weekday(1, Weekday::Monday).expect("in range");
            (midnight(monday), midnight(next))
        }
        "month" => {
            let next = date.last_of_month().tomorrow().expect("in range");
            (midnight(date.first_of_month()), midnight(next))
        }
        "year" => {
            let next = date.last_of_year().tomorrow().expect("in range");
            (midnight(date.first_of_year()), midnight(next))
        }
        _ => return ("always".to_owned(), -1),
    };
    let end = end.to_zoned(TimeZone::UTC).expect("UTC has no gaps");
    (start.to_string(), end.timestamp().as_second() - at)
}

fn effect(value: &str) -> Effect {
    let value = value.trim();
    match value.strip_prefix('#') {
        Some(digits) => Effect::Set(digits.parse().expect("digits")),
        None => Effect::Add(value.parse().expect("digits")),
    }
}

impl Model {
    fn with_ancestors(&self, metric: &str) -> Vec<String> {
        let mut chain = vec![metric.to_owned()];
        while let Some(parent) = self.parents.get(&chain[chain.len() - 1]) {
            chain.push(parent.clone());
        }
        chain
    }

    /// Every metric that a usage touches with what happens to it. Values that are set decide.
    fn expanded(&self, usage: &Usage) -> BTreeMap<String, Effect> {
        let mut expanded = BTreeMap::new();
        for (metric, value) in usage {
            for touched in self.with_ancestors(metric) {
                let more = effect(value);
                expanded
                    .entry(touched)
                    .and_modify(|known| {
                        *known = match (*known, more) {
                            (Effect::Add(a), Effect::Add(b)) => Effect::Add(a + b),
                            (_, set @ Effect::Set(_)) | (set @ Effect::Set(_), _) => set,
                        }
                    })
                    .or_insert(more);
            }
        }
        expanded
    }

    fn effective(&self, usage: &Usage, flat: bool) -> BTreeMap<String, Effect> {
        if !flat {
            return self.expanded(usage);
        }
        usage
            .iter()
            .map(|(metric, value)| (metric.clone(), effect(value)))
            .collect()
    }

    fn counter(&self, application: &str, metric: &str, period: &str, now: i64) -> i128 {
        let current = period_of(period, now).0;
        let mut value = 0;
        for counted in &self.log {
            if counted.application == application
                && counted.metric == metric
                && period_of(period, counted.at).0 == current
            {
                value = match counted.effect {
                    Effect::Add(more) => value + more,
                    Effect::Set(to) => to,
                };
            }
        }
        value
    }

    pub(crate) fn authorize(
        &self,
        application: &str,
        usage: Option<&Usage>,
        counts: bool,
        flat: bool,
        now: i64,
    ) -> Expected {
        let applied = |effect: Option<&Effect>, stored: i128| match effect {
            None => stored,
            Some(Effect::Add(more)) => stored + more,
            Some(Effect::Set(to)) => *to,
        };
        let effective = usage.map(|usage| self.effective(usage, flat));
        let shown = usage.map(|usage| self.expanded(usage));
        let rows: Vec<(String, String, i128, i128)> = self
            .limits
            .iter()
            .map(|((metric, period), max)| {
                let stored = self.counter(application, metric, period, now);
                (metric.clone(), period.clone(), *max, stored)
            })
            .collect();
        let authorized = rows
            .iter()
            .all(|(metric, _, max, stored)| match &effective {
                None => stored <= max,
                Some(usage) => match usage.get(metric) {
                    None => true,
                    effect => applied(effect, *stored) <= *max,
                },
            });
        let mut reports = BTreeSet::new();
        let mut tightest: Option<(i128, usize, i64)> = None;
        for (metric, period, max, stored) in rows {
            let own = shown.as_ref().and_then(|shown| shown.get(&metric));
            let value = if authorized && counts {
                applied(own, stored)
            } else {
                stored
            };
            let matters = usage.is_none() || own.is_some();
            let each = match own {
                None => 0,
                Some(Effect::Add(each) | Effect::Set(each)) => *each,
            };
            let left = (max - value).max(0);
            if matters && (left == 0 || each > 0) {
                let calls = if left == 0 { 0 } else { left / each };
                let length = PERIODS
                    .iter()
                    .position(|known| *known == period)
                    .expect("a period");
                let reset = period_of(&period, now).1;
                let longer = |(known, known_length, _): (i128, usize, i64)| {
                    calls < known || (calls == known && length > known_length)
                };
                if tightest.is_none_or(longer) {
                    tightest = Some((calls, length, reset));
                }
            }
            reports.insert((metric, period, max, stored, value));
        }
        Expected {
            authorized,
            reports,
            left: tightest.map(|(calls, _, reset)| (calls, reset)),
        }
    }

    /// Counts a usage at a moment.
    pub(crate) fn count(&mut self, application: &str, usage: &Usage, flat: bool, at: i64) {
        for (metric, effect) in self.effective(usage, flat) {
            let application = application.to_owned();
            self.log.push(Counted {
                at,
                application,
                metric,
                effect,
            });
        }
    }
}
