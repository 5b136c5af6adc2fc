//! How exact the cache's quota is: load on a limit through one or several gateways, and what the
//! backend's ledger says about it.
//!
//! Owns the run of one [`Case`] and the order of several. Must not know how the cache decides.
//!
//! A case loads one application, which has one limit per minute, inside of one calendar minute: from
//! [`LEAD`] after the minute begins to [`TRAIL`] before it ends, so that everything counts in the same
//! window. The gateways start cold. What the ledger counted is compared with the limit and with what
//! an ideal counter, one that knows everything at once, would have let through of what was sent.

mod case;
mod origin;
mod outcome;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::try_join_all;
use lab::behaviour::Counting;
use lab::behaviour::delay::Delay;
use lab::envoy_binary::EnvoyBinary;
use lab::precise_timer::PreciseTimer;
use lab::runtime::{self, Lab, LaunchError, LaunchOptions, RuntimeKind};
use lab::scenario::{EndpointFile, LimitSettings, Scenario, ScenarioError};
use lab::wasm_build::WasmArtefact;
use reports::circumstances::Circumstances;
use thiserror::Error;

pub use self::case::{Case, Choices, Mode};
pub use self::outcome::{Outcome, json, render};
use crate::drive::{Drive, DriveError, Plan};
use crate::experiment::{self, ExperimentError};
use crate::latency::Interval;
use crate::mix::{Mix, MixError, Popularity};
use crate::profile::{Arrival, Connection, Load, Profile, Segment};
use crate::progress::Progress;
use crate::requests::{Expect, PlainRequest, RequestError, Requests};
use crate::stop::StopSignal;

/// From the begin of the minute to the first request: clocks and timers are not that exact.
const LEAD: Duration = Duration::from_millis(500);
/// From the last request to the end of the minute: whatever waits must still be decided in it.
const TRAIL: Duration = Duration::from_millis(1_500);
const MINUTE: Duration = Duration::from_secs(60);
/// Starting the labs of a round must not take longer than what is left of a minute; if less than
/// this is left, the next minute is waited for.
const MOST_STARTING: Duration = Duration::from_secs(25);
/// Longer than any flush interval of a mode.
const DRAIN: Duration = Duration::from_secs(90);
/// Cases that together stay below this rate, in requests per second, share a minute.
const SHARED_RPS: f64 = 40.0;
/// And no more gateways than this at once.
const SHARED_GATEWAYS: u32 = 10;

/// What to run.
pub struct Experiment {
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// How long the backend takes to count what it accepted.
    pub report_lag: Duration,
    /// Decides when requests arrive and which gateway they take.
    pub seed: u64,
    /// The executable that offers the lab's servers as subcommands.
    pub server_exe: PathBuf,
    /// Command line that repeats it.
    pub command: String,
    /// Root of the checkout.
    pub root: PathBuf,
}

/// What came out, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What each case came to.
    pub outcomes: Vec<Outcome>,
    /// The circumstances.
    pub circumstances: Circumstances,
}

/// Why there is no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// Plugin or Envoy.
    #[error(transparent)]
    Prepare(#[from] ExperimentError),
    /// The scenario that cases are made from.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The lab.
    #[error("the lab for the case `{case}` cannot be started")]
    Launch {
        /// The case.
        case: String,
        /// Why.
        source: LaunchError,
    },
    /// The counters at the end.
    #[error("the counters of the case `{case}` cannot be read")]
    Collect {
        /// The case.
        case: String,
        /// Why.
        source: lab::collect::CollectError,
    },
    /// The requests.
    #[error("the case `{case}` has a request that cannot be sent")]
    Request {
        /// The case.
        case: String,
        /// Why.
        source: RequestError,
    },
    /// The spread over the gateways.
    #[error("the case `{case}` cannot be spread over its gateways")]
    Mix {
        /// The case.
        case: String,
        /// Why.
        source: MixError,
    },
    /// The load.
    #[error("the case `{case}` could not be loaded")]
    Drive {
        /// The case.
        case: String,
        /// Why.
        source: DriveError,
    },
}

