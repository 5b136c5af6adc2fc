//! Draws from one stream of repeatable randomness.
//!
//! Owns [`Dice`]. Must not know what is drawn for.

use authcache::rng::Rng;

/// Repeatable draws.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Rng);

impl Dice {
    /// The draws of `seed` for one purpose: streams of different purposes have nothing in common.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut mixed = Rng::new(seed ^ purpose.wrapping_mul(0xA24B_AED4_963E_E407));
        Self(Rng::new(mixed.next_u64()))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 up to, not including, `end`; 0 when that is nothing.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The high half of the product: without a division, and even enough for a simulation.
        let product = u128::from(self.next()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// From `range.0` to `range.1`, both included.
    pub(crate) fn between(&mut self, range: (u64, u64)) -> u64 {
        range.0 + self.below(range.1.saturating_sub(range.0) + 1)
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True in `permille` of 1,000 cases.
    pub(crate) fn chance(&mut self, permille: u64) -> bool {
        permille > 0 && self.below(1_000) < permille
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// From 0 to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A gap of a Poisson process with `per_ms` arrivals per millisecond, in milliseconds.
    pub(crate) fn gap_ms(&mut self, per_ms: f64) -> f64 {
        -(1.0 - self.fraction()).ln() / per_ms
    }
}
