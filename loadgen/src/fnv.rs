//! FNV-1a, 64 bits: digests that tell values apart and stay the same between releases.
//!
//! Owns [`Fnv`]. It is no protection against anyone who looks for equal digests.

/// A digest being computed.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Takes in a word at once. Faster than by bytes, and another digest.
    pub fn word(self, word: u64) -> Self {
        Self((self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// Takes in a text, byte by byte.
    pub fn text(self, text: &str) -> Self {
        text.bytes()
            .fold(self, |state, byte| state.word(u64::from(byte)))
    }

    /// The digest.
    pub fn digest(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_text_are_those_of_the_published_test_suite() {
        assert_eq!(Fnv::default().text("").digest(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fnv::default().text("a").digest(), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(
            Fnv::default().text("foobar").digest(),
            0x8594_4171_f739_67e8
        );
    }
}
