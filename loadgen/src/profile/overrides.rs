//! What a person types to change a profile for one run.
//!
//! Owns what a rate or a duration means for a profile of several phases. Must not know how the figures
//! were typed.

use std::time::Duration;

use super::{Load, Profile, ProfileError, Until, default_connections};

/// Figures typed on the command line that replace those of a profile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// The highest rate of the profile; the other rates keep their proportion.
    pub rate: Option<f64>,
    /// Length of the measured part; phases keep their proportion.
    pub duration: Option<Duration>,
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
        if let Some(duration) = overrides.duration {
            self.stretch(duration)?;
        }
        if let Some(rate) = overrides.rate {
            self.scale(rate)?;
        }
        Ok(self)
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

    fn scale(&mut self, rate: f64) -> Result<(), ProfileError> {
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
        };
        let scaled = profile.with(overrides).expect("fits an open profile");
        assert_eq!(scaled.peak_rps(), 600.0);
        assert_eq!(scaled.measured_s(), Some(40.0));
        assert_eq!((scaled.seed, scaled.threads), (9, 2));
        assert_eq!(scaled.segments_with_warm_up()[0].from_rps, 200.0);
        assert_eq!(scaled.segments_with_warm_up()[0].duration_s, 2.0);
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
