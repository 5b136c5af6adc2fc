//! A bound on how often something happens per second.
//!
//! Owns [`TokenBucket`]. Must not know what is bounded, nor what time it is.

use crate::time::UnixMillis;

/// A bucket that fills with `per_second` tokens a second, up to some seconds' worth. Counts in
/// thousandths, so that a tick of 100 ms loses nothing.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_second: u64,
    /// How many seconds' worth fit in.
    seconds: u64,
    thousandths: u64,
    filled: UnixMillis,
}

const TOKEN: u64 = 1_000;

impl TokenBucket {
    /// A full bucket for one second's worth.
    pub fn new(per_second: u64, now: UnixMillis) -> Self {
        Self::of_seconds(1, per_second, now)
    }

    /// A full bucket for the worth of so many seconds.
    pub fn of_seconds(seconds: u64, per_second: u64, now: UnixMillis) -> Self {
        let mut bucket = Self {
            per_second,
            seconds,
            thousandths: 0,
            filled: now,
        };
        bucket.thousandths = bucket.capacity();
        bucket
    }

    /// Changes the rate; tokens that are there stay, up to the new capacity.
    pub fn set_rate(&mut self, per_second: u64) {
        self.per_second = per_second;
        self.thousandths = self.thousandths.min(self.capacity());
    }

    /// Takes a token if there is one.
    pub fn take(&mut self, now: UnixMillis) -> bool {
        self.take_leaving(0, now)
    }

    /// Takes a token if `spare` are left then. A full bucket always gives one, however small it is.
    pub fn take_leaving(&mut self, spare: u64, now: UnixMillis) -> bool {
        let gained = now.ms_since(self.filled).saturating_mul(self.per_second);
        self.filled = self.filled.max(now);
        self.thousandths = self.thousandths.saturating_add(gained).min(self.capacity());
        let needed = TOKEN.saturating_mul(spare.saturating_add(1));
        let needed = needed.min(self.capacity()).max(TOKEN);
        if self.thousandths < needed {
            return false;
        }
        self.thousandths -= TOKEN;
        true
    }

    /// Puts a token back that was taken for nothing.
    pub fn give_back(&mut self) {
        self.thousandths = self.thousandths.saturating_add(TOKEN).min(self.capacity());
    }

    fn capacity(&self) -> u64 {
        let tokens = self.per_second.saturating_mul(self.seconds);
        tokens.saturating_mul(TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_as_many_tokens_as_the_rate_says() {
        let mut bucket = TokenBucket::new(10, UnixMillis(0));
        let taken = |bucket: &mut TokenBucket, at| {
            (0..1_000).filter(|_| bucket.take(UnixMillis(at))).count()
        };
        assert_eq!(taken(&mut bucket, 0), 10);
        assert_eq!(taken(&mut bucket, 99), 0);
        assert_eq!(taken(&mut bucket, 100), 1);
        assert_eq!(taken(&mut bucket, 60_000), 10);
        // A clock that goes back gives nothing.
        assert_eq!(taken(&mut bucket, 50), 0);
        assert_eq!(taken(&mut TokenBucket::new(0, UnixMillis(0)), 9_000), 0);
    }

    #[test]
    fn a_larger_bucket_gives_more_at_once_and_not_more_in_the_long_run() {
        let mut bucket = TokenBucket::of_seconds(10, 3, UnixMillis(0));
        let taken = |bucket: &mut TokenBucket, at| {
            (0..1_000).filter(|_| bucket.take(UnixMillis(at))).count()
        };
        assert_eq!(taken(&mut bucket, 0), 30);
        assert_eq!(taken(&mut bucket, 1_000), 3);
        bucket.give_back();
        assert_eq!(taken(&mut bucket, 1_000), 1);
        (0..100).for_each(|_| bucket.give_back());
        assert_eq!(taken(&mut bucket, 1_000), 30);
    }

    #[test]
    fn spare_tokens_stay_unless_the_bucket_is_too_small_for_them() {
        let mut bucket = TokenBucket::new(3, UnixMillis(0));
        let taken = (0..9).filter(|_| bucket.take_leaving(1, UnixMillis(0)));
        assert_eq!(taken.count(), 2);
        assert!(bucket.take(UnixMillis(0)) && !bucket.take(UnixMillis(0)));
        assert!(TokenBucket::new(1, UnixMillis(0)).take_leaving(1, UnixMillis(0)));
        assert!(!TokenBucket::new(0, UnixMillis(0)).take_leaving(0, UnixMillis(9_000)));
    }
}
