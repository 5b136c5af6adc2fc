//! The list of errors of a service.
//!
//! Owns its order and its bound. Must not know where errors come from.

use std::collections::VecDeque;

use super::calendar::UnixMillis;
use super::error::CallError;

/// Errors kept for a service; the oldest go first.
const CAPACITY: usize = 1000;

/// One stored error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredError {
    /// Code.
    pub code: &'static str,
    /// Text.
    pub message: String,
    /// When it was found.
    pub at: UnixMillis,
}

/// Errors of recent calls, newest first.
#[derive(Debug, Default)]
pub struct ErrorLog(VecDeque<StoredError>);

impl ErrorLog {
    /// Adds an error.
    pub fn store(&mut self, error: &CallError, at: UnixMillis) {
        self.0.truncate(CAPACITY - 1);
        self.0.push_front(StoredError {
            code: error.code(),
            message: error.to_string(),
            at,
        });
    }

    /// A page of errors, newest first; pages count from 1. As in the reference, pages before the
    /// first count from the end: page 0 holds the oldest errors.
    pub fn page(&self, page: i64, per_page: i64) -> Vec<StoredError> {
        let count = self.0.len() as i64;
        let from_end = |at: i64| if at < 0 { at.saturating_add(count) } else { at };
        let first = page.saturating_sub(1).saturating_mul(per_page);
        let last = from_end(first.saturating_add(per_page).saturating_sub(1));
        let first = from_end(first).max(0);
        let length = last.saturating_sub(first).saturating_add(1).max(0);
        self.0
            .iter()
            .skip(usize::try_from(first).unwrap_or(usize::MAX))
            .take(usize::try_from(length).unwrap_or(usize::MAX))
            .cloned()
            .collect()
    }

    /// Number of errors kept.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
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
