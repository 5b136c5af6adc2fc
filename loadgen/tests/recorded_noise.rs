//! How often the rule of `duet` and `gate` is right on the noise of a real machine.
//!
//! `data/same-build.csv` holds the slices of comparisons of a build with itself (`loadgen duet hit-floor hit-floor
//! --control`) on two shared cores of a busy host: run, block, whose slice it was, requests, length and CPU time in
//! microseconds. A trial draws blocks from it (so that processes differ as they did), and in each stretches of
//! neighbouring quartets (so that what lasts longer than a slice stays together), and multiplies the CPU time of one
//! side. Its looks are those of a run.

use loadgen::duet::figures::{Judging, Metric};
use loadgen::duet::looks::{Looks, Stage, stages};
use loadgen::duet::record::{BlockRecord, SliceRecord};
use reports::duet::Side;
use reports::paired::verdict::{Margins, Verdict};

/// Blocks of a run, and quartets in each, as by default.
const BLOCKS: usize = 12;
const QUARTETS: usize = 9;
/// Quartets that are drawn together.
const STRETCH: usize = 4;
const LOOKS: usize = 4;

/// A xorshift generator with a multiplication: the same trials for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// So little that it only tells equal draws apart, which real slices never are.
    fn jitter(&mut self) -> f64 {
        1.0 + 1e-9 * (self.next() % 1_000) as f64
    }
}

type Quartet = [SliceRecord; 4];

/// Two processes of one build: their quartets, in order.
fn recorded() -> Vec<Vec<Quartet>> {
    let mut blocks: Vec<(String, Vec<SliceRecord>)> = Vec::new();
    for line in include_str!("data/same-build.csv").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [run, block, side, requests, elapsed, cpu] = fields[..] else {
            panic!("six fields in `{line}`");
        };
        let number = |text: &str| text.parse::<u32>().expect("a number");
        let name = format!("{run}/{block}");
        if blocks.last().is_none_or(|(last, _)| *last != name) {
            blocks.push((name, Vec::new()));
        }
        let (_, slices) = blocks.last_mut().expect("one was pushed");
        slices.push(SliceRecord {
            side: match side {
                "a" => Side::Base,
                "b" => Side::Candidate,
                _ => Side::Control,
            },
            requests: u64::from(number(requests)),
            unexpected: 0,
            elapsed_us: f64::from(number(elapsed)),
            p50_us: 180.0,
            cpu_us: f64::from(number(cpu)),
        });
    }
    let of = |slices: &[SliceRecord], other| -> Vec<Quartet> {
        let quartets = slices
            .chunks_exact(4)
            .map(|it| [it[0], it[1], it[2], it[3]]);
        quartets.filter(|it| it[1].side == other).collect()
    };
    let pairs = blocks
        .iter()
        .flat_map(|(_, slices)| [Side::Candidate, Side::Control].map(|other| of(slices, other)));
    pairs.filter(|quartets| quartets.len() >= STRETCH).collect()
}

fn draw(random: &mut Random, recorded: &[Vec<Quartet>], slowdown: f64) -> BlockRecord {
    let from = &recorded[random.below(recorded.len())];
    // Which of two processes of the same build is called the candidate is chance.
    let is_swapped = random.below(2) == 1;
    let mut slices = Vec::new();
    while slices.len() < 4 * QUARTETS {
        let start = random.below(from.len() - STRETCH + 1);
        for quartet in &from[start..start + STRETCH] {
            let order = if is_swapped {
                [1, 0, 3, 2]
            } else {
                [0, 1, 2, 3]
            };
            for (place, source) in order.into_iter().enumerate() {
                let side = if matches!(place, 0 | 3) {
                    Side::Base
                } else {
                    Side::Candidate
                };
                let cost = if side == Side::Candidate {
                    slowdown
                } else {
                    1.0
                };
                slices.push(SliceRecord {
                    side,
                    cpu_us: quartet[source].cpu_us * cost * random.jitter(),
                    elapsed_us: quartet[source].elapsed_us * random.jitter(),
                    ..quartet[source]
                });
            }
        }
    }
    slices.truncate(4 * QUARTETS);
    BlockRecord {
        slices,
        cpu_us: [0.0; 2],
    }
}

/// What a run comes to, and the part of it that was measured.
fn run(
    random: &mut Random,
    recorded: &[Vec<Quartet>],
    plan: &[Stage],
    slowdown: f64,
) -> (Verdict, f64) {
    let (mut blocks, mut looks) = (Vec::new(), Looks::default());
    for stage in plan {
        for _ in 0..stage.blocks {
            blocks.push(draw(random, recorded, slowdown));
        }
        let judging = Judging {
            margins: Margins::default(),
            look: stage.look,
            last: plan[plan.len() - 1].look,
        };
        if looks.look(&blocks, &judging, &[Metric::Cpu]) {
            break;
        }
    }
    let figures = looks.figures.expect("a look");
    (figures.verdict, blocks.len() as f64 / BLOCKS as f64)
}

/// Shares of trials that found the candidate slower or faster, and the mean part of a run that was needed.
fn shares(seed: u64, trials: usize, slowdown: f64) -> (f64, f64, f64) {
    let (recorded, plan) = (recorded(), stages(BLOCKS, LOOKS));
    let mut random = Random(seed);
    let (mut slower, mut faster, mut used) = (0, 0, 0.0);
    for _ in 0..trials {
        let (verdict, part) = run(&mut random, &recorded, &plan, slowdown);
        slower += usize::from(verdict == Verdict::Slower);
        faster += usize::from(verdict == Verdict::Faster);
        used += part;
    }
    let share = |count: usize| count as f64 / trials as f64;
    let found = (share(slower), share(faster), used / trials as f64);
    println!(
        "slowdown {slowdown}: slower {}, faster {}, {:.2} of a run",
        found.0, found.1, found.2
    );
    found
}

#[test]
fn identical_builds_alarm_at_most_as_often_as_stated() {
    let (slower, faster, _) = shares(0x5EED_0101, 2_000, 1.0);
    assert!(slower + faster <= 0.01, "{slower} {faster}");
}

#[test]
fn slowdowns_are_caught_as_often_as_documented() {
    let (slower, faster, _) = shares(0x5EED_0102, 400, 1.05);
    assert!(slower >= 0.80 && faster == 0.0, "{slower} {faster}");
    let (slower, _, used) = shares(0x5EED_0103, 400, 1.10);
    assert!(slower >= 0.98, "{slower}");
    // What is clear is over early.
    assert!(used <= 0.9, "{used}");
    let (smaller, ..) = shares(0x5EED_0104, 400, 1.03);
    assert!(smaller < slower, "{smaller}");
    let (_, faster, _) = shares(0x5EED_0105, 400, 1.0 / 1.10);
    assert!(faster >= 0.98, "{faster}");
}
