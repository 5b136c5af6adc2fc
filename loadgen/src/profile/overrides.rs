//! What a person types to change a profile for one run.
//!
//! Owns what a rate or a duration means for a profile of several phases. Must not know how the figures
//! were typed.

use std::time::Duration;

use super::{Load, Profile, ProfileError, Protocol, Segment, Until, default_connections};

const TRACE_ENDS: &str = "its trace is shorter, and can be cut but not made longer";

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
    /// h2, whatever the profile's protocol is.
    pub http2: bool,
}

impl Profile {
    /// The profile with what was typed on the command line.
    pub fn with(mut self, overrides: Overrides) -> Result<Self, ProfileError> {
        self.seed = overrides.seed.unwrap_or(self.seed);
        self.threads = overrides.threads.unwrap_or(self.threads).max(1);
        if overrides.http2 && matches!(self.connection.protocol, Protocol::Http1) {
            self.connection.protocol = Protocol::H2;
            if let Some(misfit) = self.connection.misfit() {
                return Err(self.misfit("--http2", misfit));
            }
        }
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

    fn stretch(&mut self, duration: Duration) -> Result<(), ProfileError> {
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

    fn scale_rate(&mut self, rate: f64) -> Result<(), ProfileError> {
        if !(rate.is_finite() && rate > 0.0) {
            return Err(self.misfit("--rate", "expected requests per second, more than 0"));
        }
        let peak = self.peak_rps();
        if let Load::Trace(_) = &self.load {
            return Err(self.misfit(
                "--rate",
                "its trace says when each request is sent; edit the times in the file, or make the profile one with phases",
            ));
        }
        if let Load::Saturation(search) = &mut self.load {
            if rate.fract() != 0.0 || rate <= search.from_rps {
                return Err(self.misfit(
                    "--rate",
                    "expected the highest rate to try, a whole number above the profile's `from`",
                ));
            }
            search.to_rps = rate;
            return Ok(());
        }
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
            http2: true,
        };
        let scaled = profile.with(overrides).expect("fits an open profile");
        assert_eq!(scaled.peak_rps(), 600.0);
        assert_eq!(scaled.measured_s(), Some(40.0));
        assert_eq!((scaled.seed, scaled.threads), (9, 2));
        assert_eq!(scaled.connection.protocol, Protocol::H2);
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

    #[test]
    fn a_search_takes_a_highest_rate_and_shorter_steps() {
        let search = |overrides| {
            Profile::find("saturation")
                .expect("embedded")
                .with(overrides)
        };
        let fits = search(Overrides {
            rate: Some(1000.0),
            scale: Some(0.3),
            ..Overrides::default()
        });
        let Load::Saturation(found) = fits.expect("fits").load else {
            panic!("a search by its text")
        };
        assert_eq!((found.to_rps, found.step_s), (1000.0, 3));
        let low = search(Overrides {
            rate: Some(10.0),
            ..Overrides::default()
        });
        assert!(low.expect_err("below").to_string().contains("`from`"));
        let long = search(Overrides {
            duration: Some(Duration::from_secs(5)),
            ..Overrides::default()
        });
        assert!(long.expect_err("unknown").to_string().contains("--scale"));
    }

    #[test]
    fn a_trace_can_be_cut_and_neither_sped_up_nor_made_longer() {
        let trace = || Profile::find("trace").expect("embedded");
        let whole_s = trace().measured_s().expect("known");
        let cut = |overrides| trace().with(overrides).expect("fits").measured_s();
        let half = Overrides {
            scale: Some(0.5),
            ..Overrides::default()
        };
        assert_eq!(cut(half), Some(whole_s / 2.0));
        let second = Overrides {
            duration: Some(Duration::from_secs(1)),
            ..Overrides::default()
        };
        assert_eq!(cut(second), Some(1.0));
        #[track_caller]
        fn check(trace: Profile, overrides: Overrides, parts: &[&str]) {
            let message = trace.with(overrides).expect_err("refused").to_string();
            for part in parts {
                assert!(message.contains(part), "`{part}` is missing in {message}");
            }
        }
        let rate = Overrides {
            rate: Some(5.0),
            ..Overrides::default()
        };
        check(trace(), rate, &["--rate", "`trace`", "each request"]);
        let twice = Overrides {
            scale: Some(2.0),
            ..Overrides::default()
        };
        check(trace(), twice, &["--scale", "shorter"]);
        let hour = Overrides {
            duration: Some(Duration::from_secs(3600)),
            ..Overrides::default()
        };
        check(trace(), hour, &["--duration", "shorter"]);
    }

    #[test]
    fn h2_does_not_fit_connections_that_are_closed_by_count() {
        let source = format!("{OPEN}[connection]\nrequests_per_connection = 5\n");
        let overrides = Overrides {
            http2: true,
            ..Overrides::default()
        };
        let counted = Profile::parse("test", &source).expect("valid");
        let error = counted.with(overrides).expect_err("it does not fit");
        assert!(error.to_string().contains("`--http2`"), "{error}");
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
