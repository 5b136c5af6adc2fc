//! One load of the self-test: the generator as it is used everywhere, against one URL.
//!
//! Owns what is read while it runs: counts, histograms and processor time of the measured part. Must not
//! know what is to be shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::collect::process_usage;
use lab::precise_timer::PreciseTimer;

use super::SelfTestError;
use crate::drive::{Drive, Plan};
use crate::latency::Interval;
use crate::mix::{Mix, Popularity};
use crate::profile::Profile;
use crate::requests::{PlainRequest, Requests};
use crate::stop::StopSignal;

/// How often finished seconds are fetched.
const FETCH: Duration = Duration::from_millis(20);

/// What a load came to, without its warm-up.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Counts and histograms.
    pub(super) interval: Interval,
    /// Length of the schedule, or of the closed loop.
    pub(super) scheduled: Duration,
    /// From the end of the warm-up to the last answer.
    pub(super) answered_in: Duration,
    /// Processor time of the sending threads.
    pub(super) cpu: Duration,
    /// Processor time of the whole process meanwhile.
    pub(super) process_cpu: Duration,
    /// Processor time of another process meanwhile, if one was named.
    pub(super) other_cpu: Option<Duration>,
    /// Over what time the processor times were read.
    pub(super) watched: Duration,
}

/// Processor times at a moment.
#[derive(Clone, Copy)]
struct Clocks {
    at: Instant,
    generator: Duration,
    process: Duration,
    other: Option<Duration>,
}

/// Where a load goes, and whose processor time is read beside the generator's own.
pub(super) struct Target<'a> {
    pub(super) url: &'a str,
    pub(super) path: &'a str,
    pub(super) watch: Option<u32>,
}

/// Loads a URL with a profile, or until `stop` is raised: then `None`.
pub(super) async fn load(
    target: &Target<'_>,
    profile: &str,
    timer: &PreciseTimer,
    stop: &StopSignal,
) -> Result<Option<Loaded>, SelfTestError> {
    let profile = Profile::parse("self-test", profile)?;
    let plan = Plan {
        mix: Mix::new(profile.seed, 1, Popularity::Uniform, &[1.0], 0.0)?,
        requests: Arc::new(Requests::single(
            target.url,
            PlainRequest::get(target.path),
        )?),
        profile: profile.clone(),
        timer: timer.clone(),
    };
    let mut drive = Drive::start(plan).await?;
    let warm_up = Duration::from_secs(u64::from(profile.warm_up_s));
    let measuring_from = drive.started() + warm_up;
    let mut seconds = Vec::new();
    let mut from = None;
    loop {
        tokio::select! {
            () = drive.ended() => break,
            () = stop.raised(), if !drive.is_stopped() => drive.stop(),
            () = tokio::time::sleep_until(measuring_from.into()), if from.is_none() => {
                from = Some(clocks(&drive, target.watch));
            }
            () = tokio::time::sleep(FETCH) => seconds.extend(drive.completed()),
        }
    }
    // Before the threads end, whose clocks end with them.
    let to = clocks(&drive, target.watch);
    seconds.extend(drive.finish().await?);
    let (Some(from), false) = (from, stop.is_raised()) else {
        return Ok(None);
    };
    let mut interval = Interval::default();
    for (second, of_second) in &seconds {
        if *second >= profile.warm_up_s {
            interval.absorb(of_second);
        }
    }
    let answered_in = interval.last_end.saturating_sub(warm_up);
    Ok(Some(Loaded {
        scheduled: profile
            .measured_s()
            .map_or(answered_in, Duration::from_secs_f64),
        answered_in,
        cpu: to.generator - from.generator,
        process_cpu: to.process - from.process,
        other_cpu: to.other.zip(from.other).map(|(to, from)| to - from),
        watched: to.at - from.at,
        interval,
    }))
}

fn clocks(drive: &Drive, other: Option<u32>) -> Clocks {
    Clocks {
        at: Instant::now(),
        generator: drive.cpu().unwrap_or_default(),
        process: process_usage::cpu_time(std::process::id()).unwrap_or_default(),
        other: other.and_then(|pid| process_usage::cpu_time(pid).ok()),
    }
}

impl Loaded {
    /// Share of the due requests that were answered as expected.
    pub(super) fn delivered(&self) -> f64 {
        self.interval.ok as f64 / self.interval.offered.max(1) as f64
    }

    /// Answers a second, over the schedule's time or until the last answer if that was later.
    pub(super) fn rate(&self) -> f64 {
        let seconds = self.scheduled.max(self.answered_in).as_secs_f64();
        self.interval.ok as f64 / seconds.max(1e-9)
    }

    /// Time of `cpu` for each request, in microseconds.
    pub(super) fn per_request_us(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.interval.sent.max(1) as f64
    }

    /// Share of one processor.
    pub(super) fn share(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() / self.watched.as_secs_f64().max(1e-9)
    }
}
