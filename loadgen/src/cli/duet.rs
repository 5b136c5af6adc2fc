//! What can be typed behind `duet`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use reports::paired::verdict::Margins;
use reports::paired::{LEAST_PAIRS, MOST_PAIRS};

use crate::duet::Settings;
use crate::duet::figures::Metric;

pub(super) const LEAST: i64 = 4 * LEAST_PAIRS as i64;
pub(super) const MOST: i64 = MOST_PAIRS as i64;

/// Load on each Envoy between its start and its first slice.
pub const WARM_UP: Duration = Duration::from_millis(700);

/// Arguments of `duet`.
#[derive(Args, Clone, Debug)]
pub struct DuetArgs {
    /// What the candidate is compared with.
    #[arg(required_unless_present = "suite", requires = "candidate")]
    pub base: Option<String>,
    /// What is judged.
    pub candidate: Option<String>,
    /// Run a named list of comparisons instead.
    #[arg(long, value_enum, conflicts_with_all = ["base", "candidate"])]
    pub suite: Option<Suite>,
    /// Pairs of slices, over all blocks.
    #[arg(long, value_name = "N", default_value_t = 216, value_parser = clap::value_parser!(u64).range(LEAST as u64..=MOST as u64))]
    pub pairs: u64,
    /// Length of a slice.
    #[arg(long, value_name = "D", default_value = "100ms", value_parser = super::duration)]
    pub slice: Duration,
    /// Independent blocks, each with Envoys of its own: two processes of one binary differ, and it takes several to
    /// know by how much. Fewer than 4 can hardly tell anything.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u64).range(2..=32))]
    pub blocks: u64,
    /// Connections to each Envoy.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub connections: u64,
    /// How often the run is looked at, its end included; it is over once the answer is clear. However
    /// many looks there are, equal builds alarm in at most 1 % of runs.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=10))]
    pub looks: u64,
    /// How many processors each Envoy may use, instead of what the scenario says; the client keeps off
    /// them. With 1, throughput is what comes out of a processor, and intervals are narrower; a suite
    /// has 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub processors: Option<u32>,
    /// Compare the base with itself too, in the same minutes.
    #[arg(long)]
    pub control: bool,
}

/// Named lists of comparisons.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Suite {
    /// What a cache hit costs, against Envoy alone and against the articles' design.
    HitPath,
}

impl DuetArgs {
    /// How comparisons are carried out.
    pub fn settings(&self) -> Settings {
        let small = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Settings {
            pairs: small(self.pairs),
            blocks: small(self.blocks),
            slice: self.slice,
            warm_up: WARM_UP,
            connections: small(self.connections),
            processors: self.processors,
            has_control: self.control,
            looks: small(self.looks),
            margins: Margins::default(),
            decides: vec![Metric::Cpu],
        }
    }
}
