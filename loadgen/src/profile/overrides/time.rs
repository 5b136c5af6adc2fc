//! A longer or shorter run of the same profile: `--scale` and `--duration`.
//!
//! Owns what either does to phases, traces, searches and closed loops. Must not know rates, which stay.

use std::time::Duration;

use crate::profile::{Load, Profile, ProfileError, Segment, Until};

const TRACE_ENDS: &str = "its trace is shorter, and can be cut but not made longer";

impl Profile {
    /// Multiplies every duration, so that a long profile can be tried in little time.
    pub(super) fn scale_time(&mut self, factor: f64) -> Result<(), ProfileError> {
        const MOST: f64 = 1_000.0;
        if !(factor.is_finite() && factor > 0.0 && factor <= MOST) {
            return Err(self.misfit(
                "--scale",
                "expected what every duration is multiplied by, above 0 and at most 1000, like 0.1",
            ));
        }
        if matches!(self.load, Load::Trace(_)) && factor > 1.0 {
            return Err(self.misfit("--scale", TRACE_ENDS));
        }
        let expected_requests = match &mut self.load {
            Load::Saturation(search) => {
                // Whole seconds, and never none.
                search.step_s = (f64::from(search.step_s) * factor).ceil() as u32;
                1.0
            }
            Load::Trace(trace) => {
                trace.cut(trace.length_s * factor);
                trace.requests as f64
            }
            Load::Open { segments, .. } => {
                for segment in segments.iter_mut() {
                    segment.duration_s *= factor;
                }
                segments.iter().map(Segment::requests).sum()
            }
            Load::Closed { until, .. } => match until {
                Until::DurationS(seconds) => {
                    *seconds *= factor;
                    1.0
                }
                Until::Requests(requests) => {
                    // Exact below 2^53, and saturating above.
                    let scaled = (*requests as f64 * factor).round();
                    *requests = scaled as u64;
                    scaled
                }
            },
        };
        if expected_requests < 1.0 {
            return Err(self.misfit(
                "--scale",
                "less than one request would be left; expected a larger factor",
            ));
        }
        // Whole seconds, and never none where there was some.
        self.warm_up_s = (f64::from(self.warm_up_s) * factor).ceil() as u32;
        if let Some(until) = self.warm_up_until {
            self.warm_up_s = self.warm_up_s.max(until.least_s() + 1);
        }
        self.scale *= factor;
        Ok(())
    }

    /// Gives the measured part another length.
    pub(super) fn stretch(&mut self, duration: Duration) -> Result<(), ProfileError> {
        if duration.is_zero() {
            return Err(self.misfit("--duration", "expected a duration of more than 0"));
        }
        let duration_s = duration.as_secs_f64();
        let total_s = self.measured_s();
        match &mut self.load {
            Load::Open { segments, .. } => {
                let factor = duration_s / total_s.unwrap_or(1.0);
                for segment in segments {
                    segment.duration_s *= factor;
                }
            }
            Load::Trace(trace) if duration_s > trace.length_s => {
                return Err(self.misfit("--duration", TRACE_ENDS));
            }
            Load::Trace(trace) => {
                if !trace.cut(duration_s) {
                    return Err(self.misfit(
                        "--duration",
                        "the trace has no request before that; expected a longer duration",
                    ));
                }
            }
            Load::Saturation(_) => {
                return Err(self.misfit(
                    "--duration",
                    "how long a search takes depends on what it finds; `--scale` changes the length of its steps",
                ));
            }
            Load::Closed { until, .. } => *until = Until::DurationS(duration_s),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Overrides;

    #[test]
    fn scaling_multiplies_every_duration_and_leaves_rates_alone() {
        let scaled = |name: &str, factor| {
            let profile = Profile::find(name).expect("embedded");
            let overrides = Overrides {
                scale: Some(factor),
                ..Overrides::default()
            };
            profile.with(overrides).expect("fits")
        };
        let latency = scaled("articles-latency", 0.1);
        let Load::Open { segments, .. } = &latency.load else {
            panic!("open by its text")
        };
        let lines: Vec<_> = segments
            .iter()
            .map(|s| (s.duration_s, s.from_rps, s.to_rps))
            .collect();
        assert_eq!(
            lines,
            [(6.0, 5.0, 5.0), (12.0, 5.0, 50.0), (60.0, 50.0, 50.0)]
        );
        let until = |profile: &Profile| match profile.load {
            Load::Closed { users, until, .. } => (users, until),
            _ => panic!("closed by its text"),
        };
        let regular = scaled("articles-regular", 0.01);
        assert_eq!(until(&regular), (100, Until::Requests(10_000)));
        let spike = scaled("articles-spike", 2.0);
        assert_eq!(until(&spike), (500, Until::DurationS(4.0)));
        assert_eq!((regular.scale, spike.scale), (0.01, 2.0));
        // Ten seconds of warm-up; whole seconds, because histograms are kept per second.
        assert_eq!(scaled("headline", 0.25).warm_up_s, 3);
        assert_eq!(scaled("headline", 0.25).peak_rps(), 2000.0);
    }

    #[test]
    fn a_scale_that_leaves_nothing_is_refused() {
        #[track_caller]
        fn check(name: &str, factor: f64, part: &str) {
            let scaled = Profile::find(name).expect("embedded").with(Overrides {
                scale: Some(factor),
                ..Overrides::default()
            });
            let message = scaled.expect_err("refused").to_string();
            for part in ["--scale", name, part] {
                assert!(message.contains(part), "`{part}` is missing in {message}");
            }
        }
        for factor in [0.0, -1.0, f64::NAN, 1001.0] {
            check("steady", factor, "above 0 and at most 1000");
        }
        check("articles-regular", 1e-7, "less than one request");
        check("steady", 1e-6, "less than one request");
    }
}
