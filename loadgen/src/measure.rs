//! One load from its first to its last request, watched from both sides.
//!
//! Owns when readings are taken and which of them belong to the measured part. Must not know what a
//! lab is, or what the figures mean.

use std::time::{Duration, Instant};

use thiserror::Error;

use crate::drive::{Drive, DriveError, Plan};
use crate::latency::{Interval, second_of};
use crate::machine::ProcessorTimes;
use crate::part::{Begin, Part};
use crate::probe::{Probe, Reading};
use crate::profile::Profile;
use crate::progress::{LiveLoad, Progress};
use crate::second_log::{SecondLog, SecondLogError};
use crate::stability::Stability;
use crate::stop::StopSignal;

/// How often complete seconds are collected and the display is refreshed.
const REFRESH: Duration = Duration::from_millis(200);

/// Why a load gave no figures.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// The generator.
    #[error("the load could not be driven")]
    Drive(#[from] DriveError),
    /// The files.
    #[error("what was measured could not be kept")]
    Log(#[from] SecondLogError),
}

/// What one load gave.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The measured part, merged.
    pub interval: Interval,
    /// Requests sent during warm-up.
    pub warm_up_sent: u64,
    /// How long the warm-up took, in seconds.
    pub warm_up_s: u32,
    /// Whether a warm-up that was to last until the hit ratio is stable ended without that.
    pub is_unstable: bool,
    /// The first intended start of the scenario.
    pub started: Instant,
    /// Second of the scenario at which the measured part begins.
    pub begins_at_s: u32,
    /// Second of the scenario at which it ends as scheduled, or was ended.
    pub ends_at_s: f64,
    /// Length of the measured part as scheduled, or until the load was ended early, in seconds.
    pub scheduled_s: f64,
    /// From the start of the measured part to its last answer, in seconds; at least
    /// [`Measured::scheduled_s`].
    pub answered_s: f64,
    /// What happened on the target's side in the measured part.
    pub change: Reading,
    /// CPU time of the generator's threads in the measured part.
    pub generator_cpu: Option<Duration>,
    /// That as a share of what the threads could have used.
    pub generator_share: Option<f64>,
    /// Share of processor time stolen in the measured part.
    pub stolen: Option<f64>,
    /// Readings that failed.
    pub failed_readings: u32,
    /// Whether the load was ended before its schedule.
    pub is_partial: bool,
}

/// Everything that is read at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    target: Reading,
    generator: Option<Duration>,
    processors: Option<ProcessorTimes>,
}

impl Moment {
    fn generator_since(&self, then: &Moment) -> Option<Duration> {
        Some(self.generator?.saturating_sub(then.generator?))
    }

    fn stolen_since(&self, then: &Moment) -> Option<f64> {
        Some(self.processors?.stolen_since(then.processors?))
    }
}

/// Runs a load to its end, or until `stop` is raised. `None` means that it was stopped before
/// anything was measured.
pub async fn measure(
    plan: Plan,
    part: Part,
    probe: &impl Probe,
    log: &mut SecondLog,
    stop: &StopSignal,
    progress: &Progress,
) -> Result<Option<Measured>, MeasureError> {
    let profile = plan.profile.clone();
    // Counters are read before a later load of the same scenario begins: what is sent while they are
    // being read at its start would belong to none.
    let (before, earlier) = match part.begins {
        Begin::WholeSecondAfter(origin) => (probe.read().await.ok(), Some(origin)),
        Begin::Soon | Begin::At(_) => (None, None),
    };
    let drive = Drive::start_part(plan, part).await?;
    let origin = earlier.unwrap_or(drive.started());
    let before = before.map(|target| Moment {
        at: drive.started(),
        target,
        generator: drive.cpu().map(|_| Duration::ZERO),
        processors: ProcessorTimes::now(),
    });
    // Whole, because the load begins a whole number of seconds after its origin.
    let begins_at_s = second_of(drive.started().saturating_duration_since(origin));
    log.begins_at(begins_at_s);
    let until = profile.warm_up_until;
    let gathered = Gathered {
        warm_up_s: until.is_none().then_some(profile.warm_up_s),
        live: LiveLoad::new(profile.warm_up_s, until.is_some(), profile.measured_s()),
        log,
        warm_up_sent: 0,
        interval: Interval::default(),
    };
    if until.is_none() {
        gathered.log.ends_at(drive.total());
    }
    let watch = Watch {
        gathered,
        origin,
        begins_at_s,
        stability: until.map(Stability::new),
        is_unstable: false,
        latest: before,
        measuring_from: before,
        failed: 0,
        drive,
        probe,
        progress,
        profile,
    };
    watch.run(stop).await
}

struct Watch<'a, P> {
    profile: Profile,
    drive: Drive,
    probe: &'a P,
    gathered: Gathered<'a>,
    origin: Instant,
    begins_at_s: u32,
    stability: Option<Stability>,
    is_unstable: bool,
    progress: &'a Progress,
    latest: Option<Moment>,
    measuring_from: Option<Moment>,
    failed: u32,
}

/// What the generator's seconds add up to.
struct Gathered<'a> {
    /// Absent until it is known.
    warm_up_s: Option<u32>,
    live: LiveLoad,
    log: &'a mut SecondLog,
    warm_up_sent: u64,
    interval: Interval,
}

