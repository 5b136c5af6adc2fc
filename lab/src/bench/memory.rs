//! Whether the backend's memory stays flat while windows of limits come and go.
//!
//! Owns the run through years of calendar time and its verdict. Must not know how counters are kept:
//! it calls, moves the clock on, and looks at the process.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::calls::{self, Kind};
use super::client::Client;
use super::server::Server;
use super::{BenchError, Progress};
use crate::backend::ledger::Ledger;
use crate::backend::ledger::calendar::UnixMillis;
use crate::backend::ledger::call::{AuthorizeCall, Caller, Purpose, SentUsage};
use crate::backend::ledger::usage::SentEntry;
use crate::backend::population::load;
use crate::collect::process_usage::of_process;
use crate::population::Population;

/// 2031-01-01 00:00:00 UTC, where the clock starts.
const START: i64 = 1_924_992_000;

/// How far the clock goes in a run, however many calls it has: 800 days see every kind of window but
/// a year's open and expire.
const SPAN_SECONDS: i64 = 800 * 86_400;

/// Looks at the memory in a run.
const SAMPLES: u64 = 20;

/// How much more memory than half way a run may end with.
const TOLERANCE: f64 = 1.05;

/// The same for counters: a metric has one for each of seven periods, and for a time two of a period
/// whose window has just ended, so their number goes up and down with the calendar.
const COUNTERS_TOLERANCE: f64 = 1.25;

/// What is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Via {
    /// The ledger, in this process.
    Ledger,
    /// A backend of its own, over HTTP.
    Http,
}

/// What is measured, and how much of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// This executable, which is the backend's as well.
    pub executable: PathBuf,
    /// Authreps to make.
    pub calls: u64,
    /// What is called.
    pub via: Via,
}

/// Memory at a moment of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Calls made so far.
    pub calls: u64,
    /// Days that the clock has gone on.
    pub days: i64,
    /// Memory of the process that holds the ledger.
    pub rss_bytes: u64,
    /// Counters held: one for each application, metric and window.
    pub counters: u64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.rss_bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "{:>12}{:>8}{mib:>10.1}{:>12}",
            self.calls, self.days, self.counters
        )
    }
}

/// What the columns of a printed [`Sample`] are.
pub fn heading() -> String {
    format!(
        "{:>12}{:>8}{:>10}{:>12}",
        "calls", "days", "RSS MiB", "counters"
    )
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Evenly spread over the run.
    pub samples: Vec<Sample>,
}

impl Report {
    /// Whether the second half needed no more memory and no more counters than the first.
    pub fn is_flat(&self) -> bool {
        let half = self.samples.len() / 2;
        let (Some(half), Some(end)) = (self.samples.get(half), self.samples.last()) else {
            return false;
        };
        let within = |at: u64, most: u64, tolerance: f64| at as f64 <= most as f64 * tolerance;
        within(end.rss_bytes, half.rss_bytes, TOLERANCE)
            && within(end.counters, half.counters, COUNTERS_TOLERANCE)
    }
}

/// Makes the calls, and looks at the memory now and then.
pub fn measure(plan: &Plan, progress: &Progress) -> Result<Report, BenchError> {
    let population = calls::population();
    progress.step("calls over 800 days", plan.calls);
    progress.result(&heading());
    let mut subject: Box<dyn Subject> = match plan.via {
        Via::Ledger => Box::new(InProcess::new(&population)?),
        Via::Http => Box::new(OverHttp::new(plan, &population)?),
    };
    let mut samples = Vec::new();
    for number in 0..SAMPLES {
        let first = plan.calls * number / SAMPLES;
        let end = plan.calls * (number + 1) / SAMPLES;
        subject.call(first..end, &|call| moment(call, plan.calls))?;
        let (rss_bytes, counters) = subject.memory()?;
        let sample = Sample {
            calls: end,
            days: (moment(end, plan.calls) - START) / 86_400,
            rss_bytes,
            counters,
        };
        progress.result(&sample.to_string());
        progress.at(end);
        samples.push(sample);
    }
    Ok(Report { samples })
}

/// When a call is made, in seconds since 1970.
fn moment(call: u64, calls: u64) -> i64 {
    let share = i128::from(call) * i128::from(SPAN_SECONDS) / i128::from(calls.max(1));
    START + share as i64
}

trait Subject {
    /// Makes some calls, each at its moment.
    fn call(
        &mut self,
        calls: std::ops::Range<u64>,
        moment: &dyn Fn(u64) -> i64,
    ) -> Result<(), BenchError>;

    /// Memory and counters.
    fn memory(&mut self) -> Result<(u64, u64), BenchError>;
}

struct InProcess {
    ledger: Ledger,
    calls: Vec<AuthorizeCall>,
}

