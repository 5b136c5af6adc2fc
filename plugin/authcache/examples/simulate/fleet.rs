//! Many runs on all cores.
//!
//! Owns [`play`]. Must not know what a run checks. The outcome does not depend on how many threads
//! there are.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::options::Options;
use crate::simulator::audit::{Rule, Violation};
use crate::simulator::run::{Outcome, run};
use crate::simulator::scenario::{Scenario, Wanted};
use crate::simulator::trace::Trace;
use crate::summary::Summary;

/// Every so many runs one is played twice, to see whether it repeats itself.
const REPEAT_EVERY: u64 = 50;

/// Plays all runs.
pub(crate) fn play(options: &Options, wanted: &Wanted) -> Summary {
    let threads = options
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let next = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} runs, {eta} left");
    let bar = ProgressBar::new(options.runs)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.runs || enough.load(Ordering::Relaxed) {
                        break;
                    }
                    let outcome = once(options.seed.wrapping_add(number), wanted);
                    if options.fail_fast && outcome.violation.is_some() {
                        enough.store(true, Ordering::Relaxed);
                    }
                    if let Ok(mut summary) = summary.lock() {
                        summary.add(&outcome);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    summary.into_inner().unwrap_or_default()
}

fn once(seed: u64, wanted: &Wanted) -> Outcome {
    let scenario = Scenario::draw(seed, wanted);
    let (mut outcome, _) = run(&scenario, Trace::default());
    if seed.is_multiple_of(REPEAT_EVERY) {
        let (again, _) = run(&scenario, Trace::default());
        if again.hash != outcome.hash && outcome.violation.is_none() {
            outcome.violation = Some(Violation {
                at_ms: 0,
                rule: Rule::Repeatable,
                what: "the same seed gave two histories".to_owned(),
            });
        }
    }
    outcome
}
