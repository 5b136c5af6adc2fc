//! How often the rule is right, over simulated machines.
//!
//! The noise is worse than a quiet machine's: each slice has an error of its own, some slices are hit
//! by a neighbour, and the whole machine drifts, which both slices of a pair share.

use super::verdict::{CPU_MARGIN, SIGNIFICANT, Verdict, judge};
use super::{Comparison, compare};

/// Fewer than a run usually has, for the sake of the tests' time.
const PAIRS: usize = 80;

/// A small generator of its own, so that the tests give the same figures for ever: xorshift with a
/// multiplication.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The sum of twelve uniform numbers, which is close enough to normal here.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Pairs of slices in ABBA order; `effect` is the true ratio.
fn measure(random: &mut Random, pairs: usize, effect: f64) -> Vec<(f64, f64)> {
    let mut drift = 0.0;
    let mut slice = |random: &mut Random, cost: f64| {
        drift += 0.002 * random.normal();
        let neighbour = if random.uniform() < 0.03 {
            1.0 + random.uniform()
        } else {
            1.0
        };
        cost * (drift + 0.03 * random.normal()).exp() * neighbour
    };
    (0..pairs)
        .map(|pair| match pair % 2 {
            0 => {
                let base = slice(random, 20.0);
                (base, slice(random, 20.0 * effect))
            }
            _ => {
                let candidate = slice(random, 20.0 * effect);
                (slice(random, 20.0), candidate)
            }
        })
        .collect()
}

fn run(random: &mut Random, effect: f64) -> (Comparison, Verdict) {
    let pairs = measure(random, PAIRS, effect);
    let whole = compare(pairs.iter().copied()).expect("pairs");
    let halves: Vec<Comparison> = pairs
        .chunks(PAIRS / 2)
        .map(|half| compare(half.iter().copied()).expect("pairs"))
        .collect();
    (whole, judge(&whole, &halves, CPU_MARGIN))
}

fn share(tries: usize, mut holds: impl FnMut() -> bool) -> f64 {
    (0..tries).filter(|_| holds()).count() as f64 / tries as f64
}

#[test]
fn without_a_difference_the_test_is_wrong_as_often_as_it_says() {
    let mut random = Random(0x5EED_0001);
    let mut beyond = 0;
    let mut outside = 0;
    let tries = 400;
    for _ in 0..tries {
        let pairs = measure(&mut random, 60, 1.0);
        let comparison = compare(pairs).expect("pairs");
        beyond += usize::from(comparison.p < 0.05);
        outside += usize::from(!(comparison.ratio.low..=comparison.ratio.high).contains(&1.0));
    }
    // 5 % of 400 is 20, with a standard deviation of 4.4.
    for count in [beyond, outside] {
        assert!((7..=33).contains(&count), "{count} of {tries}");
    }
}

#[test]
fn equal_builds_never_alarm() {
    let mut random = Random(0x5EED_0002);
    let alarms = share(150, || run(&mut random, 1.0).1.is_alarm());
    assert_eq!(alarms, 0.0);
}

#[test]
fn differences_below_the_margin_do_not_alarm_more_often_than_significance_allows() {
    let mut random = Random(0x5EED_0003);
    let alarms = share(150, || run(&mut random, 1.0 + CPU_MARGIN).1.is_alarm());
    assert!(alarms <= 3.0 * SIGNIFICANT, "{alarms}");
}

#[test]
fn the_interval_holds_the_true_ratio_as_often_as_it_says() {
    let mut random = Random(0x5EED_0004);
    let held = share(200, || {
        let ratio = run(&mut random, 1.07).0.ratio;
        (ratio.low..=ratio.high).contains(&1.07)
    });
    assert!((0.91..=0.99).contains(&held), "{held}");
}

#[test]
fn the_smallest_visible_effect_is_seen_and_half_of_its_excess_is_not() {
    let mut random = Random(0x5EED_0005);
    let stated = run(&mut random, 1.0).0.smallest_visible_effect(CPU_MARGIN);
    assert!((0.025..0.05).contains(&stated), "{stated}");
    let seen = |random: &mut Random, effect: f64| {
        share(100, || run(random, 1.0 + effect).1 == Verdict::Slower)
    };
    let at_effect = seen(&mut random, stated);
    assert!(at_effect >= 0.75, "{stated} was seen in {at_effect}");
    let halfway = seen(&mut random, (stated + CPU_MARGIN) / 2.0);
    assert!(halfway < at_effect, "{halfway} {at_effect}");
    let faster = share(100, || {
        run(&mut random, 1.0 / (1.0 + stated)).1 == Verdict::Faster
    });
    assert!(faster >= 0.75, "{faster}");
}
