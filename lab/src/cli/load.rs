//! `lab load`: tells servers that something else started what a scenario says about them.

use clap::Args;

use super::{CliError, runtime};
use crate::runtime::instruct_servers;
use crate::scenario::Scenario;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Name of a scenario, or path of a scenario file.
    #[arg(long, default_value = "cache")]
    scenario: String,
    /// URL of the backend.
    #[arg(long)]
    backend: String,
    /// URL of the upstream.
    #[arg(long)]
    upstream: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let scenario = Scenario::find(&arguments.scenario)?;
    let instructed = instruct_servers(&scenario, &arguments.backend, &arguments.upstream);
    Ok(runtime()?.block_on(instructed)?)
}
