//! Who may be connected at once.
//!
//! Owns the bound on connections and whom it costs its place. Must not know sockets.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::pace::Pace;

/// The connections of one server.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    paces: HashMap<u64, Arc<Pace>>,
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    pub(super) pace: Arc<Pace>,
}

impl Seats {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let taken = Mutex::default();
        Arc::new(Self { most, taken })
    }

    /// Takes a place. When there is none an idle connection has to leave: the one idle for longest,
    /// and before all others one that never had a request answered. `None` when all are busy.
    pub(super) fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.taken.lock();
        if taken.paces.len() >= self.most {
            let idle = taken.paces.iter().filter(|(_, pace)| !pace.is_busy());
            let (number, pace) = idle.min_by_key(|(number, pace)| (pace.merit(), **number))?;
            let number = *number;
            pace.leave.notify_one();
            taken.paces.remove(&number);
        }
        let number = taken.next;
        taken.next += 1;
        let pace = Pace::new();
        taken.paces.insert(number, pace.clone());
        drop(taken);
        Some(Seat {
            seats: self.clone(),
            number,
            pace,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.lock().paces.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_place_of_a_silent_client_is_given_away_before_that_of_one_that_was_answered() {
        let seats = Seats::new(2);
        let answered = seats.take().expect("both are free");
        drop(answered.pace.request());
        let silent = seats.take().expect("one is free");
        let third = seats.take().expect("the silent one leaves");
        silent.pace.leave.notified().await;
        let _busy = (answered.pace.request(), third.pace.request());
        assert!(seats.take().is_none(), "all are busy");
        drop(third);
        assert!(seats.take().is_some());
    }
}
