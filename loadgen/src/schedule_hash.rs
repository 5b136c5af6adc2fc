//! The hash of everything that a load is going to ask for.
//!
//! Owns what goes into it, which `results::record::ScenarioRecord::schedule_sha256` promises. Must
//! not know who sends or where the hash is kept.

use results::digest::Sha256;

use crate::mix::{Caller, Choice, Mix};
use crate::profile::{Load, Profile};
use crate::schedule::Schedule;

/// Choices that stand for a closed loop, whose number of requests is not known beforehand.
const CLOSED_CHOICES: u64 = 10_000;

/// SHA-256 of a plan, lower-case hexadecimal: for an open loop over start and choice of every
/// request, for a closed one over the seed and the choices of the first 10,000.
///
/// A request is hashed as little-endian words of 64 bits: start in nanoseconds (open loops only),
/// 0 for an application or 1 for an unknown key, which one, endpoint.
pub fn schedule_sha256(profile: &Profile, mix: &Mix) -> String {
    let mut hash = Sha256::default();
    match &profile.load {
        Load::Open { arrival, .. } => {
            let segments = profile.segments_with_warm_up();
            let schedule = Schedule::new(*arrival, &segments, profile.seed);
            for (start, n) in schedule.zip(0..) {
                let nanos = u64::try_from(start.as_nanos()).unwrap_or(u64::MAX);
                hash.update(&nanos.to_le_bytes());
                add(&mut hash, mix.choose(n));
            }
        }
        Load::Closed { .. } => {
            hash.update(&profile.seed.to_le_bytes());
            (0..CLOSED_CHOICES).for_each(|n| add(&mut hash, mix.choose(n)));
        }
    }
    hash.hex()
}

fn add(hash: &mut Sha256, choice: Choice) {
    let (kind, which) = match choice.caller {
        Caller::Application(index) => (0_u64, index as u64),
        Caller::Unknown(number) => (1, number),
    };
    for word in [kind, which, choice.endpoint as u64] {
        hash.update(&word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::Popularity;
    use crate::profile::Arrival;

    fn mix(seed: u64, applications: usize) -> Mix {
        Mix::new(seed, applications, Popularity::Uniform, &[3.0, 1.0], 0.0).expect("valid")
    }

    #[test]
    fn the_hash_follows_seed_times_and_choices() {
        let quick = Profile::find("quick").expect("embedded");
        let base = schedule_sha256(&quick, &mix(quick.seed, 50));
        assert_eq!(base, schedule_sha256(&quick.clone(), &mix(quick.seed, 50)));
        assert_eq!(base.len(), 64);

        let reseeded = Profile {
            seed: quick.seed + 1,
            ..quick.clone()
        };
        let mut even = quick.clone();
        if let Load::Open { arrival, .. } = &mut even.load {
            *arrival = Arrival::Constant;
        }
        for other in [
            schedule_sha256(&reseeded, &mix(quick.seed, 50)),
            schedule_sha256(&even, &mix(quick.seed, 50)),
            schedule_sha256(&quick, &mix(quick.seed + 1, 50)),
            schedule_sha256(&quick, &mix(quick.seed, 51)),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_closed_loop_is_told_apart_by_seed_and_choices() {
        let closed = Profile::find("closed").expect("embedded");
        let reseeded = Profile {
            seed: closed.seed + 1,
            ..closed.clone()
        };
        let base = schedule_sha256(&closed, &mix(1, 50));
        assert_eq!(base, schedule_sha256(&closed, &mix(1, 50)));
        assert_ne!(base, schedule_sha256(&reseeded, &mix(1, 50)));
        assert_ne!(base, schedule_sha256(&closed, &mix(1, 51)));
    }
}
