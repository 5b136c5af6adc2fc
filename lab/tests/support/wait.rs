//! Waiting for something that can be observed.

use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long an event may take that should take milliseconds. Machines that run tests are busy.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// How often an event is looked for.
const POLL: Duration = Duration::from_millis(20);

/// Looks until `observe` says `Ok`, and returns what it found. What is seen meanwhile goes into the
/// message of the failure.
#[track_caller]
pub(crate) fn wait_until<T, S: Debug>(
    what: impl Into<String>,
    mut observe: impl AsyncFnMut() -> Result<T, S>,
) -> impl Future<Output = T> {
    let what = what.into();
    let caller = Location::caller();
    async move {
        let deadline = Instant::now() + SOON;
        loop {
            match observe().await {
                Ok(found) => return found,
                Err(seen) if Instant::now() >= deadline => {
                    panic!("{caller}: waited {SOON:?} for {what}; last seen: {seen:?}")
                }
                Err(_) => sleep(POLL).await,
            }
        }
    }
}
