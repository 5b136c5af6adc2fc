//! From figures to what a gate found.
//!
//! Owns the outcome of a count and of a comparison in turns. Must not know how either was obtained.

use reports::gates::{Gate, Outcome};
use reports::paired::Ratio;

use super::file::{Against, GateSpec};
use super::measure::Measure;
use crate::duet::figures::Metric;
use crate::duet::record::Duet;

/// The ratio of something to nothing, as a number that a file can hold.
const FROM_NOTHING: f64 = 1e6;

/// What a count amounts to: worse above `base` by more than the margin, or above the limit at all.
pub(super) fn count(spec: &GateSpec, base: Option<f64>, candidate: f64, unit: &str) -> Gate {
    let (compared_with, limit) = match spec.against {
        Against::Limit(limit) => (limit, Some(limit)),
        Against::Base(_) => (base.unwrap_or_default(), None),
    };
    // Two counts of nothing are equal.
    let ratio = match (candidate, compared_with) {
        (0.0, 0.0) => 1.0,
        (_, 0.0) => FROM_NOTHING,
        _ => candidate / compared_with,
    };
    let outcome = match ratio {
        ratio if ratio > 1.0 + spec.margin => Outcome::Regressed,
        // To be far below a limit is what limits are for.
        ratio if limit.is_none() && ratio < 1.0 / (1.0 + spec.margin) => Outcome::Improved,
        _ => Outcome::Passed,
    };
    Gate {
        base_value: limit.is_none().then_some(compared_with),
        candidate_value: candidate,
        unit: unit.to_owned(),
        limit,
        ratio: Ratio {
            estimate: ratio,
            low: ratio,
            high: ratio,
        },
        outcome,
        ..empty(spec)
    }
}

/// What a comparison in turns amounts to for one of its metrics.
pub(super) fn compared(spec: &GateSpec, metric: Metric, duet: &Duet) -> Gate {
    let figures = &duet.figures;
    let (base, candidate) = (&duet.base, &duet.candidate);
    let (ratio, p, visible, values, unit) = match metric {
        Metric::Cpu => (
            figures.cpu_ratio,
            figures.p,
            figures.smallest_visible_effect,
            [base.cpu_us_per_request, candidate.cpu_us_per_request],
            "µs",
        ),
        Metric::P50 => (
            figures.p50_ratio,
            figures.p50_p,
            figures.p50_smallest_visible_effect,
            [base.p50_us, candidate.p50_us],
            "µs",
        ),
        Metric::Throughput => (
            figures.throughput_ratio,
            figures.throughput_p,
            figures.throughput_smallest_visible_effect,
            [base.requests_per_second, candidate.requests_per_second].map(f64::round),
            "/s",
        ),
    };
    let control = duet.control.as_ref();
    Gate {
        base_value: Some(values[0]),
        candidate_value: values[1],
        unit: unit.to_owned(),
        ratio,
        p: Some(p),
        smallest_visible_effect: Some(visible),
        control: control.map(|control| match metric {
            Metric::Cpu => control.cpu_ratio,
            Metric::P50 => control.p50_ratio,
            Metric::Throughput => control.throughput_ratio,
        }),
        advisory: duet.advisory || control.is_some_and(|it| it.verdict_of(metric).is_alarm()),
        outcome: match duet.validity.valid {
            true => Outcome::of(figures.verdict_of(metric)),
            false => Outcome::NotValid,
        },
        reasons: duet.validity.reasons.clone(),
        ..empty(spec)
    }
}

fn empty(spec: &GateSpec) -> Gate {
    Gate {
        name: spec.name.clone(),
        tier: spec.measure.tier(),
        metric: spec.measure.name().to_owned(),
        base: match &spec.against {
            Against::Base(base) => Some(base.clone()),
            Against::Limit(_) => None,
        },
        candidate: spec.candidate.clone(),
        base_value: None,
        candidate_value: 0.0,
        unit: String::new(),
        limit: None,
        margin: spec.margin,
        ratio: Ratio {
            estimate: 1.0,
            low: 1.0,
            high: 1.0,
        },
        p: None,
        smallest_visible_effect: None,
        control: None,
        advisory: false,
        outcome: Outcome::Passed,
        must_tell: spec.must_tell,
        reasons: Vec::new(),
    }
}

/// Unit of a count.
pub(super) fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::ArtefactBytes => "bytes",
        Measure::BackendCalls | Measure::Duet(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(against: Against, margin: f64) -> GateSpec {
        GateSpec {
            name: "size".to_owned(),
            measure: Measure::ArtefactBytes,
            against,
            candidate: "cache".to_owned(),
            margin,
            must_tell: false,
        }
    }

    #[test]
    fn a_count_is_judged_by_its_margin_in_either_direction() {
        let spec = spec(Against::Base("cache".to_owned()), 0.01);
        let of = |candidate| count(&spec, Some(1000.0), candidate, "bytes").outcome;
        assert_eq!(of(1010.0), Outcome::Passed);
        assert_eq!(of(1010.1), Outcome::Regressed);
        assert_eq!(of(991.0), Outcome::Passed);
        assert_eq!(of(990.0), Outcome::Improved);
        assert_eq!(count(&spec, Some(0.0), 0.0, "").outcome, Outcome::Passed);
        let from_nothing = count(&spec, Some(0.0), 5.0, "");
        assert_eq!(from_nothing.outcome, Outcome::Regressed);
        let text = serde_json::to_string(&from_nothing).expect("a gate can be written");
        let read: Gate = serde_json::from_str(&text).expect("and read");
        assert_eq!(read.ratio, from_nothing.ratio);
    }

    #[test]
    fn a_limit_is_not_to_be_passed() {
        let spec = spec(Against::Limit(5.0), 0.0);
        let of = |candidate| count(&spec, None, candidate, "");
        assert_eq!(of(5.0).outcome, Outcome::Passed);
        assert_eq!(of(0.1).outcome, Outcome::Passed);
        assert_eq!(of(5.01).outcome, Outcome::Regressed);
        assert_eq!(of(5.0).limit, Some(5.0));
    }
}
