//! Which applications requests come from.
//!
//! Owns [`Order`]. Must not know requests.

use authcache::rng::Rng;

/// How often applications ask, compared with each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Popularity {
    /// All alike.
    Uniform,
    /// The n-th most popular one in proportion to 1/n.
    Zipf,
}

impl Popularity {
    pub(crate) const ALL: [Self; 2] = [Self::Uniform, Self::Zipf];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        }
    }
}

/// A drawn sequence of applications, repeated from its start where more are needed.
pub(crate) struct Order {
    drawn: Vec<u32>,
    next: usize,
}

/// Longer than a block, so that no block repeats another.
const DRAWN: usize = 1 << 20;

impl Order {
    pub(crate) fn draw(popularity: Popularity, applications: u32, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut sums = Vec::new();
        if popularity == Popularity::Zipf {
            let mut sum = 0.0;
            for n in 0..applications {
                sum += 1.0 / f64::from(n + 1);
                sums.push(sum);
            }
        }
        let total = sums.last().copied().unwrap_or_default();
        let drawn = (0..DRAWN).map(|_| {
            let bits = rng.next_u64() >> 11;
            if popularity == Popularity::Uniform {
                return (bits % u64::from(applications)) as u32;
            }
            let at = bits as f64 / (1_u64 << 53) as f64 * total;
            let rank = sums.partition_point(|sum| *sum <= at) as u64;
            // Popular ones are not the first that came.
            (rank * 7_919 % u64::from(applications)) as u32
        });
        Self {
            drawn: drawn.collect(),
            next: 0,
        }
    }

    /// The next `count` of them, from the start again where too few are left.
    pub(crate) fn next(&mut self, count: usize) -> &[u32] {
        if self.next + count > self.drawn.len() {
            self.next = 0;
        }
        let from = self.next;
        self.next += count;
        &self.drawn[from..self.next]
    }
}
