//! How often the rule is right, over simulated machines.
//!
//! The noise is worse than a quiet machine's: each slice has an error of its own, some slices are hit
//! by a neighbour, and the whole machine drifts, which both slices of a pair share.

use super::looks::{Look, plan};
use super::verdict::{CPU_MARGIN, SIGNIFICANT, Verdict, judge};
use super::{Comparison, compare, compare_at, compare_blocks};

/// Fewer than a run usually has, for the sake of the tests' time.
const PAIRS: usize = 96;
/// Blocks of a run.
const BLOCKS: usize = 8;
/// How much two processes of one build differ on a quiet machine, as a standard deviation.
const PROCESSES: f64 = 0.004;
/// The same on a noisy one: as recorded for the tests of `loadgen`.
const NOISY_PROCESSES: f64 = 0.024;

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

/// Blocks, each with processes of its own: they differ by `processes`, as a standard deviation.
fn blocks(random: &mut Random, effect: f64, processes: f64) -> Vec<Vec<(f64, f64)>> {
    let block = |_| {
        let own = effect * (processes * random.normal()).exp();
        measure(random, PAIRS / BLOCKS, own)
    };
    (0..BLOCKS).map(block).collect()
}

fn run(random: &mut Random, effect: f64) -> (Comparison, Verdict) {
    judged(&Look::ONLY, &blocks(random, effect, PROCESSES)).expect("pairs")
}

fn judged(look: &Look, blocks: &[Vec<(f64, f64)>]) -> Option<(Comparison, Verdict)> {
    let compared = compare_blocks(look, blocks)?;
    Some((compared, judge(&compared, CPU_MARGIN)))
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
    assert!((0.93..=1.0).contains(&held), "{held}");
}

/// Blocks are what keeps identical builds from alarming where processes differ: by pairs alone they would.
#[test]
fn processes_that_differ_do_not_make_identical_builds_differ() {
    let mut random = Random(0x5EED_0009);
    let (tries, mut careful, mut by_pairs) = (300, 0, 0);
    for _ in 0..tries {
        let blocks = blocks(&mut random, 1.0, NOISY_PROCESSES);
        let (_, verdict) = judged(&Look::ONLY, &blocks).expect("pairs");
        careful += usize::from(verdict.is_alarm());
        // Two processes, and as many pairs.
        let own = (NOISY_PROCESSES * random.normal()).exp();
        let two = measure(&mut random, PAIRS, own);
        let compared = compare(two).expect("pairs");
        by_pairs += usize::from(judge(&compared, CPU_MARGIN).is_alarm());
    }
    assert!(careful <= tries / 100, "{careful} of {tries}");
    assert!(by_pairs > tries / 20, "{by_pairs} of {tries}");
}

#[test]
fn the_smallest_visible_effect_is_seen_and_half_of_its_excess_is_not() {
    let mut random = Random(0x5EED_0005);
    let stated = run(&mut random, 1.0)
        .0
        .smallest_visible_effect(CPU_MARGIN, &Look::ONLY);
    assert!((0.03..0.09).contains(&stated), "{stated}");
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

/// Looks after each quarter of the blocks. The verdict, and the look at which it was there.
fn run_with_looks(random: &mut Random, looks: &[Look], effect: f64) -> (Comparison, Verdict) {
    let blocks = blocks(random, effect, PROCESSES);
    let mut found = looks.iter().filter_map(|look| {
        let seen = (BLOCKS as f64 * look.share) as usize;
        judged(look, &blocks[..seen])
    });
    let mut last = found.next().expect("pairs");
    while last.1 == Verdict::CannotTell
        && let Some(next) = found.next()
    {
        last = next;
    }
    last
}

fn quarters() -> Vec<Look> {
    plan(&[0.25, 0.5, 0.75, 1.0])
}

#[test]
fn four_looks_together_are_wrong_as_often_as_one_may_be() {
    let mut random = Random(0x5EED_0006);
    let looks = quarters();
    let tries = 3_000;
    let (mut passed, mut carelessly, mut missed) = (0, 0, 0);
    for _ in 0..tries {
        let pairs = measure(&mut random, PAIRS, 1.0);
        let seen = looks.iter().filter_map(|look| {
            let seen = &pairs[..(PAIRS as f64 * look.share) as usize];
            compare_at(look, seen.iter().copied())
        });
        let seen: Vec<Comparison> = seen.collect();
        passed += usize::from(seen.iter().any(|it| it.p < it.look.significant_below));
        carelessly += usize::from(seen.iter().any(|it| it.p < SIGNIFICANT));
        missed += usize::from(
            seen.iter()
                .any(|it| !(it.ratio.low..=it.ratio.high).contains(&1.0)),
        );
    }
    // 1 % of 3,000 is 30, with a standard deviation of 5.4; 5 % is 150, with 12. Signed ranks come in steps,
    // so the first looks spend a little less than they may.
    assert!((12..=47).contains(&passed), "{passed} of {tries}");
    assert!((95..=186).contains(&missed), "{missed} of {tries}");
    // What looking four times at 1 % would have done.
    assert!(carelessly > 55, "{carelessly} of {tries}");
}

#[test]
fn looks_change_no_verdict_on_equal_builds_and_at_the_margin() {
    let mut random = Random(0x5EED_0007);
    let looks = quarters();
    let equal = share(400, || {
        run_with_looks(&mut random, &looks, 1.0).1.is_alarm()
    });
    assert_eq!(equal, 0.0);
    let at_margin = share(400, || {
        let (_, verdict) = run_with_looks(&mut random, &looks, 1.0 + CPU_MARGIN);
        verdict.is_alarm()
    });
    assert!(at_margin <= 3.0 * SIGNIFICANT, "{at_margin}");
}

#[test]
fn looks_save_time_where_the_answer_is_clear_and_cost_hardly_any_power() {
    let mut random = Random(0x5EED_0008);
    let looks = quarters();
    let tries = 200;
    let mut tried = |effect: f64| {
        let (mut used, mut slower) = (0.0, 0);
        for _ in 0..tries {
            let (whole, verdict) = run_with_looks(&mut random, &looks, effect);
            used += whole.look.share;
            slower += usize::from(verdict == Verdict::Slower);
        }
        (used / tries as f64, slower as f64 / tries as f64)
    };
    // Much slower: three quarters of the blocks are enough, or fewer.
    let (used, slower) = tried(1.15);
    assert_eq!(slower, 1.0);
    assert!(used < 0.8, "{used}");
    let (_, with_looks) = tried(1.05);
    let mut random = Random(0x5EED_0008);
    let without = share(tries, || run(&mut random, 1.05).1 == Verdict::Slower);
    assert!(with_looks > without - 0.12, "{with_looks} {without}");
}
