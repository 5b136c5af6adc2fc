//! The verdict over figures that are no run.
//!
//! Owns what doubts and findings amount to, and what findings are called. Must not know what was
//! measured.

use crate::setup::Verdict;

/// What findings are called: in a list, and in a sentence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Findings {
    mark: &'static str,
    text: &'static str,
}

/// Promises that were not kept.
pub(super) const BROKEN: Findings = Findings {
    mark: "not as promised",
    text: "Measured, and not everything is as promised.",
};

/// Controls that alarmed.
pub(super) const ALARMED: Findings = Findings {
    mark: "advisory",
    text: "Measured, and a control alarmed: what was found beside it is no more than a hint.",
};

/// Doubts make figures invalid; findings are listed and do not.
pub(super) fn judged(doubts: Vec<String>, findings: Vec<String>, told: Findings) -> Verdict {
    let (kind, mark, text) = match (doubts.is_empty(), findings.is_empty()) {
        (false, _) => (
            "invalid",
            "not valid",
            "Not valid: these figures may not be quoted.",
        ),
        (true, false) => ("partial", told.mark, told.text),
        (true, true) => ("valid", "valid", "Nothing was found against these figures."),
    };
    Verdict {
        kind,
        mark,
        text: text.to_owned(),
        reasons: [doubts, findings].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_told_and_only_doubts_make_figures_invalid() {
        let told = |doubts: &[&str], findings: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
            let verdict = judged(owned(doubts), owned(findings), ALARMED);
            (verdict.kind, verdict.mark, verdict.reasons.join(" "))
        };
        assert_eq!(told(&[], &[]), ("valid", "valid", String::new()));
        assert_eq!(told(&[], &["b"]), ("partial", "advisory", "b".to_owned()));
        assert_eq!(
            told(&["a"], &["b"]),
            ("invalid", "not valid", "a b".to_owned())
        );
    }
}
