//! What a case came to: how far over the limit, and how many requests were denied in vain.
//!
//! Owns [`Outcome`], the bound that a mode promises, and how both are shown. Must not know how a
//! case is run, nor the names in the file, which are those of [`reports::quota`].

use std::fmt;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use lab::collect::Counts;
use reports::quota::{Bound, Figures};
use serde::Serialize;
use serde_json::{Value, json as json_value};

use super::Measured;
use super::case::{Case, Mode};
use crate::latency::{ErrorClass, Interval};

/// Answered by the cache when a limit is reached.
const TOO_MANY: ErrorClass = ErrorClass::Status(429);

/// What a case came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The case.
    #[serde(flatten)]
    pub case: Case,
    /// What it came to.
    #[serde(flatten)]
    pub figures: Figures,
}

impl Outcome {
    pub(super) fn new(
        case: &Case,
        sent: &Interval,
        counts: &Counts,
        backend_calls: u64,
        late: bool,
    ) -> Self {
        let limit = case.limit;
        let denied = sent.errors.get(&TOO_MANY).copied().unwrap_or(0);
        let overshoot = counts.reported.saturating_sub(limit);
        let ideal = sent.sent.min(limit);
        let missing = ideal.saturating_sub(sent.ok);
        let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
        let bound = promise(case.mode, limit);
        let figures = Figures {
            offered: sent.sent,
            admitted: sent.ok,
            denied,
            failed: sent.failed() - denied,
            counted: counts.reported,
            overshoot,
            overshoot_percent: percent(overshoot, limit),
            false_denials_percent: percent(missing, sent.sent),
            backend_calls,
            bound,
            within_bound: match bound {
                Bound::Units(units) => Some(overshoot <= units),
                Bound::None => None,
            },
            exact: counts.reported == sent.ok && counts.upstream_requests == sent.ok,
            late,
        };
        Self {
            case: case.clone(),
            figures,
        }
    }

    /// Whether anything went otherwise than it should.
    pub fn has_failed(&self) -> bool {
        let it = &self.figures;
        it.within_bound == Some(false) || !it.exact || it.failed > 0 || it.late
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} of {} admitted, {} over the limit, {:.2} % denied in vain, {} backend calls",
            self.case,
            self.figures.admitted,
            self.figures.offered,
            self.figures.overshoot,
            self.figures.false_denials_percent,
            self.figures.backend_calls
        )
    }
}

/// What a mode promises at a report lag of at most 50 ms.
fn promise(mode: Mode, limit: u64) -> Bound {
    match mode {
        Mode::Strict => Bound::Units(0),
        // Half a percent, and two requests where that is less than two.
        Mode::Balanced => Bound::Units((limit / 200).max(2)),
        Mode::Fast | Mode::Off => Bound::None,
    }
}

/// The outcomes as a table, and below it what went wrong.
pub fn render(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "mode",
        "limit\nper minute",
        "load",
        "gateways",
        "workers",
        "offered",
        "admitted",
        "over the limit",
        "denied in vain",
        "backend calls\nper minute",
        "promise",
    ]);
    for outcome in outcomes {
        let case = &outcome.case;
        let figures = &outcome.figures;
        let cells = [
            case.limit.to_string(),
            format!("×{}", case.load),
            case.gateways.to_string(),
            case.workers.to_string(),
            figures.offered.to_string(),
            figures.admitted.to_string(),
            format!("{} ({:.2} %)", figures.overshoot, figures.overshoot_percent),
            format!("{:.2} %", figures.false_denials_percent),
            figures.backend_calls.to_string(),
            match figures.within_bound {
                Some(true) => "kept".to_owned(),
                Some(false) => "BROKEN".to_owned(),
                None => "none".to_owned(),
            },
        ];
        let cells = cells
            .map(|text| Cell::new(text).set_alignment(CellAlignment::Right))
            .into_iter();
        table.add_row(std::iter::once(Cell::new(case.mode)).chain(cells));
    }
    let problems = outcomes.iter().filter_map(problem);
    let problems: String = problems.map(|line| format!("  - {line}\n")).collect();
    match problems.is_empty() {
        true => format!("{table}\n"),
        false => format!("{table}\n\nNot as it should be:\n{problems}"),
    }
}

