//! A run whose load rises: the spans of (nearly) equal rate, and what each of them gave.
//!
//! Owns which profiles have such spans and which seconds belong to one. Must not know how a span is
//! shown.

use hdrhistogram::{AdditionError, Histogram};
use results::histogram;
use results::hlog::Interval;
use results::record::{Percentiles, ScenarioRecord, SeriesRow};
use results::saturation::Saturation;
use serde_json::Value;

/// Fewer rates than this make no curve.
const LEAST_RATES: usize = 3;
/// Seconds of a ramp that are taken together, at least.
const RAMP_SPAN_S: f64 = 5.0;
/// Parts that a ramp is cut into, at most.
const MOST_PARTS: f64 = 12.0;
/// Times are written in milliseconds; what is closer counts as the same moment.
const SAME_MOMENT_S: f64 = 0.002;

/// What one span of the rising load gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepPoint {
    /// Second at which it starts.
    pub start_s: f64,
    /// Requests per second that the schedule offered.
    pub offered_rps: f64,
    /// Requests per second answered as expected.
    pub achieved_rps: f64,
    /// Number of latency samples.
    pub samples: u64,
    /// Latency from the intended send time.
    pub latency_us: Percentiles,
    /// Whether a search counted the rate as carried; unknown where nobody searched.
    pub is_carried: Option<bool>,
}

/// Samples of each span.
pub(super) struct Steps {
    spans: Vec<(Span, Histogram<u64>)>,
    failed: Option<AdditionError>,
}

impl Steps {
    /// The spans of a scenario: the steps of its search, or those of a profile of several rates.
    pub(super) fn of(profile: &Value, record: &ScenarioRecord, warm_up_s: f64) -> Self {
        let search = Saturation::of(record);
        let spans = searched(profile, search.as_ref()).or_else(|| spans(profile, warm_up_s));
        let spans = spans
            .unwrap_or_default()
            .into_iter()
            .map(|span| (span, histogram::empty()));
        Self {
            spans: spans.collect(),
            failed: None,
        }
    }

    pub(super) fn add(&mut self, interval: &Interval) {
        let (start, end) = (interval.start_s, interval.start_s + interval.length_s);
        for (span, samples) in &mut self.spans {
            if start + SAME_MOMENT_S >= span.from && end <= span.to + SAME_MOMENT_S {
                let result = samples.add(&interval.histogram);
                self.failed = result.err().or(self.failed.take());
            }
        }
    }

    /// The spans in which something was offered and measured.
    pub(super) fn finish(self, rows: &[SeriesRow]) -> Result<Vec<StepPoint>, AdditionError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let points = self.spans.iter().filter_map(|(span, samples)| {
            let Span {
                from,
                to,
                is_carried,
            } = *span;
            let inside = |row: &&SeriesRow| {
                let second = f64::from(row.second);
                second + SAME_MOMENT_S >= from && second + 1.0 <= to + SAME_MOMENT_S
            };
            let seconds = rows.iter().filter(inside).count() as f64;
            let per_second = |value: fn(&SeriesRow) -> u64| {
                rows.iter().filter(inside).map(value).sum::<u64>() as f64 / seconds
            };
            (seconds > 0.0 && !samples.is_empty()).then(|| StepPoint {
                start_s: from,
                offered_rps: per_second(|row| row.offered),
                achieved_rps: per_second(|row| row.ok),
                samples: samples.len(),
                latency_us: histogram::percentiles(samples),
                is_carried,
            })
        });
        Ok(points.collect())
    }
}

/// Begin and end of a span in seconds from the first send, and what a search made of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    from: f64,
    to: f64,
    is_carried: Option<bool>,
}

/// The steps of a search.
fn searched(profile: &Value, search: Option<&Saturation>) -> Option<Vec<Span>> {
    let length_s = profile.get("step_s")?.as_f64()?;
    let spans = search?.steps.iter().map(|step| Span {
        from: step.at_s,
        to: step.at_s + length_s,
        is_carried: Some(step.is_carried),
    });
    Some(spans.collect())
}

