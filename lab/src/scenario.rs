//! Scenarios: what runs, who uses it, how requests are mixed and what must hold.
//!
//! Owns [`Scenario`], the ones that come with the lab, and finding one by name or path. Must not
//! know how a scenario is started or how load arrives.

mod body;
mod check;
mod file;
mod filters;
mod mix;
mod plugin;
mod population;
mod requests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use body::{BodySettings, MAX_BODY_BYTES, filler, parse_size};
pub use file::{Answers, EnvoySettings, Expectations, Scenario};
pub use filters::{FilterFile, HttpFilter, NativeFilter, WasmFilter};
pub use mix::{ApplicationMix, EndpointFile, Mix};
pub use plugin::{PluginSettings, RuleMethods};
pub use population::{CredentialKind, LimitSettings, PopulationSettings, UsageSettings};
pub(crate) use requests::authority;
pub use requests::{Endpoint, Request, RequestTable};

use crate::workspace;

/// Scenarios that the executable carries with it.
const BUILT_IN: [(&str, &str); 3] = [
    ("passthrough", include_str!("../scenarios/passthrough.toml")),
    ("authrep", include_str!("../scenarios/authrep.toml")),
    ("cache", include_str!("../scenarios/cache.toml")),
];

/// Why there is no scenario.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// No scenario has the name and no file has the path.
    #[error(
        "there is no scenario `{name}`; known are {known}, and the path of a .toml file works too"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read scenario file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not a scenario.
    #[error("scenario `{origin}`, line {line}, `{text}`: {problem}")]
    Syntax {
        /// File or built-in name.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// That line.
        text: String,
        /// What the parser expected.
        problem: String,
    },
    /// A field's value is impossible.
    #[error("scenario `{origin}`, field `{field}`: {problem}")]
    Value {
        /// File or built-in name.
        origin: String,
        /// The field's path.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Name and description of every scenario that needs no path: those built in, and files in
/// `lab/scenarios` of the workspace.
pub fn names() -> Vec<(String, String)> {
    let mut names: Vec<(String, String)> = BUILT_IN
        .iter()
        .filter_map(|(name, text)| file::parse(name, text, Path::new("")).ok())
        .map(|scenario| (scenario.name, scenario.description))
        .collect();
    for path in workspace_files() {
        if let Some(name) = stem(&path)
            && !names.iter().any(|(known, _)| *known == name)
            && let Ok(scenario) = read(&path)
        {
            names.push((name, scenario.description));
        }
    }
    names
}

impl Scenario {
    /// The scenario with this name, or the one in this file. A file in the workspace's
    /// `lab/scenarios` goes before the built-in scenario of the same name.
    pub fn find(name_or_path: &str) -> Result<Self, ScenarioError> {
        let path = Path::new(name_or_path);
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            return read(path);
        }
        if let Some(path) = workspace_files()
            .into_iter()
            .find(|path| stem(path).as_deref() == Some(name_or_path))
        {
            return read(&path);
        }
        BUILT_IN
            .iter()
            .find(|(name, _)| *name == name_or_path)
            .map(|(name, text)| file::parse(name, text, Path::new("")))
            .unwrap_or_else(|| Err(unknown(name_or_path)))
    }

    /// The same load on Envoy alone: without the plugin and without filters of its own, so that nobody
    /// but the upstream says how a request ends.
    pub fn without_filters(mut self) -> Self {
        self.plugin.enabled = false;
        self.envoy.http_filters.clear();
        for endpoint in &mut self.endpoints {
            endpoint.status = None;
        }
        self
    }

    /// Puts another module in the place of the one that runs: the plugin's, or that of the only Wasm
    /// filter. `false` where there is none or the choice is not clear.
    pub fn replace_module(&mut self, wasm: PathBuf) -> bool {
        if self.plugin.enabled {
            self.plugin.sample = None;
            self.plugin.wasm = Some(wasm);
            return true;
        }
        let filters = self.envoy.http_filters.iter_mut();
        let mut modules = filters.filter_map(|filter| match filter {
            HttpFilter::Wasm(filter) => Some(&mut filter.wasm),
            _ => None,
        });
        match (modules.next(), modules.next()) {
            (Some(module), None) => {
                *module = wasm;
                true
            }
            _ => false,
        }
    }

    /// Every request that the scenario's clients send.
    pub fn requests(&self) -> RequestTable {
        RequestTable::new(self)
    }
}

fn unknown(name: &str) -> ScenarioError {
    let known: Vec<String> = names().into_iter().map(|(name, _)| name).collect();
    ScenarioError::Unknown {
        name: name.to_owned(),
        known: known.join(", "),
    }
}

fn read(path: &Path) -> Result<Scenario, ScenarioError> {
    let text = fs::read_to_string(path).map_err(|source| ScenarioError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    file::parse(&path.display().to_string(), &text, folder)
}

fn workspace_files() -> Vec<PathBuf> {
    let Ok(root) = workspace::root() else {
        return Vec::new();
    };
    let Ok(entries) = root.join("lab/scenarios").read_dir() else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::statistics::Endpoint;
    use crate::behaviour::delay::Delay;

    #[test]
    fn every_built_in_scenario_is_valid_and_named_like_its_file() {
        for (name, text) in BUILT_IN {
            let scenario =
                file::parse(name, text, Path::new("")).expect("a built-in scenario is valid");
            assert_eq!(scenario.name, name);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Scenario::find("cach").expect_err("there is no such scenario");
        let text = error.to_string();
        for part in ["`cach`", "passthrough, authrep, cache", ".toml"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Scenario::find("nowhere/mine.toml").expect_err("there is no such file");
        assert!(error.to_string().contains("nowhere/mine.toml"), "{error}");
    }

    #[test]
    fn a_relative_wasm_path_is_relative_to_the_scenario_file() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("mine.toml");
        let text = BUILT_IN[2]
            .1
            .replace("[plugin]", "[plugin]\nwasm = \"mine.wasm\"");
        fs::write(&path, text).expect("the file can be written");
        let scenario = Scenario::find(&path.display().to_string()).expect("the file is valid");
        assert_eq!(scenario.plugin.wasm, Some(folder.path().join("mine.wasm")));
    }

    #[test]
    fn observed_latencies_are_read_from_beside_the_scenario_file() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("mine.toml");
        let text = BUILT_IN[0].1.replace(
            "[population]",
            "[backend.delays]\nreport = { kind = \"file\", path = \"seen.txt\" }\n[population]",
        );
        fs::write(&path, text).expect("the file can be written");
        let seen = folder.path().join("seen.txt");
        fs::write(&seen, "3\n5\n").expect("the file can be written");
        let find = || Scenario::find(&path.display().to_string());
        let scenario = find().expect("the file is valid");
        let report = scenario.backend.delay_of(Endpoint::Report);
        assert_eq!(*report, Delay::Samples { ms: vec![3.0, 5.0] });
        fs::write(&seen, "3\n5 ms\n").expect("the file can be written");
        let message = find()
            .expect_err("the second line is no number")
            .to_string();
        let place = format!("`{}`, line 2", seen.display());
        for part in ["mine.toml", "`backend.delays.report.path`", &*place] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}
