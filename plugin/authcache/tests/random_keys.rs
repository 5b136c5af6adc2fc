//! Credentials that nobody has, in any number. Alone in its file: it looks at the memory of the whole
//! process. `examples/random_keys.rs` runs the same with millions.

#![cfg(test)]
#![cfg(target_os = "linux")]

mod support;

use authcache::counters::Counter;

use support::flood::{Flood, resident_bytes};

/// Well below what the keys of this flood would need if they were kept: each has 32 bytes, and its place
/// as much again and more.
const MOST_GROWN_BYTES: u64 = 2 << 20;

#[test]
fn a_flood_of_random_keys_fills_neither_memory_nor_the_backend_and_costs_applications_nothing() {
    for mode in ["fast", "balanced"] {
        // Every key is asked about: the worst for memory.
        let mut flood = Flood::new(&format!(
            r#"{{"mode":"{mode}","unknown_calls_per_second":1000000,"memory":{{"applications":1000,"negative":1000}}}}"#
        ));
        flood.send(10_000);
        let (before, values) = (resident_bytes(), flood.shared_values());
        flood.send(50_000);
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < MOST_GROWN_BYTES, "{mode}: {grown} bytes");
        assert_eq!(flood.withheld, 0);
        assert_eq!(flood.recorded(), 100, "{mode}: only applications");
        assert!(
            flood.shared_values() <= values + 1_024,
            "{mode}: {} values were {values}",
            flood.shared_values()
        );
        check_applications(&flood, mode);

        // With the defaults most are not asked about.
        let mut flood = Flood::new(&format!(r#"{{"mode":"{mode}"}}"#));
        flood.send(50_000);
        let most = 100 * (10 + flood.seconds() + 1);
        assert!(flood.refused <= most, "{mode}: {} asked", flood.refused);
        assert!(flood.calls() <= most + 1_000, "{mode}: {}", flood.calls());
        assert_eq!(flood.count(Counter::UnknownWithheld), flood.withheld);
        check_applications(&flood, mode);
    }
}

/// Each was served, and asked about once.
fn check_applications(flood: &Flood, mode: &str) {
    assert_eq!(flood.served, flood.regular, "{mode}");
    let misses = flood.regular - flood.regular_hits;
    assert!(misses <= 200, "{mode}: {misses} of {}", flood.regular);
}
