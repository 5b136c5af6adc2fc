//! Random words that are functions of seed and request number alone.
//!
//! Owns which lane of words is for what. Must not know what a word decides.

/// The lane of draws for what users think, beside those of a request's choice.
pub const THINK_TIME: u64 = 4;

/// Three independent words for one request, from seed and number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Draw {
    pub(super) application: u64,
    pub(super) endpoint: u64,
    pub(super) unknown: u64,
}

impl Draw {
    /// The draw of request number `n`.
    pub(super) fn of(seed: u64, n: u64) -> Self {
        Self {
            application: word(seed, 1, n),
            endpoint: word(seed, 2, n),
            unknown: word(seed, 3, n),
        }
    }
}

/// A number from 0 up to, not including, 1 for request number `n`, independent of other lanes.
pub fn uniform(seed: u64, lane: u64, n: u64) -> f64 {
    unit(word(seed, lane, n))
}

fn word(seed: u64, lane: u64, n: u64) -> u64 {
    split_mix(split_mix(seed ^ lane.rotate_left(56)).wrapping_add(n))
}

/// SplitMix64: one step of the generator whose state is `at`, good enough to decorrelate
/// consecutive numbers.
fn split_mix(at: u64) -> u64 {
    let mut word = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The upper 53 bits as a number from 0 up to, not including, 1.
pub(super) fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / (1_u64 << 53) as f64
}
