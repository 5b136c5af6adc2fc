//! The backend's clock: the time of day, unless a test froze it.
//!
//! Owns the only reading of time that reaches the ledger. Must not know what it is used for.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::ledger::calendar::UnixMillis;

const RUNNING: i64 = -1;

/// A clock that can be frozen.
#[derive(Debug)]
pub(super) struct Clock {
    frozen_at_ms: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            frozen_at_ms: AtomicI64::new(RUNNING),
        }
    }
}

impl Clock {
    /// The time.
    pub(super) fn now(&self) -> UnixMillis {
        match self.frozen_at_ms.load(Ordering::Acquire) {
            RUNNING => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let millis = since.map_or(0, |since| since.as_millis());
                UnixMillis::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
            }
            millis => UnixMillis::from_millis(millis),
        }
    }

    /// Stops the clock at a moment.
    pub(super) fn freeze(&self, at: UnixMillis) {
        self.frozen_at_ms.store(at.millis(), Ordering::Release);
    }

    /// Lets the clock run again.
    pub(super) fn release(&self) {
        self.frozen_at_ms.store(RUNNING, Ordering::Release);
    }
}
