//! What can be typed behind `self-test`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `self-test`.
#[derive(Args, Clone, Debug)]
pub struct SelfTestArgs {
    /// Send the same closed loop with oha, whose executable this is, and compare what a request costs.
    #[arg(long, value_name = "OHA")]
    pub with: Option<PathBuf>,
    /// Short loads, a quarter of a minute in all; the figures are rougher.
    #[arg(long)]
    pub quick: bool,
    /// Also load one worker of Envoy, to see whether one thread of the generator saturates it.
    #[arg(long)]
    pub envoy: bool,
}
