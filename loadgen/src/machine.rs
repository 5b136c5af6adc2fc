//! The machine a run is measured on: what it is, and how busy it is.
//!
//! Owns reading `/proc`. Must not know what is done with the figures. Where a system does not tell
//! something, the answer is `unknown`, 0 or `None`.

use std::fs;
use std::time::Duration;

use results::record::Machine;

use crate::fnv::Fnv;

/// The machine, described.
pub fn describe() -> Machine {
    let os = os_name().unwrap_or_else(|| std::env::consts::OS.to_owned());
    let kernel = first_line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown);
    let cpu_model = cpu_model().unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cpus = cpus();
    let memory_bytes = memory_bytes().unwrap_or(0);
    let fingerprint = [os.as_str(), kernel.as_str(), cpu_model.as_str()]
        .into_iter()
        .fold(Fnv::default(), |digest, line| digest.text(line).text("\n"))
        .word(u64::from(cpus))
        .word(memory_bytes)
        .digest();
    Machine {
        os,
        kernel,
        cpu_model,
        cpus,
        memory_bytes,
        fingerprint: format!("{fingerprint:016x}"),
    }
}

/// Logical processors available to this process.
pub fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1))
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn first_line(path: &str) -> Option<String> {
    Some(
        fs::read_to_string(path)
            .ok()?
            .lines()
            .next()?
            .trim()
            .to_owned(),
    )
}

fn os_name() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_owned())
}

fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Time of all processors since the machine started, in the system's ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessorTimes {
    total: u64,
    idle: u64,
    stolen: u64,
}

impl ProcessorTimes {
    /// The times of this moment.
    pub fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let fields: Vec<u64> = line
            .split_ascii_whitespace()
            .map_while(|field| field.parse().ok())
            .collect();
        // user nice system idle iowait irq softirq steal; guest time is part of user time.
        let [user, nice, system, idle, waiting, irq, softirq, stolen, ..] = fields[..] else {
            return None;
        };
        let busy = user + nice + system + irq + softirq + stolen;
        Some(Self {
            total: busy + idle + waiting,
            idle: idle + waiting,
            stolen,
        })
    }

    /// Share of the time from then to now during which processors were busy.
    pub fn busy_since(self, then: Self) -> f64 {
        1.0 - self.share(then, |times| times.idle)
    }

    /// Share of the time from then to now that another guest of the host took.
    pub fn stolen_since(self, then: Self) -> f64 {
        self.share(then, |times| times.stolen)
    }

    fn share(self, then: Self, part: impl Fn(&Self) -> u64) -> f64 {
        let total = self.total.saturating_sub(then.total).max(1);
        part(&self).saturating_sub(part(&then)) as f64 / total as f64
    }
}

/// Share of all processors' time that is in use by others, observed for a moment.
pub async fn busy_share() -> Option<f64> {
    const MOMENT: Duration = Duration::from_millis(500);
    let before = ProcessorTimes::now()?;
    tokio::time::sleep(MOMENT).await;
    Some(ProcessorTimes::now()?.busy_since(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_busy_and_stolen_time_come_from_differences() {
        let parse = |text| ProcessorTimes::parse(text).expect("lines of this test are whole");
        let before = parse("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1\n");
        let after = parse("cpu  130 0 110 850 0 0 0 10 0 0\n");
        assert!((after.busy_since(before) - 0.5).abs() < 1e-9);
        assert!((after.stolen_since(before) - 0.1).abs() < 1e-9);
        assert!(ProcessorTimes::parse("intr 1 2 3").is_none());
    }

    #[test]
    fn a_machine_describes_itself_the_same_way_twice() {
        assert_eq!(describe(), describe());
        assert_eq!(describe().fingerprint.len(), 16);
    }
}
