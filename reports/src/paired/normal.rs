//! The normal distribution.
//!
//! Owns its tail and quantile. Must not know what they are used for.

use std::f64::consts::{PI, SQRT_2};

/// The probability of a value above `z`.
pub(super) fn above(z: f64) -> f64 {
    0.5 * libm::erfc(z / SQRT_2)
}

/// The probability density at `z`.
pub(super) fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// The value that lies below with probability `1 - tail`, for a tail of at most one half: found by halving, as it is needed a few times in a run.
pub(super) fn quantile_above(tail: f64) -> f64 {
    let (mut low, mut high) = (0.0, 38.0);
    while high - low > 1e-12 {
        let middle = (low + high) / 2.0;
        match above(middle) > tail {
            true => low = middle,
            false => high = middle,
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (tail, table) in [
            (0.5, 0.0),
            (0.1, 1.281_552),
            (0.025, 1.959_964),
            (0.005, 2.575_829),
            (1e-6, 4.753_424),
        ] {
            let found = quantile_above(tail);
            assert!((found - table).abs() < 1e-6, "{tail}: {found}");
        }
        assert!((density(0.0) - 0.398_942).abs() < 1e-6);
    }
}
