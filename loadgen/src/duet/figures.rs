//! What pairs of slices say.
//!
//! Owns [`Figures`] and which slices count: a quartet is one observation (see [`super::order::quartets`]). Must not know how slices were measured, nor statistics, which
//! are those of [`reports::paired`].

use reports::paired::looks::Look;
use reports::paired::verdict::{Margins, Verdict, judge};
use reports::paired::{Comparison, Ratio, compare_blocks, estimate};
use serde::{Deserialize, Serialize};

use super::order::{self, Part};
use super::record::{BlockRecord, SliceRecord};

/// An Envoy that used less than this part of the processor time it usually takes in a slice waited.
const LEAST_OF_USUAL: f64 = 0.8;

/// Fewer busy quartets than this say nothing of a block.
const LEAST_BUSY: usize = 2;

/// What is compared.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Envoy's processor time per request.
    Cpu,
    /// The median latency.
    P50,
    /// Requests per second.
    Throughput,
}

/// How pairs are judged.
#[derive(Clone, Copy, Debug)]
pub struct Judging {
    /// The differences that matter.
    pub margins: Margins,
    /// The look.
    pub look: Look,
    /// The last look of the run.
    pub last: Look,
}

impl Default for Judging {
    fn default() -> Self {
        Self {
            margins: Margins::default(),
            look: Look::ONLY,
            last: Look::ONLY,
        }
    }
}

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
    /// Significance of that.
    pub p50_p: f64,
    /// What it amounts to.
    pub p50_verdict: Verdict,
    /// As for the processor time.
    pub p50_smallest_visible_effect: f64,
    /// Of requests per second.
    pub throughput_ratio: Ratio,
    /// Significance of that.
    pub throughput_p: f64,
    /// What it amounts to; with fewer requests per second the candidate is the slower one.
    pub throughput_verdict: Verdict,
    /// As for the processor time, of the time per request.
    pub throughput_smallest_visible_effect: f64,
    /// The differences that matter.
    pub margins: Margins,
    /// Pairs of slices.
    pub pairs: usize,
    /// Further pairs, in which one of the Envoys was not kept busy.
    pub pairs_left_out: usize,
    /// All pairs in which one was not, with those that had to count because a block had no others.
    #[serde(default)]
    pub pairs_not_busy: usize,
    /// The ratio of processor time in each block alone: how much processes differ.
    pub cpu_ratio_in_each_block: Vec<f64>,
}

impl Figures {
    /// The figures of `other` against base; `None` when there are too few pairs for this look.
    pub fn at(blocks: &[BlockRecord], other: Part, judging: &Judging) -> Option<Self> {
        let measured = |block: &BlockRecord| quartets(block, other).len();
        let measured: usize = blocks.iter().map(measured).sum();
        let picked = blocks.iter().map(|it| busy_quartets(it, other));
        let (busy, not_busy): (Vec<Vec<Quartet>>, Vec<usize>) = picked.unzip();
        let compared = |value: fn(SliceRecord) -> f64| Compared::of(&busy, &judging.look, value);
        let cpu = compared(SliceRecord::cpu_us_per_request)?;
        let p50 = compared(|slice| slice.p50_us)?;
        // What costs is the time, of which a slower side needs more.
        let time = compared(|slice| 1.0 / slice.requests_per_second())?;
        let margins = judging.margins;
        let visible =
            |it: &Compared, margin| it.whole.smallest_visible_effect(margin, &judging.last);
        Some(Self {
            cpu_ratio: cpu.whole.ratio,
            p: cpu.whole.p,
            verdict: judge(&cpu.whole, margins.cpu),
            smallest_visible_effect: visible(&cpu, margins.cpu),
            p50_ratio: p50.whole.ratio,
            p50_p: p50.whole.p,
            p50_verdict: judge(&p50.whole, margins.p50),
            p50_smallest_visible_effect: visible(&p50, margins.p50),
            throughput_ratio: time.whole.ratio.inverse(),
            throughput_p: time.whole.p,
            throughput_verdict: judge(&time.whole, margins.throughput),
            throughput_smallest_visible_effect: visible(&time, margins.throughput),
            margins,
            pairs: 2 * cpu.whole.pairs,
            pairs_left_out: 2 * (measured - cpu.whole.pairs),
            pairs_not_busy: 2 * not_busy.iter().sum::<usize>(),
            cpu_ratio_in_each_block: cpu.blocks,
        })
    }

    /// What was made of a metric.
    pub fn verdict_of(&self, metric: Metric) -> Verdict {
        match metric {
            Metric::Cpu => self.verdict,
            Metric::P50 => self.p50_verdict,
            Metric::Throughput => self.throughput_verdict,
        }
    }

    /// Takes over what an earlier look has decided.
    pub(super) fn keep_decided(&mut self, earlier: &Self) {
        if earlier.verdict != Verdict::CannotTell {
            self.cpu_ratio = earlier.cpu_ratio;
            self.p = earlier.p;
            self.verdict = earlier.verdict;
            self.smallest_visible_effect = earlier.smallest_visible_effect;
        }
        if earlier.p50_verdict != Verdict::CannotTell {
            self.p50_ratio = earlier.p50_ratio;
            self.p50_p = earlier.p50_p;
            self.p50_verdict = earlier.p50_verdict;
            self.p50_smallest_visible_effect = earlier.p50_smallest_visible_effect;
        }
        if earlier.throughput_verdict != Verdict::CannotTell {
            self.throughput_ratio = earlier.throughput_ratio;
            self.throughput_p = earlier.throughput_p;
            self.throughput_verdict = earlier.throughput_verdict;
            self.throughput_smallest_visible_effect = earlier.throughput_smallest_visible_effect;
        }
    }
}

