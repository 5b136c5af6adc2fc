//! One case on a lab of its own: started, loaded within its minute, and the ledger read.
//!
//! Owns these steps and the load of a case. Must not know which cases share a minute, or what an outcome
//! is held against.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lab::envoy_binary::EnvoyBinary;
use lab::precise_timer::PreciseTimer;
use lab::runtime::{self, Lab, LaunchOptions, RuntimeKind};
use lab::wasm_build::WasmArtefact;

use super::case::Case;
use super::outcome::Outcome;
use super::{Experiment, LEAD, MINUTE, QuotaError, TRAIL, scenario, until};
use crate::drive::{Drive, Plan};
use crate::experiment::traffic;
use crate::latency::Interval;
use crate::mix::{Mix, Popularity};
use crate::profile::{Arrival, Connection, Load, Profile, Segment};
use crate::requests::Requests;
use crate::stop::StopSignal;

/// Longer than any flush interval of a mode.
const DRAIN: Duration = Duration::from_secs(90);

/// What all cases are measured with.
pub(super) struct Bench<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) artefact: Option<WasmArtefact>,
    pub(super) envoy: EnvoyBinary,
    pub(super) timer: PreciseTimer,
}

impl Bench<'_> {
    /// One case; `None` if it was stopped before its end, when no figure of it means anything.
    pub(super) async fn run(
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
        let table = scenario::of(case, self.experiment.report_lag)?.requests();
        let request = table.request(0, 0);
        let plain = traffic::plain(request);
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
            scenario: scenario::of(case, self.experiment.report_lag)?,
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
