//! From values to places: linear, logarithmic and nines scales.
//!
//! Owns the arithmetic. Must not know units or labels.

/// How values spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Equal steps for equal differences.
    Linear {
        /// Value at the beginning.
        low: f64,
        /// Value at the end.
        high: f64,
    },
    /// Equal steps for equal ratios.
    Log {
        /// Value at the beginning, above 0.
        low: f64,
        /// Value at the end.
        high: f64,
    },
    /// Equal steps for equal ratios, and 0 at the beginning, apart from the rest.
    LogAndZero {
        /// The smallest value above 0 that is told apart.
        low: f64,
        /// Value at the end.
        high: f64,
    },
    /// Equal steps for each further nine of a quantile: 0, 0.9, 0.99, 0.999.
    Nines {
        /// Quantile at the end, below 1.
        high: f64,
    },
}

/// Part of a [`Scale::LogAndZero`] between 0 and the smallest value.
const ZERO_GAP: f64 = 0.15;

impl Scale {
    /// Where a value is, as a share of the axis. Values beyond its ends are at its ends.
    pub fn share(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => (value / low).ln() / (high / low).ln(),
            Self::LogAndZero { .. } if value <= 0.0 => 0.0,
            Self::LogAndZero { low, high } => {
                let above = (value / low).ln() / (high / low).ln();
                ZERO_GAP + (1.0 - ZERO_GAP) * above.max(0.0)
            }
            Self::Nines { high } => nines(value) / nines(high),
        };
        share.clamp(0.0, 1.0)
    }
}

/// How many nines a quantile has: 1 for 0.9, 2 for 0.99.
pub fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// A scale laid between two places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// How values spread.
    pub scale: Scale,
    /// Place of the beginning.
    pub from: i32,
    /// Place of the end.
    pub to: i32,
}

impl Axis {
    /// Place of a value.
    pub fn at(&self, value: f64) -> i32 {
        let length = f64::from(self.to - self.from);
        self.from + (self.scale.share(value) * length).round() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_where_its_scale_puts_it() {
        #[track_caller]
        fn check(scale: Scale, value: f64, share: f64) {
            let found = scale.share(value);
            assert!(
                (found - share).abs() < 1e-9,
                "{scale:?} puts {value} at {found}"
            );
        }
        let linear = Scale::Linear {
            low: 10.0,
            high: 20.0,
        };
        check(linear, 15.0, 0.5);
        check(linear, 25.0, 1.0);
        let log = Scale::Log {
            low: 1.0,
            high: 100.0,
        };
        check(log, 10.0, 0.5);
        check(log, 0.5, 0.0);
        check(log, 0.0, 0.0);
        let zero = Scale::LogAndZero {
            low: 1.0,
            high: 100.0,
        };
        check(zero, 0.0, 0.0);
        check(zero, 1.0, 0.15);
        check(zero, 100.0, 1.0);
        let nines = Scale::Nines { high: 0.9999 };
        check(nines, 0.0, 0.0);
        check(nines, 0.99, 0.5);
        check(nines, 0.9999, 1.0);
    }

    #[test]
    fn an_axis_may_run_upwards() {
        let axis = Axis {
            scale: Scale::Linear {
                low: 0.0,
                high: 4.0,
            },
            from: 100,
            to: 0,
        };
        assert_eq!((axis.at(0.0), axis.at(1.0), axis.at(4.0)), (100, 75, 0));
    }
}