fn problem(outcome: &Outcome) -> Option<String> {
    let Outcome { case, figures } = outcome;
    if figures.within_bound == Some(false) {
        return Some(format!(
            "{case}: {} over the limit, promised are at most {:?}",
            figures.overshoot, figures.bound
        ));
    }
    if !figures.exact {
        return Some(format!(
            "{case}: {} answered with 200, but the ledger counted {}",
            figures.admitted, figures.counted
        ));
    }
    if figures.failed > 0 {
        return Some(format!(
            "{case}: {} requests failed, neither let through nor denied for the limit",
            figures.failed
        ));
    }
    figures
        .late
        .then(|| format!("{case}: the lab was up late, so it was loaded for less than its minute"))
}

/// The outcomes and their circumstances for programs.
pub fn json(measured: &Measured) -> Value {
    json_value!({ "circumstances": measured.circumstances, "cases": measured.outcomes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(mode: Mode, ok: u64, denied: u64, reported: u64) -> Outcome {
        let case = Case {
            mode,
            gateways: 4,
            workers: 1,
            limit: 60,
            load: 3.0,
            uneven: None,
        };
        let sent = Interval {
            sent: ok + denied,
            ok,
            errors: [(TOO_MANY, denied)].into(),
            ..Interval::default()
        };
        let counts = Counts {
            reported,
            upstream_requests: ok,
            ..Counts::default()
        };
        Outcome::new(&case, &sent, &counts, 12, false)
    }

    #[test]
    fn a_limit_that_is_used_to_the_last_unit_is_no_failure() {
        let exact = outcome(Mode::Strict, 60, 120, 60);
        assert!(!exact.has_failed());
        assert_eq!(
            (exact.figures.overshoot, exact.figures.false_denials_percent),
            (0, 0.0)
        );
        assert!(!render(&[exact]).contains("Not as"));
    }

    #[test]
    fn one_over_the_limit_breaks_strict_but_not_balanced() {
        assert!(outcome(Mode::Strict, 61, 119, 61).has_failed());
        assert!(!outcome(Mode::Balanced, 62, 118, 62).has_failed());
        assert!(outcome(Mode::Balanced, 63, 117, 63).has_failed());
        assert!(!outcome(Mode::Fast, 180, 0, 180).has_failed());
        assert!(render(&[outcome(Mode::Strict, 61, 119, 61)]).contains("BROKEN"));
    }

    #[test]
    fn what_is_written_of_a_case_is_what_reports_read() {
        let broken = outcome(Mode::Balanced, 63, 117, 63);
        let text = serde_json::to_string(&broken).expect("an outcome is plain values");
        let read: reports::quota::Case = serde_json::from_str(&text).expect("reports read it");
        assert_eq!((read.mode.as_str(), read.limit), ("balanced", 60));
        assert_eq!(read.figures, broken.figures);
    }

    #[test]
    fn usage_that_the_ledger_lacks_is_a_failure_in_every_mode() {
        assert!(outcome(Mode::Fast, 50, 0, 49).has_failed());
    }

    #[test]
    fn denied_in_vain_is_what_an_ideal_counter_would_have_let_through() {
        let early = outcome(Mode::Strict, 45, 45, 45);
        assert!((early.figures.false_denials_percent - 100.0 * 15.0 / 90.0).abs() < 1e-9);
        let below = outcome(Mode::Strict, 50, 4, 50);
        assert!((below.figures.false_denials_percent - 100.0 * 4.0 / 54.0).abs() < 1e-9);
    }
}
