//! A scenario's own filter chain: the HTTP filters that requests pass before Envoy's router.
//!
//! Owns the entries of `[[envoy.http_filters]]` and what each may say. Must not know how Envoy's
//! configuration is written.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One HTTP filter. Requests pass the filters in the order of the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Entry", into = "Entry")]
pub enum HttpFilter {
    /// The place of the plugin among the others.
    Plugin,
    /// A Proxy-Wasm module.
    Wasm(WasmFilter),
    /// A filter that Envoy has built in.
    Native(NativeFilter),
    /// Filters as Envoy's own configuration lists them, in a file.
    File(FilterFile),
}

/// A Proxy-Wasm module and what it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct WasmFilter {
    /// The module.
    pub wasm: PathBuf,
    /// Which of the module's root contexts; most have one and do not look at it.
    pub root_id: String,
    /// What the module reads as its plugin configuration; bytes of any meaning.
    pub configuration: String,
}

/// A filter that Envoy has built in.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeFilter {
    /// Its name in the chain.
    pub name: String,
    /// Its configuration, with the `@type` that says which filter it is.
    pub typed_config: Map<String, Value>,
}

/// Filters in a file: a YAML list.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterFile {
    /// The file.
    pub path: PathBuf,
    /// What it says, once it has been read. It is recorded with the scenario.
    pub text: String,
}

/// An entry as it is written.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    plugin: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    wasm: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    typed_config: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// Only in records: what `file` held.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

const EXPECTED: &str = "expected exactly one of `plugin = true`, `wasm` (with `configuration` and \
                        `root_id` if needed), `typed_config` (with `name`) and `file`";

