//! What is drawn for a call depends on seed and number, and on no other draw.

use proptest::prelude::*;

use super::*;

prop_compose! {
    fn behaviours()(
        seed in any::<u64>(),
        reset_rate in 0.0..=1.0_f64,
        hang_rate in 0.0..=1.0_f64,
        truncate_rate in 0.0..=1.0_f64,
        error_rate in 0.0..=1.0_f64,
        max_ms in 0.0..1000.0_f64,
    ) -> BackendBehaviour {
        let any = Delay::Uniform { min_ms: 0.0, max_ms };
        BackendBehaviour {
            seed, reset_rate, hang_rate, truncate_rate, error_rate,
            delay: LOG_NORMAL,
            delays: [(Endpoint::Report, any.clone())].into(),
            counting: Counting::Deferred { lag: any },
            ..BackendBehaviour::default()
        }
    }
}

/// How calls fare when only one of the faults can happen.
fn alone(behaviour: &BackendBehaviour, fault: Fault, calls: u64) -> Vec<bool> {
    let only = |of, rate| if of == fault { rate } else { 0.0 };
    let behaviour = BackendBehaviour {
        reset_rate: only(Fault::Reset, behaviour.reset_rate),
        hang_rate: only(Fault::Hang, behaviour.hang_rate),
        truncate_rate: only(Fault::Truncate, behaviour.truncate_rate),
        error_rate: only(Fault::Fail, behaviour.error_rate),
        ..behaviour.clone()
    };
    let fates = fates(&behaviour, calls).into_iter();
    fates.map(|fate| fate.fault.is_some()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The n-th call fares the same whatever happened before it and in whatever order calls are
    /// looked at, and on any endpoint with the same delay.
    #[test]
    fn a_fate_depends_on_seed_and_number_only(
        behaviour in behaviours(), numbers in proptest::collection::vec(0..100_u64, 1..20),
    ) {
        let in_order = fates(&behaviour, 100);
        let draws = Draws::new(behaviour.seed);
        for n in numbers {
            let fate = behaviour.fate(&draws.of_call(n), Endpoint::Authorize);
            prop_assert_eq!(fate, in_order[n as usize]);
        }
    }

    /// What a fault's rate decides is whether that fault happens. Others happen to the same calls,
    /// where no earlier one in the order hides them; delays and lags stay what they are.
    #[test]
    fn the_rate_of_one_fault_changes_nothing_else(
        behaviour in behaviours(), other_rate in 0.0..=1.0_f64,
    ) {
        let order = [Fault::Reset, Fault::Hang, Fault::Truncate, Fault::Fail];
        let alone: Vec<Vec<bool>> = order.map(|fault| alone(&behaviour, fault, 50)).into();
        for changed in 0..order.len() {
            let mut other = behaviour.clone();
            *[&mut other.reset_rate, &mut other.hang_rate, &mut other.truncate_rate,
              &mut other.error_rate][changed] = other_rate;
            for (n, (before, after)) in
                fates(&behaviour, 50).into_iter().zip(fates(&other, 50)).enumerate()
            {
                prop_assert_eq!((before.delay, before.lag), (after.delay, after.lag));
                let expected = (0..order.len()).find(|fault| match *fault == changed {
                    true => after.fault == Some(order[changed]),
                    false => alone[*fault][n],
                });
                prop_assert_eq!(after.fault, expected.map(|fault| order[fault]));
            }
        }
    }
}
