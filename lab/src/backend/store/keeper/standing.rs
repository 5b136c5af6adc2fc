//! Whether a store answers, and whether the directory in memory is what the store holds.
//!
//! Owns that state and why it is so. Must not know what is read or written.

use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use crate::backend::store::StoreError;

/// It answers.
const THERE: u8 = 0;
/// It does not answer. The directory is as it was when it last did.
const AWAY: u8 = 1;
/// It does not answer, and may not have taken the last change to the directory.
const UNSURE: u8 = 2;

/// How things stand with a store.
#[derive(Debug)]
pub(super) struct Standing {
    state: AtomicU8,
    reason: Mutex<Option<StoreError>>,
}

/// Leaves a standing unsure unless what was begun is completed, however it ends: a call's future is
/// dropped when its client goes away.
pub(super) struct Doubt<'a>(Option<&'a Standing>);

impl Doubt<'_> {
    pub(super) fn dispel(mut self) {
        self.0 = None;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(standing) = self.0 {
            standing.state.store(UNSURE, Ordering::Release);
        }
    }
}

impl Standing {
    /// Before the store was asked for the first time.
    pub(super) fn unsure() -> Self {
        Self {
            state: AtomicU8::new(UNSURE),
            reason: Mutex::new(None),
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.state() == THERE
    }

    /// An error unless the store answered when it was last asked.
    pub(super) fn must_be_there(&self) -> Result<(), StoreError> {
        match self.is_there() {
            true => Ok(()),
            false => Err(self.reason()),
        }
    }

    /// An error if the store may have missed a change to the directory.
    pub(super) fn must_be_sure(&self) -> Result<(), StoreError> {
        match self.state() {
            UNSURE => Err(self.reason()),
            _ => Ok(()),
        }
    }

    /// Something begins that leaves the store unsure if it is not completed.
    pub(super) fn doubt(&self) -> Doubt<'_> {
        Doubt(Some(self))
    }

    /// The store did not answer; gives the reason back.
    pub(super) fn went_away(&self, error: StoreError) -> StoreError {
        // It may be worse already.
        let was_there =
            self.state
                .compare_exchange(THERE, AWAY, Ordering::AcqRel, Ordering::Acquire);
        if was_there.is_ok() {
            eprintln!("{error}");
        }
        *self.reason.lock() = Some(error.clone());
        error
    }

    /// The store answers, and the directory is what it holds.
    pub(super) fn is_back(&self) {
        self.state.store(THERE, Ordering::Release);
        if self.reason.lock().take().is_some() {
            eprintln!("the store of this backend answers again");
        }
    }

    fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }

    /// Why the store is not asked.
    fn reason(&self) -> StoreError {
        let unknown = || StoreError::Away("a change to it was not completed".to_owned());
        self.reason.lock().clone().unwrap_or_else(unknown)
    }
}