impl InProcess {
    fn new(population: &Population) -> Result<Self, BenchError> {
        let ledger = Ledger::default();
        let documents: Vec<u8> = population.chunks().flatten().collect();
        let now = UnixMillis::from_millis(START * 1000);
        load(documents.as_slice(), &ledger, |job| ledger.count(job, now))
            .map_err(BenchError::Population)?;
        let service = &population.services[0];
        let caller = Caller {
            provider_key: None,
            service_token: Some(service.token.clone()),
            service_id: Some(service.id.clone()),
        };
        let call = |index| AuthorizeCall {
            user_key: Some(population.application(index).credential.secret().to_owned()),
            usage: SentUsage::Entries(vec![SentEntry {
                metric: "items".to_owned(),
                value: Some("1".to_owned()),
            }]),
            ..AuthorizeCall::of(caller.clone(), Purpose::AskAndCount)
        };
        Ok(Self {
            calls: (0..population.applications()).map(call).collect(),
            ledger,
        })
    }
}

impl Subject for InProcess {
    fn call(
        &mut self,
        calls: std::ops::Range<u64>,
        moment: &dyn Fn(u64) -> i64,
    ) -> Result<(), BenchError> {
        for number in calls {
            let now = UnixMillis::from_millis(moment(number) * 1000);
            let call = &self.calls[(number % self.calls.len() as u64) as usize];
            let (_, job) = self
                .ledger
                .authorize(call, now)
                .map_err(|error| BenchError::Refused(error.to_string()))?;
            if let Some(job) = job {
                self.ledger.count(job, now);
            }
        }
        Ok(())
    }

    fn memory(&mut self) -> Result<(u64, u64), BenchError> {
        let usage = of_process(std::process::id()).map_err(BenchError::Usage)?;
        Ok((usage.rss_bytes, self.ledger.stored_counters() as u64))
    }
}

struct OverHttp {
    server: Server,
    control: Client,
    client: Client,
    requests: Vec<Vec<u8>>,
}

impl OverHttp {
    /// Connections with a call under way each.
    const CONNECTIONS: usize = 32;

    /// Calls between two moves of the clock.
    const BATCH: u64 = 500;

    fn new(plan: &Plan, population: &Population) -> Result<Self, BenchError> {
        let server = Server::start(&plan.executable)?;
        let mut control = Client::connect(server.address, 1)?;
        let documents: Vec<u8> = population.chunks().flatten().collect();
        let load = calls::post("/control/population", "application/json", &documents);
        control.ask("loading the population", &load)?;
        Ok(Self {
            control,
            client: Client::connect(server.address, Self::CONNECTIONS)?,
            requests: calls::requests(Kind::Authrep, population, 0),
            server,
        })
    }

    fn settle(&mut self) -> Result<(), BenchError> {
        let settle = calls::get("/control/settle");
        self.control.ask("settling", &settle).map(drop)
    }
}

impl Subject for OverHttp {
    fn call(
        &mut self,
        calls: std::ops::Range<u64>,
        moment: &dyn Fn(u64) -> i64,
    ) -> Result<(), BenchError> {
        let end = calls.end;
        for first in calls.step_by(Self::BATCH as usize) {
            // Usage is counted at the moment of its call, not at that of the next batch.
            self.settle()?;
            let freeze = calls::get(&format!("/control/clock?at={}", moment(first)));
            self.control.ask("setting the clock", &freeze)?;
            let number = Self::BATCH.min(end - first);
            let status = Kind::Authrep.status();
            self.client
                .drive(&self.requests, first, number, status, |_| ())?;
        }
        self.settle()
    }

    fn memory(&mut self) -> Result<(u64, u64), BenchError> {
        let stats = calls::get("/control/stats");
        let text = self.control.ask("reading totals", &stats)?;
        let stats: Value = serde_json::from_str(&text).unwrap_or_default();
        let counters = stats["ledger"]["counters"].as_u64().unwrap_or_default();
        Ok((self.server.usage()?.rss_bytes, counters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_of_calls_to_the_ledger_holds_a_bounded_number_of_counters() {
        let plan = Plan {
            executable: PathBuf::new(),
            calls: 300_000,
            via: Via::Ledger,
        };
        let report = measure(&plan, &Progress::hidden()).expect("the ledger answers");
        let counters: Vec<u64> = report.samples.iter().map(|it| it.counters).collect();
        // 1,000 applications with two metrics, each with a window of every period and those that
        // ended less than a period ago.
        let most = counters.iter().copied().max().unwrap_or_default();
        assert!((14_000..=48_000).contains(&most), "{counters:?}");
        assert!(
            counters[19] <= counters[10] + counters[10] / 20,
            "{counters:?}"
        );
        assert_eq!(report.samples[19].days, 800);
    }

    #[test]
    fn a_run_that_keeps_growing_is_not_flat() {
        let sample = |calls: u64, rss_bytes: u64| Sample {
            calls,
            days: 0,
            rss_bytes,
            counters: 7,
        };
        let report = |rss: [u64; 4]| Report {
            samples: (0..)
                .zip(rss)
                .map(|(calls, rss)| sample(calls, rss))
                .collect(),
        };
        assert!(report([50, 90, 100, 104]).is_flat());
        assert!(!report([70, 80, 90, 100]).is_flat());
        assert!(
            !Report {
                samples: Vec::new()
            }
            .is_flat()
        );
    }
}
