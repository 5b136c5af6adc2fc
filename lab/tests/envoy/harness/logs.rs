//! The logs of a lab's processes, whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// How much of each log a failed test prints.
const TAIL_LINES: usize = 60;

/// Where each process writes what it says. Printed when the test fails.
#[derive(Debug, Default)]
pub(crate) struct Logs(BTreeMap<String, PathBuf>);

impl Logs {
    /// The files behind the standard error of these processes.
    pub(crate) fn of(pids: &BTreeMap<String, u32>) -> Self {
        let log = |(role, pid): (&String, &u32)| {
            let path = fs::read_link(format!("/proc/{pid}/fd/2")).ok()?;
            Some((role.clone(), path))
        };
        Self(pids.iter().filter_map(log).collect())
    }

    /// Everything that a process wrote so far.
    pub(crate) fn read(&self, role: &str) -> String {
        let path = self.0.get(role);
        let path = path.unwrap_or_else(|| panic!("{role} has no log among {:?}", self.0));
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for (role, path) in &self.0 {
            let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let text = text.unwrap_or_else(|error| error.to_string());
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
            eprintln!("--- the end of the log of {role}:\n{tail}");
        }
    }
}
