//! What a comparison left behind, as the values of its JSON file.
//!
//! Owns the names and units of the file. Every figure can be computed again from the slices in it.
//! Must not know how a slice was measured, or when figures may be used.

mod validity;

use lab::wasm_build::WasmArtefact;
use reports::circumstances::Circumstances;
use reports::duet::{Competitor, Side};
use results::record::{Machine, Validity};
use serde::{Deserialize, Serialize};

use super::figures::Figures;
use super::looks::{LookRecord, Looks};
use super::order::Part;
use super::target::Target;
use super::{Plan, Settings};

/// Version of the file's schema.
pub const SCHEMA_VERSION: u32 = 1;

/// One comparison.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Duet {
    /// Version of this schema.
    pub schema_version: u32,
    /// What the candidate was compared with.
    pub base: Competitor,
    /// What was judged.
    pub candidate: Competitor,
    /// Candidate against base.
    #[serde(flatten)]
    pub figures: Figures,
    /// The base against itself, in another Envoy, in the same minutes.
    pub control: Option<Figures>,
    /// The control alarmed: the verdict is no more than a hint.
    pub advisory: bool,
    /// Whether the figures may be used, and if not why.
    pub validity: Validity,
    /// Processor time of all of an Envoy's threads per request, in microseconds, with everything it
    /// did between its own slices.
    pub cpu_us_per_request_with_idle: [f64; 2],
    /// Connections of the client to each Envoy.
    pub connections: usize,
    /// Length of a slice.
    pub slice_ms: f64,
    /// How many processors each Envoy could use; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processors: Option<u32>,
    /// How it was made; the artefact is the candidate's.
    pub circumstances: Circumstances,
    /// Version of Envoy, as readers of earlier files look for it.
    pub envoy_version: String,
    /// The machine, likewise.
    pub machine: Machine,
    /// Pairs that were planned, over all blocks.
    pub pairs_planned: usize,
    /// Looks that were planned.
    pub looks_planned: usize,
    /// Whether the run ended before its last look, because the answer was clear.
    pub stopped_early: bool,
    /// What each look found.
    pub looks: Vec<LookRecord>,
    /// What was measured, in order.
    pub blocks: Vec<BlockRecord>,
}

/// What was measured, and what the looks at it found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) blocks: Vec<BlockRecord>,
    pub(super) looks: Looks,
    pub(super) looks_planned: usize,
    pub(super) stopped_early: bool,
}

/// Slices of the same Envoys.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BlockRecord {
    /// Slices in order.
    pub slices: Vec<SliceRecord>,
    /// Processor time of base and candidate from the first slice to the last, in microseconds.
    pub cpu_us: [f64; 2],
}

/// One slice.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct SliceRecord {
    /// Whose it was.
    pub side: Side,
    /// Requests answered.
    pub requests: u64,
    /// Of these, with another status than expected.
    pub unexpected: u64,
    /// From the first request to the last answer.
    pub elapsed_us: f64,
    /// Median latency.
    pub p50_us: f64,
    /// Processor time of the Envoy.
    pub cpu_us: f64,
}

impl From<Part> for Side {
    fn from(part: Part) -> Self {
        match part {
            Part::Base => Self::Base,
            Part::Candidate => Self::Candidate,
            Part::Control => Self::Control,
        }
    }
}

impl SliceRecord {
    pub(super) fn part(self) -> Part {
        match self.side {
            Side::Base => Part::Base,
            Side::Candidate => Part::Candidate,
            Side::Control => Part::Control,
        }
    }

    /// Processors in use while the slice ran.
    pub(super) fn busy_share(self) -> f64 {
        self.cpu_us / self.elapsed_us
    }

    pub(super) fn cpu_us_per_request(self) -> f64 {
        self.cpu_us / self.requests as f64
    }

    pub(super) fn requests_per_second(self) -> f64 {
        self.requests as f64 / self.elapsed_us * 1e6
    }
}

impl BlockRecord {
    pub(super) fn new(slices: Vec<SliceRecord>, cpu: &[(Part, std::time::Duration)]) -> Self {
        let of = |wanted| {
            let found = cpu.iter().find(|(part, _)| *part == wanted);
            found.map_or(0.0, |(_, cpu)| cpu.as_secs_f64() * 1e6)
        };
        Self {
            cpu_us: [of(Part::Base), of(Part::Candidate)],
            slices,
        }
    }
}

