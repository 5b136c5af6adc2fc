//! How fast the backend answers, by kind of call, on one core.
//!
//! Owns the figures and whether they are good enough. Must not know sockets.
//!
//! Whether a bound holds is judged by CPU time: on a machine that does other work as well, calls a
//! second say more about that work than about the backend.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};

use super::calls::{self, Kind};
use super::client::Client;
use super::server::{Cores, Server};
use super::{BenchError, Progress};
use crate::collect::process_usage::ProcessUsage;
use crate::population::Population;

/// Share of the calls that is made before anything is measured.
const WARM_UP: u64 = 10;

/// Calls between two looks at the display.
const DISPLAY_EVERY: usize = 2048;

/// What is measured, and how much of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// This executable, which is the backend's as well.
    pub executable: PathBuf,
    /// Authorizations to make; as many authreps, and a tenth of reports.
    pub calls: u64,
    /// Keep-alive connections, each with one call under way.
    pub connections: usize,
    /// Holds every answer back for so long. Bounds are not judged then: they are about answers at
    /// once.
    pub delay: Duration,
}

/// Figures of one kind of call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The kind of call.
    pub call: &'static str,
    /// Calls that were measured.
    pub calls: u64,
    /// Calls a second of wall-clock time, whatever else the machine did.
    pub calls_per_second: f64,
    /// CPU time of the backend for one call, counting its usage included.
    pub cpu_us_per_call: f64,
    /// Calls that one core manages: calls by seconds of CPU time.
    pub calls_per_core_second: f64,
    /// Half the calls took at most so long, with all connections busy.
    pub latency_us_p50: f64,
    /// 99 of 100 calls took at most so long, with all connections busy.
    pub latency_us_p99: f64,
    /// What one core has to manage.
    pub target_per_second: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// One figure for each kind of call.
    pub figures: Vec<Figure>,
    /// Keep-alive connections.
    pub connections: usize,
    /// Delay of every answer, in milliseconds.
    pub delay_ms: f64,
    /// Whether backend and client had a core each.
    pub cores_apart: bool,
    /// Whether every bound holds; `None` where it was not judged.
    pub targets_hold: Option<bool>,
    /// Memory of the backend at the end.
    pub rss_bytes: u64,
}

impl Figure {
    fn new(kind: Kind, wall: Duration, cpu_ns: u64, mut latencies_ns: Vec<u32>) -> Self {
        latencies_ns.sort_unstable();
        let calls = latencies_ns.len() as u64;
        let percentile = |hundredths: usize| {
            let rank = (latencies_ns.len() * hundredths).div_ceil(100).max(1);
            latencies_ns
                .get(rank - 1)
                .map_or(0.0, |ns| f64::from(*ns) / 1000.0)
        };
        let cpu_us_per_call = cpu_ns as f64 / 1000.0 / calls.max(1) as f64;
        Self {
            call: kind.name(),
            calls,
            calls_per_second: calls as f64 / wall.as_secs_f64().max(f64::MIN_POSITIVE),
            cpu_us_per_call,
            calls_per_core_second: 1_000_000.0 / cpu_us_per_call.max(f64::MIN_POSITIVE),
            latency_us_p50: percentile(50),
            latency_us_p99: percentile(99),
            target_per_second: kind.target_per_second(),
        }
    }

    /// Whether one core manages what it has to.
    pub fn holds(&self) -> bool {
        self.calls_per_core_second >= self.target_per_second
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<26}{:>9.0}{:>10.1}{:>12.0}{:>10.0}{:>9.0}{:>9.0}",
            self.call,
            self.calls_per_second,
            self.cpu_us_per_call,
            self.calls_per_core_second,
            self.target_per_second,
            self.latency_us_p50,
            self.latency_us_p99,
        )
    }
}

/// What the columns of a printed [`Figure`] are.
pub fn heading() -> String {
    format!(
        "{:<26}{:>9}{:>10}{:>12}{:>10}{:>9}{:>9}",
        "call", "calls/s", "CPU us", "calls/core", "target", "p50 us", "p99 us"
    )
}

