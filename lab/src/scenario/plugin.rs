//! The plugin's part of a scenario.
//!
//! Owns which module runs and what it is configured with beyond what the scenario implies. Must not know
//! what the plugin makes of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Whether and how the plugin runs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PluginSettings {
    /// Without it Envoy runs alone.
    pub enabled: bool,
    /// A `.wasm` to run instead of the one built from the workspace.
    pub wasm: Option<PathBuf>,
    /// One of the plugins of `lab/samples`, built from the workspace, to run instead.
    pub sample: Option<String>,
    /// For which methods the mapping rules are.
    #[serde(default)]
    pub rules_for: RuleMethods,
    /// The plugin's whole configuration, instead of the one derived from population and endpoints; what
    /// `cache` says is merged into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Map<String, Value>>,
    /// A JSON file with the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_file: Option<PathBuf>,
    /// Merged into the `cache` object of the plugin's configuration.
    #[serde(default)]
    pub cache: toml::Table,
}

/// For which methods the mapping rules are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleMethods {
    /// Each for the method of its endpoint.
    #[default]
    Own,
    /// All for any method, so that nobody has to look at it.
    Any,
}

impl PluginSettings {
    /// Finds the files that are named, and reads a configuration; what is wrong, as field and problem.
    pub(super) fn read_files(&mut self, folder: &Path) -> Result<(), (&'static str, String)> {
        if let Some(wasm) = &mut self.wasm {
            *wasm = folder.join(&*wasm);
        }
        let Some(path) = &mut self.configuration_file else {
            return Ok(());
        };
        *path = folder.join(&*path);
        let failed = |problem: String| {
            let path = path.display();
            ("configuration_file", format!("`{path}` {problem}"))
        };
        if self.configuration.is_some() {
            return Err(failed(
                "is given beside `plugin.configuration`: only one of the two can be used"
                    .to_owned(),
            ));
        }
        let text = fs::read_to_string(&*path)
            .map_err(|error| failed(format!("cannot be read ({error})")))?;
        let object = serde_json::from_str(&text)
            .map_err(|error| failed(format!("is not a JSON object ({error})")))?;
        self.configuration = Some(object);
        Ok(())
    }
}
