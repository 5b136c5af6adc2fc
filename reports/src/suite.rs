//! What a suite of comparisons wants to reach: the goals in the file of `loadgen duet --suite`.
//!
//! Owns reading them and setting them against what was reached. Must not know how anything is drawn.

use serde::Deserialize;

use crate::duet::Duet;
use crate::format::number;
use crate::table::Table;

/// What one comparison reached, and the least that it should.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct Entry {
    /// The figure.
    pub reached: f64,
    /// Its least value; none where nothing is set.
    pub goal: Option<f64>,
}

impl Entry {
    fn is_reached(self) -> Option<bool> {
        self.goal.map(|goal| self.reached >= goal)
    }
}

/// The entries of a suite's file; none for a single comparison.
pub fn entries(text: &str) -> Vec<Entry> {
    serde_json::from_str(text).unwrap_or_default()
}

/// How many goals were reached, in a sentence; empty where there are none.
pub fn reached(entries: &[Entry]) -> String {
    let judged: Vec<bool> = entries.iter().filter_map(|it| it.is_reached()).collect();
    let reached = judged.iter().filter(|it| **it).count();
    match judged.len() {
        0 => String::new(),
        all => format!("{reached} of {all} goals were reached."),
    }
}

/// Goals beside what was reached; `None` without goals.
pub fn table(entries: &[Entry], duets: &[Duet]) -> Option<Table> {
    entries.iter().find(|entry| entry.goal.is_some())?;
    let head = ["Candidate", "Base", "Figure", "Reached", "Goal", ""];
    let mut table = Table::new("Goals of the suite", 3, &head);
    for (entry, duet) in entries.iter().zip(duets) {
        // The file does not name the figure; what is not this one is the other.
        let is_cpu = (entry.reached * duet.figures.cpu_ratio.estimate - 1.0).abs() < 1e-6;
        table.push([
            duet.candidate.name.clone(),
            duet.base.name.clone(),
            match is_cpu {
                true => "CPU time per request, base / candidate",
                false => "throughput, candidate / base",
            }
            .to_owned(),
            format!("{:.3}", entry.reached),
            entry.goal.map_or_else(|| "none".to_owned(), number),
            match entry.is_reached() {
                Some(true) => "reached",
                Some(false) => "not reached",
                None => "",
            }
            .to_owned(),
        ]);
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_from_its_value_on_and_a_single_comparison_has_none() {
        let found = entries(
            r#"[{"reached":0.8,"goal":0.8,"duet":{}},{"reached":1.62,"goal":2.0,"duet":{}},
                {"reached":0.73,"goal":null,"duet":{}}]"#,
        );
        assert_eq!(reached(&found), "1 of 2 goals were reached.");
        assert_eq!(entries("{}"), []);
        assert_eq!(reached(&[]), "");
        assert_eq!(table(&[], &[]), None);
    }
}
