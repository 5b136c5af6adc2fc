//! Running one class in a process of its own.
//!
//! Owns the calls of this executable, plainly and under Valgrind's Callgrind, and the reading of what
//! they leave. Must not know what is counted.

use std::env;
use std::fs;
use std::process::{Command, Output, Stdio};

use super::REPEATS;
use super::measure::Counts;

/// Instructions that this executable spends in its counted region when it runs a class.
pub(super) fn instructions(class: &str) -> u64 {
    let exe = env::current_exe().expect("the path of this executable is known");
    let out = env::temp_dir().join(format!("callgrind.{}.{class}", std::process::id()));
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--toggle-collect=*counted_region*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(exe);
    run(command, class);
    let text = fs::read_to_string(&out).expect("callgrind has written its file");
    fs::remove_file(&out).expect("the file is there");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: u64 = total
        .and_then(|total| total.trim().parse().ok())
        .expect("the file has a line `totals: N`");
    assert!(total > u64::from(REPEATS), "{class}: nothing was counted");
    total
}

/// Allocations and host calls of a class.
pub(super) fn counts(class: &str) -> Counts {
    let exe = env::current_exe().expect("the path of this executable is known");
    let output = run(Command::new(exe), class);
    serde_json::from_slice(&output.stdout).expect("the class prints its counts")
}

fn run(mut command: Command, class: &str) -> Output {
    let output = command
        .args(["--class", class])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("the program starts; valgrind is a package of that name");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{class}: {errors}");
    output
}
