//! One case of the quota experiment: mode, gateways, limit, load.
//!
//! Owns [`Case`] and the list that [`Choices`] stand for. Must not know how a case is run.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// How the cache decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Never over the limit.
    Strict,
    /// The backend's own race.
    Balanced,
    /// Count locally, report now and then.
    Fast,
    /// One call of the backend for every request.
    Off,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Strict => "strict",
            Mode::Balanced => "balanced",
            Mode::Fast => "fast",
            Mode::Off => "off",
        })
    }
}

/// One case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Case {
    /// How the cache decides.
    pub mode: Mode,
    /// How many gateways share the limit.
    pub gateways: u16,
    /// Envoy's worker threads, of each gateway.
    pub workers: u32,
    /// The limit: requests per minute.
    pub limit: u64,
    /// The rate that is offered, as a multiple of the limit's.
    pub load: f64,
    /// The share of the load that the first gateway gets; the others share the rest. Absent: all
    /// gateways get the same.
    pub uneven: Option<f64>,
}

impl Case {
    /// The rate that is offered, in requests per second.
    pub fn rate(&self) -> f64 {
        self.limit as f64 * self.load / 60.0
    }

    /// Which share of the load each gateway gets.
    pub fn shares(&self) -> Vec<f64> {
        let gateways = usize::from(self.gateways);
        match self.uneven {
            Some(first) if gateways > 1 => {
                let rest = (1.0 - first) / (gateways - 1) as f64;
                let rest = std::iter::repeat_n(rest, gateways - 1);
                std::iter::once(first).chain(rest).collect()
            }
            _ => vec![1.0; gateways],
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mode,
            gateways,
            workers,
            limit,
            load,
            ..
        } = self;
        write!(f, "{mode} {limit}/min ×{load} K={gateways} W={workers}")?;
        match self.uneven {
            Some(first) if *gateways > 1 => write!(f, " {:.0} % on one", first * 100.0),
            _ => Ok(()),
        }
    }
}

/// Every combination of these makes a case.
#[derive(Clone, Debug)]
pub struct Choices {
    /// How the cache decides.
    pub modes: Vec<Mode>,
    /// How many gateways share the limit.
    pub gateways: Vec<u16>,
    /// Envoy's worker threads.
    pub workers: Vec<u32>,
    /// Requests per minute.
    pub limits: Vec<u64>,
    /// Multiples of the limit's rate.
    pub loads: Vec<f64>,
    /// The first gateway's share of loads below the limit. Above it every gateway has more than it
    /// may let through, and load is spread evenly.
    pub uneven: f64,
}

impl Choices {
    /// The cases, those of small limits first: they run side by side.
    pub fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for &limit in &self.limits {
            for &mode in &self.modes {
                for &gateways in &self.gateways {
                    for &workers in &self.workers {
                        for &load in &self.loads {
                            cases.push(Case {
                                mode,
                                gateways,
                                workers,
                                limit,
                                load,
                                uneven: (gateways > 1 && load < 1.0).then_some(self.uneven),
                            });
                        }
                    }
                }
            }
        }
        cases.sort_by_key(|case| case.limit);
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices() -> Choices {
        Choices {
            modes: vec![Mode::Strict, Mode::Fast],
            gateways: vec![1, 4],
            workers: vec![1],
            limits: vec![60_000, 60],
            loads: vec![0.9, 3.0],
            uneven: 0.7,
        }
    }

    #[test]
    fn every_combination_is_a_case_and_small_limits_come_first() {
        let cases = choices().cases();
        assert_eq!(cases.len(), 16);
        assert!(cases.is_sorted_by_key(|case| case.limit));
        for case in &cases {
            let is_uneven = case.gateways == 4 && case.load < 1.0;
            assert_eq!(case.uneven.is_some(), is_uneven, "{case}");
        }
    }

    #[test]
    fn shares_add_up_and_the_first_gateway_gets_what_was_said() {
        for case in choices().cases() {
            let shares = case.shares();
            assert_eq!(shares.len(), usize::from(case.gateways));
            let sum: f64 = shares.iter().sum();
            if let Some(first) = case.uneven {
                assert_eq!(shares[0], first);
                assert!((sum - 1.0).abs() < 1e-9, "{case}");
            }
        }
    }
}
