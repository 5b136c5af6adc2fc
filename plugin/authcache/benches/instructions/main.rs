//! Instructions of the core per request, by class of request, against a recorded baseline.
//!
//!     cargo bench -p authcache --bench instructions                      counts and compares
//!     cargo bench -p authcache --bench instructions -- --update REASON   counts and records
//!
//! Each class runs under Callgrind, which counts what is executed between entry and exit of one
//! function. Seeds and times are fixed and no hash is random, so the counts repeat to the instruction on
//! one toolchain and processor family. A difference of more than 1 % in either direction fails: a
//! slowdown has to be explained, and a gain recorded so that it cannot be lost again unseen.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot run ends loudly"
)]

mod baseline;
mod callgrind;
mod classes;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::env;
use std::process::ExitCode;

use baseline::Baseline;
use classes::CLASSES;

/// Operations of one class that are counted together.
const REPEATS: u32 = 1_000;

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

/// The part that runs under Callgrind.
fn run(name: &str) -> ExitCode {
    let class = CLASSES.iter().find(|class| class.name == name);
    (class.expect("the class is one of the list").run)();
    ExitCode::SUCCESS
}

fn count() -> Baseline {
    let counts = CLASSES.iter().map(|class| {
        let total = callgrind::count(class.name);
        (class.name.to_owned(), total / u64::from(REPEATS))
    });
    Baseline {
        reason: String::new(),
        instructions_per_request: counts.collect(),
    }
}

fn check() -> ExitCode {
    let differences = Baseline::read().compare(&count());
    for line in &differences.lines {
        println!("{line}");
    }
    match differences.is_within {
        true => ExitCode::SUCCESS,
        false => {
            println!(
                "a class differs from {} by more than {} %; if that is meant, record it with its \
                 reason: cargo bench -p authcache --bench instructions -- --update REASON",
                baseline::PATH,
                baseline::MOST_PERCENT
            );
            ExitCode::FAILURE
        }
    }
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
