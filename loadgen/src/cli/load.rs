//! The options that say how load arrives.
//!
//! Owns their names and help texts. Must not know what a profile does with them.

use std::time::Duration;

use clap::Args;

use super::duration;
use crate::profile::Overrides;

/// How load arrives.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// Name from `loadgen list` or file of the profile [default: headline, for attach steady].
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Highest rate in requests per second; the profile's other rates keep their proportion.
    #[arg(long, value_name = "R")]
    pub rate: Option<f64>,
    /// Length of the measured part, like 30s or 2m; phases keep their proportion.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Multiply every duration of the profile by this, warm-up included, and the number of requests of
    /// a closed loop; rates stay. 0.1 makes a profile ten times shorter.
    #[arg(long, value_name = "X", conflicts_with = "duration")]
    pub scale: Option<f64>,
    /// Seed of arrivals and mix, instead of the profile's.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Threads of the generator, instead of the profile's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: Option<u32>,
}

impl LoadArgs {
    /// The figures that replace the profile's.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            rate: self.rate,
            duration: self.duration,
            scale: self.scale,
            seed: self.seed,
            threads: self.threads,
        }
    }
}