/// Measures every kind of call, one after the other, on a backend of its own.
pub fn measure(plan: &Plan, progress: &Progress) -> Result<Report, BenchError> {
    progress.step("starting the backend", 0);
    let population = calls::population();
    let server = Server::start(&plan.executable)?;
    let mut run = Run {
        control: Client::connect(server.address, 1)?,
        client: Client::connect(server.address, plan.connections)?,
        server,
        population,
        sent: 0,
        hits: 0,
    };
    run.prepare(plan.delay)?;
    progress.result(&heading());
    let figures = Kind::ALL
        .into_iter()
        .map(|kind| {
            let figure = run.measure(kind, kind.share_of(plan.calls), progress)?;
            progress.result(&figure.to_string());
            Ok(figure)
        })
        .collect::<Result<Vec<_>, BenchError>>()?;
    run.check_totals()?;
    let judged = plan.delay.is_zero();
    Ok(Report {
        targets_hold: judged.then(|| figures.iter().all(Figure::holds)),
        figures,
        connections: plan.connections,
        delay_ms: plan.delay.as_secs_f64() * 1000.0,
        cores_apart: run.server.cores != Cores::Shared,
        rss_bytes: run.server.usage()?.rss_bytes,
    })
}

struct Run {
    server: Server,
    control: Client,
    client: Client,
    population: Population,
    sent: u64,
    hits: u64,
}

impl Run {
    fn prepare(&mut self, delay: Duration) -> Result<(), BenchError> {
        let state: Vec<u8> = self.population.chunks().flatten().collect();
        let load = calls::post("/control/population", "application/json", &state);
        self.control.ask("loading the population", &load)?;
        if !delay.is_zero() {
            let ms = delay.as_secs_f64() * 1000.0;
            let behaviour = json!({ "delay": { "kind": "constant", "ms": ms } }).to_string();
            let set = calls::put("/control/behaviour", behaviour.as_bytes());
            self.control.ask("setting the delay", &set)?;
        }
        Ok(())
    }

    fn measure(
        &mut self,
        kind: Kind,
        calls: u64,
        progress: &Progress,
    ) -> Result<Figure, BenchError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let requests = calls::requests(
            kind,
            &self.population,
            since.map_or(0, |since| since.as_secs()),
        );
        let warm_up = calls.div_ceil(WARM_UP);
        progress.step(kind.name(), calls);
        self.drive(kind, &requests, warm_up, |_| ())?;
        let before = self.settled()?;
        let started = Instant::now();
        let mut latencies = Vec::with_capacity(usize::try_from(calls).unwrap_or_default());
        self.drive(kind, &requests, calls, |took| {
            latencies.push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
            if latencies.len().is_multiple_of(DISPLAY_EVERY) {
                progress.at(latencies.len() as u64);
            }
        })?;
        let wall = started.elapsed();
        let cpu_ns = self.settled()?.cpu_ns - before.cpu_ns;
        Ok(Figure::new(kind, wall, cpu_ns, latencies))
    }

    fn drive(
        &mut self,
        kind: Kind,
        requests: &[Vec<u8>],
        calls: u64,
        each: impl FnMut(Duration),
    ) -> Result<(), BenchError> {
        self.client
            .drive(requests, self.sent, calls, kind.status(), each)?;
        self.sent += calls;
        self.hits += calls * kind.hits();
        Ok(())
    }

    /// What the backend has used once everything it accepted is counted.
    fn settled(&mut self) -> Result<ProcessUsage, BenchError> {
        self.control
            .ask("settling", &calls::get("/control/settle"))?;
        self.server.usage()
    }

    /// A backend that answers without counting would be fast and wrong.
    fn check_totals(&mut self) -> Result<(), BenchError> {
        let text = self
            .control
            .ask("reading totals", &calls::get("/control/stats"))?;
        let stats: Value = serde_json::from_str(&text).unwrap_or_default();
        let service = &self.population.services[0].id;
        let found = stats["ledger"]["usage"][service]["hits"].as_u64();
        let found = found.unwrap_or_default();
        if found == self.hits {
            return Ok(());
        }
        Err(BenchError::Count {
            metric: "hits",
            found,
            expected: self.hits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_by_cpu_time_and_not_by_the_clock_on_the_wall() {
        let latencies = || (1..=200).map(|n| n * 1000).collect();
        let second = Duration::from_secs(1);
        // 40 µs for a call are 25,000 calls a second of CPU time.
        let figure = Figure::new(Kind::Authorize, second, 200 * 40_000, latencies());
        assert!(figure.holds());
        assert_eq!(figure.calls_per_second, 200.0);
        assert_eq!(
            (figure.latency_us_p50, figure.latency_us_p99),
            (100.0, 198.0)
        );
        let figure = Figure::new(Kind::Authorize, second, 200 * 42_000, latencies());
        assert!(!figure.holds());
    }
}
