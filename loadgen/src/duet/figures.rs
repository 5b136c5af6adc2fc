//! What pairs of slices say.
//!
//! Owns [`Figures`] and which pairs count. Must not know how slices were measured, nor statistics, which
//! are those of [`reports::paired`].

use reports::paired::verdict::{CPU_MARGIN, P50_MARGIN, Verdict, judge};
use reports::paired::{Comparison, LEAST_PAIRS, Ratio, compare};
use serde::{Deserialize, Serialize};

use super::order::{self, Part};
use super::record::{BlockRecord, SliceRecord};

/// An Envoy that used less than this part of the processor time it usually takes in a slice waited.
const LEAST_OF_USUAL: f64 = 0.8;

/// What pairs of slices say. Ratios are candidate divided by base.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Figures {
    /// Of Envoy's processor time per request.
    pub cpu_ratio: Ratio,
    /// Significance of that.
    pub p: f64,
    /// What it amounts to.
    pub verdict: Verdict,
    /// The smallest slowdown that this run would have shown in nine of ten tries, as a share.
    pub smallest_visible_effect: f64,
    /// Of the median latency.
    pub p50_ratio: Ratio,
    /// What it amounts to.
    pub p50_verdict: Verdict,
    /// Of requests per second.
    pub throughput_ratio: Ratio,
    /// Pairs of slices.
    pub pairs: usize,
    /// Further pairs, in which one of the Envoys was not kept busy.
    pub pairs_left_out: usize,
    /// The ratio of processor time in each block alone.
    pub cpu_ratio_of_blocks: Vec<Ratio>,
}

impl Figures {
    /// The figures of `other` against base; `None` when there are too few pairs.
    pub fn of(blocks: &[BlockRecord], other: Part) -> Option<Self> {
        let measured =
            |block: &BlockRecord| order::pairs(&block.slices, SliceRecord::part, other).len();
        let measured: usize = blocks.iter().map(measured).sum();
        let pairs: Vec<Vec<Pair>> = blocks.iter().map(|it| busy_pairs(it, other)).collect();
        let compared = |value: fn(SliceRecord) -> f64| Compared::of(&pairs, value);
        let cpu = compared(SliceRecord::cpu_us_per_request)?;
        let p50 = compared(|slice| slice.p50_us)?;
        let throughput = compared(SliceRecord::requests_per_second)?;
        Some(Self {
            cpu_ratio: cpu.whole.ratio,
            p: cpu.whole.p,
            verdict: judge(&cpu.whole, &cpu.blocks, CPU_MARGIN),
            smallest_visible_effect: cpu.whole.smallest_visible_effect(CPU_MARGIN),
            p50_ratio: p50.whole.ratio,
            p50_verdict: judge(&p50.whole, &p50.blocks, P50_MARGIN),
            throughput_ratio: throughput.whole.ratio,
            pairs: cpu.whole.pairs,
            pairs_left_out: measured - cpu.whole.pairs,
            cpu_ratio_of_blocks: cpu.blocks.iter().map(|block| block.ratio).collect(),
        })
    }
}

/// One quantity, over all pairs and over those of each block.
struct Compared {
    whole: Comparison,
    blocks: Vec<Comparison>,
}

impl Compared {
    fn of(pairs: &[Vec<Pair>], value: fn(SliceRecord) -> f64) -> Option<Self> {
        let values = |block: &Vec<Pair>| -> Vec<(f64, f64)> {
            let values = |(base, other): &Pair| (value(*base), value(*other));
            block.iter().map(values).collect()
        };
        let of_blocks: Option<Vec<Comparison>> =
            pairs.iter().map(|block| compare(values(block))).collect();
        Some(Self {
            whole: compare(pairs.iter().flat_map(values))?,
            blocks: of_blocks?,
        })
    }
}

type Pair = (SliceRecord, SliceRecord);

