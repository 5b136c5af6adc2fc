//! Whether the load generator can be believed, on this machine and now: loads on a server whose behaviour
//! is known, and what the generator said of it.
//!
//! Owns the loads of a self-test and their order. Must not know the bounds, or how the generator sends.
//! docs/BENCHMARKING.md, *Does the generator tell the truth?*, derives what is true.

mod envoy;
pub mod known_server;
mod load;
pub mod outcome;
mod outside;
mod server_process;
pub mod show;
pub mod truth;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab::precise_timer::PreciseTimer;
use lab::runtime::LaunchError;
use lab::scenario::ScenarioError;
use thiserror::Error;

use self::known_server::Conduct;
use self::load::{Loaded, Target, load};
use self::outcome::{Closed, Open, Outcome, Outside, SCHEMA_VERSION, Truth};
pub use self::outside::OutsideError;
use self::server_process::ServerProcess;
use crate::drive::DriveError;
use crate::experiment::ExperimentError;
use crate::mix::MixError;
use crate::origin::Begun;
use crate::profile::ProfileError;
use crate::progress::Progress;
use crate::requests::RequestError;
use crate::stop::StopSignal;

/// Users of closed loops.
const USERS: u32 = 8;
/// Rates of open loops.
const RATES: [u32; 2] = [2000, 4000];
/// Length of a load, and of the one with the freeze, in full and if it has to be quick.
const SECONDS: [u32; 2] = [5, 1];
const FREEZE_SECONDS: [u32; 2] = [20, 5];
const FREEZE_RATE: u32 = 2000;
const FREEZE_MS: u64 = 500;
/// What every answer takes beside the slow ones: far above what the machine adds by itself.
const EACH_MS: u64 = 2;
const SLOW_RATE: u32 = 1000;
const SLOW_EVERY: u64 = 100;
const SLOW_MS: u64 = 200;
/// Turns of the generator and of oha.
const TURNS: u32 = 2;
const TURN_SECONDS: u32 = 3;

/// What to do beyond the loads that are always made.
#[derive(Clone, Debug)]
pub struct SelfTest {
    /// The executable of oha.
    pub with: Option<PathBuf>,
    /// Whether loads are short and figures rough.
    pub quick: bool,
    /// Whether to saturate a worker of Envoy.
    pub envoy: bool,
    /// An executable that offers the known server and the lab's servers: the running one.
    pub server_exe: PathBuf,
    /// Command line that repeats it.
    pub command: String,
    /// Root of the working tree.
    pub root: PathBuf,
}

