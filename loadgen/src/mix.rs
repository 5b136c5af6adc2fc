//! What the n-th request asks for: application, endpoint, or a key that nobody knows.
//!
//! Owns [`Mix`] and the seeded draws behind it. Both are functions of seed and number alone, so
//! the order in which users come to send cannot change who asks for what. Must not know what an
//! application or an endpoint looks like on the wire.

mod draw;
mod shares;

use thiserror::Error;

use self::draw::{Draw, unit};
pub use self::draw::{THINK_TIME, uniform};
use self::shares::Shares;
use crate::profile::Named;

/// How requests are spread over the applications.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Popularity {
    /// Every application alike.
    Uniform,
    /// The k-th application in proportion to `k^-exponent`.
    Zipf {
        /// More means steeper; 0 is uniform.
        exponent: f64,
    },
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Choice {
    /// Who asks.
    pub caller: Caller,
    /// Index of the endpoint.
    pub endpoint: usize,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caller {
    /// An application of the population, by index.
    Application(usize),
    /// A key that no application has; a different one for each number.
    Unknown(u64),
}

/// Why a mix makes no sense.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum MixError {
    /// Nobody to ask, or nothing to ask for.
    #[error("a request mix needs at least one application and one endpoint")]
    Empty,
    /// A trace asks for something that the scenario does not have.
    #[error(
        "the trace names {what} {index}, expected an index below {count}, as many as there are"
    )]
    NotThere {
        /// Application or endpoint.
        what: &'static str,
        /// The highest index in the trace.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A weight, share or exponent out of range.
    #[error("{what} of a request mix is {value}, expected {expected}")]
    OutOfRange {
        /// Which figure.
        what: &'static str,
        /// Its value.
        value: f64,
        /// Its range.
        expected: &'static str,
    },
}

/// The spread of requests over applications, endpoints and unknown keys.
#[derive(Clone, Debug)]
pub struct Mix {
    seed: u64,
    applications: Shares,
    endpoints: Shares,
    unknown_share: f64,
}

impl Mix {
    /// A mix over `applications` applications and endpoints of the given weights.
    pub fn new(
        seed: u64,
        applications: usize,
        popularity: Popularity,
        endpoint_weights: &[f64],
        unknown_share: f64,
    ) -> Result<Self, MixError> {
        if applications == 0 || endpoint_weights.is_empty() {
            return Err(MixError::Empty);
        }
        check(
            "the share of unknown keys",
            unknown_share,
            "0 to 1",
            (0.0..=1.0).contains(&unknown_share),
        )?;
        for weight in endpoint_weights {
            let usable = weight.is_finite() && *weight > 0.0;
            check("an endpoint's weight", *weight, "more than 0", usable)?;
        }
        Ok(Self {
            seed,
            applications: applications_of(applications, popularity)?,
            endpoints: Shares::weighted(endpoint_weights.iter().copied()),
            unknown_share,
        })
    }

    /// What request number `n` asks for, of which a trace may name a part.
    pub fn choose_named(&self, n: u64, named: Named) -> Choice {
        let drawn = self.choose(n);
        Choice {
            caller: named.application.map_or(drawn.caller, Caller::Application),
            endpoint: named.endpoint.unwrap_or(drawn.endpoint),
        }
    }

    /// Whether there is everything that a trace names.
    pub fn check_named(&self, highest: Named) -> Result<(), MixError> {
        for (what, named, count) in [
            (
                "application",
                highest.application,
                self.applications.count(),
            ),
            ("endpoint", highest.endpoint, self.endpoints.count()),
        ] {
            if let Some(index) = named.filter(|index| *index >= count) {
                return Err(MixError::NotThere { what, index, count });
            }
        }
        Ok(())
    }

    /// What request number `n` asks for.
    pub fn choose(&self, n: u64) -> Choice {
        let draw = Draw::of(self.seed, n);
        let caller = if unit(draw.unknown) < self.unknown_share {
            Caller::Unknown(n)
        } else {
            Caller::Application(self.applications.at(unit(draw.application)))
        };
        Choice {
            caller,
            endpoint: self.endpoints.at(unit(draw.endpoint)),
        }
    }
}

fn check(
    what: &'static str,
    value: f64,
    expected: &'static str,
    holds: bool,
) -> Result<(), MixError> {
    if holds {
        Ok(())
    } else {
        Err(MixError::OutOfRange {
            what,
            value,
            expected,
        })
    }
}

