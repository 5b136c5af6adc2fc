//! The charts of a report: which there are, and what each consists of.
//!
//! Owns the order and the parts every chart has. Must not know pages or files.

use crate::draw::canvas::{Canvas, Form};
use crate::draw::ink::Ink;
use crate::draw::picture::Picture;
use crate::draw::text::Weight;
use crate::facts::Facts;
use crate::format::{count, rate};
use crate::table::Table;
use crate::{setup, story};

mod counts;
mod cpu;
mod curves;
mod decisions;
mod dots;
mod headline;
mod heat;
mod key;
mod latency;
pub mod noise;
mod percentiles;
pub mod quota;
mod saturation;
pub mod scaling;
pub mod shift;
pub mod strip;
mod throughput;
pub mod trend;

/// One chart in every form, with what has to be said beside it.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Name of its files.
    pub id: &'static str,
    /// What it found, or the question it answers.
    pub title: String,
    /// Run id, offered rate, sample count, and what else a picture alone must carry.
    pub meta: String,
    /// What it shows, for a reader who does not see it.
    pub alt: String,
    /// How to read it.
    pub note: String,
    /// Its numbers.
    pub table: Table,
    /// For a page.
    pub wide: Picture,
    /// For a page on a phone.
    pub narrow: Picture,
    /// By itself, with title and circumstances.
    pub alone: Picture,
}

/// What a chart says before it is drawn.
struct Words {
    id: &'static str,
    title: String,
    alt: String,
    note: String,
}

/// Every chart that the run has data for, in the order of the report.
pub fn all(facts: &Facts) -> Vec<Chart> {
    let charts = [
        headline::chart(facts),
        percentiles::chart(facts),
        latency::chart(facts),
        throughput::chart(facts),
        decisions::chart(facts),
        cpu::chart(facts),
        saturation::chart(facts),
        heat::chart(facts),
    ];
    charts.into_iter().flatten().collect()
}

fn compose(facts: &Facts, words: Words, table: Table, draw: impl Fn(&mut Canvas)) -> Chart {
    compose_with(meta(facts), words, table, draw)
}

/// A chart that is not about one run: it says itself where it comes from.
fn compose_with(meta: String, words: Words, table: Table, draw: impl Fn(&mut Canvas)) -> Chart {
    let picture = |form: Form| {
        let mut canvas = Canvas::new(form);
        if form == Form::Alone {
            let (em, small) = (canvas.em(), canvas.small());
            canvas.top = em;
            canvas.paragraph(&words.title, em * 4 / 3, Weight::Strong, Ink::Text);
            canvas.top += em / 4;
            canvas.paragraph(&meta, small, Weight::Regular, Ink::Muted);
            canvas.top += em / 2;
        }
        draw(&mut canvas);
        if form == Form::Alone {
            canvas.top += canvas.em() / 2;
        }
        canvas.finish()
    };
    let (wide, narrow, alone) = (
        picture(Form::Wide),
        picture(Form::Narrow),
        picture(Form::Alone),
    );
    let Words {
        id,
        title,
        alt,
        note,
    } = words;
    Chart {
        id,
        title,
        meta,
        alt,
        note,
        table,
        wide,
        narrow,
        alone,
    }
}

/// What a picture that is passed on alone has to say about where it comes from.
fn meta(facts: &Facts) -> String {
    let record = &facts.record;
    let samples = count(facts.samples());
    let mut parts = vec![
        format!("run {}", record.id),
        format!("offered {}", offered(facts)),
        format!("{samples} latency samples"),
    ];
    parts.extend(story::common_backend_delay(facts).map(|delay| format!("backend delay {delay}")));
    if record.completion == results::record::Completion::Partial {
        parts.push("ended early".to_owned());
    }
    if let Some(shard) = setup::shard(record) {
        parts.push(setup::part_of_load(shard));
    }
    if !record.validity.valid {
        parts.push("NOT VALID: see the report for the reasons".to_owned());
    }
    parts.join(" · ")
}

/// The rates that were offered: one, or from the lowest to the highest.
fn offered(facts: &Facts) -> String {
    // A load that rises has no rate of its own; its steps have.
    let of_steps = || {
        let steps = facts.scenarios.iter().flat_map(|it| &it.steps);
        steps.map(|step| step.offered_rps.round())
    };
    let of_scenarios = |scenario: &crate::facts::Scenario| {
        scenario
            .steps
            .is_empty()
            .then_some(scenario.summary().offered_rps)
    };
    let rates = || {
        facts
            .scenarios
            .iter()
            .filter_map(of_scenarios)
            .chain(of_steps())
    };
    let (low, high) = (
        rates().fold(f64::MAX, f64::min),
        rates().fold(0.0, f64::max),
    );
    match (rate(low), rate(high)) {
        (low, high) if low == high && facts.scenarios.len() > 1 => {
            format!("{low} in each scenario")
        }
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    }
}

/// The names of scenarios in which something is known that is not known in all of them.
fn left_out(facts: &Facts, known: impl Fn(&crate::facts::Scenario) -> bool) -> Vec<String> {
    let without = facts.scenarios.iter().filter(|scenario| !known(scenario));
    without.map(|scenario| scenario.name().to_owned()).collect()
}
