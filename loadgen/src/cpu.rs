//! CPU time of single threads, so that the generator's own cost can be told from its neighbours'.
//!
//! Owns [`ThreadClocks`]. The thread of the precise timer is left out: it watches the clock before each
//! send, which costs time but not the sender's. Must not know what the threads do.

use std::time::Duration;

/// The threads whose time is counted.
#[derive(Debug, Default)]
pub struct ThreadClocks {
    threads: Vec<i32>,
}

impl ThreadClocks {
    /// Counts the calling thread from now on.
    pub fn add_current_thread(&mut self) {
        #[cfg(target_os = "linux")]
        self.threads
            .push(rustix::thread::gettid().as_raw_nonzero().get());
    }

    /// Their CPU time so far; `None` where the system does not tell. A thread that has ended counts
    /// as nothing, so this is asked for while they run.
    pub fn cpu(&self) -> Option<Duration> {
        let times: Vec<Duration> = self
            .threads
            .iter()
            .filter_map(|tid| thread_cpu(*tid))
            .collect();
        if times.is_empty() {
            None
        } else {
            Some(times.iter().sum())
        }
    }
}

/// The kernel's clock of one thread, in nanoseconds. `/proc` counts in ticks of 10 ms, too coarse for
/// one second of a light load, and `schedstat` is missing on many kernels.
#[cfg(target_os = "linux")]
fn thread_cpu(tid: i32) -> Option<Duration> {
    /// As `pthread_getcpuclockid` puts a thread's clock together: the complement of its id, and the
    /// bits for the scheduler's clock of a thread (include/linux/posix-timers.h).
    const OF_A_THREAD: i32 = 0b110;
    let clock = nix::time::ClockId::from_raw((!tid << 3) | OF_A_THREAD);
    Some(nix::time::clock_gettime(clock).ok()?.into())
}

/// Other systems have no such clock.
#[cfg(not(target_os = "linux"))]
fn thread_cpu(_tid: i32) -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_of_the_counted_threads_counts() {
        let mut clocks = ThreadClocks::default();
        clocks.add_current_thread();
        let before = clocks.cpu().expect("the kernel tells");
        std::thread::scope(|scope| {
            scope.spawn(|| work(Duration::from_millis(20)));
        });
        let meanwhile = clocks.cpu().expect("the kernel tells") - before;
        assert!(meanwhile < Duration::from_millis(20), "{meanwhile:?}");
        work(Duration::from_millis(20));
        let used = clocks.cpu().expect("the kernel tells") - before;
        assert!(used >= Duration::from_millis(20), "{used:?}");
    }

    /// Uses the processor until the calling thread has used it for so long.
    fn work(time: Duration) {
        let mut own = ThreadClocks::default();
        own.add_current_thread();
        let from = own.cpu().expect("the kernel tells");
        while own.cpu().expect("the kernel tells") - from < time {
            std::hint::spin_loop();
        }
    }
}
