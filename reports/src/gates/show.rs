//! Gates as people read them.
//!
//! Owns the words of the Markdown and what the strip shows. Must not know what an outcome means for a change.

use super::{Decision, Gate, Gates, Outcome};
use crate::chart::Chart;
use crate::chart::strip::{self, Strip};
use crate::format::{change, number, percent};
use crate::paired::Ratio;
use crate::paired::verdict::Verdict;

/// The text of a comment on a change.
pub fn markdown(gates: &Gates) -> String {
    let mut text = format!("## Gates: {}\n\n", headline(gates));
    text.push_str(
        "| Gate | Base | Candidate | Difference | 95 % interval | Margin | Outcome | Smallest visible effect | Control |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: |\n",
    );
    for gate in &gates.gates {
        let cells = [
            format!("{}: {}", cell(&gate.name), cell(&gate.metric)),
            base(gate),
            value(gate, gate.candidate_value),
            change(gate.ratio.estimate),
            match gate.tier {
                1 => "exact".to_owned(),
                _ => interval(gate.ratio),
            },
            match gate.limit {
                Some(_) => "–".to_owned(),
                None => format!("{} %", number(gate.margin * 100.0)),
            },
            outcome(gate),
            gate.smallest_visible_effect
                .map_or_else(|| "–".to_owned(), |it| change(1.0 + it)),
            gate.control.map_or_else(
                || "–".to_owned(),
                |it| format!("{} ({})", change(it.estimate), interval(it)),
            ),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    for gate in &gates.gates {
        for reason in &gate.reasons {
            text.push_str(&format!("\n> **Caution:** {}: {reason}\n", gate.name));
        }
        if gate.advisory {
            text.push_str(&format!(
                "\n> **Caution:** {}: the base differed from itself, so this outcome is a hint and stops nothing.\n",
                gate.name
            ));
        }
    }
    text.push_str("\n<details><summary>What was compared</summary>\n\n");
    for gate in &gates.gates {
        let with = match (&gate.base, gate.limit) {
            (Some(base), _) => format!("against `{base}`"),
            (None, Some(limit)) => format!("at most {}", value(gate, limit)),
            (None, None) => String::new(),
        };
        text.push_str(&format!(
            "- {}: `{}` {with}, tier {}\n",
            gate.name, gate.candidate, gate.tier
        ));
    }
    for duet in &gates.duets {
        text.push_str(&format!("- {}{}\n", duet.meta(), looks(duet)));
    }
    text.push_str(
        "\nMeasurements are made in turns, in the same minutes. A difference is stated only if it is \
         significant and the whole interval, which contains how blocks differ, is beyond the margin; \"cannot \
         tell\" is a result, and the smallest visible effect says what the run would have seen in nine of ten \
         tries.\n\n</details>\n",
    );
    text
}

fn looks(duet: &crate::duet::Duet) -> String {
    match duet.looks.last().filter(|_| duet.stopped_early) {
        Some(last) => format!(" · over after {} of the run", percent(last.share)),
        None => String::new(),
    }
}

/// What all gates came to, in a line.
fn headline(gates: &Gates) -> String {
    let of = |wanted| gates.gates.iter().filter(|it| it.outcome == wanted).count();
    let total = gates.gates.len();
    match gates.result {
        Decision::Regressed => format!("{} of {total} regressed", of(Outcome::Regressed)),
        Decision::Undecided => format!("undecided, {total} gates"),
        Decision::Passed => match of(Outcome::CannotTell) {
            0 => format!("all {total} passed"),
            open => format!("nothing found; {open} of {total} cannot tell"),
        },
    }
}

fn outcome(gate: &Gate) -> String {
    let text = match gate.outcome {
        Outcome::Regressed => format!("**{}**", gate.outcome.text()),
        other => other.text().to_owned(),
    };
    match gate.advisory {
        true => format!("{text} (advisory)"),
        false => text,
    }
}

fn base(gate: &Gate) -> String {
    match (gate.base_value, gate.limit) {
        (Some(base), _) => value(gate, base),
        (None, Some(limit)) => format!("at most {}", value(gate, limit)),
        (None, None) => "–".to_owned(),
    }
}

fn value(gate: &Gate, value: f64) -> String {
    let digits = match value.fract() == 0.0 {
        true => 0,
        false => 2,
    };
    format!("{value:.digits$} {}", gate.unit)
        .trim_end()
        .to_owned()
}

fn interval(ratio: Ratio) -> String {
    format!("{} to {}", change(ratio.low), change(ratio.high))
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Every gate's ratio with its interval against its margin; none without gates.
pub fn strip(gates: &Gates) -> Option<Chart> {
    let strips: Vec<Strip> = gates.gates.iter().map(of_gate).collect();
    let meta = format!("{} · {} gates", gates.file, gates.gates.len());
    (!strips.is_empty()).then(|| strip::of(&strips, format!("Gates: {}", headline(gates)), meta))
}

fn of_gate(gate: &Gate) -> Strip {
    Strip {
        name: format!("{}: {}", gate.name, gate.metric),
        ratio: gate.ratio,
        margin: gate.limit.is_none().then_some(gate.margin),
        verdict: match gate.outcome {
            Outcome::Passed => Some(Verdict::NoDifference),
            Outcome::Improved => Some(Verdict::Faster),
            Outcome::Regressed => Some(Verdict::Slower),
            Outcome::CannotTell => Some(Verdict::CannotTell),
            Outcome::NotValid => None,
        },
        told: Some(gate.outcome.text()),
        is_advisory: gate.advisory,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::gate;
    use super::*;

    fn gates(gates: Vec<Gate>) -> Gates {
        Gates {
            schema_version: super::super::SCHEMA_VERSION,
            file: "gates.toml".to_owned(),
            result: Decision::of(&gates),
            gates,
            duets: Vec::new(),
        }
    }

    #[test]
    fn a_comment_says_what_was_found_how_sure_it_is_and_what_could_not_be_seen() {
        let mut limited = gate(Outcome::Passed);
        limited.limit = Some(5.0);
        limited.base = None;
        limited.base_value = None;
        limited.tier = 1;
        let mut hint = gate(Outcome::Regressed);
        hint.advisory = true;
        let text = markdown(&gates(vec![gate(Outcome::Regressed), limited, hint]));
        let text = text.replace(crate::format::NO_BREAK, " ");
        for part in [
            "## Gates: 2 of 3 regressed",
            "| a hit: cpu | 20 µs | 21 µs | +5 % | +3 % to +7 % | 2 % | **regressed** | +3.1 % |",
            "| at most 5 µs |",
            "exact",
            "stops nothing",
            "against `hit-floor=base.wasm`",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let columns = |line: &str| line.matches(" | ").count();
        let rows: Vec<usize> = text
            .lines()
            .filter(|it| it.starts_with("| "))
            .map(columns)
            .collect();
        assert!(rows.iter().all(|it| *it == rows[0]), "{rows:?}");
    }

    #[test]
    fn the_strip_has_a_track_for_each_gate() {
        let chart = strip(&gates(vec![
            gate(Outcome::Regressed),
            gate(Outcome::NotValid),
        ]));
        let chart = chart.expect("two gates");
        assert_eq!(chart.table.rows.len(), 2);
        assert!(chart.alt.contains("not valid"), "{}", chart.alt);
        assert!(strip(&gates(Vec::new())).is_none());
    }
}
