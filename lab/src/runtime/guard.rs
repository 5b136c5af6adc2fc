//! The `guard` subcommand: becomes another program that ends when the lab does.
//!
//! The kernel sends the parent-death signal when the *thread* that started the process ends, so the
//! lab starts everything from one thread that lives as long as the lab's process.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use thiserror::Error;

use crate::processors;

/// Why the guarded program did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Nothing was named.
    #[error("no program was given")]
    NoProgram,
    /// The kernel refused.
    #[error("cannot set the parent-death signal")]
    Signal(#[source] io::Error),
    /// The kernel refused.
    #[error("cannot confine a program to some processors")]
    Processors(#[source] io::Error),
    /// The lab ended before its death could be noticed.
    #[error("process {parent}, which asked for `{program}`, has ended")]
    Orphaned {
        /// The lab's process.
        parent: u32,
        /// The program.
        program: String,
    },
    /// The program cannot be run.
    #[error("cannot run `{program}`")]
    Exec {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
}

/// Replaces this process by `command`, to be killed when process `parent` ends, on as many
/// `processors` as it may use. Returns only when that failed.
pub fn run(
    parent: u32,
    processors: Option<u32>,
    command: &[OsString],
) -> Result<Infallible, GuardError> {
    let (program, arguments) = command.split_first().ok_or(GuardError::NoProgram)?;
    let name = || program.to_string_lossy().into_owned();
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| GuardError::Signal(error.into()))?;
    // The signal is sent for deaths from now on; one before shows in the parent's id.
    let present = getppid().map(|pid| pid.as_raw_nonzero().get());
    if present.and_then(|pid| u32::try_from(pid).ok()) != Some(parent) {
        return Err(GuardError::Orphaned {
            parent,
            program: name(),
        });
    }
    if let Some(count) = processors {
        processors::confine(count).map_err(GuardError::Processors)?;
    }
    let source = Command::new(program).args(arguments).exec();
    Err(GuardError::Exec {
        program: name(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_starts_for_a_parent_that_has_ended() {
        // No process is its own grandparent: this one's parent is not this one.
        let error = run(std::process::id(), None, &["true".into()]).expect_err("not the parent");
        assert!(matches!(error, GuardError::Orphaned { .. }), "{error}");
        // The signal set above would end the test run with its own parent: take it back.
        set_parent_process_death_signal(None).expect("it can be unset");
    }

    #[test]
    fn a_program_is_needed() {
        assert!(matches!(run(1, None, &[]), Err(GuardError::NoProgram)));
    }
}
