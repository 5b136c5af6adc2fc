//! Whether a target carried the rate of one step, and if not whose fault that was.
//!
//! Owns the bounds. Must not know which rate comes next.

use super::search::Judgement;
use crate::validity::MOST_GENERATOR;

/// Share of the offered requests that have to be answered as expected.
pub const LEAST_ANSWERED: f64 = 0.99;

/// What one step gave.
#[derive(Clone, Copy, Debug)]
pub struct StepFigures {
    /// Requests that were due.
    pub offered: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were answered as expected.
    pub ok: u64,
    /// 99th percentile of latency from the intended send time, in microseconds.
    pub p99_us: u64,
    /// 99th percentile of latency from the actual send time, in microseconds.
    pub service_p99_us: u64,
    /// Share of its processors that the generator used, where the system tells.
    pub generator_share: Option<f64>,
}

/// The judgement on a step, and its reason in words.
pub fn judge(step: &StepFigures, p99_below_ms: f64) -> (Judgement, String) {
    let below_us = p99_below_ms * 1e3;
    let milliseconds = |us: u64| us as f64 / 1e3;
    if let Some(share) = step.generator_share.filter(|share| *share > MOST_GENERATOR) {
        let used = share * 100.0;
        let reason = format!("the generator used {used:.0} % of its processor");
        return (Judgement::GeneratorBound, reason);
    }
    let answered = share(step.ok, step.offered);
    let is_in_time = (step.p99_us as f64) < below_us;
    let p99_ms = milliseconds(step.p99_us);
    let figures = format!("{:.2} % answered, p99 {p99_ms:.1} ms", answered * 100.0);
    if answered >= LEAST_ANSWERED && is_in_time {
        return (Judgement::Carried, figures);
    }
    // All that left was answered in time: what was late, or never left, waited here.
    let target_is_fine = step.sent > 0
        && share(step.ok, step.sent) >= LEAST_ANSWERED
        && (step.service_p99_us as f64) < below_us;
    if target_is_fine {
        let service_ms = milliseconds(step.service_p99_us);
        let reason = format!(
            "{figures}, but {service_ms:.1} ms from the actual send: requests waited in the generator"
        );
        return (Judgement::GeneratorBound, reason);
    }
    (Judgement::NotCarried, figures)
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_carried_or_the_targets_fault_or_the_generators() {
        let good = StepFigures {
            offered: 1_000,
            sent: 1_000,
            ok: 1_000,
            p99_us: 20_000,
            service_p99_us: 19_000,
            generator_share: Some(0.4),
        };
        #[track_caller]
        fn check(step: StepFigures, expected: Judgement, part: &str) {
            let (judgement, reason) = judge(&step, 100.0);
            assert_eq!(judgement, expected, "{reason}");
            assert!(reason.contains(part), "`{part}` is missing in {reason}");
        }
        check(good, Judgement::Carried, "100.00 % answered, p99 20.0 ms");
        check(
            StepFigures { ok: 990, ..good },
            Judgement::Carried,
            "99.00 %",
        );
        check(
            StepFigures { ok: 989, ..good },
            Judgement::NotCarried,
            "98.90 %",
        );
        let slow = StepFigures {
            p99_us: 100_000,
            service_p99_us: 100_000,
            ..good
        };
        check(slow, Judgement::NotCarried, "p99 100.0 ms");
        let held_back = StepFigures {
            service_p99_us: 5_000,
            ..slow
        };
        check(
            held_back,
            Judgement::GeneratorBound,
            "waited in the generator",
        );
        let unsent = StepFigures {
            sent: 900,
            ok: 900,
            ..good
        };
        check(unsent, Judgement::GeneratorBound, "90.00 %");
        let busy = StepFigures {
            generator_share: Some(0.81),
            ..good
        };
        check(busy, Judgement::GeneratorBound, "81 %");
        let unknown = StepFigures {
            generator_share: None,
            ..good
        };
        check(unknown, Judgement::Carried, "");
        let nothing = StepFigures {
            offered: 10,
            sent: 0,
            ok: 0,
            ..good
        };
        check(nothing, Judgement::NotCarried, "0.00 %");
    }
}
