//! What an ideal generator would report, worked out from what a server did.
//!
//! Owns the formulas of docs/BENCHMARKING.md, *Does the generator tell the truth?* Must not know what
//! was reported.

use std::time::Duration;

/// The 99th percentile of latency from the intended start, when a server that is fast otherwise answers
/// nothing for `frozen` in a load at a constant rate that takes `whole`.
///
/// A request due a time `t` after the freeze began waits `frozen - t`. At a constant rate the slowest
/// hundredth of all requests is what was due in the first `whole / 100` of the freeze, so the one at its
/// end waited `frozen - whole / 100`; nothing if the freeze was shorter than that.
pub fn frozen_p99(frozen: Duration, whole: Duration) -> Duration {
    frozen.saturating_sub(whole / 100)
}

/// The same from a server's record of its answers, which holds on a busy machine too, where those who
/// waited are answered one after the other.
///
/// `answers` are times since the freeze began, in order. The `k`-th of them belongs to the request that was
/// due `k / rate` after it, as requests that wait are answered in the order in which they were due, on the
/// whole. `requests` are all requests of the load.
pub fn waited_p99(answers: &[Duration], rate: u32, requests: usize) -> Duration {
    let due = |k: usize| Duration::from_secs_f64(k as f64 / f64::from(rate));
    let waits = answers.iter().enumerate();
    let mut waits: Vec<Duration> = waits.map(|(k, at)| at.saturating_sub(due(k))).collect();
    waits.sort_unstable_by(|a, b| b.cmp(a));
    waits.get(requests / 100).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by drawing every request: an ideal client, and a server that answers at once.
    fn drawn(rate: u64, whole: Duration, from: Duration, frozen: Duration) -> Duration {
        let number = rate * whole.as_secs();
        let mut waits: Vec<Duration> = (0..number)
            .map(|n| {
                let due = Duration::from_secs_f64(n as f64 / rate as f64);
                if due < from {
                    Duration::ZERO
                } else {
                    (from + frozen).saturating_sub(due)
                }
            })
            .collect();
        waits.sort();
        waits[(number * 99 / 100) as usize - 1]
    }

    #[test]
    fn the_formula_is_what_an_ideal_client_sees() {
        let ms = Duration::from_millis;
        for (rate, seconds, frozen) in [
            (2000, 20, 500),
            (2000, 5, 500),
            (1000, 10, 300),
            (500, 20, 150),
        ] {
            let whole = Duration::from_secs(seconds);
            let truth = frozen_p99(ms(frozen), whole);
            let drawn = drawn(rate, whole, ms(2000), ms(frozen));
            let step = Duration::from_secs(1) / u32::try_from(rate).expect("small");
            assert!(drawn.abs_diff(truth) <= step, "{truth:?} and {drawn:?}");
        }
        assert_eq!(frozen_p99(ms(500), Duration::from_secs(20)), ms(300));
    }

    #[test]
    fn a_record_of_answers_gives_what_the_formula_gives_and_more_where_they_took_their_time() {
        let frozen = Duration::from_millis(500);
        // Requests of 10 s at 2,000/s from the freeze on, of 20 s in all.
        let answers = |each: Duration| -> Vec<Duration> {
            let mut free = frozen;
            let due = |k: u32| Duration::from_micros(500) * k;
            (0..20_000)
                .map(|k| {
                    free = (free + each).max(due(k));
                    free
                })
                .collect()
        };
        let at_once = waited_p99(&answers(Duration::ZERO), 2000, 40_000);
        let formula = frozen_p99(frozen, Duration::from_secs(20));
        assert!(
            at_once.abs_diff(formula) <= Duration::from_millis(1),
            "{at_once:?}"
        );
        let busy = waited_p99(&answers(Duration::from_micros(100)), 2000, 40_000);
        assert!(busy > formula + Duration::from_millis(30), "{busy:?}");
    }
}
