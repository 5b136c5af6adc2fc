//! CPU time of single threads, so that the generator's own cost can be told from its neighbours'.
//!
//! Owns [`ThreadClocks`]. The thread of the precise timer is left out: it watches the clock before each
//! send, which costs time but not the sender's. Must not know what the threads do.

use std::fs;
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

/// The first field of `schedstat`: nanoseconds on a processor. Finer than `stat`, whose ticks of
/// 10 ms are too coarse for one second of a light load.
fn thread_cpu(tid: i32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/self/task/{tid}/schedstat")).ok()?;
    let nanos = text.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