impl TryFrom<Entry> for HttpFilter {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let is_for_wasm = entry.configuration.is_some() || entry.root_id.is_some();
        if is_for_wasm && entry.wasm.is_none() {
            return Err("`configuration` and `root_id` are for an entry with `wasm`".to_owned());
        }
        if entry.name.is_some() && entry.typed_config.is_none() {
            return Err("`name` is for an entry with `typed_config`".to_owned());
        }
        match (entry.plugin, entry.wasm, entry.typed_config, entry.file) {
            (true, None, None, None) => Ok(Self::Plugin),
            (false, Some(wasm), None, None) => Ok(Self::Wasm(WasmFilter {
                wasm,
                root_id: entry.root_id.unwrap_or_default(),
                configuration: entry.configuration.map(as_text).unwrap_or_default(),
            })),
            (false, None, Some(typed_config), None) => {
                let Some(Value::String(kind)) = typed_config.get("@type") else {
                    return Err("`typed_config` has no `\"@type\"`, for example \
                                \"type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua\""
                        .to_owned());
                };
                let name = entry.name.unwrap_or_else(|| kind.clone());
                Ok(Self::Native(NativeFilter { name, typed_config }))
            }
            (false, None, None, Some(path)) => Ok(Self::File(FilterFile {
                path,
                text: entry.text.unwrap_or_default(),
            })),
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

/// A text is handed over as it is, anything else as JSON.
fn as_text(configuration: Value) -> String {
    match configuration {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl From<HttpFilter> for Entry {
    fn from(filter: HttpFilter) -> Self {
        match filter {
            HttpFilter::Plugin => Self {
                plugin: true,
                ..Self::default()
            },
            HttpFilter::Wasm(filter) => Self {
                wasm: Some(filter.wasm),
                root_id: Some(filter.root_id),
                configuration: Some(Value::String(filter.configuration)),
                ..Self::default()
            },
            HttpFilter::Native(filter) => Self {
                name: Some(filter.name),
                typed_config: Some(filter.typed_config),
                ..Self::default()
            },
            HttpFilter::File(file) => Self {
                file: Some(file.path),
                text: Some(file.text),
                ..Self::default()
            },
        }
    }
}

impl HttpFilter {
    /// Makes paths absolute or relative to here, and reads what is in files; what is wrong, as field
    /// and problem.
    pub(super) fn read_files(&mut self, folder: &Path) -> Result<(), (&'static str, String)> {
        match self {
            Self::Wasm(filter) => {
                filter.wasm = folder.join(&filter.wasm);
                if !filter.wasm.is_file() {
                    let path = filter.wasm.display();
                    return Err(("wasm", format!("`{path}` is not a file that exists")));
                }
            }
            Self::File(file) => {
                file.path = folder.join(&file.path);
                file.text = fs::read_to_string(&file.path).map_err(|error| {
                    let path = file.path.display();
                    ("file", format!("`{path}` cannot be read ({error})"))
                })?;
                file.check().map_err(|problem| ("file", problem))?;
            }
            Self::Plugin | Self::Native(_) => (),
        }
        Ok(())
    }
}

impl FilterFile {
    /// The rest of the text is Envoy's to judge.
    fn check(&self) -> Result<(), String> {
        let path = self.path.display();
        let mut lines = self.lines().enumerate();
        match lines.find(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
            Some((_, line)) if line.starts_with("- ") => (),
            Some((index, line)) => {
                return Err(format!(
                    "`{path}`, line {}, `{}`: expected a YAML list of HTTP filters, each beginning \
                     with `- name: ` at the start of a line",
                    index + 1,
                    line.trim()
                ));
            }
            None => return Err(format!("`{path}` lists no filter")),
        }
        let tab = self
            .lines()
            .position(|line| line.trim_start_matches(' ').starts_with('\t'));
        match tab {
            Some(index) => Err(format!(
                "`{path}`, line {}: YAML is indented with spaces, this line begins with a tab",
                index + 1
            )),
            None => Ok(()),
        }
    }

    /// The lines of the list; markers of a document would end the one that they are put into.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| {
            if matches!(line, "---" | "...") {
                ""
            } else {
                line
            }
        })
    }
}

/// The first impossible combination of filters, as index, field and problem.
pub(super) fn problem(filters: &[HttpFilter], has_plugin: bool) -> Option<(usize, String)> {
    let mut places = filters
        .iter()
        .enumerate()
        .filter(|(_, filter)| **filter == HttpFilter::Plugin);
    match (places.next(), places.next()) {
        (Some((index, _)), _) if !has_plugin => Some((
            index,
            "the plugin has a place and is not enabled".to_owned(),
        )),
        (Some(_), Some((index, _))) => Some((index, "the plugin has a place already".to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HttpFilter, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn each_kind_of_entry_is_known_by_its_field() {
        assert_eq!(read("plugin = true"), Ok(HttpFilter::Plugin));
        let wasm = read("wasm = \"a.wasm\"\nconfiguration = { header = \"x\", n = [1] }");
        let Ok(HttpFilter::Wasm(wasm)) = wasm else {
            panic!("{wasm:?}");
        };
        assert_eq!(wasm.configuration, r#"{"header":"x","n":[1]}"#);
        let text = read("wasm = \"a.wasm\"\nconfiguration = \"as it is\"");
        let Ok(HttpFilter::Wasm(text)) = text else {
            panic!("{text:?}");
        };
        assert_eq!(text.configuration, "as it is");
        let native = read("typed_config = { \"@type\" = \"a.b/C\", x = 1 }");
        let Ok(HttpFilter::Native(native)) = native else {
            panic!("{native:?}");
        };
        assert_eq!(
            (&*native.name, &native.typed_config["x"]),
            ("a.b/C", &1.into())
        );
        assert!(matches!(read("file = \"a.yaml\""), Ok(HttpFilter::File(_))));
    }

    #[test]
    fn an_entry_that_says_too_much_or_too_little_is_told_what_is_expected() {
        for (text, part) in [
            ("", "exactly one of"),
            ("plugin = false", "exactly one of"),
            ("wasm = \"a\"\nfile = \"b\"", "exactly one of"),
            (
                "plugin = true\nconfiguration = \"x\"",
                "are for an entry with `wasm`",
            ),
            (
                "file = \"b\"\nname = \"x\"",
                "for an entry with `typed_config`",
            ),
            ("typed_config = { a = 1 }", "@type"),
            ("wsam = \"a\"", "wsam"),
        ] {
            let message = read(text).expect_err(text);
            assert!(message.contains(part), "{part} in {message}");
        }
    }

    #[test]
    fn a_record_holds_what_was_read() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(
            folder.path().join("f.yaml"),
            "---\n# two\n- name: a\n- name: b\n",
        )
        .expect("written");
        let mut filter = read("file = \"f.yaml\"").expect("it is valid");
        filter.read_files(folder.path()).expect("the file is there");
        let record = serde_json::to_value(&filter).expect("it is plain data");
        assert!(
            record["text"]
                .as_str()
                .is_some_and(|text| text.contains("name: b"))
        );
        let again: HttpFilter =
            serde_json::from_value(record).expect("it was written by this type");
        assert_eq!(again, filter);
    }

    #[test]
    fn a_file_that_is_no_list_is_named_with_its_line() {
        let check = |text: &str| {
            let file = FilterFile {
                path: "f.yaml".into(),
                text: text.to_owned(),
            };
            file.check().err().unwrap_or_default()
        };
        assert_eq!(check("- name: a\n  typed_config: {}\n"), "");
        for (text, part) in [
            ("\nhttp_filters:\n- name: a\n", "line 2, `http_filters:`"),
            ("# nothing\n", "lists no filter"),
            ("- name: a\n  \tb: c\n", "line 2: YAML is indented"),
        ] {
            let message = check(text);
            assert!(
                message.contains(part) && message.contains("f.yaml"),
                "{message}"
            );
        }
    }

    #[test]
    fn the_plugin_has_one_place_and_only_where_it_runs() {
        let twice = [HttpFilter::Plugin, HttpFilter::Plugin];
        assert_eq!(problem(&twice[..1], true), None);
        assert_eq!(problem(&twice, true).map(|(index, _)| index), Some(1));
        assert_eq!(problem(&twice[..1], false).map(|(index, _)| index), Some(0));
    }
}
