//! The table `[[phases]]` of an open loop: what a person writes in, straight lines out.
//!
//! Owns the fields of a phase and the shapes it can have: level, ramp, staircase, spike. Must not know
//! the other fields of a profile.

use serde::Deserialize;

use super::Segment;
use super::text::{Complaint, complaint, positive_duration, rate_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPhase {
    duration: String,
    rate: Option<f64>,
    from: Option<f64>,
    to: Option<f64>,
    steps: Option<u32>,
    peak: Option<f64>,
    peak_duration: Option<String>,
}

/// The straight lines of all phases, of which there is at least one.
pub(super) fn parse(phases: &[RawPhase]) -> Result<Vec<Segment>, Complaint> {
    if phases.is_empty() {
        return Err(complaint(
            "phases",
            "expected at least one [[phases]] with a duration and a rate",
        ));
    }
    let mut segments = Vec::new();
    for (index, phase) in phases.iter().enumerate() {
        segments.extend(segments_of(phase, &format!("phases[{index}]"))?);
    }
    Ok(segments)
}

fn segments_of(phase: &RawPhase, place: &str) -> Result<Vec<Segment>, Complaint> {
    let duration_s =
        positive_duration(&phase.duration, &format!("{place}.duration"))?.as_secs_f64();
    let line = |duration_s, from_rps, to_rps| Segment {
        duration_s,
        from_rps,
        to_rps,
    };
    match (phase.rate, phase.from, phase.to) {
        (Some(rate), None, None) if phase.steps.is_none() => {
            let rate = rate_of(rate, &format!("{place}.rate"))?;
            let Some((peak, peak_s)) = peak_of(phase, duration_s, place)? else {
                return Ok(vec![line(duration_s, rate, rate)]);
            };
            let around_s = (duration_s - peak_s) / 2.0;
            Ok(vec![
                line(around_s, rate, rate),
                line(peak_s, peak, peak),
                line(around_s, rate, rate),
            ])
        }
        (None, Some(from), Some(to)) if phase.peak.is_none() && phase.peak_duration.is_none() => {
            let from = rate_of(from, &format!("{place}.from"))?;
            let to = rate_of(to, &format!("{place}.to"))?;
            match phase.steps {
                None => Ok(vec![line(duration_s, from, to)]),
                Some(steps @ 2..=1000) => Ok(stairs(duration_s, from, to, steps)),
                Some(steps) => Err(complaint(
                    format!("{place}.steps"),
                    format!("expected 2 to 1000, not {steps}"),
                )),
            }
        }
        _ => Err(complaint(
            place,
            "expected either `rate` (and for a spike `peak` and `peak_duration`) or `from` and `to` (and for a staircase `steps`)",
        )),
    }
}

fn stairs(duration_s: f64, from: f64, to: f64, steps: u32) -> Vec<Segment> {
    (0..steps)
        .map(|step| {
            let rate = from + (to - from) * f64::from(step) / f64::from(steps - 1);
            Segment {
                duration_s: duration_s / f64::from(steps),
                from_rps: rate,
                to_rps: rate,
            }
        })
        .collect()
}

fn peak_of(
    phase: &RawPhase,
    duration_s: f64,
    place: &str,
) -> Result<Option<(f64, f64)>, Complaint> {
    let (peak, peak_duration) = match (phase.peak, &phase.peak_duration) {
        (None, None) => return Ok(None),
        (Some(peak), Some(peak_duration)) => (peak, peak_duration),
        _ => {
            return Err(complaint(
                place,
                "expected `peak` and `peak_duration` together",
            ));
        }
    };
    let peak = rate_of(peak, &format!("{place}.peak"))?;
    let field = format!("{place}.peak_duration");
    let peak_s = positive_duration(peak_duration, &field)?.as_secs_f64();
    if peak_s >= duration_s {
        return Err(complaint(
            field,
            format!("expected less than the phase's {duration_s} s, not {peak_s} s"),
        ));
    }
    Ok(Some((peak, peak_s)))
}

#[cfg(test)]
mod tests {
    use crate::profile::{Load, Profile};

    #[test]
    fn phases_become_straight_lines() {
        #[track_caller]
        fn check(phase: &str, expected: &[(f64, f64, f64)]) {
            let source = format!(
                "name = 'p'\ndescription = 'd'\nmode = 'open'\narrival = 'poisson'\n[[phases]]\n{phase}"
            );
            let profile =
                Profile::parse("test", &source).expect("profiles of this table are valid");
            let Load::Open { segments, .. } = profile.load else {
                panic!("open by its text")
            };
            let lines: Vec<_> = segments
                .iter()
                .map(|s| (s.duration_s, s.from_rps, s.to_rps))
                .collect();
            assert_eq!(lines, expected, "{phase}");
        }
        check("duration = '10s'\nrate = 5", &[(10.0, 5.0, 5.0)]);
        check("duration = '1m'\nfrom = 5\nto = 50", &[(60.0, 5.0, 50.0)]);
        check(
            "duration = '9s'\nfrom = 10\nto = 30\nsteps = 3",
            &[(3.0, 10.0, 10.0), (3.0, 20.0, 20.0), (3.0, 30.0, 30.0)],
        );
        check(
            "duration = '10s'\nrate = 10\npeak = 90\npeak_duration = '2s'",
            &[(4.0, 10.0, 10.0), (2.0, 90.0, 90.0), (4.0, 10.0, 10.0)],
        );
    }
}
