//! Named comparisons with the figures they are meant to reach.
//!
//! Owns [`hit_path`]: what a cache hit costs, against Envoy alone and against the articles' design.
//! Must not know how a comparison is carried out.

use serde::Serialize;

use super::record::Duet;

/// One comparison of a suite.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What the candidate is compared with.
    pub base: &'static str,
    /// What is judged.
    pub candidate: &'static str,
    /// What it is meant to reach, if anything.
    pub target: Option<Goal>,
}

/// A figure and its least value.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Processor time per request of the base divided by that of the candidate.
    Cpu(f64),
    /// Requests per second of the candidate divided by those of the base.
    Throughput(f64),
}

/// What came of one comparison of a suite.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The figure the goal is about; the ratio of processor time where there is none.
    pub reached: f64,
    /// The least value it was meant to have.
    pub goal: Option<f64>,
    /// The comparison.
    pub duet: Duet,
}

/// Processors of each Envoy of a suite. On one, throughput is what comes out of a processor: with a second
/// one the articles' singleton would work beside the worker for nothing. It also tells more: an Envoy that
/// moves between processors differs more from the next.
pub const PROCESSORS: u32 = 1;

/// What a cache hit costs.
pub fn hit_path() -> Vec<Entry> {
    let entry = |base, candidate, target| Entry {
        base,
        candidate,
        target,
    };
    vec![
        entry("hit-floor:passthrough", "hit-floor", Some(Goal::Cpu(0.80))),
        entry(
            "hit-floor-upstream:passthrough",
            "hit-floor-upstream",
            Some(Goal::Cpu(0.82)),
        ),
        entry(
            "hit-header:passthrough",
            "hit-header",
            Some(Goal::Cpu(0.76)),
        ),
        entry(
            "hit-header-upstream:passthrough",
            "hit-header-upstream",
            Some(Goal::Cpu(0.80)),
        ),
        entry("hit-realistic:passthrough", "hit-realistic", None),
        entry("article-cache", "hit-floor", Some(Goal::Throughput(2.0))),
    ]
}

impl Entry {
    /// Sets a comparison against its goal.
    pub fn outcome(&self, duet: Duet) -> Outcome {
        let (reached, goal) = match self.target {
            Some(Goal::Throughput(least)) => (duet.figures.throughput_ratio.estimate, Some(least)),
            Some(Goal::Cpu(least)) => (1.0 / duet.figures.cpu_ratio.estimate, Some(least)),
            None => (1.0 / duet.figures.cpu_ratio.estimate, None),
        };
        Outcome {
            reached,
            goal,
            duet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duet::target::Target;

    #[test]
    fn every_entry_names_targets_that_exist_and_send_the_same_requests() {
        for entry in hit_path() {
            let [base, candidate] =
                [entry.base, entry.candidate].map(|it| Target::parse(it).expect("a target"));
            assert_eq!(base.scenario.endpoints, candidate.scenario.endpoints);
            assert_eq!(base.scenario.population, candidate.scenario.population);
            assert_eq!(base.scenario.envoy, candidate.scenario.envoy);
        }
    }
}
