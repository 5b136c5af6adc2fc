//! Writes the comparison that the tests of this crate draw, as `loadgen duet --json` would.
//!
//! `cargo run -p reports --example duet_fixture > reports/tests/fixtures/duet.json` after a change of
//! the schema.

use reports::paired::looks::Look;
use reports::paired::verdict::{CPU_MARGIN, P50_MARGIN, judge};
use reports::paired::{Comparison, compare};
use serde_json::{Value, json};

const QUARTETS: usize = 12;
const CANDIDATE_COSTS: f64 = 1.034;

/// A 64-bit linear congruential generator.
struct Dice(u64);

impl Dice {
    /// About 1, with a deviation of about 2 %.
    fn noise(&mut self) -> f64 {
        let mut share = || {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        };
        1.0 + 0.02 * ((0..12).map(|_| share()).sum::<f64>() - 6.0)
    }
}

type Block = Vec<(&'static str, f64)>;

fn block(dice: &mut Dice) -> Block {
    let quartet = |other| ["base", other, other, "base"];
    let rounds = (0..QUARTETS).flat_map(|_| [quartet("candidate"), quartet("control")]);
    rounds
        .flatten()
        .map(|side| {
            let factor = if side == "candidate" {
                CANDIDATE_COSTS
            } else {
                1.0
            };
            (side, (61.0 * factor * dice.noise() * 1e3).round() / 1e3)
        })
        .collect()
}

fn pairs(block: &Block, other: &str) -> Vec<(f64, f64)> {
    let quartets = block
        .chunks_exact(4)
        .filter(|quartet| quartet[1].0 == other);
    quartets
        .flat_map(|quartet| [(quartet[0].1, quartet[1].1), (quartet[3].1, quartet[2].1)])
        .collect()
}

fn figures(blocks: &[Block], other: &str) -> Option<Value> {
    let of_blocks: Option<Vec<Comparison>> = blocks
        .iter()
        .map(|block| compare(pairs(block, other)))
        .collect();
    let of_blocks = of_blocks?;
    let whole = compare(blocks.iter().flat_map(|block| pairs(block, other)))?;
    let ratios: Vec<_> = of_blocks.iter().map(|block| block.ratio).collect();
    let inverse = compare(
        blocks
            .iter()
            .flat_map(|block| pairs(block, other))
            .map(|(a, b)| (b, a)),
    )?;
    Some(json!({
        "cpu_ratio": whole.ratio,
        "p": whole.p,
        "verdict": judge(&whole, CPU_MARGIN),
        "smallest_visible_effect": whole.smallest_visible_effect(CPU_MARGIN, &Look::ONLY),
        "p50_ratio": whole.ratio,
        "p50_verdict": judge(&whole, P50_MARGIN),
        "throughput_ratio": inverse.ratio,
        "pairs": whole.pairs,
        "pairs_left_out": 0,
        "cpu_ratio_of_blocks": ratios,
    }))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut dice = Dice(5);
    let blocks = [block(&mut dice), block(&mut dice)];
    let slice = |&(side, cost): &(&str, f64)| {
        json!({"side": side, "requests": 1_000, "unexpected": 0, "elapsed_us": 100_000.0,
            "p50_us": 310.0, "cpu_us": cost * 1e3})
    };
    let competitor = |name: &str, cpu: f64| {
        json!({"name": name, "sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
            "cpu_us_per_request": cpu, "requests_per_second": 1e6 / cpu, "p50_us": cpu * 5.0})
    };
    let mut duet = figures(&blocks, "candidate").ok_or("too few pairs")?;
    let rest = json!({
        "schema_version": 1,
        "base": competitor("cache=before.wasm", 61.0),
        "candidate": competitor("cache=after.wasm", 63.1),
        "control": figures(&blocks, "control").ok_or("too few pairs")?,
        "advisory": false,
        "validity": {"valid": true, "reasons": []},
        "cpu_us_per_request_with_idle": [66.0, 68.2],
        "connections": 8,
        "slice_ms": 100.0,
        "envoy_version": "1.40.0",
        "machine": {"os": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-18-amd64",
            "cpu_model": "Example CPU @ 2.50GHz", "cpus": 2, "memory_bytes": 8_323_940_352_u64,
            "fingerprint": "a1b2c3d4"},
        "blocks": blocks.iter().map(|block| json!({
            "slices": block.iter().map(slice).collect::<Vec<_>>(),
            "cpu_us": [2_900_000.0, 1_500_000.0],
        })).collect::<Vec<_>>(),
    });
    if let (Value::Object(all), Value::Object(rest)) = (&mut duet, rest) {
        all.extend(rest);
    }
    println!("{}", serde_json::to_string_pretty(&duet)?);
    Ok(())
}
