//! The fields of a profile that searches the highest rate.
//!
//! Owns what is expected of each. Must not know how the search is carried out.

use super::Saturation;
use super::text::{
    Complaint, RawArrival, RawProfile, arrival_of, complaint, positive_duration, rate_of,
};

const DEFAULT_GROWTH: f64 = 2.0;
const DEFAULT_PRECISION: f64 = 0.05;
const DEFAULT_STEP: &str = "8s";
const DEFAULT_P99_BELOW: &str = "100ms";
const LONGEST_STEP_S: u64 = 600;

/// A field that only a search has, if there is one.
pub(super) fn given(raw: &RawProfile) -> Option<&'static str> {
    let fields = [
        ("from", raw.from.is_some()),
        ("to", raw.to.is_some()),
        ("growth", raw.growth.is_some()),
        ("precision", raw.precision.is_some()),
        ("step", raw.step.is_some()),
        ("p99_below", raw.p99_below.is_some()),
    ];
    let given = fields.into_iter().find(|(_, given)| *given);
    given.map(|(field, _)| field)
}

pub(super) fn parse(raw: &RawProfile) -> Result<Saturation, Complaint> {
    let foreign = [
        ("phases", !raw.phases.is_empty()),
        ("users", raw.users.is_some()),
        ("requests", raw.requests.is_some()),
        ("duration", raw.duration.is_some()),
        ("think_time", raw.think_time.is_some()),
        ("arrival", matches!(raw.arrival, Some(RawArrival::Trace))),
    ];
    if let Some((field, _)) = foreign.into_iter().find(|(_, given)| *given) {
        return Err(complaint(
            field,
            "does not fit a search, which has `from`, `to` and `step`, and arrivals that are constant or poisson",
        ));
    }
    let rate = |value: Option<f64>, field: &str| -> Result<f64, Complaint> {
        let rate =
            value.ok_or_else(|| complaint(field, "missing; expected requests per second"))?;
        let rate = rate_of(rate, field)?;
        if rate.fract() == 0.0 {
            Ok(rate)
        } else {
            Err(complaint(
                field,
                format!("expected a whole number, not {rate}"),
            ))
        }
    };
    let (from_rps, to_rps) = (rate(raw.from, "from")?, rate(raw.to, "to")?);
    if to_rps <= from_rps {
        return Err(complaint(
            "to",
            format!("expected more than the {from_rps} of `from`, not {to_rps}"),
        ));
    }
    let within = |value: Option<f64>, default, field: &str, low: f64, high: f64| {
        let value = value.unwrap_or(default);
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(complaint(
                field,
                format!("expected {low} to {high}, not {value}"),
            ))
        }
    };
    let step = raw.step.as_deref().unwrap_or(DEFAULT_STEP);
    let length = positive_duration(step, "step")?;
    let step_s = length.as_secs();
    if length.subsec_nanos() != 0 || step_s > LONGEST_STEP_S {
        return Err(complaint(
            "step",
            format!("expected whole seconds, at most 10m, not {step}"),
        ));
    }
    let p99_below = raw.p99_below.as_deref().unwrap_or(DEFAULT_P99_BELOW);
    Ok(Saturation {
        arrival: arrival_of(raw),
        from_rps,
        to_rps,
        growth: within(raw.growth, DEFAULT_GROWTH, "growth", 1.1, 10.0)?,
        precision: within(raw.precision, DEFAULT_PRECISION, "precision", 0.005, 0.5)?,
        // In range by the check above.
        step_s: step_s as u32,
        p99_below_ms: positive_duration(p99_below, "p99_below")?.as_secs_f64() * 1e3,
    })
}

#[cfg(test)]
mod tests {
    use crate::profile::{Load, Profile};

    #[test]
    fn a_search_has_a_range_and_bounds() {
        let of = |rest: &str| {
            let text = format!("name = 'p'\ndescription = 'd'\nmode = 'saturation'\n{rest}");
            Profile::parse("test", &text)
        };
        let profile = of("from = 10\nto = 1000\nstep = '2s'\np99_below = '50ms'").expect("valid");
        let Load::Saturation(search) = profile.load else {
            panic!("a search by its text")
        };
        assert_eq!(
            (search.from_rps, search.to_rps, search.step_s),
            (10.0, 1000.0, 2)
        );
        assert_eq!((search.p99_below_ms, search.growth), (50.0, 2.0));
        assert_eq!((profile.measured_s(), profile.peak_rps()), (None, 1000.0));
        let recorded = serde_json::to_value(&profile).expect("plain");
        assert_eq!(recorded["mode"], "saturation");
        assert_eq!(recorded["step_s"], 2);
        #[track_caller]
        fn check(found: Result<Profile, crate::profile::ProfileError>, parts: &[&str]) {
            let message = found.expect_err("refused").to_string();
            for part in parts {
                assert!(message.contains(part), "`{part}` is missing in {message}");
            }
        }
        check(of("to = 5"), &["`from`", "missing"]);
        check(of("from = 5\nto = 5"), &["`to`", "more than the 5"]);
        check(of("from = 0.5\nto = 5"), &["`from`", "whole number"]);
        check(
            of("from = 1\nto = 5\ngrowth = 1.0"),
            &["`growth`", "1.1 to 10"],
        );
        check(
            of("from = 1\nto = 5\nprecision = 0"),
            &["`precision`", "0.005"],
        );
        check(
            of("from = 1\nto = 5\nstep = '1500ms'"),
            &["`step`", "whole seconds"],
        );
        check(of("from = 1\nto = 5\nusers = 5"), &["`users`", "search"]);
        check(
            of("from = 1\nto = 5\narrival = 'trace'\ntrace = '/dev/null'"),
            &["/dev/null"],
        );
        let closed = "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 1\nduration = '1s'\nstep = '1s'";
        check(Profile::parse("test", closed), &["`step`", "saturation"]);
    }
}
