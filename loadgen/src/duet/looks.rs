//! When a comparison is looked at, and whether it is over.
//!
//! Owns the stages of a run and what each look at it found. Must not know how slices are measured, nor
//! why a look is as strict as it is, which is [`reports::paired::looks`]'s.

use reports::paired::Ratio;
use reports::paired::looks::{self, Look};
use reports::paired::verdict::Verdict;
use serde::{Deserialize, Serialize};

use super::figures::{Figures, Judging, Metric};
use super::order::Part;
use super::record::BlockRecord;

/// Blocks between two looks, at least.
const BLOCKS_OF_A_LOOK: usize = 2;

/// A part of a run, with a look at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Blocks that are measured in it.
    pub blocks: usize,
    /// The look.
    pub look: Look,
}

/// The stages of a run of so many blocks. Each has two blocks at least: from one alone nobody could tell
/// how much processes differ.
pub fn stages(blocks: usize, looks: usize) -> Vec<Stage> {
    let looks = looks.clamp(1, (blocks / BLOCKS_OF_A_LOOK).max(1));
    let ends: Vec<usize> = (1..=looks)
        .map(|look| (blocks * look).div_ceil(looks))
        .collect();
    let shares: Vec<f64> = ends.iter().map(|end| *end as f64 / blocks as f64).collect();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let parts = ends.iter().zip(starts).map(|(end, start)| end - start);
    parts
        .zip(looks::plan(&shares))
        .map(|(blocks, look)| Stage { blocks, look })
        .collect()
}

/// What a look found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LookRecord {
    /// Its bounds.
    #[serde(flatten)]
    pub look: Look,
    /// Pairs that counted.
    pub pairs: usize,
    /// Candidate divided by base, processor time per request.
    pub cpu_ratio: Ratio,
    /// Significance of that.
    pub p: f64,
    /// Whether the processor time was decided.
    pub verdict: Verdict,
    /// Whether the median latency was.
    pub p50_verdict: Verdict,
    /// Whether the throughput was.
    pub throughput_verdict: Verdict,
}

/// The looks at a run so far.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// What each found; a look that needed more pairs than counted is not here.
    pub records: Vec<LookRecord>,
    /// The figures, each from the look that decided it, or else from the last one.
    pub figures: Option<Figures>,
    /// The base against itself, at the last look.
    pub control: Option<Figures>,
}

impl Looks {
    /// Looks at what was measured; whether everything in `decides` is decided.
    pub fn look(&mut self, blocks: &[BlockRecord], judging: &Judging, decides: &[Metric]) -> bool {
        let Some(mut figures) = Figures::at(blocks, Part::Candidate, judging) else {
            return false;
        };
        if let Some(earlier) = &self.figures {
            figures.keep_decided(earlier);
        }
        self.records.push(LookRecord {
            look: judging.look,
            pairs: figures.pairs,
            cpu_ratio: figures.cpu_ratio,
            p: figures.p,
            verdict: figures.verdict,
            p50_verdict: figures.p50_verdict,
            throughput_verdict: figures.throughput_verdict,
        });
        let is_decided = |metric: &Metric| figures.verdict_of(*metric) != Verdict::CannotTell;
        let is_over = decides.iter().all(is_decided);
        self.control = Figures::at(blocks, Part::Control, judging);
        self.figures = Some(figures);
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duet::figures::tests::block;

    fn ends(stages: &[Stage]) -> Vec<(usize, f64)> {
        stages.iter().map(|it| (it.blocks, it.look.share)).collect()
    }

    #[test]
    fn stages_are_whole_blocks_and_add_up() {
        let four = stages(8, 4);
        assert_eq!(ends(&four), [(2, 0.25), (2, 0.5), (2, 0.75), (2, 1.0)]);
        assert_eq!(ends(&stages(8, 1)), [(8, 1.0)]);
        assert_eq!(ends(&stages(5, 2)), [(3, 0.6), (2, 1.0)]);
        assert_eq!(ends(&stages(4, 4)), [(2, 0.5), (2, 1.0)]);
        assert_eq!(ends(&stages(3, 4)), [(3, 1.0)]);
        assert!(four[0].look.significant_below < 1e-6);
    }

    fn judging(look: Look, last: Look) -> Judging {
        Judging {
            look,
            last,
            ..Judging::default()
        }
    }

    fn blocks(count: usize, factor: f64) -> Vec<BlockRecord> {
        vec![block(26, factor); count]
    }

    #[test]
    fn a_run_is_over_when_what_decides_is_decided() {
        let plan = stages(8, 4);
        let third = judging(plan[2].look, plan[3].look);
        let mut looks = Looks::default();
        assert!(looks.look(&blocks(6, 1.3), &third, &[Metric::Cpu]));
        assert_eq!(looks.records[0].verdict, Verdict::Slower);
        // The latency of these slices is the same on both sides; the processor time is not.
        assert_eq!(looks.records[0].p50_verdict, Verdict::NoDifference);
        let control = looks.control.expect("there is one");
        assert_eq!(control.verdict, Verdict::NoDifference);
        let mut spread = blocks(3, 1.3);
        spread.extend(blocks(3, 0.9));
        let mut looks = Looks::default();
        assert!(!looks.look(&spread, &third, &[Metric::Cpu]));
        assert!(looks.look(&spread, &third, &[Metric::P50]));
    }

    #[test]
    fn what_an_early_look_decided_stays_decided() {
        let plan = stages(8, 2);
        let mut looks = Looks::default();
        let early = judging(plan[0].look, plan[1].look);
        assert!(looks.look(&blocks(4, 1.3), &early, &[Metric::Cpu]));
        let late = judging(plan[1].look, plan[1].look);
        let mut all = blocks(4, 1.3);
        all.extend(blocks(4, 1.0));
        looks.look(&all, &late, &[Metric::Cpu]);
        let figures = looks.figures.expect("two looks");
        assert_eq!(figures.verdict, Verdict::Slower);
        assert!((figures.cpu_ratio.estimate - 1.3).abs() < 0.01);
        assert_eq!(looks.records.len(), 2);
    }
}