impl Gathered<'_> {
    fn take(&mut self, second: u32, interval: &Interval) -> Result<(), MeasureError> {
        self.log.load(second, interval)?;
        self.live.add_interval(second, interval);
        if self.warm_up_s.is_none_or(|warm_up_s| second < warm_up_s) {
            self.warm_up_sent += interval.sent;
        } else {
            self.interval.absorb(interval);
        }
        Ok(())
    }
}

impl<P: Probe> Watch<'_, P> {
    async fn run(mut self, stop: &StopSignal) -> Result<Option<Measured>, MeasureError> {
        let started = self.drive.started();
        // The start was read already if there is a reading.
        let mut next_second = u32::from(self.latest.is_some());
        let mut ended_early = None;
        let mut refresh = tokio::time::interval(REFRESH);
        loop {
            let tick = started + Duration::from_secs(u64::from(next_second));
            tokio::select! {
                () = self.drive.ended() => break,
                () = stop.raised(), if ended_early.is_none() => {
                    ended_early = Some(started.elapsed());
                    self.drive.stop();
                }
                () = tokio::time::sleep_until(tick.into()) => {
                    self.read(next_second).await?;
                    next_second += 1;
                }
                _ = refresh.tick() => self.refresh(started.elapsed())?,
            }
        }
        // Before the threads end, whose clocks end with them.
        self.read(next_second).await?;
        self.finish(ended_early).await
    }

    /// Reads everything at the start of `second`, which is the end of the one before.
    async fn read(&mut self, second: u32) -> Result<(), MeasureError> {
        let target = match self.probe.read().await {
            Ok(reading) => reading,
            Err(_) => {
                self.failed += 1;
                self.latest
                    .map_or_else(Reading::default, |latest| latest.target)
            }
        };
        let moment = Moment {
            at: Instant::now(),
            target,
            generator: self.drive.cpu(),
            processors: ProcessorTimes::now(),
        };
        if let Some(latest) = self.latest {
            let change = target.since(&latest.target);
            let generator = moment.generator_since(&latest).unwrap_or_default();
            self.gathered
                .log
                .reading(second.saturating_sub(1), &change, generator)?;
            self.gathered.live.add_reading(&change);
            self.watch_warm_up(second, &change);
        }
        if self.gathered.warm_up_s == Some(second) {
            self.measuring_from = Some(moment);
            // Once in a scenario, not again for each step of a search.
            if self.begins_at_s == 0 && self.probe.measuring_begins().await.is_err() {
                self.failed += 1;
            }
        }
        self.latest = Some(moment);
        Ok(())
    }

    /// Ends the warm-up if the hit ratio has become stable in the second before `second`, or if there is
    /// no time left for it to.
    fn watch_warm_up(&mut self, second: u32, change: &Reading) {
        let Some(stability) = &mut self.stability else {
            return;
        };
        let is_stable = stability.add_second(change.counters.unwrap_or_default());
        if is_stable || second + 1 >= self.profile.warm_up_s {
            let from = self.drive.begin_measuring();
            self.is_unstable = !is_stable;
            self.stability = None;
            self.gathered.warm_up_s = Some(from);
            self.gathered.live.measures_from(from);
            self.gathered.log.ends_at(self.drive.total());
        }
    }

    fn refresh(&mut self, elapsed: Duration) -> Result<(), MeasureError> {
        for (second, interval) in self.drive.completed() {
            self.gathered.take(second, &interval)?;
        }
        self.progress.load(&self.gathered.live, elapsed);
        Ok(())
    }

    async fn finish(self, ended_early: Option<Duration>) -> Result<Option<Measured>, MeasureError> {
        let mut gathered = self.gathered;
        for (second, interval) in self.drive.finish().await? {
            gathered.take(second, &interval)?;
        }
        let Gathered {
            interval,
            warm_up_sent,
            warm_up_s,
            ..
        } = gathered;
        let (Some(from), Some(to), Some(warm_up_seconds)) =
            (self.measuring_from, self.latest, warm_up_s)
        else {
            return Ok(None);
        };
        if interval.sent == 0 && ended_early.is_some() {
            return Ok(None);
        }
        let warm_up_s = f64::from(warm_up_seconds);
        let answered_s = interval.last_end.as_secs_f64() - warm_up_s;
        let scheduled_s = match ended_early {
            Some(at) => at.as_secs_f64() - warm_up_s,
            None => self.profile.measured_s().unwrap_or(answered_s),
        };
        let generator_cpu = to.generator_since(&from);
        let available_s = (to.at - from.at).as_secs_f64() * f64::from(self.profile.threads);
        Ok(Some(Measured {
            warm_up_sent,
            warm_up_s: warm_up_seconds,
            started: self.origin,
            begins_at_s: self.begins_at_s + warm_up_seconds,
            ends_at_s: f64::from(self.begins_at_s) + warm_up_s + scheduled_s,
            is_unstable: self.is_unstable,
            scheduled_s,
            answered_s: answered_s.max(scheduled_s),
            change: to.target.since(&from.target),
            generator_cpu,
            generator_share: generator_cpu.map(|cpu| cpu.as_secs_f64() / available_s.max(1e-9)),
            stolen: to.stolen_since(&from),
            failed_readings: self.failed,
            is_partial: ended_early.is_some(),
            interval,
        }))
    }
}
