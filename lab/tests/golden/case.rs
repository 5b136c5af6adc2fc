//! The golden cases as data.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    pub id: String,
    pub title: String,
    pub clock: Option<i64>,
    pub state: Value,
    pub steps: Vec<Step>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Step {
    Public {
        request: PublicRequest,
        expect: Expectation,
    },
    Internal {
        internal: InternalRequest,
        expect: Expectation,
    },
    Clock {
        clock: i64,
    },
    Settle {
        #[allow(dead_code, reason = "its presence is what tells the step apart")]
        settle: bool,
    },
}

#[derive(Clone, Deserialize)]
pub(crate) struct PublicRequest {
    pub method: String,
    pub target: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<String>,
    pub body_b64: Option<String>,
}

impl PublicRequest {
    pub(crate) fn describe(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

#[derive(Clone, Deserialize)]
pub(crate) struct InternalRequest {
    pub method: String,
    pub path: String,
    pub json: Option<Value>,
    pub raw: Option<String>,
    pub auth: Option<bool>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl InternalRequest {
    pub(crate) fn describe(&self) -> String {
        format!("{} /internal{}", self.method, self.path)
    }
}

#[derive(Clone, Deserialize)]
pub(crate) struct Expectation {
    pub status: Option<u16>,
    pub headers: Option<BTreeMap<String, Option<String>>>,
    pub body: Option<String>,
    pub json: Option<Value>,
}

impl Case {
    /// The case with every `@@` replaced by a number of its own.
    pub(crate) fn numbered(&self, number: usize) -> Self {
        let number = number.to_string();
        let mut case = self.clone();
        fill(&mut case.state, &number);
        for step in &mut case.steps {
            step.fill(&number);
        }
        case
    }
}

impl Step {
    fn fill(&mut self, number: &str) {
        match self {
            Self::Public { request, expect } => {
                fill_text(&mut request.target, number);
                request
                    .headers
                    .values_mut()
                    .for_each(|text| fill_text(text, number));
                if let Some(body) = &mut request.body {
                    fill_text(body, number);
                }
                expect.fill(number);
            }
            Self::Internal { internal, expect } => {
                fill_text(&mut internal.path, number);
                internal.json.iter_mut().for_each(|json| fill(json, number));
                internal
                    .raw
                    .iter_mut()
                    .for_each(|raw| fill_text(raw, number));
                expect.fill(number);
            }
            Self::Clock { .. } | Self::Settle { .. } => {}
        }
    }
}

impl Expectation {
    fn fill(&mut self, number: &str) {
        let headers = self.headers.iter_mut().flat_map(BTreeMap::values_mut);
        headers.flatten().for_each(|text| fill_text(text, number));
        self.body
            .iter_mut()
            .for_each(|body| fill_text(body, number));
        self.json.iter_mut().for_each(|json| fill(json, number));
    }
}

fn fill_text(text: &mut String, number: &str) {
    *text = text.replace("@@", number);
}

fn fill(value: &mut Value, number: &str) {
    match value {
        Value::String(text) => fill_text(text, number),
        Value::Array(list) => list.iter_mut().for_each(|value| fill(value, number)),
        Value::Object(object) => {
            let filled: Map<String, Value> = std::mem::take(object)
                .into_iter()
                .map(|(name, mut value)| {
                    fill(&mut value, number);
                    (name.replace("@@", number), value)
                })
                .collect();
            *object = filled;
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every case of every file in a folder below `lab/wire`, in a fixed order.
pub(crate) fn load_all(folder: &str) -> Vec<Case> {
    let wire = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire");
    let folder = wire.join(folder);
    let files = std::fs::read_dir(&folder).expect("the folder of golden cases is readable");
    let mut paths: Vec<_> = files
        .map(|file| file.expect("a file of cases").path())
        .collect();
    paths.sort();
    let read = |path| -> File {
        let text = std::fs::read(&path).expect("a file of cases is readable");
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    };
    paths
        .into_iter()
        .flat_map(|path| read(path).cases)
        .collect()
}
