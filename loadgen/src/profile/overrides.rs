//! What a person types to change a profile for one run.
//!
//! Owns the order in which changes are made, and what a rate means for a profile of several phases. Must
//! not know how the figures were typed.

mod time;

use std::time::Duration;

use super::{Load, Profile, ProfileError, Protocol, default_connections};

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
