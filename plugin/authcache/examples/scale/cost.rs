//! CPU time of a hit.
//!
//! Owns [`Cost`]. Must not know memory.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::order::{Order, Popularity};
use crate::population::{Population, Request};

/// Requests between two ticks.
const CHUNK: usize = 5_000;
/// Chunks of a block; the first one brings back what the other side pushed out of the processor's
/// caches, and does not count.
const CHUNKS: usize = 20;

/// A hit with one number of applications, compared with the base.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) applications: u32,
    pub(crate) popularity: &'static str,
    /// CPU time of a hit: the median of all chunks.
    pub(crate) ns_per_hit: f64,
    /// The base beside it, in the same minutes.
    pub(crate) base_ns_per_hit: f64,
    /// The median of the ratios of neighbouring blocks.
    pub(crate) ratio: f64,
    /// The quartiles of these ratios.
    pub(crate) ratio_quartiles: [f64; 2],
}

/// One side of a comparison.
pub(crate) struct Side<'a> {
    pub(crate) applications: u32,
    pub(crate) population: &'a mut Population,
}

impl Cost {
    /// Measures both in turns.
    pub(crate) fn compare(
        base: Side<'_>,
        other: Side<'_>,
        popularity: Popularity,
        blocks: u32,
    ) -> Self {
        let applications = other.applications;
        let mut sides = [base, other].map(|side| {
            let order = Order::draw(popularity, side.applications, 7);
            (side.population, order)
        });
        let making = making_ns();
        let mut times = [Vec::new(), Vec::new()];
        let mut ratios = Vec::new();
        for block in 0..blocks {
            // Base, other, other, base.
            let turns = if block % 2 == 0 { [0, 1] } else { [1, 0] };
            let mut medians = [0.0; 2];
            for turn in turns {
                let (population, order) = &mut sides[turn];
                let mut chunks = run_block(population, order, making);
                times[turn].extend_from_slice(&chunks);
                medians[turn] = quantile(&mut chunks, 0.5);
            }
            ratios.push(medians[1] / medians[0]);
        }
        let [base_ns_per_hit, ns_per_hit] = times.map(|mut times| quantile(&mut times, 0.5));
        Self {
            applications,
            popularity: popularity.name(),
            ns_per_hit,
            base_ns_per_hit,
            ratio: quantile(&mut ratios, 0.5),
            ratio_quartiles: [0.25, 0.75].map(|at| quantile(&mut ratios, at)),
        }
    }
}

/// Nanoseconds per hit of each chunk but the first.
fn run_block(population: &mut Population, order: &mut Order, making: f64) -> Vec<f64> {
    let mut times = Vec::with_capacity(CHUNKS);
    for _ in 0..CHUNKS {
        let applications = order.next(CHUNK);
        let before = cpu_ns();
        hits(population, applications);
        times.push((cpu_ns() - before) / CHUNK as f64 - making);
        population.hand_over();
    }
    times.split_off(1)
}

/// Requests of these applications, all of which hit.
#[inline(never)]
pub(crate) fn hits(population: &mut Population, applications: &[u32]) {
    for n in applications {
        population.hit(*n);
    }
}

/// What it takes to make a request, which is not part of a hit.
fn making_ns() -> f64 {
    let mut request = Request::new();
    let mut times: Vec<f64> = (0..100)
        .map(|_| {
            let before = cpu_ns();
            for n in 0..CHUNK {
                request.of(black_box(n as u32));
                black_box(&mut request);
            }
            (cpu_ns() - before) / CHUNK as f64
        })
        .collect();
    quantile(&mut times, 0.5)
}

/// CPU time of this thread, in nanoseconds.
fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values
        .get((last as f64 * at).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}
