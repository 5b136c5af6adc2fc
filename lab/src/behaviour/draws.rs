//! Random numbers call by call.
//!
//! Owns which numbers the n-th call gets: they depend on the seed, on n and on what they are for,
//! and on nothing else. Calls worked on at the same time, other calls' fates and the rates of other
//! faults make no difference. Must not know what the numbers decide.

use std::sync::atomic::{AtomicU64, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a number is for. Each has a stretch of its own in a call's stream of numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Aspect {
    /// Whether the connection is reset.
    Reset,
    /// Whether the call hangs.
    Hang,
    /// Whether the answer breaks off.
    Truncate,
    /// Whether it is an error.
    Error,
    /// How long it is held back.
    Delay,
    /// How long its usage waits to be counted.
    Lag,
}

/// Words of the stream between one aspect and the next: more than any distribution consumes.
const STRETCH_WORDS: u128 = 1 << 32;

/// Numbers for the calls of one behaviour.
#[derive(Debug)]
pub struct Draws {
    seeded: ChaCha8Rng,
    calls: AtomicU64,
}

impl Draws {
    /// Numbers from a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seeded: ChaCha8Rng::seed_from_u64(seed),
            calls: AtomicU64::new(0),
        }
    }

    /// Those of the next call.
    pub fn next(&self) -> CallDraws {
        self.of_call(self.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// Those of the n-th call, counted from 0.
    pub fn of_call(&self, n: u64) -> CallDraws {
        let mut stream = self.seeded.clone();
        stream.set_stream(n);
        CallDraws { stream }
    }
}

/// Numbers for one call.
#[derive(Clone, Debug)]
pub struct CallDraws {
    stream: ChaCha8Rng,
}

impl CallDraws {
    /// Those for one aspect.
    pub(super) fn of(&self, aspect: Aspect) -> ChaCha8Rng {
        let mut random = self.stream.clone();
        random.set_word_pos(aspect as u128 * STRETCH_WORDS);
        random
    }

    /// Whether something happens that happens to this share of calls.
    pub(super) fn happens(&self, aspect: Aspect, rate: f64) -> bool {
        rate > 0.0 && share(&mut self.of(aspect)) < rate
    }
}

/// A number from 0 up to but not including 1.
pub(super) fn share(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
