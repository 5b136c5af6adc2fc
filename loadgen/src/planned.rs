//! The requests of an open loop in order: when each is due, its number, and what a trace says of it.
//!
//! Owns how warm-up and measured part follow one another, and which numbers their requests have. Must
//! not know who sends, or what a request asks for.

use std::time::Duration;

use crate::profile::{Arrival, Load, Named, Profile, Segment, Trace};
use crate::schedule::Schedule;

/// Numbers of requests of a warm-up that has a schedule of its own begin here, so that those of the
/// measured part do not depend on how many there were.
pub const WARM_UP_NUMBERS: u64 = 1 << 63;

/// A request that is going to be due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Due {
    /// When, from the start of the load.
    pub at: Duration,
    /// Its number, which decides what it asks for.
    pub n: u64,
    /// What a trace says it asks for.
    pub named: Named,
}

/// Every request of an open loop, in order.
#[derive(Clone, Debug)]
pub struct Planned {
    warm_up: Option<Numbered>,
    measured: Numbered,
    measured_from: Duration,
}

#[derive(Clone, Debug)]
struct Numbered {
    source: Source,
    next: u64,
}

#[derive(Clone, Debug)]
enum Source {
    Schedule(Box<Schedule>),
    Trace(Trace, usize),
}

impl Planned {
    /// The requests of a profile; `None` for a closed loop and a search, which have no plan.
    pub fn of(profile: &Profile) -> Option<Self> {
        let warm_up_s = f64::from(profile.warm_up_s);
        let schedule = |arrival, segments: &[Segment], seed| Numbered {
            source: Source::Schedule(Box::new(Schedule::new(arrival, segments, seed))),
            next: 0,
        };
        let own_warm_up = |arrival, rps| Numbered {
            next: WARM_UP_NUMBERS,
            // Another seed, so that the first measured arrivals are not those of the warm-up again.
            ..schedule(
                arrival,
                &[Segment {
                    duration_s: warm_up_s,
                    from_rps: rps,
                    to_rps: rps,
                }],
                profile.seed ^ WARM_UP_NUMBERS,
            )
        };
        let measured_from = Duration::from_secs_f64(warm_up_s);
        match &profile.load {
            Load::Open { arrival, segments } if profile.warm_up_until.is_some() => {
                let first_rps = segments.first().map_or(0.0, |segment| segment.from_rps);
                Some(Self {
                    warm_up: Some(own_warm_up(*arrival, first_rps)),
                    measured: schedule(*arrival, segments, profile.seed),
                    measured_from,
                })
            }
            // One schedule for both.
            Load::Open { arrival, .. } => Some(Self {
                warm_up: None,
                measured: schedule(*arrival, &profile.segments_with_warm_up(), profile.seed),
                measured_from: Duration::ZERO,
            }),
            Load::Trace(trace) => Some(Self {
                warm_up: Some(own_warm_up(Arrival::Poisson, trace.mean_rps()))
                    .filter(|_| warm_up_s > 0.0),
                measured: Numbered {
                    source: Source::Trace(trace.clone(), 0),
                    next: 0,
                },
                measured_from,
            }),
            Load::Closed { .. } | Load::Saturation(_) => None,
        }
    }

    /// The same requests with other numbers: those of the measured part begin at `first`.
    pub fn numbered_from(mut self, first: u64) -> Self {
        self.measured.next += first;
        self
    }

    /// The measured part alone, from its own start.
    pub fn measured(profile: &Profile) -> Option<Self> {
        let planned = Self::of(profile)?;
        Some(Self {
            warm_up: None,
            measured_from: Duration::ZERO,
            ..planned
        })
    }

    /// Lets the measured part begin at `at` instead of where the longest warm-up would end, if that is
    /// later; returns when it begins.
    pub fn begin_measuring(&mut self, at: Duration) -> Duration {
        self.measured_from = self.measured_from.min(at);
        self.measured_from
    }

    /// Length of the whole load.
    pub fn total(&self) -> Duration {
        self.measured_from
            + match &self.measured.source {
                Source::Schedule(schedule) => schedule.total(),
                Source::Trace(trace, _) => Duration::from_secs_f64(trace.length_s),
            }
    }
}

impl Iterator for Planned {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        if let Some(warm_up) = &mut self.warm_up {
            if let Some(due) = warm_up.next().filter(|due| due.at < self.measured_from) {
                return Some(due);
            }
            self.warm_up = None;
        }
        let due = self.measured.next()?;
        Some(Due {
            at: self.measured_from + due.at,
            ..due
        })
    }
}

impl Iterator for Numbered {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let (at, named) = match &mut self.source {
            Source::Schedule(schedule) => (schedule.next()?, Named::default()),
            Source::Trace(trace, next) => {
                let line = trace.get(*next)?;
                *next += 1;
                line
            }
        };
        let n = self.next;
        self.next += 1;
        Some(Due { at, n, named })
    }
}
