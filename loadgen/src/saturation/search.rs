//! Which rate to try next while looking for the highest one that a target carries.
//!
//! Owns the policy: geometric growth until a rate is not carried, then bisection. Must not know how a
//! rate is offered or judged.

use results::saturation::Outcome;

use crate::profile::Saturation;

/// What came of a rate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// Answered, and in time.
    Carried,
    /// Not answered, or not in time.
    NotCarried,
    /// The generator, not the target, is what was measured.
    GeneratorBound,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Offer this rate, in requests per second.
    Try(f64),
    /// The search is over.
    Done(Outcome),
}

/// A search under way.
///
/// A rate that is not carried is tried once more before that counts, because one noisy second at a low
/// rate would end the search far below the truth.
#[derive(Clone, Debug)]
pub struct Search {
    rule: Saturation,
    carried: Option<f64>,
    not_carried: Option<f64>,
    in_doubt: Option<f64>,
    generator_bound_at: Option<f64>,
}

impl Search {
    /// A search by a profile's figures.
    pub fn new(rule: Saturation) -> Self {
        Self {
            rule,
            carried: None,
            not_carried: None,
            in_doubt: None,
            generator_bound_at: None,
        }
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        if let Some(at_rps) = self.generator_bound_at {
            return Next::Done(Outcome::GeneratorBound {
                at_rps,
                carried_rps: self.carried,
            });
        }
        if let Some(rate) = self.in_doubt {
            return Next::Try(rate);
        }
        match (self.carried, self.not_carried) {
            (None, None) => Next::Try(self.rule.from_rps),
            (None, Some(lowest_rps)) => Next::Done(Outcome::Below { lowest_rps }),
            (Some(carried), None) if carried >= self.rule.to_rps => {
                Next::Done(Outcome::NotReached {
                    highest_rps: carried,
                })
            }
            (Some(carried), None) => {
                // Rates are whole, so a small factor of a small rate may be no step at all.
                let next = (carried * self.rule.growth).round().max(carried + 1.0);
                Next::Try(next.min(self.rule.to_rps))
            }
            (Some(carried), Some(not_carried)) => {
                // In the middle by ratio, since the precision is one.
                let middle = (carried * not_carried).sqrt().round();
                let is_fine = not_carried <= carried * (1.0 + self.rule.precision);
                if is_fine || middle <= carried || middle >= not_carried {
                    Next::Done(Outcome::Knee { rps: carried })
                } else {
                    Next::Try(middle)
                }
            }
        }
    }

    /// Takes in what came of a rate.
    pub fn observe(&mut self, rate: f64, judgement: Judgement) {
        match judgement {
            Judgement::Carried => {
                self.carried = Some(rate);
                self.in_doubt = None;
            }
            Judgement::NotCarried if self.in_doubt == Some(rate) => {
                self.not_carried = Some(rate);
                self.in_doubt = None;
            }
            Judgement::NotCarried => self.in_doubt = Some(rate),
            Judgement::GeneratorBound => self.generator_bound_at = Some(rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Arrival;

    fn rule(from_rps: f64, to_rps: f64) -> Saturation {
        Saturation {
            arrival: Arrival::Poisson,
            from_rps,
            to_rps,
            growth: 2.0,
            precision: 0.05,
            step_s: 5,
            p99_below_ms: 100.0,
        }
    }

    /// Searches a target whose answers depend on the rate and the number of the try alone.
    fn run(rule: Saturation, target: impl Fn(f64, usize) -> Judgement) -> (Outcome, Vec<f64>) {
        let mut search = Search::new(rule);
        let mut tried = Vec::new();
        loop {
            match search.next() {
                Next::Try(rate) => {
                    assert!(tried.len() < 100, "the search does not end: {tried:?}");
                    search.observe(rate, target(rate, tried.len()));
                    tried.push(rate);
                }
                Next::Done(outcome) => return (outcome, tried),
            }
        }
    }

    /// One server with exponential service times: the 99th percentile of the time in the system is
    /// ln(100) / (capacity - rate).
    fn queue(capacity: f64, p99_below_ms: f64) -> impl Fn(f64, usize) -> Judgement {
        move |rate, _| {
            let is_carried =
                rate < capacity && 100.0_f64.ln() / (capacity - rate) * 1e3 < p99_below_ms;
            if is_carried {
                Judgement::Carried
            } else {
                Judgement::NotCarried
            }
        }
    }

    #[test]
    fn a_known_knee_is_found_within_the_precision() {
        #[track_caller]
        fn check(from_rps: f64, capacity: f64) {
            let rule = rule(from_rps, 1e6);
            let (outcome, tried) = run(rule, queue(capacity, rule.p99_below_ms));
            let truth = capacity - 100.0_f64.ln() * 10.0;
            let Outcome::Knee { rps } = outcome else {
                panic!("{outcome:?} for {capacity}")
            };
            assert!(
                rps < truth && rps * 1.05 + 1.0 >= truth,
                "{rps} instead of {truth} after {tried:?}"
            );
            // Doublings, five halvings of a factor of two down to 5 %, each refusal twice.
            let doublings = (truth / from_rps).log2().ceil() as usize;
            assert!(tried.len() <= doublings + 13, "{tried:?}");
        }
        for capacity in [150.0, 1_000.0, 1_777.0, 4_096.0, 50_000.0] {
            check(50.0, capacity);
            check(99.0, capacity);
        }
    }

    #[test]
    fn small_rates_grow_by_one_at_least() {
        let small = Saturation {
            growth: 1.1,
            ..rule(1.0, 8.0)
        };
        let (outcome, tried) = run(small, |_, _| Judgement::Carried);
        assert_eq!(outcome, Outcome::NotReached { highest_rps: 8.0 });
        assert_eq!(tried, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn each_end_says_why() {
        #[track_caller]
        fn check(target: impl Fn(f64, usize) -> Judgement, outcome: Outcome, rates: &[f64]) {
            let found = run(rule(100.0, 1_000.0), target);
            assert_eq!(found, (outcome, rates.to_vec()));
        }
        check(
            |_, _| Judgement::Carried,
            Outcome::NotReached {
                highest_rps: 1_000.0,
            },
            &[100.0, 200.0, 400.0, 800.0, 1_000.0],
        );
        check(
            |_, _| Judgement::NotCarried,
            Outcome::Below { lowest_rps: 100.0 },
            &[100.0, 100.0],
        );
        check(
            |rate, _| match rate {
                rate if rate < 300.0 => Judgement::Carried,
                _ => Judgement::GeneratorBound,
            },
            Outcome::GeneratorBound {
                at_rps: 400.0,
                carried_rps: Some(200.0),
            },
            &[100.0, 200.0, 400.0],
        );
        check(
            |_, _| Judgement::GeneratorBound,
            Outcome::GeneratorBound {
                at_rps: 100.0,
                carried_rps: None,
            },
            &[100.0],
        );
    }

    #[test]
    fn one_bad_step_does_not_end_the_search_below_the_truth() {
        let knee = queue(1_000.0, 100.0);
        let hiccup = |rate: f64, n: usize| match n {
            1 => Judgement::NotCarried,
            _ => knee(rate, n),
        };
        let (outcome, tried) = run(rule(100.0, 1e6), hiccup);
        assert_eq!(tried[..3], [100.0, 200.0, 200.0]);
        let Outcome::Knee { rps } = outcome else {
            panic!("{outcome:?}")
        };
        assert!((900.0..954.0).contains(&rps), "{rps}");
    }
}
