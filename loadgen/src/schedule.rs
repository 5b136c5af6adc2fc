//! The intended start of every request of an open loop, as a function of rates and a seed.
//!
//! Owns [`Schedule`], which streams offsets from the first request on. Must not know what
//! time it is or who sends.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::profile::{Arrival, Segment};

/// Intended starts, in order, as offsets from the start of the load.
///
/// The rates form a function of time; its integral says how many requests are due by then. The
/// n-th request starts where the integral reaches the n-th arrival of a process of rate 1, which
/// is `n` itself for constant arrivals and a sum of exponential distances for Poisson ones. So
/// ramps need no steps, and a schedule of any length takes no memory.
#[derive(Clone, Debug)]
pub struct Schedule {
    stretches: Vec<Stretch>,
    current: usize,
    total: Duration,
    expected: f64,
    process: UnitProcess,
}

/// A segment with what came before it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    starts_s: f64,
    starts_at_count: f64,
    segment: Segment,
}

#[derive(Clone, Debug)]
enum UnitProcess {
    Constant { next: u64 },
    Poisson { arrived: f64, rng: Box<ChaCha8Rng> },
}

impl Schedule {
    /// The schedule of the given stretches of load.
    pub fn new(arrival: Arrival, segments: &[Segment], seed: u64) -> Self {
        let mut stretches = Vec::with_capacity(segments.len());
        let (mut time_s, mut count) = (0.0, 0.0);
        for segment in segments {
            stretches.push(Stretch {
                starts_s: time_s,
                starts_at_count: count,
                segment: *segment,
            });
            time_s += segment.duration_s;
            count += segment.requests();
        }
        let process = match arrival {
            Arrival::Constant => UnitProcess::Constant { next: 0 },
            Arrival::Poisson => UnitProcess::Poisson {
                arrived: 0.0,
                rng: Box::new(ChaCha8Rng::seed_from_u64(seed)),
            },
        };
        Self {
            stretches,
            current: 0,
            total: Duration::from_secs_f64(time_s),
            expected: count,
            process,
        }
    }

    /// Length of the whole load.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// Requests to expect: the area under the rates.
    pub fn expected(&self) -> f64 {
        self.expected
    }

    /// When the integral of the rates reaches `count`.
    fn time_of(&mut self, count: f64) -> Option<Duration> {
        if count >= self.expected {
            return None;
        }
        // Arrivals come in order, so the search only ever moves forward.
        while self
            .stretches
            .get(self.current + 1)
            .is_some_and(|next| next.starts_at_count <= count)
        {
            self.current += 1;
        }
        let stretch = self.stretches.get(self.current)?;
        let time_s = stretch.starts_s + stretch.segment.time_of(count - stretch.starts_at_count);
        Some(Duration::from_secs_f64(time_s).min(self.total))
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let count = self.process.next_arrival();
        self.time_of(count)
    }
}

impl UnitProcess {
    fn next_arrival(&mut self) -> f64 {
        match self {
            UnitProcess::Constant { next } => {
                let now = *next;
                *next += 1;
                // Exact below 2^53 requests.
                now as f64
            }
            UnitProcess::Poisson { arrived, rng } => {
                // The uniform value is below 1, so the logarithm is finite.
                *arrived -= (1.0 - rng.random::<f64>()).ln();
                *arrived
            }
        }
    }
}

impl Segment {
    /// Requests to expect in the whole segment: the area under its line.
    pub fn requests(&self) -> f64 {
        self.duration_s * (self.from_rps + self.to_rps) / 2.0
    }

