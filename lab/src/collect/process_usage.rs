//! CPU time and memory of a process, from `/proc`.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProcessUsage {
    /// CPU time of all its threads.
    pub cpu_ns: u64,
    /// Memory it holds now.
    pub rss_bytes: u64,
}

/// Usage of process `pid`.
pub fn of_process(pid: u32) -> io::Result<ProcessUsage> {
    let process = Path::new("/proc").join(pid.to_string());
    let status = fs::read_to_string(process.join("status"))?;
    Ok(ProcessUsage {
        cpu_ns: cpu_ns(&process)?,
        rss_bytes: resident_bytes(&status).unwrap_or_default(),
    })
}

/// Nanoseconds where the kernel keeps them, else its 10 ms ticks.
fn cpu_ns(process: &Path) -> io::Result<u64> {
    match thread_run_times(process)? {
        Some(total) => Ok(total),
        None => {
            let stat = fs::read_to_string(process.join("stat"))?;
            let ticks = cpu_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
            Ok(ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second()))
        }
    }
}

/// Threads that have ended are not in the sum; the lab's servers and Envoy keep theirs.
fn thread_run_times(process: &Path) -> io::Result<Option<u64>> {
    let mut total = None;
    for thread in process.join("task").read_dir()? {
        // A thread may end between the listing and the reading; a kernel without scheduling
        // statistics has no such file.
        if let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) {
            *total.get_or_insert(0) += run_time(&text).unwrap_or_default();
        }
    }
    Ok(total)
}

/// The first field of `schedstat`: nanoseconds on a CPU.
fn run_time(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// User and system time of `stat`: fields 14 and 15, counted behind the command, which may contain
/// anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

/// `VmRSS:     1234 kB` of `status`.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_shows_in_its_usage() {
        let pid = std::process::id();
        let before = of_process(pid).expect("this process runs");
        assert!(before.rss_bytes > 100_000);
        let mut product = 1_u64;
        let used = loop {
            for factor in 1..100_000_u64 {
                product = product.wrapping_mul(std::hint::black_box(factor));
            }
            let now = of_process(pid).expect("this process runs");
            if now.cpu_ns > before.cpu_ns + 1_000_000 {
                break now.cpu_ns - before.cpu_ns;
            }
        };
        std::hint::black_box(product);
        assert!(used < 60_000_000_000, "{used}");
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_usage() {
        assert!(of_process(u32::MAX).is_err());
    }

    #[test]
    fn figures_are_read_from_their_line_and_column() {
        assert_eq!(run_time("123456 789 10\n"), Some(123_456));
        let stat = "7 (a (b) c) S 1 7 7 0 -1 0 0 0 0 0 250 30 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(280));
        assert_eq!(
            resident_bytes("VmHWM:\t 9 kB\nVmRSS:\t  2 kB\n"),
            Some(2048)
        );
    }
}