/// Runs every case, or those before `stop` was raised.
pub async fn run(
    experiment: &Experiment,
    stop: &StopSignal,
    progress: &Arc<Progress>,
) -> Result<Measured, QuotaError> {
    let begun = origin::Begun::now(&experiment.root);
    let artefact = experiment::obtain_artefact(&Scenario::find("cache")?, progress).await?;
    let envoy = experiment::obtain_envoy(progress).await?;
    let bench = Bench {
        experiment,
        artefact,
        envoy,
        timer: PreciseTimer::start(),
    };
    let mut outcomes = Vec::new();
    let mut left = experiment.cases.as_slice();
    while !left.is_empty() && !stop.is_raised() {
        let (round, rest) = left.split_at(round_length(left));
        left = rest;
        let minute = next_minute();
        progress.step(&format!(
            "{} of {} cases done; {} in the minute that begins in {} s",
            outcomes.len(),
            experiment.cases.len(),
            names(round),
            until(minute).as_secs()
        ));
        let round = round.iter().map(|case| bench.run(case, minute, stop));
        for outcome in try_join_all(round).await?.into_iter().flatten() {
            progress.note(&outcome.to_string());
            outcomes.push(outcome);
        }
    }
    let Bench {
        envoy, artefact, ..
    } = bench;
    Ok(Measured {
        outcomes,
        circumstances: begun.end(experiment.command.clone(), envoy, artefact),
    })
}

/// How many of the cases can share a minute: slow ones, which do not disturb each other.
fn round_length(cases: &[Case]) -> usize {
    let (mut rps, mut gateways) = (0.0, 0);
    let fits = |case: &&Case| {
        rps += case.rate();
        gateways += u32::from(case.gateways);
        rps <= SHARED_RPS && gateways <= SHARED_GATEWAYS
    };
    cases.iter().take_while(fits).count().max(1)
}

fn names(cases: &[Case]) -> String {
    let names: Vec<String> = cases.iter().map(Case::to_string).collect();
    names.join(", ")
}

/// The begin of the next minute for which a lab can be up in time.
fn next_minute() -> SystemTime {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let minutes = (since_epoch + MOST_STARTING).as_secs() / MINUTE.as_secs();
    SystemTime::UNIX_EPOCH + Duration::from_secs((minutes + 1) * MINUTE.as_secs())
}

fn until(moment: SystemTime) -> Duration {
    moment.duration_since(SystemTime::now()).unwrap_or_default()
}

struct Bench<'a> {
    experiment: &'a Experiment,
    artefact: Option<WasmArtefact>,
    envoy: EnvoyBinary,
    timer: PreciseTimer,
}

