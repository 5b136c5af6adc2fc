//! Which of several things a number between 0 and 1 stands for, by their shares.
//!
//! Owns [`Shares`]. Must not know what is shared.

/// Indexes by share, found from a number between 0 and 1.
#[derive(Clone, Debug)]
pub(super) enum Shares {
    Uniform(usize),
    /// Shares summed up; the last is 1.
    Cumulative(Vec<f64>),
}

impl Shares {
    pub(super) fn weighted(weights: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        for share in &mut cumulative {
            *share /= sum;
        }
        Self::Cumulative(cumulative)
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Shares::Uniform(count) => *count,
            Shares::Cumulative(shares) => shares.len(),
        }
    }

    pub(super) fn at(&self, unit: f64) -> usize {
        match self {
            // A product below the count, since the unit is below 1.
            Shares::Uniform(count) => ((unit * *count as f64) as usize).min(count - 1),
            Shares::Cumulative(shares) => shares
                .partition_point(|share| *share <= unit)
                .min(shares.len() - 1),
        }
    }
}
