//! `loadgen gate FILE` from what was typed to what is printed.
//!
//! Owns the order in which gates are measured, and which share a comparison. Must not know how figures are
//! obtained.

use std::path::Path;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use reports::gates::{Decision, Gate};
use reports::paired::verdict::Margins;

use super::file::{self, Against, DuetTable, GateSpec};
use super::measure::Measure;
use super::{GateError, counts, measured, prove, written};
use crate::cli::gate::{GateArgs, WARM_UP};
use crate::duet::figures::Metric;
use crate::duet::record::Duet;
use crate::duet::target::Target;
use crate::duet::{Session, Settings};

/// What a command came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Nothing speaks against the change, or against the gate.
    Passed,
    /// A regression was caught, or the gate is not what it is meant to be.
    Caught,
    /// Measured, and it does not decide.
    Undecided,
    /// Ended before.
    Interrupted,
}

/// Carries out what was typed; tables go to standard output.
pub async fn run(
    arguments: &GateArgs,
    json: Option<&Path>,
    session: &Session<'_>,
) -> Result<End, GateError> {
    let Some(file) = &arguments.file else {
        let proof = prove::run(arguments, json, session).await?;
        return Ok(match proof {
            Some(proof) if !proof.is_valid() => End::Undecided,
            Some(proof) if proof.holds() => End::Passed,
            Some(_) => End::Caught,
            None => End::Interrupted,
        });
    };
    let decision = decide(arguments, file, json, session).await?;
    Ok(match decision {
        Some(Decision::Passed) => End::Passed,
        Some(Decision::Regressed) => End::Caught,
        Some(Decision::Undecided) => End::Undecided,
        None => End::Interrupted,
    })
}

/// What the gates of a file came to; `None` when they were stopped before.
async fn decide(
    arguments: &GateArgs,
    file: &Path,
    json: Option<&Path>,
    session: &Session<'_>,
) -> Result<Option<Decision>, GateError> {
    let read = file::read(file)?;
    let is_asked = |gate: &&GateSpec| {
        arguments
            .tier
            .is_none_or(|tier| gate.measure.tier() == tier)
    };
    let asked = read.gates.iter().filter(is_asked).cloned();
    let (idle, specs): (Vec<GateSpec>, Vec<GateSpec>) =
        asked.partition(|spec| is_idle(spec, arguments));
    for spec in &idle {
        session.progress.note(&format!(
            "left out: {}: it would compare a build with itself; --base-wasm FILE names that of before",
            spec.name
        ));
    }
    if specs.is_empty() {
        let file = file.to_owned();
        return Err(match idle.is_empty() {
            true => GateError::NoGate(file),
            false => GateError::Idle(file),
        });
    }
    let bench = Bench {
        table: read.duet.with(arguments.pairs, arguments.blocks),
        arguments,
        session,
    };
    let (mut found, mut duets): (Vec<Option<Gate>>, Vec<Duet>) =
        (vec![None; specs.len()], Vec::new());
    for (place, spec) in specs.iter().enumerate() {
        if found[place].is_some() {
            continue;
        }
        session.progress.heading(&spec.name);
        match spec.measure {
            Measure::Duet(_) => {
                let partners = partners(&specs, spec);
                let Some(duet) = bench.duet(spec, &partners).await? else {
                    return Ok(None);
                };
                for (partner, spec, metric) in partners {
                    found[partner] = Some(measured::compared(spec, metric, &duet));
                }
                duets.push(duet);
            }
            Measure::ArtefactBytes | Measure::BackendCalls => {
                if session.stop.is_raised() {
                    return Ok(None);
                }
                found[place] = Some(bench.count(spec).await?);
            }
        }
    }
    session.progress.finish();
    let gates: Vec<Gate> = found.into_iter().flatten().collect();
    let text = written::json(&file.display().to_string(), &gates, &duets)?;
    let (markdown, strip) = (arguments.markdown.as_deref(), arguments.strip.as_deref());
    written::files(&text, json, markdown, strip)?;
    print!("{}", show(&gates));
    Ok(Some(Decision::of(&gates)))
}

/// Whether base and candidate are the same build, about which there is nothing to find out.
fn is_idle(spec: &GateSpec, arguments: &GateArgs) -> bool {
    let is_same = matches!(&spec.against, Against::Base(base) if *base == spec.candidate);
    is_same && arguments.base_wasm.is_none() && arguments.candidate_wasm.is_none()
}

/// The gates that the comparison of one answers, with their places.
fn partners<'a>(specs: &'a [GateSpec], of: &GateSpec) -> Vec<(usize, &'a GateSpec, Metric)> {
    let places = specs.iter().enumerate();
    let same =
        places.filter(|(_, spec)| (&spec.against, &spec.candidate) == (&of.against, &of.candidate));
    let measured = same.filter_map(|(place, spec)| match spec.measure {
        Measure::Duet(metric) => Some((place, spec, metric)),
        Measure::ArtefactBytes | Measure::BackendCalls => None,
    });
    measured.collect()
}

struct Bench<'a> {
    table: DuetTable,
    arguments: &'a GateArgs,
    session: &'a Session<'a>,
}

