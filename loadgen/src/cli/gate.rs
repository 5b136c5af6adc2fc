//! What can be typed behind `gate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::duet::{LEAST, MOST};

pub use super::duet::WARM_UP;

/// Arguments of `gate`.
#[derive(Args, Clone, Debug)]
pub struct GateArgs {
    /// The gate file.
    #[arg(required_unless_present = "prove")]
    pub file: Option<PathBuf>,
    /// Only gates of this tier: 1 for counts, 2 for measurements.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub tier: Option<u8>,
    /// The module of every base that names none and runs the plugin.
    #[arg(long, value_name = "FILE")]
    pub base_wasm: Option<PathBuf>,
    /// The same for every candidate, instead of the module built from the workspace.
    #[arg(long, value_name = "FILE")]
    pub candidate_wasm: Option<PathBuf>,
    /// Pairs of slices of each comparison, instead of what the file says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(LEAST as u64..=MOST as u64))]
    pub pairs: Option<u64>,
    /// Blocks of each comparison, instead of what the file says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=32))]
    pub blocks: Option<u64>,
    /// Write the outcome as Markdown, for a comment on a change.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write the verdict strip as SVG.
    #[arg(long, value_name = "FILE")]
    pub strip: Option<PathBuf>,
    /// Test the gate itself: identical builds must not alarm, planted slowdowns must be caught.
    #[arg(long, conflicts_with_all = ["file", "tier", "base_wasm", "candidate_wasm", "markdown", "strip"])]
    pub prove: bool,
    /// With --prove: comparisons of each kind.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "prove",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repetitions: u32,
    /// With --prove: only these kinds.
    #[arg(
        long = "kind",
        value_enum,
        value_delimiter = ',',
        default_value = "same,filter,busy-loop",
        requires = "prove"
    )]
    pub kinds: Vec<Kind>,
    /// With --prove: rounds of the busy loop, instead of as many as make 5 %.
    #[arg(long, value_name = "N", requires = "prove", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
}

/// What a gate is tested by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Kind {
    /// A build against itself.
    Same,
    /// One more header-mutation filter in Envoy's chain.
    Filter,
    /// A busy loop in the module, 5 % of the CPU time of a request.
    BusyLoop,
}
