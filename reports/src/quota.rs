//! What `loadgen quota --json` left behind: how exactly limits were kept, case by case.
//!
//! Owns reading it, the part of a case that is written as it is read ([`Figures`]), and what it
//! amounts to in words. Must not know how a case was run or how it is drawn.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::circumstances::Circumstances;
use crate::format::{count, list};

/// The file.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Quota {
    /// How it was made; absent in files of older builds.
    pub circumstances: Option<Circumstances>,
    /// The cases, in the order in which they ran.
    pub cases: Vec<Case>,
}

/// A case, and what it came to.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Case {
    /// How the cache decided, for example `strict`.
    pub mode: String,
    /// How many gateways shared the limit.
    pub gateways: u64,
    /// Envoy's worker threads, of each gateway.
    pub workers: u64,
    /// Requests per minute.
    pub limit: u64,
    /// The rate that was offered, as a multiple of the limit's.
    pub load: f64,
    /// The share of the load that the first gateway got; absent: all got the same.
    pub uneven: Option<f64>,
    /// What it came to.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What a case came to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Figures {
    /// Requests that were sent.
    pub offered: u64,
    /// Requests that were let through.
    pub admitted: u64,
    /// Requests that were denied for the limit.
    pub denied: u64,
    /// Requests that were neither let through nor denied for the limit.
    pub failed: u64,
    /// What the backend's ledger counted.
    pub counted: u64,
    /// Counted beyond the limit.
    pub overshoot: u64,
    /// The same in percent of the limit.
    pub overshoot_percent: f64,
    /// Requests not let through that an ideal counter would have let through, in percent of those sent.
    pub false_denials_percent: f64,
    /// Calls to the backend while the load ran, of all gateways.
    pub backend_calls: u64,
    /// What the mode promises.
    pub bound: Bound,
    /// Whether the promise was kept; absent where there is none.
    pub within_bound: Option<bool>,
    /// Whether every admitted request was counted, and reached the upstream exactly once.
    pub exact: bool,
    /// Whether less was sent than meant, because the labs were not up when the minute began.
    pub late: bool,
}

/// How far over the limit a mode may let usage go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// So many units.
    Units(u64),
    /// The mode promises none.
    None,
}

impl Case {
    /// The promise in percent of the limit.
    pub fn promise_percent(&self) -> Option<f64> {
        match self.figures.bound {
            Bound::Units(units) => Some(100.0 * units as f64 / self.limit.max(1) as f64),
            Bound::None => None,
        }
    }

    /// The promise in words.
    pub fn promise(&self) -> String {
        match (self.figures.bound, self.figures.within_bound) {
            (Bound::None, _) => "none".to_owned(),
            (Bound::Units(units), Some(false)) => format!("{} BROKEN", count(units)),
            (Bound::Units(units), _) => format!("{} kept", count(units)),
        }
    }
}

/// Everything but the mode, under which cases are listed.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |number: u64, name: &str| match number {
            1 => format!("1\u{a0}{name}"),
            many => format!("{many}\u{a0}{name}s"),
        };
        let (gateways, workers) = (
            plural(self.gateways, "gateway"),
            plural(self.workers, "worker"),
        );
        let (limit, load) = (count(self.limit), self.load);
        write!(f, "{limit}/min, load ×{load}, {gateways}, {workers}")
    }
}

impl Quota {
    /// The modes in the order in which they first occur.
    pub fn modes(&self) -> Vec<&str> {
        let mut modes: Vec<&str> = Vec::new();
        for case in &self.cases {
            if !modes.contains(&case.mode.as_str()) {
                modes.push(&case.mode);
            }
        }
        modes
    }

    /// The cases of a mode.
    pub fn of<'a>(&'a self, mode: &'a str) -> impl Iterator<Item = &'a Case> {
        self.cases.iter().filter(move |case| case.mode == mode)
    }

