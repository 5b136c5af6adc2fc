//! What the core costs per request, by class of request, against a recorded baseline: instructions,
//! allocations, and calls to the host.
//!
//!     cargo bench -p authcache --bench instructions                      counts and compares
//!     cargo bench -p authcache --bench instructions -- --update REASON   counts and records
//!
//! Each class runs under Callgrind, which counts what is executed between entry and exit of one
//! function, and once more plainly, with an allocator and a host that count. Seeds and times are fixed
//! and no hash is random, so instructions repeat on one toolchain and processor family, and the rest
//! everywhere. A difference of more than 1 % in instructions, in either direction, or any difference in
//! the rest fails: a slowdown has to be explained, and a gain recorded so that it cannot be lost again
//! unseen.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot run ends loudly"
)]

mod baseline;
mod callgrind;
mod classes;
mod measure;
#[path = "../../tests/support/mod.rs"]
mod support;
mod synced;
mod workers;

use std::alloc::System;
use std::env;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use baseline::Baseline;
use classes::CLASSES;

/// Operations of one class that are counted together.
const REPEATS: u32 = 1_000;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--class", name] => run(name),
        ["--update", ref reason @ ..] if !reason.is_empty() => update(&reason.join(" ")),
        [] => check(),
        _ => {
            eprintln!("expected nothing, or `--update REASON`");
            ExitCode::FAILURE
        }
    }
}

/// Runs one class and prints what it counted.
fn run(name: &str) -> ExitCode {
    let class = CLASSES.iter().find(|class| class.name == name);
    let counts = (class.expect("the class is one of the list").run)();
    let counts = serde_json::to_string(&counts).expect("numbers and text");
    println!("{counts}");
    ExitCode::SUCCESS
}

fn count() -> Baseline {
    let mut counted = Baseline::default();
    for class in &CLASSES {
        let name = class.name.to_owned();
        let instructions = callgrind::instructions(class.name) / u64::from(REPEATS);
        counted
            .instructions_per_request
            .insert(name.clone(), instructions);
        let counts = callgrind::counts(class.name);
        counted.per_1000_requests.insert(name, counts);
    }
    counted
}

fn check() -> ExitCode {
    let differences = Baseline::read().compare(&count());
    for line in &differences.lines {
        println!("{line}");
    }
    if differences.faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!(
        "differs from {}, where instructions may differ by {} %:",
        baseline::PATH,
        baseline::MOST_PERCENT
    );
    for fault in &differences.faults {
        println!("{fault}");
    }
    println!(
        "if that is meant, record it with its reason: \
         cargo bench -p authcache --bench instructions -- --update REASON"
    );
    ExitCode::FAILURE
}

fn update(reason: &str) -> ExitCode {
    let counted = Baseline {
        reason: reason.to_owned(),
        ..count()
    };
    for line in Baseline::read().compare(&counted).lines {
        println!("{line}");
    }
    counted.write();
    println!("recorded in {}", baseline::PATH);
    ExitCode::SUCCESS
}
