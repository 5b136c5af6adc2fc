//! Whether the figures of a comparison may be used.
//!
//! Owns the bounds and their wording. Must not know what else is in the file.

use results::record::Validity;

use super::BlockRecord;
use crate::duet::figures::Figures;

/// Share of processor time that the host may give to others.
const MOST_STOLEN: f64 = 0.02;

/// Share of the pairs in which an Envoy may have waited.
const MOST_NOT_BUSY: f64 = 0.5;

/// Judges it; `stolen` is the share of processor time that the host took.
pub(super) fn judge(blocks: &[BlockRecord], figures: &Figures, stolen: Option<f64>) -> Validity {
    let all = blocks.iter().flat_map(|block| &block.slices);
    let unexpected: u64 = all.map(|slice| slice.unexpected).sum();
    let mut reasons = Vec::new();
    if unexpected > 0 {
        reasons.push(format!(
            "{unexpected} answers had another status than expected"
        ));
    }
    let measured = figures.pairs + figures.pairs_left_out;
    if figures.pairs_not_busy as f64 > measured as f64 * MOST_NOT_BUSY {
        reasons.push(format!(
            "an Envoy was not kept busy in {} of {measured} pairs: the machine had other work",
            figures.pairs_not_busy
        ));
    }
    if let Some(stolen) = stolen.filter(|stolen| *stolen > MOST_STOLEN) {
        reasons.push(format!(
            "the host took {:.1} % of the processor time, the bound is {:.0} %",
            stolen * 100.0,
            MOST_STOLEN * 100.0
        ));
    }
    Validity {
        valid: reasons.is_empty(),
        reasons,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duet::figures::Judging;
    use crate::duet::figures::tests::block;
    use crate::duet::order::Part;

    #[test]
    fn unexpected_answers_and_stolen_time_make_a_comparison_not_valid() {
        let mut bad = block(20, 1.0);
        let judging = Judging::default();
        let figures = Figures::at(&[bad.clone()], Part::Candidate, &judging).expect("enough pairs");
        assert!(judge(&[bad.clone()], &figures, Some(0.01)).valid);
        assert!(!judge(&[bad.clone()], &figures, Some(0.03)).valid);
        bad.slices[3].unexpected = 2;
        let judged = judge(&[bad.clone()], &figures, None);
        assert!(judged.reasons[0].starts_with("2 answers"), "{judged:?}");
        let starved = Figures {
            pairs: 4,
            pairs_left_out: 6,
            pairs_not_busy: 6,
            ..figures
        };
        assert_eq!(judge(&[bad], &starved, None).reasons.len(), 2);
    }
}
