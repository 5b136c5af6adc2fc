//! Deferred counting: accepted usage waits here until it is due, or until someone settles.
//!
//! Owns the order and the bound of the queue. Must not know what counting does: it is handed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::ledger::reporting::Job;

/// Jobs that may wait. A call that would be one more counts the oldest itself first, so that a
/// worker that falls behind slows callers down instead of filling the memory.
const CAPACITY: usize = 200_000;

/// Jobs counted in one go before the worker lets calls have the processor again.
const BATCH: usize = 256;

/// Accepted usage that is not counted yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Held while jobs are taken and counted, so that settling waits for the worker's batch.
    counting: Mutex<()>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting {
    due: Instant,
    job: Job,
}

impl Queue {
    /// Adds a job that is counted after `lag`.
    pub(super) fn push(&self, job: Job, lag: Duration, count: impl FnMut(Job)) {
        if self.add(job, lag) > CAPACITY {
            self.count_due(BATCH, None, count);
        }
    }

    /// Adds a job that someone takes after `lag`, and gives back how many wait now.
    pub(super) fn add(&self, job: Job, lag: Duration) -> usize {
        let due = Instant::now() + lag;
        let mut waiting = self.waiting.lock();
        waiting.push_back(Waiting { due, job });
        let length = waiting.len();
        drop(waiting);
        if length == 1 {
            self.arrived.notify_one();
        }
        length
    }

    /// Takes the oldest job, only if it is due at `now` if given.
    pub(super) fn take(&self, now: Option<Instant>) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        let first = waiting.front()?;
        let is_due = now.is_none_or(|now| first.due <= now);
        is_due.then(|| waiting.pop_front().map(|first| first.job))?
    }

    /// Whether as many jobs wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= CAPACITY
    }

    /// Number of jobs that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Counts everything that was accepted before this call.
    pub(super) fn settle(&self, count: impl FnMut(Job)) {
        self.count_due(usize::MAX, None, count);
    }

    /// Drops everything that waits.
    pub(super) fn clear(&self) {
        let _counting = self.counting.lock();
        self.waiting.lock().clear();
    }

    /// Counts jobs when they are due, for ever.
    pub(super) async fn work(&self, mut count: impl FnMut(Job)) {
        loop {
            self.due().await;
            self.count_due(BATCH, Some(Instant::now()), &mut count);
            tokio::task::yield_now().await;
        }
    }

    /// Resolves when a job is due.
    pub(super) async fn due(&self) {
        loop {
            let Some(due) = self.next_due() else {
                self.arrived.notified().await;
                continue;
            };
            let now = Instant::now();
            if due <= now {
                return;
            }
            tokio::time::sleep(due - now).await;
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.waiting.lock().front().map(|first| first.due)
    }

    /// Counts up to `most` jobs, only those due at `now` if given.
    fn count_due(&self, most: usize, now: Option<Instant>, count: impl FnMut(Job)) {
        let _counting = self.counting.lock();
        let jobs: Vec<Job> = {
            let mut waiting = self.waiting.lock();
            let due = waiting
                .iter()
                .take(most)
                .take_while(|job| now.is_none_or(|now| job.due <= now))
                .count();
            waiting.drain(..due).map(|waiting| waiting.job).collect()
        };
        jobs.into_iter().for_each(count);
    }
}