impl Duet {
    /// Puts a comparison together. `stolen` is the share of processor time that the host took.
    pub(super) fn new(
        plan: &Plan,
        circumstances: Circumstances,
        artefacts: &[Option<WasmArtefact>],
        found: Found,
        stolen: Option<f64>,
    ) -> Option<Self> {
        let Settings {
            connections, slice, ..
        } = plan.settings;
        let digest =
            |artefact: Option<&Option<WasmArtefact>>| Some(artefact?.as_ref()?.sha256.clone());
        let Found { blocks, looks, .. } = found;
        let (figures, control) = (looks.figures?, looks.control);
        Some(Self {
            schema_version: SCHEMA_VERSION,
            base: competitor(&plan.base, digest(artefacts.first()), &blocks, Side::Base),
            candidate: competitor(
                &plan.candidate,
                digest(artefacts.last()),
                &blocks,
                Side::Candidate,
            ),
            advisory: control.as_ref().is_some_and(|it| it.verdict.is_alarm()),
            control,
            validity: validity::judge(&blocks, &figures, stolen),
            figures,
            cpu_us_per_request_with_idle: [Side::Base, Side::Candidate]
                .map(|side| with_idle(&blocks, side)),
            connections,
            slice_ms: slice.as_secs_f64() * 1e3,
            processors: plan.candidate.scenario.envoy.processors,
            envoy_version: circumstances
                .envoy
                .as_ref()
                .map_or_else(String::new, |envoy| envoy.version.clone()),
            machine: circumstances.machine.clone(),
            circumstances,
            pairs_planned: plan.settings.pairs,
            looks_planned: found.looks_planned,
            stopped_early: found.stopped_early,
            looks: looks.records,
            blocks,
        })
    }
}

fn slices(blocks: &[BlockRecord], side: Side) -> impl Iterator<Item = SliceRecord> {
    let all = blocks.iter().flat_map(|block| block.slices.iter().copied());
    all.filter(move |slice| slice.side == side)
}

fn competitor(
    target: &Target,
    sha256: Option<String>,
    blocks: &[BlockRecord],
    side: Side,
) -> Competitor {
    let typical = |value: fn(SliceRecord) -> f64| {
        let mut values: Vec<f64> = slices(blocks, side).map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Competitor {
        name: target.label.clone(),
        sha256,
        cpu_us_per_request: typical(SliceRecord::cpu_us_per_request),
        requests_per_second: typical(SliceRecord::requests_per_second),
        p50_us: typical(|slice| slice.p50_us),
    }
}

fn with_idle(blocks: &[BlockRecord], side: Side) -> f64 {
    let requests: u64 = slices(blocks, side).map(|slice| slice.requests).sum();
    let place = usize::from(side == Side::Candidate);
    let cpu_us: f64 = blocks.iter().map(|block| block.cpu_us[place]).sum();
    cpu_us / requests.max(1) as f64
}

#[cfg(test)]
mod tests {
    use reports::paired::verdict::Margins;
    use results::record::Envoy;

    use super::*;
    use crate::cli::duet::WARM_UP;
    use crate::duet::figures::Judging;
    use crate::duet::figures::Metric;
    use crate::duet::figures::tests::block;
    use crate::machine;

    #[test]
    fn idle_time_is_part_of_the_cost_of_the_whole_run() {
        let blocks = [block(20, 1.1), block(20, 1.1)];
        assert_eq!(with_idle(&blocks, Side::Candidate), 22.0);
    }

    fn circumstances() -> Circumstances {
        Circumstances {
            command: "cargo run --release -p loadgen -- duet hit-floor:passthrough hit-floor"
                .to_owned(),
            commit: "0123abc4567d".to_owned(),
            dirty: true,
            started_at: "2031-05-05T10:20:00Z".to_owned(),
            duration_s: 90.5,
            machine: machine::describe(),
            envoy: Some(Envoy {
                version: "1.40.0".to_owned(),
                sha256: "ab".repeat(32),
            }),
            artefact: None,
        }
    }

    fn duet() -> Duet {
        let target = |text| Target::parse(text).expect("a target").on(Some(1));
        let settings = Settings {
            pairs: 40,
            blocks: 2,
            slice: std::time::Duration::from_millis(100),
            warm_up: WARM_UP,
            connections: 8,
            processors: Some(1),
            has_control: true,
            looks: 1,
            margins: Margins::default(),
            decides: vec![Metric::Cpu],
        };
        let mut found = Found {
            blocks: vec![block(20, 1.1), block(20, 1.1)],
            looks_planned: 1,
            ..Found::default()
        };
        let judging = Judging::default();
        found.looks.look(&found.blocks, &judging, &settings.decides);
        let plan = Plan {
            base: target("hit-floor:passthrough"),
            candidate: target("hit-floor"),
            settings,
        };
        Duet::new(&plan, circumstances(), &[None, None], found, None).expect("enough pairs")
    }

    #[test]
    fn a_file_says_how_it_was_made_and_one_that_does_not_stays_readable() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let read = |value: &serde_json::Value| {
            let path = folder.path().join("duet.json");
            std::fs::write(&path, value.to_string()).expect("the folder is writable");
            let mut duets = reports::duet::load(&path).expect("a comparison");
            assert_eq!(duets.len(), 1);
            duets.remove(0)
        };
        let mut written = serde_json::to_value(duet()).expect("plain values");
        let read_back = read(&written);
        assert_eq!(read_back.circumstances, Some(circumstances()));
        assert_eq!(read_back.envoy_version, "1.40.0");
        assert_eq!(read_back.processors, Some(1));
        assert!(read_back.meta().contains("Envoy 1.40.0, on one processor"));
        let fields = written.as_object_mut().expect("an object");
        fields.remove("circumstances").expect("it was written");
        let older = reports::duet::Duet {
            circumstances: None,
            ..read_back
        };
        assert_eq!(read(&written), older);
    }
}
