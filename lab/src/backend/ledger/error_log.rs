//! The list of errors of a service.
//!
//! Owns its order, its bound, and which errors a store does not have yet. Must not know where errors
//! come from or where they are stored.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::calendar::UnixMillis;
use super::error::CallError;
use super::journal::Scribe;

/// Errors kept for a service; the oldest go first.
pub const CAPACITY: usize = 1000;

/// One stored error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredError {
    /// Code.
    pub code: Cow<'static, str>,
    /// Text.
    pub message: String,
    /// When it was found.
    pub at: UnixMillis,
}

/// Errors of recent calls, newest first.
#[derive(Debug, Default)]
pub struct ErrorLog {
    errors: VecDeque<StoredError>,
    unsaved: Unsaved,
    scribe: Scribe,
}

/// What a store does not know of a list of errors.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Unsaved {
    /// Whether the list was emptied.
    pub emptied: bool,
    /// How many of the newest errors came after that, or after what the store has.
    pub newest: usize,
}

impl ErrorLog {
    /// An empty list whose changes are noted.
    pub fn new(scribe: Scribe) -> Self {
        Self {
            scribe,
            ..Self::default()
        }
    }

    /// Adds an error.
    pub fn store(&mut self, error: &CallError, at: UnixMillis) {
        self.put(StoredError {
            code: error.code().into(),
            message: error.to_string(),
            at,
        });
        if self.scribe.is_read() {
            self.unsaved.newest = (self.unsaved.newest + 1).min(CAPACITY);
            self.scribe.note_errors();
        }
    }

    /// Adds an error that the store has already.
    pub fn put(&mut self, error: StoredError) {
        self.errors.truncate(CAPACITY - 1);
        self.errors.push_front(error);
    }

    /// What the store does not know yet, and the errors of that, oldest first. They count as known
    /// from here on.
    pub fn take_unsaved(&mut self) -> (Unsaved, Vec<StoredError>) {
        let unsaved = std::mem::take(&mut self.unsaved);
        let newest = self.errors.iter().take(unsaved.newest).rev();
        (unsaved, newest.cloned().collect())
    }

    /// Takes back that the store knows what [`Self::take_unsaved`] gave.
    pub fn not_saved(&mut self, unsaved: Unsaved) {
        if !self.unsaved.emptied {
            self.unsaved.newest += unsaved.newest;
            self.unsaved.newest = self.unsaved.newest.min(self.errors.len());
            self.unsaved.emptied = unsaved.emptied;
        }
        self.scribe.note_errors();
    }

    /// A page of errors, newest first; pages count from 1. As in the reference, pages before the
    /// first count from the end: page 0 holds the oldest errors.
    pub fn page(&self, page: i64, per_page: i64) -> Vec<StoredError> {
        let count = self.errors.len() as i64;
        let from_end = |at: i64| if at < 0 { at.saturating_add(count) } else { at };
        let first = page.saturating_sub(1).saturating_mul(per_page);
        let last = from_end(first.saturating_add(per_page).saturating_sub(1));
        let first = from_end(first).max(0);
        let length = last.saturating_sub(first).saturating_add(1).max(0);
        self.errors
            .iter()
            .skip(usize::try_from(first).unwrap_or(usize::MAX))
            .take(usize::try_from(length).unwrap_or(usize::MAX))
            .cloned()
            .collect()
    }

    /// Number of errors kept.
    pub fn count(&self) -> usize {
        self.errors.len()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.errors.clear();
        self.unsaved = Unsaved {
            emptied: true,
            newest: 0,
        };
        self.scribe.note_errors();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_errors_come_first_and_the_oldest_go() {
        let mut log = ErrorLog::default();
        for number in 0..CAPACITY + 5 {
            let at = UnixMillis::from_millis(number as i64);
            log.store(&CallError::Metric(number.to_string()), at);
        }
        assert_eq!(log.count(), CAPACITY);
        assert_eq!(log.page(1, 1)[0].message, "metric \"1004\" is invalid");
        assert_eq!(log.page(2, 600)[0].message, "metric \"404\" is invalid");
        assert_eq!(log.page(2, 600).len(), 400);
        assert_eq!(log.page(i64::MAX, i64::MAX), []);
        assert_eq!(log.page(0, 2)[0].message, "metric \"6\" is invalid");
        assert_eq!(log.page(0, 2).len(), 2);
        assert_eq!(log.page(-499, 2)[0].message, "metric \"1004\" is invalid");
        assert_eq!(log.page(-2000, 2), []);
    }
}
