//! What a run says in words, with every figure computed.
//!
//! Owns which scenarios are compared and how a comparison is phrased. Must not know scenarios by
//! name: who is compared with whom follows from what was counted.

use serde::Serialize;
use serde_json::Value;

use crate::facts::{Facts, Scenario};
use crate::format::{count, list, micros, number, percent, round_micros, times};

/// The scenario a run is about, and those it is held against.
#[derive(Clone, Copy, Debug)]
pub struct Cast<'a> {
    /// It decides from a cache with the fewest backend calls.
    pub subject: &'a Scenario,
    /// The slowest of the others.
    pub slow: &'a Scenario,
    /// The fastest of the others, if that is another one.
    pub floor: Option<&'a Scenario>,
}

fn p50(scenario: &Scenario) -> u64 {
    scenario.summary().latency_us.p50
}

/// Who is compared with whom; nobody when nothing was decided from a cache or there is one scenario.
pub fn cast(facts: &Facts) -> Option<Cast<'_>> {
    let calls = |scenario: &Scenario| {
        scenario
            .summary()
            .backend_calls_per_1000
            .unwrap_or(f64::MAX)
    };
    let cached = facts
        .scenarios
        .iter()
        .filter(|s| s.summary().hits.is_some_and(|hits| hits > 0));
    let subject = cached.min_by(|a, b| calls(a).total_cmp(&calls(b)))?;
    let others = || {
        facts
            .scenarios
            .iter()
            .filter(|other| other.name() != subject.name())
    };
    let slow = others().max_by_key(|scenario| p50(scenario))?;
    let floor = others()
        .min_by_key(|s| p50(s))
        .filter(|floor| floor.name() != slow.name());
    Some(Cast {
        subject,
        slow,
        floor,
    })
}

/// What came out: a sentence to remember, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Headline {
    /// The sentence.
    pub first: String,
    /// More sentences, or nothing.
    pub rest: String,
}

