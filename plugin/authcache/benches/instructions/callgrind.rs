//! Counting with Valgrind's Callgrind.
//!
//! Owns the call of the tool and the reading of its file. Must not know what is counted.

use std::env;
use std::fs;
use std::hint::black_box;
use std::process::{Command, Stdio};

use super::REPEATS;

/// The only function whose instructions count, with all that it calls.
#[inline(never)]
pub(super) fn counted_region(mut operation: impl FnMut(u32)) {
    for n in 0..REPEATS {
        operation(black_box(n));
    }
}

/// Instructions that this executable spends in [`counted_region`] when it runs a class.
pub(super) fn count(class: &str) -> u64 {
    let exe = env::current_exe().expect("the path of this executable is known");
    let out = env::temp_dir().join(format!("callgrind.{}.{class}", std::process::id()));
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted_region*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(exe)
        .args(["--class", class])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("valgrind starts; it is a package of that name");
    assert!(
        run.status.success(),
        "{class}: {}",
        String::from_utf8_lossy(&run.stderr)
    );
    let text = fs::read_to_string(&out).expect("callgrind has written its file");
    fs::remove_file(&out).expect("the file is there");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: u64 = total
        .and_then(|total| total.trim().parse().ok())
        .expect("the file has a line `totals: N`");
    assert!(total > u64::from(REPEATS), "{class}: nothing was counted");
    total
}
