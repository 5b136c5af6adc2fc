//! Random sequences of calls: the ledger answers as the naive model does.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use lab::backend::ledger::Ledger;
use lab::backend::ledger::calendar::Period;
use lab::backend::ledger::call::Purpose;
use lab::backend::ledger::reporting::Job;
use lab::backend::ledger::status::{CallsLeft, Denial, Status};
use proptest::prelude::*;

use super::model::{Expected, Model, PERIODS, Usage};
use super::world;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    Ask {
        application: usize,
        usage: Option<Usage>,
        counts: bool,
        flat: bool,
    },
    Report {
        transactions: Vec<Reported>,
        flat: bool,
    },
    Limit {
        metric: usize,
        period: usize,
        to: Option<i128>,
    },
    Settle,
    Wait(i64),
}

#[derive(Clone, Debug)]
struct Reported {
    application: usize,
    usage: Option<Usage>,
    /// Seconds from now, and how to write that.
    timestamp: Option<(i64, usize)>,
}

/// Usage in which at most one value is set, and then nothing is added on its branch.
fn usage() -> impl Strategy<Value = Usage> {
    let name = prop::sample::select(vec!["hits", "search", "images", "orders", "other"]);
    let value = prop_oneof![4 => (0..6_u32).prop_map(|n| n.to_string()), 1 => Just(" 2 ".to_owned()),
        1 => Just("007".to_owned())];
    let adds = prop::collection::btree_map(name.clone().prop_map(str::to_owned), value, 1..4)
        .prop_map(|usage| usage.into_iter().collect::<Usage>())
        .prop_shuffle();
    let set = (name, 0..9_u32).prop_map(|(name, to)| vec![(name.to_owned(), format!("#{to}"))]);
    prop_oneof![4 => adds, 1 => set]
}

