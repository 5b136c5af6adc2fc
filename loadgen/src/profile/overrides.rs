//! What a person types to change a profile for one run.
//!
//! Owns what a rate or a duration means for a profile of several phases. Must not know how the figures
//! were typed.

use std::time::Duration;

use super::{Load, Profile, ProfileError, Segment, Until, default_connections};

/// Figures typed on the command line that replace those of a profile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// The highest rate of the profile; the other rates keep their proportion.
    pub rate: Option<f64>,
    /// Length of the measured part; phases keep their proportion.
    pub duration: Option<Duration>,
    /// By what every duration is multiplied, and the requests of a closed loop; rates stay.
    pub scale: Option<f64>,
    /// Seed.
    pub seed: Option<u64>,
    /// Threads of the generator.
    pub threads: Option<u32>,
}

impl Profile {
    /// The profile with what was typed on the command line.
    pub fn with(mut self, overrides: Overrides) -> Result<Self, ProfileError> {
        self.seed = overrides.seed.unwrap_or(self.seed);
        self.threads = overrides.threads.unwrap_or(self.threads).max(1);
        if let Some(factor) = overrides.scale {
            self.scale_time(factor)?;
        }
        if let Some(duration) = overrides.duration {
            self.stretch(duration)?;
        }
        if let Some(rate) = overrides.rate {
            self.scale_rate(rate)?;
        }
        Ok(self)
    }

    /// Multiplies every duration, so that a long profile can be tried in little time.
    fn scale_time(&mut self, factor: f64) -> Result<(), ProfileError> {
        const MOST: f64 = 1_000.0;
        if !(factor.is_finite() && factor > 0.0 && factor <= MOST) {
            return Err(self.misfit(
                "--scale",
                "expected what every duration is multiplied by, above 0 and at most 1000, like 0.1",
            ));
        }
        let expected_requests = match &mut self.load {
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
        self.scale *= factor;
        Ok(())
    }

    fn stretch(&mut self, duration: Duration) -> Result<(), ProfileError> {
        if duration.is_zero() {
            return Err(self.misfit("--duration", "expected a duration of more than 0"));
        }
        let total_s = self.measured_s();
        match &mut self.load {
            Load::Open { segments, .. } => {
                let factor = duration.as_secs_f64() / total_s.unwrap_or(1.0);
                for segment in segments {
                    segment.duration_s *= factor;
                }
            }
            Load::Closed { until, .. } => *until = Until::DurationS(duration.as_secs_f64()),
        }
        Ok(())
    }

    fn scale_rate(&mut self, rate: f64) -> Result<(), ProfileError> {
        if !(rate.is_finite() && rate > 0.0) {
            return Err(self.misfit("--rate", "expected requests per second, more than 0"));
        }
        let peak = self.peak_rps();
        let Load::Open { segments, .. } = &mut self.load else {
            return Err(self.misfit(
                "--rate",
                "it is a closed loop, whose rate follows from its users; expected an open profile",
            ));
        };
        for segment in segments.iter_mut() {
            segment.from_rps *= rate / peak;
            segment.to_rps *= rate / peak;
        }
        self.connections = self.connections.max(default_connections(rate));
        Ok(())
    }

    fn misfit(&self, option: &'static str, expected: &'static str) -> ProfileError {
        ProfileError::Override {
            option,
            name: self.name.clone(),
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "name = 'p'\ndescription = 'd'\nmode = 'open'\narrival = 'constant'\n\
        warm_up = '2s'\nseed = 7\n[[phases]]\nduration = '10s'\nrate = 100\n\
        [[phases]]\nduration = '10s'\nfrom = 100\nto = 300\n";

    #[test]
    fn overrides_scale_rates_and_stretch_phases() {
        let profile = Profile::parse("test", OPEN).expect("valid");
        let overrides = Overrides {
            rate: Some(600.0),
            duration: Some(Duration::from_secs(40)),
            seed: Some(9),
            threads: Some(2),
            scale: None,
        };
        let scaled = profile.with(overrides).expect("fits an open profile");
        assert_eq!(scaled.peak_rps(), 600.0);
        assert_eq!(scaled.measured_s(), Some(40.0));
        assert_eq!((scaled.seed, scaled.threads), (9, 2));
        assert_eq!(scaled.segments_with_warm_up()[0].from_rps, 200.0);
        assert_eq!(scaled.segments_with_warm_up()[0].duration_s, 2.0);
    }

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
            Load::Closed { users, until } => (users, until),
            Load::Open { .. } => panic!("closed by its text"),
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

    #[test]
    fn a_closed_loop_takes_no_rate() {
        let closed = Profile::find("closed").expect("embedded");
        let error = closed.with(Overrides {
            rate: Some(5.0),
            ..Overrides::default()
        });
        assert!(error.expect_err("no rate").to_string().contains("--rate"));
    }
}