    /// Whether the promises were kept.
    pub fn title(&self) -> String {
        let modes = self.modes();
        let kept = modes.iter().filter_map(|mode| {
            let promised = self
                .of(mode)
                .filter(|case| case.figures.within_bound.is_some());
            let (mut all, mut kept) = (0, 0);
            for case in promised {
                all += 1;
                kept += u64::from(case.figures.within_bound == Some(true));
            }
            (all > 0).then(|| format!("{mode} in {} of {} cases", count(kept), count(all)))
        });
        let kept: Vec<String> = kept.collect();
        match kept.is_empty() {
            true => "How far do limits let usage through?".to_owned(),
            false => format!("Promises kept: {}", list(&kept)),
        }
    }

    /// The worst of each mode, as sentences.
    pub fn worst(&self) -> String {
        let modes = self.modes();
        let sentences = modes.iter().map(|mode| {
            let over = self.of(mode).max_by(|a, b| {
                let key = |case: &Case| case.figures.overshoot_percent;
                key(a).total_cmp(&key(b))
            });
            let denied = self.of(mode).map(|case| case.figures.false_denials_percent);
            let denied = match denied.fold(0.0, f64::max) {
                0.0 => "no request denied in vain".to_owned(),
                most => format!(
                    "at most {} of a case's requests denied in vain",
                    share(most)
                ),
            };
            let over = match over {
                Some(case) if case.figures.overshoot > 0 => format!(
                    "at most {} over a limit of {} ({})",
                    count(case.figures.overshoot),
                    count(case.limit),
                    share(case.figures.overshoot_percent)
                ),
                _ => "never over a limit".to_owned(),
            };
            format!("{mode}: {over}, {denied}.")
        });
        sentences.collect::<Vec<_>>().join(" ")
    }

    /// What makes the measurement doubtful, as sentences. A broken promise is a finding and not
    /// among them.
    pub fn doubts(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.cases.is_empty() {
            found.push("no case was measured".to_owned());
        }
        for case in &self.cases {
            let name = format!("{}, {case}", case.mode);
            if case.figures.failed > 0 {
                let failed = count(case.figures.failed);
                found.push(format!(
                    "{name}: {failed} requests failed, neither let through nor denied for the limit"
                ));
            }
            if case.figures.late {
                found.push(format!(
                    "{name}: the lab was up late, so it was loaded for less than its minute"
                ));
            }
        }
        found
    }

    /// What went otherwise than promised, as sentences.
    pub fn broken(&self) -> Vec<String> {
        let mut found = Vec::new();
        for case in &self.cases {
            let name = format!("{}, {case}", case.mode);
            let figures = &case.figures;
            if figures.within_bound == Some(false) {
                let over = count(figures.overshoot);
                found.push(format!("{name}: PROMISE BROKEN, {over} over the limit"));
            }
            if !figures.exact {
                let (admitted, counted) = (count(figures.admitted), count(figures.counted));
                found.push(format!(
                    "{name}: NOT EXACT, {admitted} were let through and {counted} counted"
                ));
            }
        }
        found
    }
}

/// A percentage with the digits that matter: `0 %`, `0.0033 %`, `3.33 %`.
pub fn share(percentage: f64) -> String {
    if percentage > 0.0 && percentage < 0.01 {
        let digits = (-percentage.log10()).ceil() as usize + 1;
        let text = format!("{percentage:.digits$}");
        return format!("{}\u{a0}%", text.trim_end_matches('0'));
    }
    format!("{}\u{a0}%", crate::format::number(percentage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shares_keep_their_digits() {
        #[track_caller]
        fn check(value: f64, text: &str) {
            assert_eq!(share(value).replace('\u{a0}', " "), text);
        }
        check(0.0, "0 %");
        check(0.001_666, "0.0017 %");
        check(0.005, "0.005 %");
        check(0.5, "0.50 %");
        check(3.333, "3.33 %");
        check(200.0, "200 %");
    }
}
