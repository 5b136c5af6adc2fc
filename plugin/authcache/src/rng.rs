//! Repeatable randomness for jitter.
//!
//! Owns [`Rng`]. Must not be used for anything that an attacker must not guess: the host's own source
//! seeds hashes and names.

/// SplitMix64: the same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Begins the sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// `value` less a random part of at most `share` (0 to 1) of it.
    pub fn shorten(&mut self, value: u64, share: f64) -> u64 {
        // 53 bits are what a double holds exactly.
        let fraction = (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let less = value as f64 * share.clamp(0.0, 1.0) * fraction;
        value.saturating_sub(less as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_only_shortens_and_by_no_more_than_its_share() {
        let mut rng = Rng::new(1);
        for _ in 0..10_000 {
            let value = rng.shorten(1_000, 0.1);
            assert!((900..=1_000).contains(&value), "{value}");
        }
        assert_eq!(rng.shorten(1_000, 0.0), 1_000);
        assert_eq!(rng.shorten(0, 1.0), 0);
    }
}
