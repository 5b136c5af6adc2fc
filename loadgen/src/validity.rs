//! Whether the figures of a load may be used.
//!
//! Owns the bounds beyond which a load measured the generator or the machine instead of the target.
//! Concerns measurements only: it never says whether the target behaved well. Must not know how the
//! evidence was obtained.

use results::record::Validity;

/// Share of its processors that the generator may use before it is what is measured.
pub const MOST_GENERATOR: f64 = 0.80;
/// Share of sends that may be late.
const MOST_LATE: f64 = 0.01;
/// Share of due requests that have to be sent.
const LEAST_SENT: f64 = 0.99;
/// Share of processor time that the host may give to others.
const MOST_STOLEN: f64 = 0.02;
/// Share of processor time that others may use before a load starts.
const MOST_BUSY: f64 = 0.20;

/// What was observed about the circumstances of a load.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The scenario.
    pub scenario: String,
    /// Share of all processors in use before anything was started.
    pub busy_before: Option<f64>,
    /// Share of its threads' time that the generator used in the measured part.
    pub generator_share: Option<f64>,
    /// Share of processor time stolen in the measured part.
    pub stolen: Option<f64>,
    /// Requests due in the measured part.
    pub offered: u64,
    /// Of these, sent.
    pub sent: u64,
    /// Of these, sent late.
    pub late: u64,
    /// Failures by class, as text.
    pub errors: Vec<(String, u64)>,
    /// Readings of the lab's counters that failed.
    pub failed_readings: u32,
    /// Seconds of warm-up after which the hit ratio was to be stable and was not.
    pub unstable_after_s: Option<u32>,
}

/// Validity of a run from the evidence of its loads.
pub fn judge(loads: &[Evidence]) -> Validity {
    let reasons: Vec<String> = loads.iter().flat_map(Evidence::reasons).collect();
    Validity {
        valid: reasons.is_empty(),
        reasons,
    }
}

impl Evidence {
    fn reasons(&self) -> Vec<String> {
        let late = share(self.late, self.sent);
        let sent = share(self.sent, self.offered);
        let found = [
            self.busy_before.filter(|busy| *busy > MOST_BUSY).map(|busy| {
                format!(
                    "the machine was busy before the start: {} of its processors were in use, the bound is {}",
                    percent(busy),
                    percent(MOST_BUSY)
                )
            }),
            self.generator_share.filter(|used| *used > MOST_GENERATOR).map(|used| {
                format!(
                    "the generator used {} of its processor, the bound is {}",
                    percent(used),
                    percent(MOST_GENERATOR)
                )
            }),
            late.filter(|late| *late > MOST_LATE).map(|late| {
                format!(
                    "{} of the sends were more than 1 ms late, the bound is {}",
                    percent(late),
                    percent(MOST_LATE)
                )
            }),
            sent.filter(|sent| *sent < LEAST_SENT).map(|sent| {
                format!(
                    "{} of the due requests were sent, the bound is {}",
                    percent(sent),
                    percent(LEAST_SENT)
                )
            }),
            self.stolen.filter(|stolen| *stolen > MOST_STOLEN).map(|stolen| {
                format!(
                    "the host gave {} of the processor time to others, the bound is {}",
                    percent(stolen),
                    percent(MOST_STOLEN)
                )
            }),
            (!self.errors.is_empty()).then(|| format!("unexpected errors: {}", self.error_list())),
            (self.sent == 0).then(|| "nothing was sent in the measured part".to_owned()),
            self.unstable_after_s.map(|seconds| {
                format!("the hit ratio was not stable after {seconds} s of warm-up, the most that the profile allows")
            }),
            (self.failed_readings > 0).then(|| {
                format!("{} readings of the lab's counters failed", self.failed_readings)
            }),
        ];
        found
            .into_iter()
            .flatten()
            .map(|reason| format!("{}: {reason}", self.scenario))
            .collect()
    }

    fn error_list(&self) -> String {
        let parts: Vec<String> = self
            .errors
            .iter()
            .map(|(class, count)| format!("{class} {count} times"))
            .collect();
        parts.join(", ")
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Evidence {
        Evidence {
            scenario: "cache".to_owned(),
            busy_before: Some(0.05),
            generator_share: Some(0.3),
            stolen: Some(0.0),
            offered: 1000,
            sent: 1000,
            late: 5,
            errors: Vec::new(),
            failed_readings: 0,
            unstable_after_s: None,
        }
    }

    #[test]
    fn each_bound_refuses_with_its_value_and_only_beyond_it() {
        #[track_caller]
        fn check(change: impl Fn(&mut Evidence), parts: &[&str]) {
            let mut evidence = good();
            change(&mut evidence);
            let verdict = judge(&[evidence]);
            assert_eq!(verdict.valid, parts.is_empty(), "{verdict:?}");
            for part in parts {
                assert!(
                    verdict.reasons.iter().any(|reason| reason.contains(part)),
                    "{verdict:?}"
                );
            }
        }
        check(|_| {}, &[]);
        check(
            |e| e.busy_before = Some(0.5),
            &["cache: ", "busy", "50.00 %", "20.00 %"],
        );
        check(|e| e.busy_before = None, &[]);
        check(|e| e.generator_share = Some(0.81), &["81.00 %"]);
        check(|e| e.generator_share = Some(0.8), &[]);
        check(|e| e.late = 11, &["1.10 %", "late"]);
        check(|e| e.late = 10, &[]);
        check(|e| e.sent = 989, &["98.90 %"]);
        check(|e| e.sent = 990, &[]);
        check(|e| e.stolen = Some(0.03), &["3.00 %"]);
        check(
            |e| e.errors = vec![("timeout".to_owned(), 3)],
            &["timeout 3 times"],
        );
        check(
            |e| (e.offered, e.sent, e.late) = (0, 0, 0),
            &["nothing was sent"],
        );
        check(|e| e.failed_readings = 2, &["2 readings"]);
        check(
            |e| e.unstable_after_s = Some(60),
            &["not stable after 60 s"],
        );
    }
}
