//! The hash of everything that a load is going to ask for.
//!
//! Owns what goes into it, which `results::record::ScenarioRecord::schedule_sha256` promises. Must
//! not know who sends or where the hash is kept.

use results::digest::Sha256;
use results::saturation::Saturation as Found;

use crate::mix::{Caller, Choice, Mix};
use crate::planned::Planned;
use crate::profile::{Load, Profile};
use crate::saturation::{first_number, step_profile};

/// Choices that stand for a closed loop, whose number of requests is not known beforehand.
const CLOSED_CHOICES: u64 = 10_000;

/// SHA-256 of a plan, lower-case hexadecimal: for an open loop over start and choice of every
/// request (of the measured part alone, from its own start, if the warm-up has no fixed length), for a
/// search the same for each step that was offered, from the step's own start, and for a
/// closed loop over the seed and the choices of the first 10,000.
///
/// A request is hashed as little-endian words of 64 bits: start in nanoseconds (open loops only),
/// 0 for an application or 1 for an unknown key, which one, endpoint.
pub fn schedule_sha256(profile: &Profile, mix: &Mix, found: Option<&Found>) -> String {
    let mut hash = Sha256::default();
    if let (Load::Saturation(rule), Some(found)) = (&profile.load, found) {
        for (index, step) in found.steps.iter().enumerate() {
            let step = step_profile(profile, rule, index, step.rps);
            let planned = plan_of(&step);
            add_all(
                &mut hash,
                mix,
                planned.map(|it| it.numbered_from(first_number(index))),
            );
        }
        return hash.hex();
    }
    match plan_of(profile) {
        Some(planned) => add_all(&mut hash, mix, Some(planned)),
        None => {
            hash.update(&profile.seed.to_le_bytes());
            (0..CLOSED_CHOICES).for_each(|n| add(&mut hash, mix.choose(n)));
        }
    }
    hash.hex()
}

fn plan_of(profile: &Profile) -> Option<Planned> {
    match profile.warm_up_until {
        // How long it takes to warm up is not known, and no property of the plan.
        Some(_) => Planned::measured(profile),
        None => Planned::of(profile),
    }
}

fn add_all(hash: &mut Sha256, mix: &Mix, planned: Option<Planned>) {
    for due in planned.into_iter().flatten() {
        let nanos = u64::try_from(due.at.as_nanos()).unwrap_or(u64::MAX);
        hash.update(&nanos.to_le_bytes());
        add(hash, mix.choose_named(due.n, due.named));
    }
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
    use results::saturation::{Outcome, Step};

    use super::*;
    use crate::mix::Popularity;
    use crate::profile::{Arrival, UntilStable};

    fn mix(seed: u64, applications: usize) -> Mix {
        Mix::new(seed, applications, Popularity::Uniform, &[3.0, 1.0], 0.0).expect("valid")
    }

    #[test]
    fn the_hash_follows_seed_times_and_choices() {
        let quick = Profile::find("quick").expect("embedded");
        let base = schedule_sha256(&quick, &mix(quick.seed, 50), None);
        assert_eq!(
            base,
            schedule_sha256(&quick.clone(), &mix(quick.seed, 50), None)
        );
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
            schedule_sha256(&reseeded, &mix(quick.seed, 50), None),
            schedule_sha256(&even, &mix(quick.seed, 50), None),
            schedule_sha256(&quick, &mix(quick.seed + 1, 50), None),
            schedule_sha256(&quick, &mix(quick.seed, 51), None),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_trace_is_told_apart_by_its_lines() {
        let trace = Profile::find("trace").expect("embedded");
        let base = schedule_sha256(&trace, &mix(1, 50), None);
        assert_eq!(base, schedule_sha256(&trace, &mix(1, 50), None));
        let mut cut = trace.clone();
        if let Load::Trace(trace) = &mut cut.load {
            trace.cut(5.0);
        }
        assert_ne!(base, schedule_sha256(&cut, &mix(1, 50), None));
    }

    #[test]
    fn a_warm_up_of_unknown_length_is_not_part_of_the_plan() {
        let quick = Profile::find("quick").expect("embedded");
        let none = Profile {
            warm_up_s: 0,
            ..quick.clone()
        };
        let until = |at_most_s| Profile {
            warm_up_s: at_most_s,
            warm_up_until: Some(UntilStable::default()),
            ..quick.clone()
        };
        let base = schedule_sha256(&none, &mix(1, 50), None);
        assert_eq!(base, schedule_sha256(&until(20), &mix(1, 50), None));
        assert_eq!(base, schedule_sha256(&until(60), &mix(1, 50), None));
        assert_ne!(base, schedule_sha256(&quick, &mix(1, 50), None));
    }

    #[test]
    fn a_search_is_told_apart_by_the_rates_that_it_tried() {
        let profile = Profile::find("saturation").expect("embedded");
        let tried = |rates: &[f64]| {
            let step = |rps: &f64| Step {
                at_s: 0.0,
                rps: *rps,
                is_carried: true,
                reason: String::new(),
            };
            let found = Found {
                outcome: Outcome::EndedEarly { carried_rps: None },
                steps: rates.iter().map(step).collect(),
            };
            schedule_sha256(&profile, &mix(1, 50), Some(&found))
        };
        assert_eq!(tried(&[5.0, 10.0]), tried(&[5.0, 10.0]));
        assert_ne!(tried(&[5.0, 10.0]), tried(&[5.0]));
        assert_ne!(tried(&[5.0, 10.0]), tried(&[10.0, 5.0]));
    }

    #[test]
    fn a_closed_loop_is_told_apart_by_seed_and_choices() {
        let closed = Profile::find("closed").expect("embedded");
        let reseeded = Profile {
            seed: closed.seed + 1,
            ..closed.clone()
        };
        let base = schedule_sha256(&closed, &mix(1, 50), None);
        assert_eq!(base, schedule_sha256(&closed, &mix(1, 50), None));
        assert_ne!(base, schedule_sha256(&reseeded, &mix(1, 50), None));
        assert_ne!(base, schedule_sha256(&closed, &mix(1, 51), None));
    }
}
