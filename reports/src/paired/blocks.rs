//! Comparing over blocks, each of which measured other processes.
//!
//! Owns what the spread between blocks adds to an interval. Must not know what was measured.
//!
//! Two processes of one binary differ for as long as they live: by where their code and data lie in memory.
//! No number of pairs shows that, as all of them are of the same two processes; pairs alone would state
//! differences between identical builds. Each block is an independent draw of processes, so the mean of
//! the blocks' estimates has an error that their spread shows (Student's t). What is stated is the more careful of
//! the two readings: the wider end of either interval, and the larger probability.

use super::looks::Look;
use super::{Comparison, Ratio, compare_at, estimate, student};

/// Compares over the pairs of all blocks, (base, candidate). A single block says nothing of other processes, and is
/// read by its pairs alone. `None` when there are too few pairs, or not one in a block.
pub fn compare_blocks(look: &Look, blocks: &[Vec<(f64, f64)>]) -> Option<Comparison> {
    let by_pairs = compare_at(look, blocks.iter().flatten().copied())?;
    let estimates: Option<Vec<f64>> = blocks
        .iter()
        .map(|block| Some(estimate(block)?.ln()))
        .collect();
    let estimates = estimates?;
    if estimates.len() < 2 {
        return Some(by_pairs);
    }
    let count = estimates.len() as f64;
    let freedom = estimates.len() - 1;
    let mean = estimates.iter().sum::<f64>() / count;
    let squares: f64 = estimates.iter().map(|it| (it - mean).powi(2)).sum();
    let error = (squares / freedom as f64 / count).sqrt();
    let reach = student::quantile(1.0 - look.confidence, freedom) * error;
    let p = match error > 0.0 {
        true => student::beyond(mean / error, freedom),
        // Blocks that agree to the last digit.
        false => 0.0,
    };
    Some(Comparison {
        ratio: Ratio {
            estimate: by_pairs.ratio.estimate,
            low: by_pairs.ratio.low.min((mean - reach).exp()),
            high: by_pairs.ratio.high.max((mean + reach).exp()),
        },
        p: by_pairs.p.max(p),
        error: by_pairs.error.max(error),
        freedom: Some(freedom),
        ..by_pairs
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs about a ratio, with a little noise that is the same in each block.
    fn block(ratio: f64) -> Vec<(f64, f64)> {
        let noise = |n: i32| 1.0 + f64::from(n * 7 % 11 - 5) * 0.001;
        (0..11).map(|n| (1.0, ratio * noise(n))).collect()
    }

    fn compared(ratios: &[f64]) -> Comparison {
        let blocks: Vec<_> = ratios.iter().map(|ratio| block(*ratio)).collect();
        compare_blocks(&Look::ONLY, &blocks).expect("pairs")
    }

    #[test]
    fn blocks_that_differ_widen_the_interval() {
        let alike = compared(&[1.05, 1.0501, 1.0499, 1.05]);
        assert!(alike.p < 0.001 && alike.ratio.low > 1.04, "{alike:?}");
        let spread = compared(&[1.09, 1.01, 1.08, 1.02]);
        assert!(spread.p > 0.05 && spread.ratio.low < 1.0, "{spread:?}");
        // By pairs alone the same is as clear as the first.
        let all = [1.09, 1.01, 1.08, 1.02].map(block).concat();
        let pairs = compare_at(&Look::ONLY, all).expect("pairs");
        assert!(pairs.p < 1e-6 && pairs.ratio.low > 1.03, "{pairs:?}");
    }

    #[test]
    fn more_blocks_make_up_for_their_spread() {
        let few = compared(&[1.09, 1.02, 1.06]);
        let many = compared(&[1.09, 1.02, 1.06, 1.08, 1.03, 1.05, 1.07, 1.04]);
        assert!(
            few.ratio.low < 1.02 && many.ratio.low > 1.02,
            "{few:?} {many:?}"
        );
        assert!(many.p < 0.001, "{many:?}");
    }

    #[test]
    fn the_probability_and_the_interval_are_students() {
        // Mean 0.03, standard error 0.007, three degrees of freedom.
        let logs = [0.03 - 0.03_f64.sqrt() * 0.1, 0.03 + 0.03_f64.sqrt() * 0.1];
        let ratios = [logs[0], logs[1], 0.03, 0.03].map(f64::exp);
        let found = compared(&ratios);
        let errors: f64 = ratios.iter().map(|it| (it.ln() - 0.03).powi(2)).sum();
        let error = (errors / 3.0 / 4.0).sqrt();
        let expected = student::beyond(0.03 / error, 3);
        assert!((found.p - expected).abs() < 1e-4, "{found:?} {expected}");
        let low = (0.03 - student::quantile(0.05, 3) * error).exp();
        assert!((found.ratio.low - low).abs() < 1e-4, "{found:?} {low}");
    }
}