/// What came out, in sentences.
pub fn headline(facts: &Facts) -> Headline {
    let Some(Cast {
        subject,
        slow,
        floor,
    }) = cast(facts)
    else {
        return plain_headline(facts);
    };
    let (ours, theirs) = (&subject.summary().latency_us, &slow.summary().latency_us);
    let first = format!(
        "{} answered half of its requests within {} and {} within {}; {} took {} and {}.",
        subject.name(),
        micros(ours.p50 as f64),
        percent(0.99),
        micros(ours.p99 as f64),
        slow.name(),
        micros(theirs.p50 as f64),
        micros(theirs.p99 as f64),
    );
    let rest = [
        floor.map(|floor| against_floor(subject, floor)),
        calls(subject, slow),
    ];
    Headline {
        first,
        rest: rest.into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

fn against_floor(subject: &Scenario, floor: &Scenario) -> String {
    let ratio = p50(subject) as f64 / p50(floor).max(1) as f64;
    let (name, median) = (floor.name(), micros(p50(floor) as f64));
    format!(
        "The median of {} is {} that of {name}, {median}.",
        subject.name(),
        times(ratio)
    )
}

fn calls(subject: &Scenario, slow: &Scenario) -> Option<String> {
    let (few, many) = (
        subject.summary().backend_calls_per_1000?,
        slow.summary().backend_calls_per_1000?,
    );
    let (few, many) = (number(few), number(many));
    let (name, other) = (subject.name(), slow.name());
    Some(format!(
        "{name} made {few} backend calls per 1,000 requests, {other} {many}."
    ))
}

fn plain_headline(facts: &Facts) -> Headline {
    let each: Vec<String> = facts
        .scenarios
        .iter()
        .map(|scenario| {
            let latency = &scenario.summary().latency_us;
            let (median, p99) = (micros(latency.p50 as f64), micros(latency.p99 as f64));
            format!("{} within {median} and {p99}", scenario.name())
        })
        .collect();
    let first = format!(
        "Half and {} of the requests were answered: {}.",
        percent(0.99),
        list(&each)
    );
    Headline {
        first,
        rest: String::new(),
    }
}

/// The comparison in a line.
pub fn finding(facts: &Facts) -> Option<String> {
    let Cast { subject, slow, .. } = cast(facts)?;
    let ratio = p50(slow) as f64 / p50(subject).max(1) as f64;
    let (name, other) = (subject.name(), slow.name());
    (ratio >= 1.05).then(|| {
        format!(
            "{name} answers the median request {} faster than {other}",
            times(ratio)
        )
    })
}

/// How long the backend took to answer, as the scenario set it.
pub fn backend_delay(scenario: &Value) -> String {
    let Some(delay) = scenario.pointer("/backend/delay") else {
        return "not set by the scenario".to_owned();
    };
    let of_endpoints = scenario
        .pointer("/backend/delays")
        .and_then(Value::as_object);
    let of_endpoints = of_endpoints.into_iter().flatten();
    let of_endpoints =
        of_endpoints.map(|(name, delay)| format!("; {name}: {}", distribution(delay)));
    distribution(delay) + &of_endpoints.collect::<String>()
}

fn distribution(delay: &Value) -> String {
    let milliseconds = |name: &str| {
        delay
            .get(name)
            .and_then(Value::as_f64)
            .map(|ms| round_micros(ms * 1e3))
    };
    let values = |name: &str| {
        delay
            .get(name)
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    match (
        delay.get("kind").and_then(Value::as_str),
        milliseconds("p50_ms"),
        milliseconds("p99_ms"),
    ) {
        (Some("none"), ..) => "none".to_owned(),
        (Some("log_normal"), Some(p50), Some(p99)) => format!("log-normal, p50 {p50}, p99 {p99}"),
        (Some("samples"), ..) => format!("{} observed values", values("ms")),
        (Some("quantiles"), ..) => format!("{} observed quantiles", values("points")),
        (Some("constant"), ..) => match milliseconds("ms") {
            Some(delay) => format!("{delay}, constant"),
            None => delay.to_string(),
        },
        _ => delay.to_string(),
    }
}

/// The delay of the backend in the scenarios that called it, if it is the same in all of them.
pub fn common_backend_delay(facts: &Facts) -> Option<String> {
    let calls = |s: &&Scenario| {
        s.summary()
            .backend_calls_per_1000
            .is_some_and(|calls| calls > 0.0)
    };
    let mut delays = facts
        .scenarios
        .iter()
        .filter(calls)
        .map(|s| backend_delay(&s.record.scenario));
    let first = delays.next()?;
    delays.all(|delay| delay == first).then_some(first)
}

/// Whether usage came out exact, where something was admitted.
pub fn accounting(scenario: &Scenario) -> Option<String> {
    let summary = scenario.summary();
    let admitted = summary.admitted.filter(|admitted| *admitted > 0)?;
    let (reported, upstream) = (summary.reported?, summary.upstream_requests?);
    let (name, exact) = (
        scenario.name(),
        admitted == reported && admitted == upstream,
    );
    let figures = format!(
        "{} admitted, {} in the backend's ledger, {} at the upstream",
        count(admitted),
        count(reported),
        count(upstream)
    );
    Some(if exact {
        format!("{name}: exact. {figures}.")
    } else {
        format!("{name}: NOT EXACT. {figures}.")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_backend_delay_is_stated_as_it_was_set() {
        #[track_caller]
        fn check(delay: Value, text: &str) {
            let scenario = json!({ "backend": { "delay": delay } });
            assert_eq!(backend_delay(&scenario).replace('\u{a0}', " "), text);
        }
        check(json!({"kind": "none"}), "none");
        check(json!({"kind": "constant", "ms": 12.5}), "12.5 ms, constant");
        check(
            json!({"kind": "log_normal", "p50_ms": 8, "p99_ms": 40}),
            "log-normal, p50 8 ms, p99 40 ms",
        );
        check(
            json!({"kind": "samples", "ms": [1, 2]}),
            "2 observed values",
        );
        let of_reports = json!({"report": {"kind": "constant", "ms": 3}});
        let both = json!({"backend": {"delay": {"kind": "none"}, "delays": of_reports}});
        let stated = backend_delay(&both).replace('\u{a0}', " ");
        assert_eq!(stated, "none; report: 3 ms, constant");
        check(
            json!({"kind": "strange", "a": 1}),
            r#"{"a":1,"kind":"strange"}"#,
        );
        assert_eq!(backend_delay(&Value::Null), "not set by the scenario");
    }
}
