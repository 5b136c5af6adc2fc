//! What `cargo run -p authcache --example scale -- --json FILE` left behind: what the number of known
//! applications costs.
//!
//! Owns reading it and what it amounts to in words. Must not know how it was measured or how it is
//! drawn.

use serde::Deserialize;

use crate::circumstances::Circumstances;
use crate::format::{count, decimal_bytes, list, number};

/// The file.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Scaling {
    /// How it was made; absent in files of older builds.
    pub circumstances: Option<Circumstances>,
    /// What a worker takes whatever it knows.
    pub fixed: Fixed,
    /// Workers that keep every application they see.
    pub memory: Vec<Memory>,
    /// One worker with a bound, as it sees more and more.
    pub bounded: Vec<Memory>,
    /// The cost of a hit, beside that of the smallest number.
    pub hits: Vec<Cost>,
}

/// What a worker takes whatever it knows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct Fixed {
    /// Bytes of a worker that knows nobody.
    pub empty_worker_bytes: i64,
    /// Bytes of a remembered denial.
    pub bytes_per_denial: f64,
}

/// What one worker holds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct Memory {
    /// Applications that asked.
    pub applications: u64,
    /// Those that have a record.
    pub known: u64,
    /// Bytes of the worker while none of them has leases.
    pub worker_bytes: i64,
    /// The same for each known application.
    pub bytes_per_application: f64,
    /// More for each while all of them have leases.
    pub bytes_per_holder: Option<f64>,
    /// Bytes in shared data, once per process, for each application that asked.
    pub shared_bytes_per_application: f64,
}

/// A hit with one number of applications.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Cost {
    /// Applications that are known.
    pub applications: u64,
    /// How requests spread over them: `uniform` or `zipf`.
    pub popularity: String,
    /// CPU time of a hit in nanoseconds, the median of all chunks.
    pub ns_per_hit: f64,
    /// The smallest number's, in the same minutes.
    pub base_ns_per_hit: f64,
    /// The median of the ratios of neighbouring blocks.
    pub ratio: f64,
    /// The quartiles of these ratios.
    pub ratio_quartiles: [f64; 2],
}

impl Scaling {
    /// The number of applications that the others are compared with.
    pub fn base(&self) -> u64 {
        self.memory.first().map_or(0, |memory| memory.applications)
    }

    /// The ways in which requests spread, in the order in which they first occur.
    pub fn popularities(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for cost in &self.hits {
            if !found.contains(&cost.popularity.as_str()) {
                found.push(&cost.popularity);
            }
        }
        found
    }

    /// What the largest number does to a hit.
    pub fn title(&self) -> String {
        let Some(most) = self.hits.iter().map(|cost| cost.applications).max() else {
            return "What does the number of applications cost?".to_owned();
        };
        let largest = self.hits.iter().filter(|cost| cost.applications == most);
        let each = largest.map(|cost| {
            let (ratio, keys) = (number(cost.ratio), told(&cost.popularity));
            format!("{ratio} times ({keys} keys)")
        });
        format!(
            "With {} known applications a hit takes {} the CPU time that it takes with {}",
            count(most),
            list(&each.collect::<Vec<_>>()),
            count(self.base())
        )
    }

    /// What memory comes to, in sentences.
    pub fn memory_in_words(&self) -> String {
        let mut sentences = Vec::new();
        if let Some(most) = self.memory.last() {
            sentences.push(format!(
                "A worker that knows {} applications holds {}, {} for each.",
                count(most.known),
                decimal_bytes(most.worker_bytes as f64),
                decimal_bytes(most.bytes_per_application)
            ));
        }
        if let Some(most) = self.bounded.last() {
            sentences.push(format!(
                "One with a bound keeps {} of {} and holds {}.",
                count(most.known),
                count(most.applications),
                decimal_bytes(most.worker_bytes as f64)
            ));
        }
        sentences.join(" ")
    }
}

/// A popularity as it is written in text.
pub fn told(popularity: &str) -> &str {
    match popularity {
        "zipf" => "Zipf",
        other => other,
    }
}