    /// Seconds from the segment's start until `count` requests were due: the root of a quadratic,
    /// in the form that is exact for a constant rate too.
    fn time_of(&self, count: f64) -> f64 {
        let slope = (self.to_rps - self.from_rps) / self.duration_s;
        let rate_then = (self.from_rps * self.from_rps + 2.0 * slope * count)
            .max(0.0)
            .sqrt();
        (2.0 * count / (self.from_rps + rate_then)).clamp(0.0, self.duration_s)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(duration_s: f64, from_rps: f64, to_rps: f64) -> Segment {
        Segment {
            duration_s,
            from_rps,
            to_rps,
        }
    }

    #[test]
    fn constant_arrivals_have_equal_distances() {
        let starts: Vec<u128> = Schedule::new(Arrival::Constant, &[line(0.01, 1000.0, 1000.0)], 0)
            .map(|offset| offset.as_micros())
            .collect();
        assert_eq!(starts, (0..10).map(|n| n * 1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_ramp_puts_half_its_requests_behind_the_root_of_its_time() {
        // From 0 (nearly) to 200/s in 10 s: 1,000 requests, half of them due by 10 s / sqrt(2).
        let schedule = Schedule::new(Arrival::Constant, &[line(10.0, 1e-6, 200.0)], 0);
        let starts: Vec<Duration> = schedule.collect();
        assert!((1000..=1001).contains(&starts.len()), "{}", starts.len());
        assert!(
            (starts[500].as_secs_f64() - 10.0 / 2.0_f64.sqrt()).abs() < 0.001,
            "{:?}",
            starts[500]
        );
    }

    #[test]
    fn poisson_distances_have_the_mean_and_the_variance_of_an_exponential() {
        let starts: Vec<f64> = Schedule::new(Arrival::Poisson, &[line(100.0, 1000.0, 1000.0)], 3)
            .map(|offset| offset.as_secs_f64())
            .collect();
        let distances: Vec<f64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let count = distances.len() as f64;
        let mean = distances.iter().sum::<f64>() / count;
        let variance = distances.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / count;
        assert!((mean * 1000.0 - 1.0).abs() < 0.02, "mean {mean}");
        assert!(
            (variance.sqrt() / mean - 1.0).abs() < 0.02,
            "deviation {}",
            variance.sqrt()
        );
    }

    fn segments() -> impl Strategy<Value = Vec<Segment>> {
        let segment = (0.1_f64..5.0, 1.0_f64..500.0, 1.0_f64..500.0)
            .prop_map(|(duration_s, from_rps, to_rps)| line(duration_s, from_rps, to_rps));
        proptest::collection::vec(segment, 1..5)
    }

    proptest! {
        #[test]
        fn starts_never_go_back_and_stay_within_the_load(
            segments in segments(),
            seed in 0_u64..1000,
            poisson: bool,
        ) {
            let arrival = if poisson { Arrival::Poisson } else { Arrival::Constant };
            let schedule = Schedule::new(arrival, &segments, seed);
            let total = schedule.total();
            let mut last = Duration::ZERO;
            for start in schedule {
                prop_assert!(start >= last && start <= total, "{start:?} after {last:?} of {total:?}");
                last = start;
            }
        }

        #[test]
        fn a_constant_schedule_has_as_many_requests_as_the_area_under_its_rates(
            segments in segments(),
        ) {
            let schedule = Schedule::new(Arrival::Constant, &segments, 0);
            let area: f64 = segments.iter().map(|s| s.duration_s * (s.from_rps + s.to_rps) / 2.0).sum();
            let count = schedule.count() as f64;
            prop_assert!((count - area).abs() <= 1.0, "{count} for {area}");
        }

        #[test]
        fn a_poisson_schedule_has_about_as_many_and_the_same_for_the_same_seed(
            segments in segments(),
            seed in 0_u64..1000,
        ) {
            let schedule = Schedule::new(Arrival::Poisson, &segments, seed);
            let expected = schedule.expected();
            let starts: Vec<Duration> = schedule.clone().collect();
            // Six standard deviations.
            let allowed = 6.0 * expected.sqrt() + 1.0;
            prop_assert!((starts.len() as f64 - expected).abs() <= allowed);
            prop_assert_eq!(starts, schedule.collect::<Vec<_>>());
        }
    }
}
