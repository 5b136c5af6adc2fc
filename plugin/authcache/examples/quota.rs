//! Long runs of the abstract world of leases: what the bounds hold against, and what they cost.
//!
//! `cargo run --release -p authcache --example quota -- violations 10000`
//! `cargo run --release -p authcache --example quota -- costs`

#[allow(
    clippy::indexing_slicing,
    reason = "shared with tests, where it is allowed"
)]
#[path = "../tests/support/gateways.rs"]
mod gateways;

use gateways::{Load, Outcome, Setup, World};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize, otherwise: u64| {
        let argument = arguments.get(place).and_then(|raw| raw.parse().ok());
        argument.unwrap_or(otherwise)
    };
    match arguments.get(1).map(String::as_str) {
        Some("violations") => violations(number(2, 1_000), number(3, 450)),
        Some("costs") => costs(),
        Some("parameters") => parameters(),
        _ => {
            eprintln!("usage: quota violations [runs] [epoch ms] | quota costs | quota parameters")
        }
    }
}

/// Adverse schedules, and how many of them went over the limit.
fn violations(runs: u64, epoch_ms: u64) {
    println!("gateways limit runs violations worst_percent used_percent");
    for gateways in [1, 2, 4, 8] {
        for small in [true, false] {
            let mut violations = 0;
            let mut worst: f64 = 0.0;
            let mut used = 0.0;
            for seed in 0..runs {
                let max = if small { 1 + seed % 60 } else { 60_000 };
                let outcome = World::new(Setup::adverse(gateways, max, epoch_ms, seed)).run();
                let percent = 100.0 * outcome.admitted as f64 / max as f64;
                violations += u64::from(outcome.admitted > max);
                worst = worst.max(percent);
                used += percent / runs as f64;
            }
            let limit = if small { "1..60" } else { "60000" };
            println!("{gateways} {limit} {runs} {violations} {worst:.2} {used:.1}");
        }
    }
}

/// What shares and credits cost.
fn parameters() {
    println!("epoch share credit uneven uneven_60 calls_at_3x calls_green calls_at_0.9");
    for epoch_ms in [400, 450, 500, 700, 1_000] {
        for share in [(6, 10), (7, 10), (8, 10), (9, 10)] {
            for credit in [(1, 32), (1, 48)] {
                let run = |max, times: f64, on_first| {
                    let per_second = times * max as f64 / 60.0;
                    let load = Load::Steady {
                        per_second,
                        on_first,
                    };
                    let outcomes = (0..10).map(|seed| {
                        let mut setup = Setup::new(4, max, epoch_ms, load.clone());
                        setup.seed = seed;
                        setup.share = share;
                        setup.credit = credit;
                        World::new(setup).run()
                    });
                    outcomes.collect::<Vec<_>>()
                };
                let denials = |max, outcomes: &[Outcome]| {
                    let sum: f64 = outcomes.iter().map(|one| one.missing_percent(max)).sum();
                    sum / outcomes.len() as f64
                };
                let calls = |outcomes: &[Outcome]| {
                    outcomes.iter().map(|one| one.calls).sum::<u64>() / outcomes.len() as u64
                };
                let uneven = run(60_000, 0.9, 0.7);
                println!(
                    "{epoch_ms} {share:?} {credit:?} {:.2} {:.2} {} {} {}",
                    denials(60_000, &uneven),
                    denials(60, &run(60, 0.9, 0.7)),
                    calls(&run(60_000, 3.0, 0.25)),
                    calls(&run(60_000, 0.02, 0.7)),
                    calls(&uneven),
                );
            }
        }
    }
}

/// Denials that a limit had room for, and calls to the backend.
fn costs() {
    println!(
        "gateways limit epoch_ms load on_first false_denials_percent calls calls_in_second_half used_percent"
    );
    for epoch_ms in [450, 1_000] {
        for (gateways, on_first) in [(4, 0.7), (4, 0.25), (1, 1.0)] {
            for max in [60_000, 60] {
                for times in [0.02, 0.1, 0.3, 0.5, 0.9, 3.0] {
                    let per_second = times * max as f64 / 60.0;
                    let load = Load::Steady {
                        per_second,
                        on_first,
                    };
                    let outcomes = (0..10).map(|seed| {
                        let mut setup = Setup::new(gateways, max, epoch_ms, load.clone());
                        setup.seed = seed;
                        World::new(setup).run()
                    });
                    show(gateways, max, epoch_ms, times, on_first, outcomes.collect());
                }
            }
        }
    }
}

fn show(gateways: u32, max: u64, epoch_ms: u64, times: f64, on_first: f64, outcomes: Vec<Outcome>) {
    let runs = outcomes.len() as f64;
    let mean = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / runs;
    println!(
        "{gateways} {max} {epoch_ms} {times} {on_first} {:.2} {:.0} {:.0} {:.1}",
        mean(&|outcome| outcome.missing_percent(max)),
        mean(&|outcome| outcome.calls as f64),
        mean(&|outcome| outcome.calls_in_second_half as f64),
        mean(&|outcome| 100.0 * outcome.admitted as f64 / max as f64),
    );
}
