//! What charts of counts per second have alike.
//!
//! Owns how a scenario's counts become a line and a row. Must not know which counts a chart shows.

use crate::draw::ink::Ink;
use crate::draw::panels::{Series, Style, steps};
use crate::facts::{CountPoint, Scenario};
use crate::format::number;
use crate::table::Table;

/// Makes lines of a scenario's counts; each point stands for `step_s` seconds.
pub(super) fn counted(
    scenario: &Scenario,
    step_s: f64,
) -> impl Fn(&'static str, Ink, Style, fn(&CountPoint) -> f64) -> Series {
    move |label, ink, style, value| Series {
        label,
        ink,
        style,
        points: steps(
            scenario.counts.iter().map(|p| (p.start_s, value(p))),
            step_s,
        ),
    }
}

/// Adds a row of numbers that begins with the scenario's name.
pub(super) fn push_numbers<const N: usize>(
    table: &mut Table,
    scenario: &Scenario,
    numbers: [f64; N],
) {
    let name = std::iter::once(scenario.name().to_owned());
    table.push(name.chain(numbers.map(number)));
}