impl Bench<'_> {
    async fn duet(
        &self,
        spec: &GateSpec,
        partners: &[(usize, &GateSpec, Metric)],
    ) -> Result<Option<Duet>, GateError> {
        let mut margins = Margins::default();
        for (_, partner, metric) in partners {
            match metric {
                Metric::Cpu => margins.cpu = partner.margin,
                Metric::P50 => margins.p50 = partner.margin,
                Metric::Throughput => margins.throughput = partner.margin,
            }
        }
        let Against::Base(base) = &spec.against else {
            return Ok(None);
        };
        let (base, candidate) = (self.base(base)?, self.candidate(&spec.candidate)?);
        let settings = Settings {
            margins,
            decides: partners.iter().map(|(_, _, metric)| *metric).collect(),
            ..settings(&self.table)
        };
        Ok(self.session.compare(base, candidate, settings).await?)
    }

    async fn count(&self, spec: &GateSpec) -> Result<Gate, GateError> {
        let mut unexpected = 0;
        let candidate = self
            .figure(spec, &self.candidate(&spec.candidate)?, &mut unexpected)
            .await?;
        let base = match &spec.against {
            Against::Base(base) => Some(
                self.figure(spec, &self.base(base)?, &mut unexpected)
                    .await?,
            ),
            Against::Limit(_) => None,
        };
        let mut gate = measured::count(spec, base, candidate, measured::unit(spec.measure));
        if unexpected > 0 {
            gate.outcome = reports::gates::Outcome::NotValid;
            gate.reasons = vec![format!(
                "{unexpected} answers had another status than expected"
            )];
        }
        Ok(gate)
    }

    async fn figure(
        &self,
        spec: &GateSpec,
        target: &Target,
        unexpected: &mut u64,
    ) -> Result<f64, GateError> {
        if spec.measure == Measure::ArtefactBytes {
            let bytes = counts::artefact_bytes(target, self.session.progress).await?;
            return bytes
                .map(|bytes| bytes as f64)
                .ok_or_else(|| GateError::NoArtefact {
                    gate: spec.name.clone(),
                    target: target.label.clone(),
                });
        }
        let calls = counts::backend_calls(target, self.session).await?;
        *unexpected += calls.unexpected;
        Ok(calls.per_1000)
    }

    fn base(&self, text: &str) -> Result<Target, GateError> {
        with_module(text, self.arguments.base_wasm.as_deref())
    }

    fn candidate(&self, text: &str) -> Result<Target, GateError> {
        with_module(text, self.arguments.candidate_wasm.as_deref())
    }
}

/// A target, with this module in the place of the one built from the workspace. A target that names a module,
/// or runs none, stays as it is.
fn with_module(text: &str, wasm: Option<&Path>) -> Result<Target, GateError> {
    let target = Target::parse(text)?;
    let plugin = &target.scenario.plugin;
    let is_built = plugin.enabled && plugin.wasm.is_none() && plugin.sample.is_none();
    match wasm.filter(|_| is_built) {
        Some(wasm) => Ok(Target::parse(&format!("{text}={}", wasm.display()))?),
        None => Ok(target),
    }
}

/// How comparisons are carried out.
pub(super) fn settings(table: &DuetTable) -> Settings {
    Settings {
        pairs: table.pairs,
        blocks: table.blocks,
        slice: table.slice(),
        warm_up: WARM_UP,
        connections: table.connections,
        processors: (table.processors > 0).then_some(table.processors),
        has_control: table.control,
        looks: table.looks,
        margins: Margins::default(),
        decides: vec![Metric::Cpu],
    }
}

fn show(gates: &[Gate]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "gate",
        "metric",
        "base or limit",
        "candidate",
        "ratio (95 %)",
        "outcome",
    ]);
    for gate in gates {
        let value = |value: f64| {
            let digits = if value.fract() == 0.0 { 0 } else { 2 };
            format!("{value:.digits$} {}", gate.unit)
                .trim_end()
                .to_owned()
        };
        let hint = if gate.advisory {
            " (advisory: the control alarmed)"
        } else {
            ""
        };
        let Some(compared_with) = gate.base_value.or(gate.limit) else {
            continue;
        };
        let ratio = match gate.tier {
            1 => format!("{:.3}", gate.ratio.estimate),
            _ => format!(
                "{:.3} ({:.3} to {:.3})",
                gate.ratio.estimate, gate.ratio.low, gate.ratio.high
            ),
        };
        table.add_row([
            gate.name.clone(),
            gate.metric.clone(),
            value(compared_with),
            value(gate.candidate_value),
            ratio,
            format!("{}{hint}", gate.outcome.text()),
        ]);
    }
    let mut text = format!("{table}\n");
    for gate in gates {
        for reason in &gate.reasons {
            text.push_str(&format!("{}: {reason}\n", gate.name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, measure: Measure, candidate: &str) -> GateSpec {
        GateSpec {
            name: name.to_owned(),
            measure,
            against: Against::Base("cache".to_owned()),
            candidate: candidate.to_owned(),
            margin: 0.02,
            must_tell: false,
        }
    }

    #[test]
    fn gates_of_the_same_two_targets_share_a_comparison() {
        let specs = [
            spec("a", Measure::Duet(Metric::Cpu), "cache"),
            spec("b", Measure::ArtefactBytes, "cache"),
            spec("c", Measure::Duet(Metric::Cpu), "hit-floor"),
            spec("d", Measure::Duet(Metric::Throughput), "cache"),
        ];
        let of_first = partners(&specs, &specs[0]);
        let places: Vec<usize> = of_first.iter().map(|(place, ..)| *place).collect();
        assert_eq!(places, [0, 3]);
    }

    #[test]
    fn a_module_takes_the_place_of_the_built_one_only() {
        let wasm = Path::new("/tmp/base.wasm");
        let label = |text| with_module(text, Some(wasm)).expect("a target").label;
        assert_eq!(label("cache"), "cache=/tmp/base.wasm");
        assert_eq!(label("cache:passthrough"), "cache:passthrough");
        assert_eq!(label("cache=/tmp/own.wasm"), "cache=/tmp/own.wasm");
        assert_eq!(label("article-cache"), "article-cache");
        let plain = with_module("cache", None).expect("a target");
        assert_eq!(plain.label, "cache");
    }
}