/// The pairs of a block in which both Envoys were kept busy. An Envoy that waits, because something else
/// had the processor that its client or its upstream needed, spends more per request than a busy one, and
/// the neighbour may stay where it is for many slices. Without enough such pairs all are taken.
fn busy_pairs(block: &BlockRecord, other: Part) -> Vec<Pair> {
    let all = order::pairs(&block.slices, SliceRecord::part, other);
    let least = |of: fn(&Pair) -> SliceRecord| {
        let mut shares: Vec<f64> = all.iter().map(|pair| of(pair).busy_share()).collect();
        shares.sort_by(f64::total_cmp);
        // The upper quartile is what the Envoy reaches when nothing holds it up.
        shares
            .get(shares.len() * 3 / 4)
            .copied()
            .unwrap_or_default()
            * LEAST_OF_USUAL
    };
    let (base, candidate) = (least(|pair| pair.0), least(|pair| pair.1));
    let is_busy = |pair: &&Pair| pair.0.busy_share() >= base && pair.1.busy_share() >= candidate;
    let busy: Vec<Pair> = all.iter().filter(is_busy).copied().collect();
    match busy.len() < LEAST_PAIRS {
        true => all,
        false => busy,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::duet::record::Side;

    /// Slices that cost the candidate `factor` times what they cost the others.
    pub(crate) fn block(pairs: usize, factor: f64) -> BlockRecord {
        let parts = order::slices(pairs, true);
        let slice = |(place, part): (usize, Part)| {
            let wobble = 1.0 + (place * 7 % 5) as f64 * 0.001;
            let cost = if part == Part::Candidate { factor } else { 1.0 };
            SliceRecord {
                side: Side::from(part),
                requests: 4000,
                unexpected: 0,
                elapsed_us: 100_000.0 * cost * wobble,
                p50_us: 200.0,
                cpu_us: 80_000.0 * cost * wobble,
            }
        };
        BlockRecord {
            slices: parts.into_iter().enumerate().map(slice).collect(),
            cpu_us: [80_000.0 * 2.0 * pairs as f64, 88_000.0 * pairs as f64],
        }
    }

    #[test]
    fn figures_come_from_the_slices_and_nothing_else() {
        let blocks = [block(20, 1.1), block(20, 1.1)];
        let figures = Figures::of(&blocks, Part::Candidate).expect("enough pairs");
        assert_eq!(figures.pairs, 40);
        assert!((figures.cpu_ratio.estimate - 1.1).abs() < 0.005);
        assert!((figures.throughput_ratio.estimate - 1.0 / 1.1).abs() < 0.005);
        assert_eq!(figures.verdict, Verdict::Slower);
        assert_eq!(figures.p50_verdict, Verdict::NoDifference);
        let control = Figures::of(&blocks, Part::Control).expect("enough pairs");
        assert_eq!(control.verdict, Verdict::NoDifference);
    }

    #[test]
    fn blocks_that_disagree_give_no_verdict() {
        let blocks = [block(40, 1.2), block(10, 0.95)];
        let figures = Figures::of(&blocks, Part::Candidate).expect("enough pairs");
        assert_eq!(figures.verdict, Verdict::CannotTell);
    }

    /// A neighbour that holds up one side's upstream for many slices on end.
    #[test]
    fn slices_in_which_an_envoy_waited_do_not_count() {
        let mut starved = block(40, 1.1);
        let held_up = starved
            .slices
            .iter_mut()
            .filter(|it| it.side == Side::Candidate);
        for slice in held_up.take(30) {
            slice.requests /= 20;
            slice.cpu_us /= 5.0;
        }
        let figures = Figures::of(&[starved], Part::Candidate).expect("enough pairs");
        assert_eq!((figures.pairs, figures.pairs_left_out), (10, 30));
        assert!(
            (figures.cpu_ratio.estimate - 1.1).abs() < 0.01,
            "{figures:?}"
        );
    }
}
