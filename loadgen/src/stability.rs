//! Whether the hit ratio has stopped changing, which ends a warm-up that lasts until then.
//!
//! Owns the rule. Must not know where hits and misses are read.

use std::collections::VecDeque;

use crate::probe::Counters;
use crate::profile::UntilStable;

/// Watches the hit ratio window by window.
#[derive(Clone, Debug)]
pub struct Stability {
    rule: UntilStable,
    seconds: u32,
    hits: u64,
    misses: u64,
    /// Ratios of the last windows.
    ratios: VecDeque<f64>,
}

impl Stability {
    /// Nothing seen yet.
    pub fn new(rule: UntilStable) -> Self {
        Self {
            rule,
            seconds: 0,
            hits: 0,
            misses: 0,
            ratios: VecDeque::new(),
        }
    }

    /// Adds what happened in a second; true if the ratios of the last windows are within the bound.
    /// A window in which nothing was looked up has the ratio 0: without a cache there is nothing to
    /// wait for.
    pub fn add_second(&mut self, counters: Counters) -> bool {
        self.seconds += 1;
        self.hits += counters.hits;
        self.misses += counters.misses;
        if self.seconds < self.rule.window_s {
            return false;
        }
        let looked_up = self.hits + self.misses;
        self.ratios
            .push_back(self.hits as f64 / looked_up.max(1) as f64);
        (self.seconds, self.hits, self.misses) = (0, 0, 0);
        if self.ratios.len() > self.rule.windows as usize {
            self.ratios.pop_front();
        }
        self.is_stable()
    }

    fn is_stable(&self) -> bool {
        let highest = self.ratios.iter().copied().fold(0.0, f64::max);
        let lowest = self.ratios.iter().copied().fold(1.0, f64::min);
        self.ratios.len() == self.rule.windows as usize && highest - lowest <= self.rule.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_stable_when_the_last_windows_lie_close_together() {
        /// The first second after which the ratio is stable.
        #[track_caller]
        fn check(window_s: u32, windows: u32, seconds: &[(u64, u64)], expected: Option<usize>) {
            let mut stability = Stability::new(UntilStable {
                within: 0.01,
                window_s,
                windows,
            });
            let found = seconds.iter().position(|(hits, misses)| {
                stability.add_second(Counters {
                    hits: *hits,
                    misses: *misses,
                    ..Counters::default()
                })
            });
            assert_eq!(found.map(|index| index + 1), expected, "{seconds:?}");
        }
        // Cold, then warm: three windows of a second within a hundredth.
        let cold = [(0, 100), (60, 40), (990, 10), (995, 5), (998, 2), (999, 1)];
        check(1, 3, &cold, Some(5));
        // Windows of two seconds add up, so the first two seconds are one ratio.
        check(2, 2, &[(50, 50), (100, 0), (75, 25), (76, 24)], Some(4));
        // Rising all the time.
        let rising: Vec<(u64, u64)> = (0..20).map(|n| (n * 4, 100 - n * 4)).collect();
        check(1, 3, &rising, None);
        check(1, 2, &[(1000, 0), (991, 9)], Some(2));
        check(1, 2, &[(1000, 0), (989, 11)], None);
        // Envoy alone decides nothing.
        check(1, 3, &[(0, 0); 5], Some(3));
        // A relapse begins anew.
        let relapse = [(100, 0), (100, 0), (50, 50), (100, 0), (100, 0), (100, 0)];
        check(1, 3, &relapse, Some(6));
        check(1, 3, &relapse[..5], None);
    }
}
