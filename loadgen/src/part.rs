//! Which part of a shared load this generator sends, and when it begins.
//!
//! Owns the division of requests and users among generators, so that all parts together are exactly
//! the load that one generator would send. Must not know who sends.

use std::time::{Duration, Instant};

use results::record::Shard;
use thiserror::Error;

use crate::profile::{Load, Profile, Until};

/// What of a load is to be sent, and from when on; the default is all of it, at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// The shard; `None` for the whole load.
    pub shard: Option<Shard>,
    /// The first intended start.
    pub begins: Begin,
    /// The number of the first request, if others of the same load come before.
    pub first_number: u64,
}

/// When a load begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Begin {
    /// As soon as everything is ready.
    #[default]
    Soon,
    /// At this moment, as other generators do.
    At(Instant),
    /// As soon as everything is ready, a whole number of seconds after this moment.
    WholeSecondAfter(Instant),
}

impl Begin {
    /// The start of a load that could begin at `ready`.
    pub fn from(self, ready: Instant) -> Instant {
        match self {
            Begin::Soon => ready,
            Begin::At(moment) => moment.max(ready),
            Begin::WholeSecondAfter(origin) => {
                let since = ready.saturating_duration_since(origin);
                let begun = u64::from(since.subsec_nanos() > 0);
                origin + Duration::from_secs(since.as_secs() + begun)
            }
        }
    }
}

/// Why a profile cannot be shared.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum NoShards {
    /// Not by so many.
    #[error(
        "profile `{profile}` has {count} {what}, expected at least one for each of {of} shards"
    )]
    TooFew {
        /// The profile.
        profile: String,
        /// Users or requests.
        what: &'static str,
        /// How many it has.
        count: u64,
        /// Number of shards.
        of: u32,
    },
    /// What is sent depends on the answers, of which each generator would see its own.
    #[error(
        "profile `{profile}` cannot be sent in shards: its load depends on the answers, of which each generator sees only its own; expected a fixed `warm_up` and no search"
    )]
    Depends {
        /// The profile.
        profile: String,
    },
}

impl Part {
    /// Whether every part of a profile has something to do.
    pub fn check(&self, profile: &Profile) -> Result<(), NoShards> {
        let refused = |what, count| NoShards::TooFew {
            profile: profile.name.clone(),
            what,
            count,
            of: self.of(),
        };
        let depends =
            profile.warm_up_until.is_some() || matches!(profile.load, Load::Saturation(_));
        if depends && self.shard.is_some() {
            return Err(NoShards::Depends {
                profile: profile.name.clone(),
            });
        }
        let Load::Closed { users, until, .. } = &profile.load else {
            return Ok(());
        };
        if *users < self.of() {
            return Err(refused("users", u64::from(*users)));
        }
        match until {
            Until::Requests(requests) if *requests < u64::from(self.of()) => {
                Err(refused("requests", *requests))
            }
            _ => Ok(()),
        }
    }

    /// Whether request number `n` belongs to this part: every so many-th one does.
    pub fn has(&self, n: u64) -> bool {
        n % u64::from(self.of()) == self.index()
    }

    /// The number in the whole load of this part's request number `own`.
    pub fn number(&self, own: u64) -> u64 {
        own * u64::from(self.of()) + self.index()
    }

    /// How many of `count` things numbered from 0 belong to this part.
    pub fn share(&self, count: u64) -> u64 {
        count
            .saturating_sub(self.index())
            .div_ceil(u64::from(self.of()))
    }

    /// Users that send this part: of a closed loop its own, of an open one enough for its share.
    pub fn users(&self, profile: &Profile) -> u32 {
        let all = profile.connections;
        match profile.load {
            // No more than there are altogether.
            Load::Closed { .. } => self.share(u64::from(all)) as u32,
            _ => all.div_ceil(self.of()),
        }
    }

    fn index(&self) -> u64 {
        self.shard.map_or(0, |shard| u64::from(shard.index))
    }

    fn of(&self) -> u32 {
        self.shard.map_or(1, |shard| shard.of.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(index: u32, of: u32) -> Part {
        Part {
            shard: Some(Shard { index, of }),
            ..Part::default()
        }
    }

    #[test]
    fn parts_divide_everything_and_nothing_twice() {
        for of in 1..6 {
            for count in 0..40_u64 {
                let parts: Vec<Part> = (0..of).map(|index| part(index, of)).collect();
                let shares: u64 = parts.iter().map(|part| part.share(count)).sum();
                assert_eq!(shares, count);
                let owners = parts.iter().filter(|part| part.has(count)).count();
                assert_eq!(owners, 1, "{count} of {of}");
                let own = parts
                    .iter()
                    .flat_map(|part| (0..part.share(count)).map(move |own| part.number(own)));
                let mut numbers: Vec<u64> = own.collect();
                numbers.sort_unstable();
                assert!(numbers.into_iter().eq(0..count));
            }
        }
        assert_eq!(Part::default().number(7), 7);
    }

    #[test]
    fn a_load_begins_when_it_is_ready_and_not_before_its_moment() {
        let origin = Instant::now();
        let after = |ms| origin + Duration::from_millis(ms);
        let begins = |begin: Begin, ready_ms| begin.from(after(ready_ms));
        assert_eq!(begins(Begin::Soon, 70), after(70));
        assert_eq!(begins(Begin::At(after(90)), 70), after(90));
        assert_eq!(begins(Begin::At(after(90)), 95), after(95));
        let whole = Begin::WholeSecondAfter(origin);
        assert_eq!(begins(whole, 2_001), after(3_000));
        assert_eq!(begins(whole, 2_000), after(2_000));
    }

    #[test]
    fn every_part_needs_a_user_and_a_request() {
        #[track_caller]
        fn check(closed: &str, of: u32, expected: Option<&str>) {
            let text = format!("name = 'p'\ndescription = 'd'\nmode = 'closed'\n{closed}");
            let profile = Profile::parse("test", &text).expect("valid");
            let found = part(0, of)
                .check(&profile)
                .map_err(|error| error.to_string());
            match expected {
                None => assert_eq!(found, Ok(())),
                Some(part) => {
                    let message = found.expect_err("refused");
                    assert!(message.contains(part), "{message}");
                }
            }
        }
        check("users = 3\nduration = '1s'", 3, None);
        check("users = 3\nduration = '1s'", 4, Some("3 users"));
        check("users = 9\nrequests = 2", 3, Some("2 requests"));
        let stable = "warm_up = { until = 'hit ratio stable', at_most = '9s' }";
        let text = format!("users = 9\nrequests = 9\n{stable}");
        check(&text, 3, Some("depends on the answers"));
    }
}
