//! Ctrl-C and a request to terminate: end well at the first, end at once at the second.
//!
//! Owns the process's handler. Goose installs one too, which exits the process from within; the first
//! handler stays, so this one has to be installed before any load. Must not know what is interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use thiserror::Error;

use crate::stop::StopSignal;

/// Why no handler could be installed.
#[derive(Debug, Error)]
#[error("no handler for Ctrl-C can be installed")]
pub struct InterruptError(#[from] ctrlc::Error);

/// What the handler raises.
#[derive(Clone, Debug, Default)]
pub struct Interrupts {
    /// Raised at the first interrupt: end the load and keep what there is.
    pub end: StopSignal,
    /// Raised at the second: drop everything.
    pub abort: StopSignal,
}

/// Installs the handler; once per process.
pub fn install() -> Result<Interrupts, InterruptError> {
    let interrupts = Interrupts::default();
    let raised = interrupts.clone();
    let count = Arc::new(AtomicU32::new(0));
    ctrlc::set_handler(move || match count.fetch_add(1, Ordering::SeqCst) {
        0 => {
            eprintln!("\nending; once more to drop everything");
            raised.end.raise();
        }
        _ => raised.abort.raise(),
    })?;
    Ok(interrupts)
}