/// Why there is no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SelfTestError {
    /// The known server.
    #[error("the self-test's own server cannot be run")]
    Server(#[from] std::io::Error),
    /// A load.
    #[error("a load of the self-test failed")]
    Drive(#[from] DriveError),
    /// A mistake in the self-test's profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A mistake in its mix.
    #[error(transparent)]
    Mix(#[from] MixError),
    /// A mistake in its request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// oha.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// Envoy cannot be obtained.
    #[error(transparent)]
    Obtain(#[from] ExperimentError),
    /// The scenario of the load on Envoy.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The lab of the load on Envoy.
    #[error("the lab for the load on Envoy cannot be started")]
    Launch(#[from] LaunchError),
}

/// Runs the self-test; `None` if it was stopped before its end.
///
/// # Errors
/// Where a load could not be made at all; a figure beyond its bound is none.
pub async fn run(
    test: &SelfTest,
    stop: &StopSignal,
    progress: &Arc<Progress>,
) -> Result<Option<Outcome>, SelfTestError> {
    let bench = Bench {
        test,
        stop,
        progress,
        timer: PreciseTimer::start(),
    };
    bench.run().await
}

struct Bench<'a> {
    test: &'a SelfTest,
    stop: &'a StopSignal,
    progress: &'a Arc<Progress>,
    timer: PreciseTimer,
}

impl Bench<'_> {
    /// Length of a load that is not about time.
    fn seconds(&self) -> u32 {
        SECONDS[usize::from(self.test.quick)]
    }

    async fn run(&self) -> Result<Option<Outcome>, SelfTestError> {
        let begun = Begun::now(&self.test.root);
        // Found out before, not after all the other loads.
        let version = match &self.test.with {
            Some(oha) => Some(outside::version(oha).await?),
            None => None,
        };
        let Some(closed) = self.closed().await? else {
            return Ok(None);
        };
        let mut open = Vec::new();
        for rate in RATES {
            let Some(figures) = self.open(rate).await? else {
                return Ok(None);
            };
            open.push(figures);
        }
        let (Some(slow), Some(freeze)) = (self.slow().await?, self.freeze().await?) else {
            return Ok(None);
        };
        let outside = match version {
            Some(version) => self.outside(version).await?,
            None => None,
        };
        let (envoy, binary) = match self.test.envoy {
            true => self.envoy().await?.unzip(),
            false => (None, None),
        };
        if self.stop.is_raised() {
            return Ok(None);
        }
        let outcome = Outcome {
            schema_version: SCHEMA_VERSION,
            circumstances: begun.end(self.test.command.clone(), binary, None),
            is_optimised: !cfg!(debug_assertions),
            closed,
            open,
            freeze,
            slow,
            outside,
            envoy,
            checks: Vec::new(),
            believable: false,
        };
        Ok(Some(outcome.judge()))
    }

    /// A load on a server of its own, and what that server saw.
    async fn on_server(
        &self,
        step: &str,
        conduct: Conduct,
        profile: &str,
    ) -> Result<Option<(Loaded, known_server::Seen)>, SelfTestError> {
        if self.stop.is_raised() {
            return Ok(None);
        }
        self.progress.step(step);
        let server = ServerProcess::start(&self.test.server_exe, conduct).await?;
        let target = Target {
            url: server.url(),
            path: "/",
            watch: None,
        };
        let loaded = load(&target, profile, &self.timer, self.stop).await?;
        let Some(loaded) = loaded else {
            return Ok(None);
        };
        Ok(Some((loaded, server.finish().await?)))
    }

    async fn closed(&self) -> Result<Option<Closed>, SelfTestError> {
        let profile = closed_loop(USERS, self.seconds());
        let loaded = self
            .on_server("as fast as it goes", Conduct::default(), &profile)
            .await?;
        Ok(loaded.map(|(loaded, _)| Closed {
            requests: loaded.interval.sent,
            rate: loaded.rate(),
            cpu_us_per_request: loaded.per_request_us(loaded.cpu),
            share: loaded.share(loaded.cpu),
        }))
    }

    async fn open(&self, rate: u32) -> Result<Option<Open>, SelfTestError> {
        let step = format!("{rate} requests a second");
        let profile = open_loop("poisson", rate, self.seconds());
        let loaded = self.on_server(&step, Conduct::default(), &profile).await?;
        Ok(loaded.map(|(loaded, _)| Open {
            rate: f64::from(rate),
            offered: loaded.interval.offered,
            delivered: loaded.delivered(),
            lag_us_p50: loaded.interval.lag.value_at_quantile(0.5),
            lag_us_p99: loaded.interval.lag.value_at_quantile(0.99),
            cpu_us_per_request: loaded.per_request_us(loaded.cpu),
        }))
    }

    async fn freeze(&self) -> Result<Option<Truth>, SelfTestError> {
        let seconds = FREEZE_SECONDS[usize::from(self.test.quick)];
        let conduct = Conduct {
            // Well after the first ones.
            freeze_at: u64::from(FREEZE_RATE * seconds / 4),
            freeze_ms: FREEZE_MS,
            ..Conduct::default()
        };
        let step = format!("a server that freezes for {FREEZE_MS} ms");
        // Without a warm-up: every request counts.
        let profile = format!(
            "{HEAD}mode = 'open'\narrival = 'constant'\n\
             [[phases]]\nduration = '{seconds}s'\nrate = {FREEZE_RATE}\n"
        );
        let loaded = self.on_server(&step, conduct, &profile).await?;
        Ok(loaded.map(|(loaded, seen)| {
            let frozen = Duration::from_micros(seen.frozen_us);
            let whole = Duration::from_secs(u64::from(seconds));
            Truth {
                requests: loaded.interval.sent,
                true_us: truth::frozen_p99(frozen, whole).as_micros() as u64,
                reported_us: loaded.interval.corrected.value_at_quantile(0.99),
            }
        }))
    }

    async fn slow(&self) -> Result<Option<Truth>, SelfTestError> {
        let conduct = Conduct {
            each_ms: EACH_MS,
            slow_every: SLOW_EVERY,
            slow_ms: SLOW_MS,
            ..Conduct::default()
        };
        let step = format!("a server that takes {SLOW_MS} ms once in {SLOW_EVERY} requests");
        let profile = open_loop("poisson", SLOW_RATE, self.seconds());
        let loaded = self.on_server(&step, conduct, &profile).await?;
        Ok(loaded.map(|(loaded, seen)| Truth {
            requests: loaded.interval.sent,
            true_us: seen.service_us_p90,
            reported_us: loaded.interval.corrected.value_at_quantile(0.9),
        }))
    }

    /// In turns on one server, so that a machine that becomes slower does so for both.
    async fn outside(&self, version: String) -> Result<Option<Outside>, SelfTestError> {
        let Some(oha) = &self.test.with else {
            return Ok(None);
        };
        let server = ServerProcess::start(&self.test.server_exe, Conduct::default()).await?;
        let target = Target {
            url: server.url(),
            path: "/",
            watch: None,
        };
        let profile = closed_loop(USERS, TURN_SECONDS);
        let (mut own, mut other) = ([0.0; 2], [0.0; 2]);
        for turn in 1..=TURNS {
            self.progress.step(&format!("beside oha, turn {turn}"));
            let Some(loaded) = load(&target, &profile, &self.timer, self.stop).await? else {
                return Ok(None);
            };
            let requests = loaded.interval.sent;
            own = [
                own[0] + requests as f64,
                own[1] + loaded.process_cpu.as_secs_f64(),
            ];
            let sent = tokio::select! {
                sent = outside::run(oha, server.url(), requests, USERS) => sent?,
                () = self.stop.raised() => return Ok(None),
            };
            other = [
                other[0] + sent.requests as f64,
                other[1] + sent.cpu.as_secs_f64(),
            ];
        }
        server.finish().await?;
        let per_request = |[requests, seconds]: [f64; 2]| seconds * 1e6 / requests.max(1.0);
        Ok(Some(Outside {
            version,
            requests: own[0] as u64,
            own_cpu_us_per_request: per_request(own),
            oha_cpu_us_per_request: per_request(other),
        }))
    }
}

const HEAD: &str = "name = 'self-test'\ndescription = 'self-test'\nseed = 1\nthreads = 1\n";

fn closed_loop(users: u32, seconds: u32) -> String {
    format!("{HEAD}mode = 'closed'\nwarm_up = '1s'\nusers = {users}\nduration = '{seconds}s'\n")
}

fn open_loop(arrival: &str, rate: u32, seconds: u32) -> String {
    format!(
        "{HEAD}mode = 'open'\narrival = '{arrival}'\nwarm_up = '1s'\n\
         [[phases]]\nduration = '{seconds}s'\nrate = {rate}\n"
    )
}
