//! How exact the cache's quota is: load on a limit through one or several gateways, and what the
//! backend's ledger says about it.
//!
//! Owns the order of [`Case`]s and which of them share a minute. Must not know how one is measured, nor
//! how the cache decides.
//!
//! A case loads one application, which has one limit per minute, inside of one calendar minute: from
//! [`LEAD`] after the minute begins to [`TRAIL`] before it ends, so that everything counts in the same
//! window. The gateways start cold. What the ledger counted is compared with the limit and with what
//! an ideal counter, one that knows everything at once, would have let through of what was sent.

mod bench;
mod case;
mod outcome;
mod scenario;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::try_join_all;
use lab::precise_timer::PreciseTimer;
use lab::runtime::LaunchError;
use lab::scenario::{Scenario, ScenarioError};
use reports::circumstances::Circumstances;
use thiserror::Error;

use self::bench::Bench;
pub use self::case::{Case, Choices, Mode};
pub use self::outcome::{Outcome, json, render};
use crate::drive::DriveError;
use crate::experiment::{ExperimentError, obtain};
use crate::mix::MixError;
use crate::origin::Begun;
use crate::progress::Progress;
use crate::requests::RequestError;
use crate::stop::StopSignal;

/// From the begin of the minute to the first request: clocks and timers are not that exact.
const LEAD: Duration = Duration::from_millis(500);
/// From the last request to the end of the minute: whatever waits must still be decided in it.
const TRAIL: Duration = Duration::from_millis(1_500);
const MINUTE: Duration = Duration::from_secs(60);
/// Starting the labs of a round must not take longer than what is left of a minute; if less than
/// this is left, the next minute is waited for.
const MOST_STARTING: Duration = Duration::from_secs(25);
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
    let begun = Begun::now(&experiment.root);
    let artefact = obtain::artefact(&Scenario::find("cache")?, progress).await?;
    let envoy = obtain::envoy(progress).await?;
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
        circumstances: begun.end(experiment.command.clone(), Some(envoy), artefact),
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
}
