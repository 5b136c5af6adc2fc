//! `lab health`: a health check for images that have no shell.

use clap::Args;

use super::{CliError, runtime};
use crate::control::Control;
use crate::runtime::LaunchError;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What must answer with success.
    url: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let control = Control::new().map_err(LaunchError::from)?;
    match runtime()?.block_on(control.is_ready(&arguments.url)) {
        true => Ok(()),
        false => Err(CliError::Unhealthy {
            url: arguments.url.clone(),
        }),
    }
}
