//! Waiting until a moment, to a fraction of a tenth of a millisecond.
//!
//! Owns one thread that wakes sleeping tasks. The runtime's own timer ticks in whole milliseconds,
//! which is too coarse for backend delays that are compared and for requests that are paced. Must
//! not know who waits, or what for.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// How long before a deadline the thread stops sleeping and watches the clock instead: as long as
/// the kernel takes to wake a thread on a busy machine, short enough to cost little.
const WATCH: Duration = Duration::from_micros(60);

/// A timer shared by any number of tasks. Its thread ends when the last handle is gone.
#[derive(Clone, Debug)]
pub struct PreciseTimer {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    next_id: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    /// By deadline, then by arrival.
    sleepers: BTreeMap<(Instant, u64), Waker>,
    closed: bool,
}

impl PreciseTimer {
    /// Starts the timer's thread.
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        thread::spawn(move || of_thread.run());
        let handle = Arc::new(Handle { shared });
        Self { handle }
    }

    /// Waits until `deadline`; at once if it has passed.
    pub async fn sleep_until(&self, deadline: Instant) {
        let shared = &self.handle.shared;
        let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
        Sleep {
            shared,
            key: (deadline, id),
            registered: false,
        }
        .await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn run(&self) {
        // The kernel may otherwise wake a sleeping thread up to 50 µs late, to save power. Where it
        // refuses, the timer is that much less precise and still correct.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let mut queue = self.queue.lock();
        while !queue.closed {
            match queue.sleepers.keys().next().copied() {
                None => self.changed.wait(&mut queue),
                Some(first) => self.serve(&mut queue, first),
            }
        }
    }

    /// Brings the first sleeper one step closer to its deadline, or wakes it.
    fn serve(&self, queue: &mut MutexGuard<'_, Queue>, first: (Instant, u64)) {
        let (deadline, _) = first;
        let now = Instant::now();
        if deadline <= now {
            if let Some(waker) = queue.sleepers.remove(&first) {
                MutexGuard::unlocked(queue, || waker.wake());
            }
        } else if deadline - now > WATCH {
            self.changed.wait_until(queue, deadline - WATCH);
        } else {
            MutexGuard::unlocked(queue, thread::yield_now);
        }
    }
}

/// A task that waits. Dropping it takes it out of the queue.
struct Sleep<'a> {
    shared: &'a Shared,
    key: (Instant, u64),
    registered: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (deadline, _) = self.key;
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        let mut queue = self.shared.queue.lock();
        queue.sleepers.insert(self.key, context.waker().clone());
        let is_first = queue.sleepers.keys().next() == Some(&self.key);
        drop(queue);
        if is_first {
            self.shared.changed.notify_one();
        }
        self.registered = true;
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if self.registered {
            self.shared.queue.lock().sleepers.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines_and_never_early() {
        let timer = PreciseTimer::start();
        let start = Instant::now();
        let (sent, mut woken) = tokio::sync::mpsc::unbounded_channel();
        for delay_ms in [30_u64, 10, 20, 0] {
            let (timer, sent) = (timer.clone(), sent.clone());
            tokio::spawn(async move {
                let deadline = start + Duration::from_millis(delay_ms);
                timer.sleep_until(deadline).await;
                let _ = sent.send((delay_ms, Instant::now() >= deadline));
            });
        }
        drop(sent);
        let mut order = Vec::new();
        while let Some((delay_ms, in_time)) = woken.recv().await {
            assert!(in_time, "the sleeper of {delay_ms} ms woke early");
            order.push(delay_ms);
        }
        assert_eq!(order, [0, 10, 20, 30]);
    }

    #[tokio::test]
    async fn a_dropped_sleeper_leaves_the_queue() {
        let timer = PreciseTimer::start();
        let far = Instant::now() + Duration::from_secs(3600);
        let short = timer.sleep_until(Instant::now() + Duration::from_millis(5));
        tokio::select! {
            () = timer.sleep_until(far) => panic!("an hour did not pass"),
            () = short => {}
        }
        assert!(timer.handle.shared.queue.lock().sleepers.is_empty());
    }

    #[tokio::test]
    async fn a_passed_deadline_does_not_wait() {
        let timer = PreciseTimer::start();
        timer.sleep_until(Instant::now()).await;
        assert!(timer.handle.shared.queue.lock().sleepers.is_empty());
    }

    #[tokio::test]
    async fn the_thread_ends_with_the_last_handle() {
        let timer = PreciseTimer::start();
        let shared = Arc::downgrade(&timer.handle.shared);
        drop(timer.clone());
        assert!(shared.upgrade().is_some());
        drop(timer);
        let deadline = Instant::now() + Duration::from_secs(10);
        while shared.strong_count() > 0 {
            assert!(Instant::now() < deadline, "the timer's thread did not end");
            tokio::task::yield_now().await;
        }
    }
}