impl Bench<'_> {
    /// One case; `None` if it was stopped before its end, when no figure of it means anything.
    async fn run(
        &self,
        case: &Case,
        minute: SystemTime,
        stop: &StopSignal,
    ) -> Result<Option<Outcome>, QuotaError> {
        let launch = |source| QuotaError::Launch {
            case: case.to_string(),
            source,
        };
        let options = self.options(case)?;
        let lab = runtime::launch(options).await.map_err(launch)?;
        let measured = self.measure(case, &lab, minute, stop).await;
        let stopped = lab.stop().await.map_err(launch);
        let outcome = measured?;
        stopped?;
        Ok(outcome)
    }

    async fn measure(
        &self,
        case: &Case,
        lab: &Lab,
        minute: SystemTime,
        stop: &StopSignal,
    ) -> Result<Option<Outcome>, QuotaError> {
        let plan = self.plan(case, lab)?;
        let is_late = SystemTime::now() > minute;
        tokio::select! {
            () = tokio::time::sleep(until(minute + LEAD)) => {}
            () = stop.raised() => return Ok(None),
        }
        let drive_error = |source| QuotaError::Drive {
            case: case.to_string(),
            source,
        };
        let mut drive = Drive::start(plan).await.map_err(drive_error)?;
        tokio::select! {
            () = drive.ended() => {}
            () = stop.raised() => return Ok(None),
        }
        let mut sent = Interval::default();
        for (_, interval) in drive.completed() {
            sent.absorb(&interval);
        }
        for (_, interval) in drive.finish().await.map_err(drive_error)? {
            sent.absorb(&interval);
        }
        let collect = |source| QuotaError::Collect {
            case: case.to_string(),
            source,
        };
        // What is made after the load belongs to no request of it.
        let calls = lab.counts().await.map_err(collect)?.backend_calls;
        let counts = lab.drain(DRAIN).await.map_err(collect)?;
        Ok(Some(Outcome::new(case, &sent, &counts, calls, is_late)))
    }

    fn plan(&self, case: &Case, lab: &Lab) -> Result<Plan, QuotaError> {
        let table = lab_scenario(case, self.experiment.report_lag)?.requests();
        let request = table.request(0, 0);
        let plain = PlainRequest {
            body: request.body,
            method: request.method,
            path_and_query: request.path_and_query,
            headers: request.headers,
            expect: Expect::Status(200),
        };
        let requests =
            Requests::spread(&lab.listeners(), plain).map_err(|source| QuotaError::Request {
                case: case.to_string(),
                source,
            })?;
        let mix = Mix::new(
            self.experiment.seed,
            1,
            Popularity::Uniform,
            &case.shares(),
            0.0,
        )
        .map_err(|source| QuotaError::Mix {
            case: case.to_string(),
            source,
        })?;
        Ok(Plan {
            profile: self.profile(case),
            requests: Arc::new(requests),
            mix,
            timer: self.timer.clone(),
        })
    }

    fn profile(&self, case: &Case) -> Profile {
        let rate = case.rate();
        Profile {
            name: "quota".to_owned(),
            description: "One application at a multiple of its limit.".to_owned(),
            load: Load::Open {
                arrival: Arrival::Poisson,
                segments: vec![Segment {
                    duration_s: (MINUTE - LEAD - TRAIL).as_secs_f64(),
                    from_rps: rate,
                    to_rps: rate,
                }],
            },
            scale: 1.0,
            warm_up_s: 0,
            warm_up_until: None,
            seed: self.experiment.seed,
            threads: 1,
            connections: 64,
            connection: Connection::default(),
            timeout: Duration::from_secs(5),
        }
    }

    fn options(&self, case: &Case) -> Result<LaunchOptions, QuotaError> {
        Ok(LaunchOptions {
            scenario: lab_scenario(case, self.experiment.report_lag)?,
            runtime: RuntimeKind::Process,
            workers: Some(case.workers),
            artefact: self.artefact.clone(),
            envoy: self.envoy.clone(),
            plugin_config: None,
            server_exe: self.experiment.server_exe.clone(),
            listen: None,
            gateways: case.gateways,
            store: None,
        })
    }
}

/// The shipped scenario with one application, one limit, one endpoint, and a backend that answers at
/// once and counts after `lag`.
fn lab_scenario(case: &Case, lag: Duration) -> Result<Scenario, ScenarioError> {
    let mut scenario = Scenario::find("cache")?;
    scenario.backend = Default::default();
    scenario.backend.counting = Counting::Deferred {
        lag: Delay::Constant {
            ms: lag.as_secs_f64() * 1_000.0,
        },
    };
    scenario.population.applications = 1;
    scenario.population.limits = vec![LimitSettings {
        metric: "hits".to_owned(),
        period: "minute".to_owned(),
        value: case.limit,
    }];
    scenario.endpoints = vec![EndpointFile {
        method: "GET".to_owned(),
        path: "/hello".to_owned(),
        usage: [("hits".to_owned(), 1)].into(),
        weight: 1.0,
        status: None,
        body: None,
    }];
    scenario.plugin.cache =
        toml::Table::from_iter([("mode".to_owned(), toml::Value::from(case.mode.to_string()))]);
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(limit: u64, gateways: u16) -> Case {
        Case {
            mode: Mode::Strict,
            gateways,
            workers: 1,
            limit,
            load: 3.0,
            uneven: None,
        }
    }

    #[test]
    fn slow_cases_share_a_minute_and_fast_ones_have_one_each() {
        let fast = case(60_000, 1);
        let slow = case(60, 4);
        assert_eq!(round_length(std::slice::from_ref(&fast)), 1);
        assert_eq!(round_length(&[fast.clone(), fast.clone()]), 1);
        assert_eq!(round_length(&[slow.clone(), slow.clone(), slow.clone()]), 2);
        assert_eq!(round_length(&[slow.clone(), fast, slow]), 1);
    }

    #[test]
    fn a_case_is_one_application_with_one_limit() {
        let scenario =
            lab_scenario(&case(60, 1), Duration::from_millis(50)).expect("it comes with the lab");
        assert_eq!(scenario.population.limits.len(), 1);
        assert_eq!(scenario.requests().request(0, 0).expected_status, 200);
        assert_eq!(scenario.plugin.cache["mode"].as_str(), Some("strict"));
    }
}
