//! When a failed call is tried again.
//!
//! Owns [`Backoff`]. Must not know what failed.

use crate::rng::Rng;
use crate::time::UnixMillis;

const FIRST_MS: u64 = 500;
/// Short enough that usage arrives soon after an outage. How many calls that makes in all is bounded
/// by the budget of the sync side, not by this.
const LONGEST_MS: u64 = 15_000;

/// Waiting times that double with each failure, less up to half of it so that many failures at once
/// do not come back at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: UnixMillis,
}

impl Backoff {
    /// Whether the wait is over.
    pub(super) fn is_over(&self, now: UnixMillis) -> bool {
        now >= self.until
    }

    /// A call failed.
    pub(super) fn fail(&mut self, now: UnixMillis, rng: &mut Rng) {
        let wait_ms = FIRST_MS
            .saturating_mul(1_u64 << self.failures.min(16))
            .min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        self.until = now.plus_ms(rng.shorten(wait_ms, 0.5));
    }

    /// A call succeeded.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        let mut rng = Rng::new(3);
        let now = UnixMillis(1_000);
        assert!(backoff.is_over(now));
        for failure in 0..100_u32 {
            backoff.fail(now, &mut rng);
            let most = (FIRST_MS << failure.min(16)).min(LONGEST_MS);
            assert!(!backoff.is_over(now.plus_ms(most / 2 - 1)), "{failure}");
            assert!(backoff.is_over(now.plus_ms(most)), "{failure}");
        }
        backoff.reset();
        assert!(backoff.is_over(now));
    }
}