fn reported() -> impl Strategy<Value = Reported> {
    let offset = prop_oneof![6 => -86_400..=3600_i64, 1 => Just(-86_401), 1 => Just(3601),
        1 => Just(-86_400), 1 => Just(3600)];
    let timestamp = prop::option::of((offset, 0..5_usize));
    (0..3_usize, prop::option::weighted(0.9, usage()), timestamp).prop_map(
        |(application, usage, timestamp)| Reported {
            application,
            usage,
            timestamp,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let usages = prop::option::weighted(0.8, usage());
    let ask = (0..3_usize, usages, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(application, usage, counts, flat)| Event::Ask {
            application,
            usage,
            counts,
            flat,
        },
    );
    let report = (
        prop::collection::vec(reported(), 1..4),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(transactions, flat)| Event::Report { transactions, flat });
    let limit = (
        0..5_usize,
        0..7_usize,
        prop::option::weighted(0.8, 0..25_i128),
    )
        .prop_map(|(metric, period, to)| Event::Limit { metric, period, to });
    let wait = prop_oneof![0..200_i64, 0..100_000_i64, 0..40_000_000_i64].prop_map(Event::Wait);
    prop_oneof![6 => ask, 3 => report, 4 => limit, 3 => Just(Event::Settle), 2 => wait]
}

/// Usage that was accepted and is not counted yet, as the model remembers it.
enum Pending {
    Usage {
        application: usize,
        usage: Usage,
        flat: bool,
    },
    Report {
        transactions: Vec<Reported>,
        flat: bool,
        sent_at: i64,
    },
}

struct Run {
    ledger: Ledger,
    model: Model,
    now: i64,
    pending: Vec<(Job, Pending)>,
}

impl Run {
    fn new(start: i64) -> Self {
        let mut model = Model::default();
        for (_, name, parent) in world::METRICS {
            let parent =
                parent.and_then(|id| world::METRICS.iter().find(|(known, ..)| *known == id));
            if let Some((_, parent, _)) = parent {
                model.parents.insert(name.to_owned(), (*parent).to_owned());
            }
        }
        Self {
            ledger: world::ledger(&["s"]),
            model,
            now: start,
            pending: Vec::new(),
        }
    }

    fn step(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Ask {
                application,
                usage,
                counts,
                flat,
            } => {
                let purpose = if counts {
                    Purpose::AskAndCount
                } else {
                    Purpose::Ask
                };
                let id = world::APPLICATIONS[application];
                let call = world::ask("s", id, purpose, usage.as_deref(), flat);
                let answer = self.ledger.authorize(&call, world::at(self.now));
                let (status, job) = answer.expect("a well-formed call");
                let expected = self
                    .model
                    .authorize(id, usage.as_ref(), counts, flat, self.now);
                prop_assert_eq!(of(&status), expected, "{:?}", call);
                if let Some(job) = job {
                    prop_assert!(counts && status.denial.is_none());
                    let usage = usage.unwrap_or_default();
                    self.pending.push((
                        job,
                        Pending::Usage {
                            application,
                            usage,
                            flat,
                        },
                    ));
                }
            }
            Event::Report { transactions, flat } => {
                let sent = transactions.iter().map(|reported| {
                    let timestamp = reported
                        .timestamp
                        .map(|(offset, form)| written(self.now + offset, form));
                    world::transaction(
                        world::APPLICATIONS[reported.application],
                        reported.usage.as_deref(),
                        timestamp,
                    )
                });
                let call = world::report("s", sent.collect(), flat);
                let job = self.ledger.accept(call).expect("a well-formed report");
                let sent_at = self.now;
                self.pending.push((
                    job,
                    Pending::Report {
                        transactions,
                        flat,
                        sent_at,
                    },
                ));
            }
            Event::Limit { metric, period, to } => {
                let name = world::METRICS[metric].1;
                let key = (name.to_owned(), PERIODS[period].to_owned());
                world::set_limit(&self.ledger, "s", name, Period::ALL[period], to);
                match to {
                    Some(to) => self.model.limits.insert(key, to),
                    None => self.model.limits.remove(&key),
                };
            }
            Event::Settle => self.settle(),
            Event::Wait(seconds) => self.now += seconds,
        }
        Ok(())
    }

    fn settle(&mut self) {
        for (job, pending) in std::mem::take(&mut self.pending) {
            self.ledger.count(job, world::at(self.now));
            match pending {
                Pending::Usage {
                    application,
                    usage,
                    flat,
                } => {
                    self.model
                        .count(world::APPLICATIONS[application], &usage, flat, self.now);
                }
                Pending::Report {
                    transactions,
                    flat,
                    sent_at,
                } => {
                    self.count_report(transactions, flat, sent_at);
                }
            }
        }
    }

    fn count_report(&mut self, transactions: Vec<Reported>, flat: bool, sent_at: i64) {
        let mut to_count = Vec::new();
        for Reported {
            application,
            usage,
            timestamp,
        } in transactions
        {
            let usage: Option<Usage> = usage.map(|usage| {
                usage
                    .into_iter()
                    .filter(|(_, value)| value != "0")
                    .collect()
            });
            if usage.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            let at = timestamp.map_or(self.now, |(offset, _)| sent_at + offset);
            // A transaction without usage counts nothing, and its timestamp is not looked at.
            let Some(usage) = usage else { continue };
            if !(self.now - 86_400..=self.now + 3600).contains(&at) {
                return;
            }
            to_count.push((application, usage, at));
        }
        for (application, usage, at) in to_count {
            self.model
                .count(world::APPLICATIONS[application], &usage, flat, at);
        }
    }
}

/// A moment in one of the forms that reports may use.
fn written(at: i64, form: usize) -> String {
    let moment = Timestamp::from_second(at).expect("a moment of these tests");
    let utc = moment.to_zoned(TimeZone::UTC);
    let east = moment.to_zoned(TimeZone::fixed(Offset::constant(2)));
    match form {
        0 => at.to_string(),
        1 => utc.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        2 => utc.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        3 => east.strftime("%Y-%m-%d %H:%M:%S +0200").to_string(),
        _ => east.strftime("%Y-%m-%dT%H:%M:%S+02:00").to_string(),
    }
}

fn of(status: &Status) -> Expected {
    assert!(matches!(status.denial, None | Some(Denial::LimitsExceeded)));
    let row = |report: &lab::backend::ledger::status::UsageReport| {
        let period = report.period.name().to_owned();
        (
            report.name.to_string(),
            period,
            report.max,
            report.stored,
            report.shown,
        )
    };
    let left = match status.calls_left.expect("limit headers were asked for") {
        CallsLeft::Unlimited => None,
        CallsLeft::Limited {
            calls,
            reset_seconds,
            ..
        } => Some((calls, reset_seconds.unwrap_or(-1))),
    };
    let reports: BTreeSet<_> = status.reports.iter().map(row).collect();
    assert_eq!(
        reports.len(),
        status.reports.len(),
        "a limit is reported once"
    );
    Expected {
        authorized: status.denial.is_none(),
        reports,
        left,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_answers_as_the_naive_model_does(
        start in 0..2_000_000_000_i64,
        events in prop::collection::vec(event(), 1..50),
    ) {
        let mut run = Run::new(start + 86_400);
        for event in events {
            run.step(event)?;
        }
        run.settle();
        for application in 0..3 {
            run.step(Event::Ask { application, usage: None, counts: false, flat: false })?;
        }
    }
}
