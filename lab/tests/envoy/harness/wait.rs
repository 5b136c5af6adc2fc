//! Watching what must not happen.

use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub(crate) use self::events::{SOON, wait_until};

#[path = "../../support/wait.rs"]
mod events;

/// How often something is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Looks at something for `span` and fails as soon as it is not as it should be: for what must
/// *not* happen, which no event shows.
#[track_caller]
pub(crate) fn holds_for<S: Debug>(
    span: Duration,
    what: impl Into<String>,
    mut observe: impl AsyncFnMut() -> Result<(), S>,
) -> impl Future<Output = ()> {
    let what = what.into();
    let caller = Location::caller();
    async move {
        let end = Instant::now() + span;
        while Instant::now() < end {
            if let Err(seen) = observe().await {
                panic!("{caller}: {what} did not hold for {span:?}: {seen:?}");
            }
            sleep(POLL).await;
        }
    }
}
