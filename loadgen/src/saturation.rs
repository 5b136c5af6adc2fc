//! A search for the highest rate that a target carries: step after step, each a load of its own.
//!
//! Owns the order of the steps, and how they add up to one measured part. Must not know how a rate is
//! chosen ([`search`]) or judged ([`judge`]).

pub mod judge;
pub mod search;

use results::saturation::{Outcome, Saturation as Found, Step};

use self::judge::{StepFigures, judge};
use self::search::{Judgement, Next, Search};
use crate::drive::Plan;
use crate::measure::{MeasureError, Measured, measure};
use crate::part::{Begin, Part};
use crate::probe::Probe;
use crate::profile::{Load, Profile, Saturation, Segment, default_connections};
use crate::progress::Progress;
use crate::second_log::SecondLog;
use crate::stop::StopSignal;

/// Numbers of requests that a step may use before those of the next one begin.
const NUMBERS_OF_A_STEP: u64 = 1 << 40;

/// What one load gave, and what a search found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The figures of the whole measured part.
    pub measured: Measured,
    /// Of these, the steps that the target carried, which is what the validity of a search rests on.
    /// The others overload the target on purpose.
    pub carried: Option<Measured>,
    /// What was tried and found, if the profile searches.
    pub found: Option<Found>,
}

/// Runs the load of a profile to its end, whatever kind it is, or until `stop` is raised. `None` means
/// that it was stopped before anything was measured.
pub async fn run(
    plan: Plan,
    part: Part,
    probe: &impl Probe,
    mut log: SecondLog,
    stop: &StopSignal,
    progress: &Progress,
) -> Result<Option<Loaded>, MeasureError> {
    let Load::Saturation(rule) = plan.profile.load else {
        let measured = measure(plan, part, probe, &mut log, stop, progress).await?;
        log.finish()?;
        return Ok(measured.map(|measured| Loaded {
            measured,
            carried: None,
            found: None,
        }));
    };
    let mut steps = Steps {
        search: Search::new(rule),
        rule,
        all: None,
        carried: None,
        tried: Vec::new(),
    };
    let outcome = loop {
        let rate = match steps.search.next() {
            Next::Done(outcome) => break outcome,
            Next::Try(rate) => rate,
        };
        progress.note(&format!("offering {rate}/s"));
        let plan = Plan {
            profile: step_profile(&plan.profile, &rule, steps.tried.len(), rate),
            ..plan.clone()
        };
        let part = steps.part(part);
        let Some(measured) = measure(plan, part, probe, &mut log, stop, progress).await? else {
            break steps.ended_early();
        };
        let is_partial = measured.is_partial;
        let reason = steps.add(rate, measured);
        progress.note(&reason);
        if is_partial {
            break steps.ended_early();
        }
    };
    log.finish()?;
    Ok(steps.finish(outcome))
}

/// The load of one step. Only the first one has a warm-up; seeds and numbers differ from step to step,
/// so that keys that nobody has are new in each.
pub fn step_profile(profile: &Profile, rule: &Saturation, index: usize, rate: f64) -> Profile {
    Profile {
        load: Load::Open {
            arrival: rule.arrival,
            segments: vec![Segment {
                duration_s: f64::from(rule.step_s),
                from_rps: rate,
                to_rps: rate,
            }],
        },
        warm_up_s: if index == 0 { profile.warm_up_s } else { 0 },
        warm_up_until: profile.warm_up_until.filter(|_| index == 0),
        seed: profile.seed.wrapping_add(index as u64),
        connections: profile.connections.min(default_connections(rate)),
        ..profile.clone()
    }
}

/// The number of the first request of a step.
pub fn first_number(index: usize) -> u64 {
    index as u64 * NUMBERS_OF_A_STEP
}

struct Steps {
    search: Search,
    rule: Saturation,
    all: Option<Measured>,
    carried: Option<Measured>,
    tried: Vec<Step>,
}

impl Steps {
    /// Where the next step begins: at a whole second of the scenario, so that its intervals are seconds
    /// of the record.
    fn part(&self, first: Part) -> Part {
        match &self.all {
            None => first,
            Some(all) => Part {
                begins: Begin::WholeSecondAfter(all.started),
                first_number: first_number(self.tried.len()),
                ..first
            },
        }
    }

    /// Takes in a step; returns what is to be said of it.
    fn add(&mut self, rate: f64, measured: Measured) -> String {
        let interval = &measured.interval;
        let figures = StepFigures {
            offered: interval.offered,
            sent: interval.sent,
            ok: interval.ok,
            p99_us: interval.corrected.value_at_quantile(0.99),
            service_p99_us: interval.service.value_at_quantile(0.99),
            generator_share: measured.generator_share,
        };
        let (judgement, reason) = judge(&figures, self.rule.p99_below_ms);
        // What was cut short may have been about to fail.
        let is_carried = judgement == Judgement::Carried && !measured.is_partial;
        self.tried.push(Step {
            at_s: f64::from(measured.begins_at_s),
            rps: rate,
            is_carried,
            reason: reason.clone(),
        });
        if !measured.is_partial {
            self.search.observe(rate, judgement);
        }
        if is_carried {
            absorb(&mut self.carried, measured.clone());
        }
        absorb(&mut self.all, measured);
        let verdict = match judgement {
            Judgement::Carried if is_carried => "carried",
            Judgement::Carried => "cut short",
            Judgement::NotCarried => "not carried",
            Judgement::GeneratorBound => "the generator is the bound",
        };
        format!("{rate}/s: {verdict}, {reason}")
    }

    fn ended_early(&self) -> Outcome {
        let carried = self.tried.iter().filter(|step| step.is_carried);
        Outcome::EndedEarly {
            carried_rps: carried.map(|step| step.rps).reduce(f64::max),
        }
    }

    fn finish(self, outcome: Outcome) -> Option<Loaded> {
        let mut measured = self.all?;
        measured.is_partial |= matches!(outcome, Outcome::EndedEarly { .. });
        Some(Loaded {
            measured,
            carried: self.carried,
            found: Some(Found {
                outcome,
                steps: self.tried,
            }),
        })
    }
}

fn absorb(sum: &mut Option<Measured>, next: Measured) {
    match sum {
        None => *sum = Some(next),
        Some(sum) => sum.absorb(&next),
    }
}

impl Measured {
    /// Adds a later load of the same scenario.
    fn absorb(&mut self, next: &Measured) {
        self.interval.absorb(&next.interval);
        self.scheduled_s += next.scheduled_s;
        self.answered_s += next.answered_s;
        self.ends_at_s = next.ends_at_s;
        self.change = self.change.plus(&next.change);
        let cpu = self.generator_cpu.zip(next.generator_cpu);
        self.generator_cpu = cpu.map(|(one, other)| one + other);
        let most = |a: Option<f64>, b: Option<f64>| Some(a?.max(b?));
        self.generator_share = most(self.generator_share, next.generator_share);
        self.stolen = most(self.stolen, next.stolen);
        self.failed_readings += next.failed_readings;
        self.is_partial |= next.is_partial;
    }
}