fn applications_of(applications: usize, popularity: Popularity) -> Result<Shares, MixError> {
    match popularity {
        Popularity::Uniform => Ok(Shares::Uniform(applications)),
        Popularity::Zipf { exponent } => {
            let usable = exponent.is_finite() && (0.0..=10.0).contains(&exponent);
            check("the Zipf exponent", exponent, "0 to 10", usable)?;
            // The rank as a float is exact for any population that fits in memory.
            Ok(Shares::weighted(
                (1..=applications).map(|rank| (rank as f64).powf(-exponent)),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callers(mix: &Mix, requests: u64, applications: usize) -> (Vec<u64>, u64) {
        let (mut counts, mut unknown) = (vec![0; applications], 0);
        for n in 0..requests {
            match mix.choose(n).caller {
                Caller::Application(index) => counts[index] += 1,
                Caller::Unknown(_) => unknown += 1,
            }
        }
        (counts, unknown)
    }

    #[test]
    fn uniform_requests_reach_every_application_alike() {
        let mix = Mix::new(1, 50, Popularity::Uniform, &[1.0], 0.0).expect("valid");
        let (counts, unknown) = callers(&mix, 100_000, 50);
        assert_eq!(unknown, 0);
        // 2,000 each, standard deviation 45; six of them.
        assert!(
            counts.iter().all(|count| (1730..2270).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn zipf_requests_halve_with_the_doubled_rank() {
        let mix =
            Mix::new(1, 1000, Popularity::Zipf { exponent: 1.0 }, &[1.0], 0.0).expect("valid");
        let (counts, _) = callers(&mix, 1_000_000, 1000);
        for (rank, doubled) in [(1, 2), (2, 4), (5, 10)] {
            let ratio = counts[rank - 1] as f64 / counts[doubled - 1] as f64;
            assert!(
                (1.9..2.1).contains(&ratio),
                "rank {rank} to {doubled}: {ratio}"
            );
        }
        // Harmonic number of 1,000: 7.485.
        let first = counts[0] as f64 / 1_000_000.0;
        assert!((first * 7.485 - 1.0).abs() < 0.02, "{first}");
    }

    #[test]
    fn unknown_keys_take_their_share_and_never_repeat() {
        let mix = Mix::new(4, 10, Popularity::Uniform, &[1.0], 0.25).expect("valid");
        let (_, unknown) = callers(&mix, 100_000, 10);
        assert!((24_000..26_000).contains(&unknown), "{unknown}");
    }

    #[test]
    fn endpoints_follow_their_weights() {
        let mix = Mix::new(4, 10, Popularity::Uniform, &[3.0, 1.0], 0.0).expect("valid");
        let first = (0..100_000)
            .filter(|n| mix.choose(*n).endpoint == 0)
            .count();
        assert!((74_000..76_000).contains(&first), "{first}");
    }

    #[test]
    fn what_a_trace_names_replaces_what_is_drawn() {
        let mix = Mix::new(4, 10, Popularity::Uniform, &[3.0, 1.0], 0.5).expect("valid");
        let named = |application, endpoint| Named {
            application,
            endpoint,
        };
        for n in 0..100 {
            let drawn = mix.choose(n);
            assert_eq!(mix.choose_named(n, Named::default()), drawn);
            let both = mix.choose_named(n, named(Some(7), Some(1)));
            assert_eq!((both.caller, both.endpoint), (Caller::Application(7), 1));
            assert_eq!(
                mix.choose_named(n, named(None, Some(1))).caller,
                drawn.caller
            );
        }
        assert_eq!(mix.check_named(named(Some(9), Some(1))), Ok(()));
        let error = mix.check_named(named(Some(10), None)).expect_err("ten");
        assert!(error.to_string().contains("application 10"), "{error}");
        let error = mix.check_named(named(None, Some(2))).expect_err("two");
        assert!(error.to_string().contains("endpoint 2"), "{error}");
    }

    #[test]
    fn the_same_seed_and_number_always_ask_for_the_same() {
        let build = |seed| {
            Mix::new(
                seed,
                100,
                Popularity::Zipf { exponent: 0.8 },
                &[1.0, 2.0],
                0.1,
            )
        };
        let (a, b, c) = (
            build(1).expect("valid"),
            build(1).expect("valid"),
            build(2).expect("valid"),
        );
        assert!((0..1000).all(|n| a.choose(n) == b.choose(n)));
        assert!((0..1000).any(|n| a.choose(n) != c.choose(n)));
    }

    #[test]
    fn a_mix_that_makes_no_sense_is_refused() {
        #[track_caller]
        fn check(
            applications: usize,
            popularity: Popularity,
            weights: &[f64],
            unknown: f64,
            part: &str,
        ) {
            let error =
                Mix::new(0, applications, popularity, weights, unknown).expect_err("refused");
            assert!(error.to_string().contains(part), "{error}");
        }
        check(
            0,
            Popularity::Uniform,
            &[1.0],
            0.0,
            "at least one application",
        );
        check(1, Popularity::Uniform, &[], 0.0, "one endpoint");
        check(1, Popularity::Uniform, &[0.0], 0.0, "weight");
        check(1, Popularity::Uniform, &[1.0], 1.5, "1.5");
        check(
            1,
            Popularity::Zipf { exponent: f64::NAN },
            &[1.0],
            0.0,
            "exponent",
        );
    }
}
