//! A flood of credentials that nobody has, and what it costs.
//!
//! `cargo run --release -p authcache --example random_keys -- 10000000`
//!
//! For a mode without and one with leases, once with every key asked about, which is the worst for
//! memory, and once a tenth as long with the default settings. Ends with 1 when memory grows after the first million requests, or when an application
//! pays for the flood.

#![cfg_attr(
    target_os = "linux",
    allow(
        clippy::indexing_slicing,
        clippy::expect_used,
        clippy::panic,
        reason = "shared with tests, where it is allowed"
    )
)]

#[cfg(target_os = "linux")]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use support::flood::{Flood, resident_bytes};

    /// From then on everything that is bounded is at its bound.
    const FULL: u64 = 1_000_000;
    const MOST_GROWN_BYTES: u64 = 4 << 20;

    let raw = std::env::args().nth(1);
    let requests = raw.map_or(Ok(10_000_000), |raw| raw.parse::<u64>());
    let Ok(requests) = requests else {
        eprintln!("usage: random_keys [requests]");
        return std::process::ExitCode::from(2);
    };
    let mut is_bounded = true;
    println!("mode rationed requests calls withheld application_hits_percent grown_bytes");
    for mode in ["fast", "balanced"] {
        for rationed in [false, true] {
            let (rate, requests) = match rationed {
                true => (100, requests / 10),
                false => (1_000_000, requests),
            };
            let mut flood = Flood::new(&format!(
                r#"{{"mode":"{mode}","unknown_calls_per_second":{rate}}}"#
            ));
            flood.send(FULL.min(requests));
            let before = resident_bytes();
            flood.send(requests.saturating_sub(FULL));
            let grown = resident_bytes().saturating_sub(before);
            let percent = flood.regular_hits as f64 * 100.0 / flood.regular.max(1) as f64;
            println!(
                "{mode} {rationed} {requests} {} {} {percent:.3} {grown}",
                flood.calls(),
                flood.withheld
            );
            is_bounded &= grown <= MOST_GROWN_BYTES && flood.served == flood.regular;
        }
    }
    if is_bounded {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the memory of a process is read from Linux");
}
