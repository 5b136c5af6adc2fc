//! Deferred counting: accepted usage waits here until it is due, or until someone settles.
//!
//! Owns the order and the bound of the queue. Must not know what counting does: it is handed in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::ledger::reporting::Job;

/// Jobs that may wait. A call that would be one more counts those due first itself, so that a
/// worker that falls behind slows callers down instead of filling the memory.
const CAPACITY: usize = 200_000;

/// Jobs counted in one go before the worker lets calls have the processor again.
const BATCH: usize = 256;

/// Accepted usage that is not counted yet.
#[derive(Debug)]
pub(super) struct Queue<T = Job> {
    waiting: Mutex<Waiting<T>>,
    /// Held while jobs are taken and counted, so that settling waits for the worker's batch.
    counting: Mutex<()>,
    /// A job arrived that is due before all others.
    sooner: Notify,
}

#[derive(Debug)]
struct Waiting<T> {
    /// By the moment they are due, then by arrival.
    jobs: BTreeMap<(Instant, u64), T>,
    arrivals: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                jobs: BTreeMap::new(),
                arrivals: 0,
            }),
            counting: Mutex::new(()),
            sooner: Notify::new(),
        }
    }
}

impl<T> Queue<T> {
    /// Adds a job that is counted after `lag`.
    pub(super) fn push(&self, job: T, lag: Duration, count: impl FnMut(T)) {
        if self.add(job, lag) > CAPACITY {
            self.count_due(BATCH, None, count);
        }
    }

    /// Takes the job that is due first, only if it is due at `now` if given.
    pub(super) fn take(&self, now: Option<Instant>) -> Option<T> {
        self.waiting.lock().take(1, now).pop()
    }

    /// Whether as many jobs wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= CAPACITY
    }

    /// Adds a job that someone takes after `lag`, and gives back how many wait now.
    pub(super) fn add(&self, job: T, lag: Duration) -> usize {
        let due = Instant::now() + lag;
        let mut waiting = self.waiting.lock();
        let key = (due, waiting.arrivals);
        waiting.arrivals += 1;
        waiting.jobs.insert(key, job);
        let is_first = waiting.first() == Some(key);
        let length = waiting.jobs.len();
        drop(waiting);
        if is_first {
            self.sooner.notify_one();
        }
        length
    }

    /// Number of jobs that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().jobs.len()
    }

    /// Counts everything that was accepted before this call, in the order it would have been.
    pub(super) fn settle(&self, count: impl FnMut(T)) {
        self.count_due(usize::MAX, None, count);
    }

    /// Drops everything that waits.
    pub(super) fn clear(&self) {
        let _counting = self.counting.lock();
        self.waiting.lock().jobs.clear();
    }

    /// Counts jobs when they are due, for ever.
    pub(super) async fn work(&self, mut count: impl FnMut(T)) {
        loop {
            self.due().await;
            self.count_due(BATCH, Some(Instant::now()), &mut count);
            tokio::task::yield_now().await;
        }
    }

    /// Resolves when a job is due.
    pub(super) async fn due(&self) {
        loop {
            let Some((due, _)) = self.waiting.lock().first() else {
                self.sooner.notified().await;
                continue;
            };
            let now = Instant::now();
            if due <= now {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(due - now) => {}
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Counts up to `most` jobs, only those due at `now` if given.
    fn count_due(&self, most: usize, now: Option<Instant>, count: impl FnMut(T)) {
        let _counting = self.counting.lock();
        let jobs = self.waiting.lock().take(most, now);
        jobs.into_iter().for_each(count);
    }
}

impl<T> Waiting<T> {
    fn first(&self) -> Option<(Instant, u64)> {
        self.jobs.keys().next().copied()
    }

    fn take(&mut self, most: usize, now: Option<Instant>) -> Vec<T> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(first) = self.jobs.first_entry()
            && now.is_none_or(|now| first.key().0 <= now)
        {
            taken.push(first.remove());
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(_: u32) {
        panic!("nothing is due");
    }

    #[test]
    fn jobs_are_counted_in_the_order_they_are_due_and_equal_ones_as_they_came() {
        let queue = Queue::default();
        for (job, lag_s) in [(1, 60), (2, 20), (3, 40), (4, 600)] {
            queue.push(job, Duration::from_secs(lag_s), never);
        }
        let mut counted = Vec::new();
        let in_a_minute = Instant::now() + Duration::from_secs(61);
        queue.count_due(usize::MAX, Some(in_a_minute), |job| counted.push(job));
        assert_eq!(counted, [2, 3, 1]);
        assert_eq!(queue.len(), 1);
        queue.settle(|job| counted.push(job));
        assert_eq!(counted, [2, 3, 1, 4]);
        let due = Instant::now();
        let mut waiting = queue.waiting.lock();
        waiting.jobs = [((due, 1), 6), ((due, 0), 5)].into();
        assert_eq!(waiting.take(usize::MAX, None), [5, 6]);
    }

    #[test]
    fn a_full_queue_counts_the_jobs_due_first_at_once() {
        let queue = Queue::default();
        let mut counted = Vec::new();
        for job in 0..=CAPACITY {
            queue.push(job, Duration::from_secs(600), |job| counted.push(job));
        }
        assert_eq!(counted, (0..BATCH).collect::<Vec<_>>());
        queue.clear();
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test]
    async fn a_job_with_a_short_lag_does_not_wait_for_one_with_a_long_lag() {
        let queue = Queue::default();
        let (sent, mut counted) = tokio::sync::mpsc::unbounded_channel();
        queue.push("slow", Duration::from_secs(600), |_| {});
        tokio::select! {
            () = queue.work(|job| sent.send(job).expect("it is received")) => {}
            () = async {
                // The worker runs first and sleeps until the slow job is due.
                tokio::task::yield_now().await;
                queue.push("quick", Duration::from_millis(1), |_| {});
                assert_eq!(counted.recv().await, Some("quick"));
            } => {}
        }
    }
}
