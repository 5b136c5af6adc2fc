//! CPU time and memory of a process.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

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
        cpu_ns: u64::try_from(cpu_time(pid)?.as_nanos()).unwrap_or(u64::MAX),
        rss_bytes: resident_bytes(&status).unwrap_or_default(),
    })
}

/// CPU time of all threads of process `pid`, those that have ended included.
///
/// The kernel keeps nanoseconds for its own scheduling and shows them through the clock of a process.
/// `/proc/PID/stat` counts in ticks of 10 ms, and `schedstat` is missing on many kernels. The clock is
/// exact while the process sleeps; what it does on another processor shows at the next tick.
#[cfg(target_os = "linux")]
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::NotFound)?;
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(pid))?;
    Ok(nix::time::clock_gettime(clock)?.into())
}

/// Other systems have no such clock for other processes.
#[cfg(not(target_os = "linux"))]
pub fn cpu_time(_pid: u32) -> io::Result<Duration> {
    Err(io::ErrorKind::Unsupported.into())
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
    fn another_process_is_timed_to_less_than_a_tick() {
        let busy = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; read line";
        let mut child = std::process::Command::new("sh")
            .args(["-c", busy])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        // Until it has nothing left to do but to read.
        let used = loop {
            let before = cpu_time(child.id()).expect("it runs");
            std::thread::yield_now();
            let status = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it runs");
            if status.contains(") S ") && before > Duration::ZERO {
                break cpu_time(child.id()).expect("it runs");
            }
            assert!(std::time::Instant::now() < deadline, "{before:?}");
        };
        drop(child.stdin.take());
        child.wait().expect("it ends");
        assert!(!used.subsec_nanos().is_multiple_of(10_000_000), "{used:?}");
        assert!(used < Duration::from_secs(10), "{used:?}");
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_usage() {
        assert!(of_process(u32::MAX).is_err());
    }

    #[test]
    fn memory_is_read_from_its_line() {
        assert_eq!(
            resident_bytes("VmHWM:\t 9 kB\nVmRSS:\t  2 kB\n"),
            Some(2048)
        );
    }
}
