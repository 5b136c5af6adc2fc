//! The length of a warm-up: fixed, or until the hit ratio is stable.
//!
//! Owns the TOML of `warm_up` and the rule's figures. Must not know how the hit ratio is read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text::{Complaint, complaint, duration_of};

/// Longest warm-up in seconds.
const LONGEST_S: u32 = 3600;

/// When the hit ratio counts as stable: the ratios of the last `windows` windows of `window_s` seconds
/// differ by at most `within`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct UntilStable {
    /// Largest difference between two of the ratios, which are from 0 to 1.
    pub within: f64,
    /// Length of a window in seconds.
    pub window_s: u32,
    /// Number of windows.
    pub windows: u32,
}

impl Default for UntilStable {
    fn default() -> Self {
        Self {
            within: 0.01,
            window_s: 2,
            windows: 3,
        }
    }
}

impl UntilStable {
    /// Seconds without which nothing can be said.
    pub fn least_s(&self) -> u32 {
        self.window_s.saturating_mul(self.windows)
    }
}

/// `warm_up` as it is written.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a duration like \"10s\", or { until = \"hit ratio stable\", at_most = \"60s\" } with `within`, `window` and `windows` if need be"
)]
pub(super) enum RawWarmUp {
    Fixed(String),
    Until(RawUntil),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUntil {
    until: Condition,
    at_most: String,
    within: Option<f64>,
    window: Option<String>,
    windows: Option<u32>,
}

#[derive(Deserialize)]
enum Condition {
    #[serde(rename = "hit ratio stable")]
    HitRatioStable,
}

/// Seconds of warm-up, the longest if it depends, and what it depends on.
pub(super) fn parse(raw: Option<&RawWarmUp>) -> Result<(u32, Option<UntilStable>), Complaint> {
    match raw {
        None => Ok((0, None)),
        Some(RawWarmUp::Fixed(text)) => Ok((seconds(text, "warm_up")?, None)),
        Some(RawWarmUp::Until(until)) => {
            let (at_most_s, until) = stable(until)?;
            Ok((at_most_s, Some(until)))
        }
    }
}

fn stable(raw: &RawUntil) -> Result<(u32, UntilStable), Complaint> {
    let Condition::HitRatioStable = raw.until;
    let default = UntilStable::default();
    let within = raw.within.unwrap_or(default.within);
    if !(0.0..1.0).contains(&within) {
        return Err(complaint(
            "warm_up.within",
            format!("expected a difference of hit ratios, 0 up to 1, not {within}"),
        ));
    }
    let window_s = raw.window.as_deref();
    let window_s = window_s.map_or(Ok(default.window_s), |text| seconds(text, "warm_up.window"))?;
    let windows = raw.windows.unwrap_or(default.windows);
    if window_s == 0 || !(2..=100).contains(&windows) {
        return Err(complaint(
            "warm_up.windows",
            format!("expected 2 to 100 windows of at least 1 s, not {windows} of {window_s} s"),
        ));
    }
    let until = UntilStable {
        within,
        window_s,
        windows,
    };
    let at_most_s = seconds(&raw.at_most, "warm_up.at_most")?;
    if at_most_s <= until.least_s() {
        return Err(complaint(
            "warm_up.at_most",
            format!(
                "expected more than the {} s of {windows} windows, not {at_most_s} s",
                until.least_s()
            ),
        ));
    }
    Ok((at_most_s, until))
}

fn seconds(text: &str, field: &str) -> Result<u32, Complaint> {
    let duration: Duration = duration_of(text, field)?;
    let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    if duration.subsec_nanos() != 0 || seconds > LONGEST_S {
        return Err(complaint(
            field,
            format!("expected whole seconds, at most an hour, not {text}"),
        ));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use crate::profile::Profile;

    use super::*;

    fn with(warm_up: &str) -> Result<Profile, crate::profile::ProfileError> {
        let text = format!(
            "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 1\nduration = '1s'\nwarm_up = {warm_up}\n"
        );
        Profile::parse("test", &text)
    }

    #[test]
    fn a_warm_up_is_a_duration_or_a_condition_with_a_bound() {
        let of = |warm_up| {
            let profile = with(warm_up).expect("valid");
            (profile.warm_up_s, profile.warm_up_until)
        };
        assert_eq!(of("'7s'"), (7, None));
        assert_eq!(
            of("{ until = 'hit ratio stable', at_most = '1m' }"),
            (60, Some(UntilStable::default()))
        );
        assert_eq!(
            of(
                "{ until = 'hit ratio stable', at_most = '20s', within = 0.1, window = '1s', windows = 4 }"
            ),
            (
                20,
                Some(UntilStable {
                    within: 0.1,
                    window_s: 1,
                    windows: 4
                })
            )
        );
    }

    #[test]
    fn a_condition_that_cannot_be_met_is_refused() {
        #[track_caller]
        fn check(warm_up: &str, parts: &[&str]) {
            let message = with(warm_up).expect_err("refused").to_string();
            for part in parts {
                assert!(message.contains(part), "`{part}` is missing in {message}");
            }
        }
        check("5", &["line 6", "hit ratio stable"]);
        check(
            "{ until = 'warm', at_most = '9s' }",
            &["line 6", "hit ratio stable"],
        );
        check("{ until = 'hit ratio stable' }", &["line 6", "at_most"]);
        let until = |rest: &str| format!("{{ until = 'hit ratio stable', {rest} }}");
        check(&until("at_most = '6s'"), &["warm_up.at_most", "6 s"]);
        check(&until("at_most = '2h'"), &["warm_up.at_most", "an hour"]);
        check(
            &until("at_most = '9s', within = 1.5"),
            &["warm_up.within", "1.5"],
        );
        check(
            &until("at_most = '9s', windows = 1"),
            &["warm_up.windows", "1 of 2 s"],
        );
        check(
            &until("at_most = '9s', window = '0s'"),
            &["warm_up.windows", "0 s"],
        );
    }
}
