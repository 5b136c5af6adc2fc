//! The command line.
//!
//! Owns [`Options`]. Must not measure anything.

use std::path::PathBuf;

use clap::Parser;

/// Measures what the number of applications that a worker knows does to the cost of a hit and to its
/// memory. The first number is the base that the others are compared with, in turns, within one run.
///
/// Applications have a user key of 32 characters, three limits and leases (mode `balanced`). Hits are
/// counted in CPU time of their thread, in chunks of 5,000 after each of which usage is handed over,
/// as with every tick; handing over and the making of requests are not part of a hit.
#[derive(Debug, Parser)]
#[command(name = "scale")]
pub(crate) struct Options {
    /// Numbers of applications; the first one is the base.
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_value = "1000,10000,100000,1000000"
    )]
    pub(crate) applications: Vec<u32>,
    /// Blocks of 100,000 hits, of the base and of each other number in turns.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) blocks: u32,
    /// Measures memory only.
    #[arg(long)]
    pub(crate) memory_only: bool,
    /// The bound (`memory.applications`) of the worker that has to evict; 0 leaves it out. It sees each
    /// number of applications in turn.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) bound: u32,
    /// Makes hits of this many applications and nothing else: for a profiler, which finds them in the
    /// function `hits`.
    #[arg(long, value_name = "N")]
    pub(crate) profile: Option<u32>,
    /// Where the figures are written, `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