/// One quantity, over all blocks and in each.
struct Compared {
    whole: Comparison,
    blocks: Vec<f64>,
}

impl Compared {
    fn of(blocks: &[Vec<Quartet>], look: &Look, value: fn(SliceRecord) -> f64) -> Option<Self> {
        // The mean of two logarithms, as the logarithm of a mean.
        let mean = |[first, second]: [SliceRecord; 2]| (value(first) * value(second)).sqrt();
        let values = |(base, other): &Quartet| (mean(*base), mean(*other));
        let blocks: Vec<Vec<(f64, f64)>> = blocks
            .iter()
            .map(|block| block.iter().map(values).collect())
            .collect();
        let estimates: Option<Vec<f64>> = blocks.iter().map(|block| estimate(block)).collect();
        Some(Self {
            whole: compare_blocks(look, &blocks)?,
            blocks: estimates?,
        })
    }
}

/// The slices of base and of what it is compared with.
type Quartet = ([SliceRecord; 2], [SliceRecord; 2]);

fn quartets(block: &BlockRecord, other: Part) -> Vec<Quartet> {
    order::quartets(&block.slices, SliceRecord::part, other)
}

/// The quartets of a block in which both Envoys were kept busy. An Envoy that waits, because something else
/// had the processor that its client or its upstream needed, spends more per request than a busy one, and
/// the neighbour may stay where it is for many slices. Without enough such quartets all are taken. Also
/// how many there are of the others.
fn busy_quartets(block: &BlockRecord, other: Part) -> (Vec<Quartet>, usize) {
    let all = quartets(block, other);
    let least = |of: fn(&Quartet) -> [SliceRecord; 2]| {
        let mut shares: Vec<f64> = all
            .iter()
            .flat_map(of)
            .map(SliceRecord::busy_share)
            .collect();
        shares.sort_by(f64::total_cmp);
        // The upper quartile is what the Envoy reaches when nothing holds it up.
        shares
            .get(shares.len() * 3 / 4)
            .copied()
            .unwrap_or_default()
            * LEAST_OF_USUAL
    };
    let (base, candidate) = (least(|it| it.0), least(|it| it.1));
    let is_busy = |quartet: &&Quartet| {
        quartet.0.iter().all(|it| it.busy_share() >= base)
            && quartet.1.iter().all(|it| it.busy_share() >= candidate)
    };
    let busy: Vec<Quartet> = all.iter().filter(is_busy).copied().collect();
    let not_busy = all.len() - busy.len();
    match busy.len() < LEAST_BUSY {
        true => (all, not_busy),
        false => (busy, not_busy),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use reports::duet::Side;

    use super::*;

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
        let figures =
            Figures::at(&blocks, Part::Candidate, &Judging::default()).expect("enough pairs");
        assert_eq!(figures.pairs, 40);
        assert!((figures.cpu_ratio.estimate - 1.1).abs() < 0.005);
        assert!((figures.throughput_ratio.estimate - 1.0 / 1.1).abs() < 0.005);
        assert_eq!(figures.verdict, Verdict::Slower);
        assert_eq!(figures.p50_verdict, Verdict::NoDifference);
        assert_eq!(figures.throughput_verdict, Verdict::Slower);
        let control =
            Figures::at(&blocks, Part::Control, &Judging::default()).expect("enough pairs");
        assert_eq!(control.verdict, Verdict::NoDifference);
    }

    #[test]
    fn blocks_that_disagree_give_no_verdict() {
        let blocks = [block(60, 1.2), block(20, 0.95)];
        let figures =
            Figures::at(&blocks, Part::Candidate, &Judging::default()).expect("enough pairs");
        assert_eq!(figures.verdict, Verdict::CannotTell);
        assert!(figures.cpu_ratio_in_each_block[1] < 1.0, "{figures:?}");
    }

    /// An Envoy that is held up in all quartets of a block but one leaves nothing to compare in it, which must
    /// not look like a block without any trouble.
    #[test]
    fn slices_that_had_to_count_although_an_envoy_waited_are_known() {
        let mut starved = block(36, 1.0);
        let bases = starved.slices.iter_mut().filter(|it| it.side == Side::Base);
        // A quarter that is busy says what the Envoy reaches when nothing holds it up.
        for (place, slice) in bases.enumerate() {
            if place % 4 != 0 {
                slice.cpu_us /= 5.0;
            }
        }
        let figures =
            Figures::at(&[starved], Part::Candidate, &Judging::default()).expect("enough pairs");
        assert_eq!((figures.pairs, figures.pairs_left_out), (36, 0));
        assert_eq!(figures.pairs_not_busy, 36);
    }

    /// A neighbour that holds up one side's upstream for many slices on end.
    #[test]
    fn slices_in_which_an_envoy_waited_do_not_count() {
        let mut starved = block(50, 1.1);
        let held_up = starved
            .slices
            .iter_mut()
            .filter(|it| it.side == Side::Candidate);
        for slice in held_up.take(30) {
            slice.requests /= 20;
            slice.cpu_us /= 5.0;
        }
        let figures =
            Figures::at(&[starved], Part::Candidate, &Judging::default()).expect("enough pairs");
        assert_eq!((figures.pairs, figures.pairs_left_out), (20, 30));
        assert_eq!(figures.pairs_not_busy, 30);
        assert!(
            (figures.cpu_ratio.estimate - 1.1).abs() < 0.01,
            "{figures:?}"
        );
    }
}
