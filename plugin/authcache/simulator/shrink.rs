//! Making a history that fails short.
//!
//! Owns [`shrink`]. Must not know what failed beyond the rule that was broken.

use super::acts::Act;
use super::audit::Rule;
use super::run::run;
use super::scenario::Scenario;
use super::trace::Trace;

/// The shortest scenario found in which the same rule is broken: acts are left out in ever smaller
/// parts, then the network and the installation are made simpler. `tries` bounds the work.
pub(crate) fn shrink(failing: &Scenario, rule: Rule, tries: usize) -> Scenario {
    let mut best = failing.clone();
    let mut left = tries;
    cut_after(&mut best, rule);
    let mut part = best.acts.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut removed = false;
        while from < best.acts.len() && left > 0 {
            left -= 1;
            let mut shorter = best.clone();
            let to = (from + part).min(shorter.acts.len());
            shorter.acts.drain(from..to);
            if breaks(&shorter, rule) {
                best = shorter;
                removed = true;
            } else {
                from = to;
            }
        }
        if left == 0 || (part == 1 && !removed) {
            break;
        }
        if !removed {
            part = part.div_ceil(2);
        }
    }
    for simplify in SIMPLER {
        let mut simpler = best.clone();
        simplify(&mut simpler);
        if breaks(&simpler, rule) {
            best = simpler;
        }
    }
    cut_after(&mut best, rule);
    best
}

const SIMPLER: [fn(&mut Scenario); 11] = [
    |scenario| scenario.network.lost_before = 0,
    |scenario| scenario.network.lost_after = 0,
    |scenario| scenario.network.late = 0,
    |scenario| scenario.network.wake_lost = 0,
    |scenario| scenario.network.wake_twice = 0,
    |scenario| scenario.network.news_lost = 0,
    |scenario| scenario.network.news_twice = 0,
    |scenario| scenario.network.lag_ms = (0, 0),
    |scenario| scenario.network.latency_ms = (1, 1),
    |scenario| scenario.network.service_ms = (0, 0),
    |scenario| scenario.offsets_ms.fill(0),
];

fn breaks(scenario: &Scenario, rule: Rule) -> bool {
    let (outcome, _) = run(scenario, Trace::default());
    outcome
        .violation
        .is_some_and(|violation| violation.rule == rule)
}

/// Leaves out what comes after the violation.
fn cut_after(scenario: &mut Scenario, rule: Rule) {
    let (outcome, _) = run(scenario, Trace::default());
    if let Some(violation) = outcome.violation.filter(|found| found.rule == rule) {
        let mut shorter = scenario.clone();
        let kept: Vec<(u64, Act)> = shorter.acts.clone();
        shorter.acts = kept
            .into_iter()
            .filter(|(at, _)| *at <= violation.at_ms)
            .collect();
        if breaks(&shorter, rule) {
            *scenario = shorter;
        }
    }
}
