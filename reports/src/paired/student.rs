//! Student's t distribution, for whole degrees of freedom.
//!
//! Owns its tail and quantile. Must not know what they are used for.

use std::f64::consts::FRAC_2_PI;

/// The probability of a value further from 0 than `t`, on both sides: the finite sums of Abramowitz and
/// Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4. Exact to about 1e-15.
pub(super) fn beyond(t: f64, freedom: usize) -> f64 {
    let angle = (t.abs() / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    // The terms are those of an even number of degrees from 1 on, of an odd one from the cosine on.
    let is_odd = freedom % 2 == 1;
    let (mut term, mut factor) = match is_odd {
        true => (cosine, 2.0),
        false => (1.0, 1.0),
    };
    let (mut sum, terms) = (0.0, freedom / 2);
    for _ in 0..terms {
        sum += term;
        term *= cosine * cosine * factor / (factor + 1.0);
        factor += 2.0;
    }
    let within = match is_odd {
        true => FRAC_2_PI * (angle + sine * sum),
        false => sine * sum,
    };
    (1.0 - within).max(0.0)
}

/// The value that is exceeded, on both sides, with this probability.
pub(super) fn quantile(probability: f64, freedom: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while beyond(high, freedom) > probability && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        match beyond(middle, freedom) > probability {
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
    fn quantiles_are_those_of_the_published_tables() {
        for (freedom, at_5, at_1) in [
            (1, 12.706, 63.657),
            (2, 4.303, 9.925),
            (3, 3.182, 5.841),
            (4, 2.776, 4.604),
            (7, 2.365, 3.499),
            (10, 2.228, 3.169),
            (15, 2.131, 2.947),
        ] {
            for (probability, table) in [(0.05, at_5), (0.01, at_1)] {
                let found = quantile(probability, freedom);
                assert!(
                    (found - table).abs() < 0.001,
                    "{freedom}: {found}, not {table}"
                );
            }
        }
        assert_eq!(beyond(0.0, 5), 1.0);
        assert_eq!(beyond(-2.0, 5), beyond(2.0, 5));
    }
}