/// The stretches of a profile of several rates.
fn spans(profile: &Value, warm_up_s: f64) -> Option<Vec<Span>> {
    let segments = profile.get("segments")?.as_array()?;
    let mut rates: Vec<u64> = Vec::new();
    let mut spans = Vec::new();
    let mut start = warm_up_s;
    for segment in segments {
        let figure = |name: &str| segment.get(name).and_then(Value::as_f64);
        let (length, from, to) = (
            figure("duration_s")?,
            figure("from_rps")?,
            figure("to_rps")?,
        );
        let parts = match from == to {
            true => 1.0,
            false => (length / RAMP_SPAN_S).floor().clamp(1.0, MOST_PARTS),
        };
        for part in 0..parts as u32 {
            let at = |edge: f64| start + length * edge / parts;
            let part = f64::from(part);
            spans.push(Span {
                from: at(part),
                to: at(part + 1.0),
                is_carried: None,
            });
            rates.push((from + (to - from) * (part + 0.5) / parts).round() as u64);
        }
        start += length;
    }
    rates.sort_unstable();
    rates.dedup();
    (rates.len() >= LEAST_RATES).then_some(spans)
}

#[cfg(test)]
mod tests {
    use results::record::Event;
    use serde_json::json;

    use super::*;

    fn segment(duration_s: f64, from_rps: f64, to_rps: f64) -> Value {
        json!({"duration_s": duration_s, "from_rps": from_rps, "to_rps": to_rps})
    }

    #[test]
    fn only_a_rising_load_has_spans() {
        #[track_caller]
        fn check(segments: &[Value], expected: Option<&[(f64, f64)]>) {
            let found = spans(&json!({ "segments": segments }), 5.0);
            let found = found.map(|spans| spans.iter().map(|s| (s.from, s.to)).collect::<Vec<_>>());
            assert_eq!(found.as_deref(), expected);
        }
        check(&[segment(10.0, 500.0, 500.0)], None);
        check(
            &[segment(10.0, 50.0, 50.0), segment(10.0, 500.0, 500.0)],
            None,
        );
        let steps = [100.0, 200.0, 300.0].map(|rate| segment(10.0, rate, rate));
        check(&steps, Some(&[(5.0, 15.0), (15.0, 25.0), (25.0, 35.0)]));
        check(
            &[segment(15.0, 0.0, 300.0)],
            Some(&[(5.0, 10.0), (10.0, 15.0), (15.0, 20.0)]),
        );
        assert_eq!(spans(&json!({"mode": "closed", "users": 8}), 0.0), None);
    }

    #[test]
    fn a_second_across_two_spans_belongs_to_neither() {
        let profile = json!({"segments": [segment(1.5, 1.0, 1.0), segment(1.5, 2.0, 2.0), segment(1.0, 3.0, 3.0)]});
        let mut steps = Steps {
            spans: spans(&profile, 0.0)
                .expect("three rates")
                .into_iter()
                .map(|span| (span, histogram::empty()))
                .collect(),
            failed: None,
        };
        for second in 0..4 {
            let mut samples = histogram::empty();
            histogram::record(&mut samples, 100);
            steps.add(&Interval {
                start_s: f64::from(second),
                length_s: 1.0,
                histogram: samples,
            });
        }
        let rows: Vec<SeriesRow> = (0..4)
            .map(|second| SeriesRow {
                second,
                offered: 1,
                ..SeriesRow::default()
            })
            .collect();
        let points = steps.finish(&rows).expect("histograms of one kind add up");
        let samples: Vec<(f64, u64)> = points.iter().map(|p| (p.start_s, p.samples)).collect();
        assert_eq!(samples, [(0.0, 1), (1.5, 1), (3.0, 1)]);
    }

    #[test]
    fn the_steps_of_a_search_are_its_spans() {
        let events = json!([
            {"at_s": 2.0, "label": "measuring starts"},
            {"at_s": 2.0, "label": "step 100/s carried: 100.00 % answered, p99 1.0 ms"},
            {"at_s": 5.0, "label": "step 200/s not carried: 90.00 % answered, p99 900.0 ms"},
            {"at_s": 7.0, "label": "search: carries 100/s, no more"},
        ]);
        let events: Vec<Event> = serde_json::from_value(events).expect("events");
        let search = Saturation::of_events(&events);
        let found = searched(&json!({"step_s": 2}), search.as_ref()).expect("a search");
        let span = |from, to, is_carried| Span {
            from,
            to,
            is_carried: Some(is_carried),
        };
        assert_eq!(found, [span(2.0, 4.0, true), span(5.0, 7.0, false)]);
        assert_eq!(searched(&json!({"step_s": 2}), None), None);
    }
}
