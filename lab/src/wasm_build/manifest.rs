//! What the manifest of a sample says about its artefact.
//!
//! Owns the table `[package.metadata.lab]`. Must not know how a module is built.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::{WasmBuildError, file_error};

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    lab: Settings,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    #[serde(default)]
    keep_exports: bool,
}

/// Whether the sample of that name keeps the callbacks that it does not implement.
pub(super) fn keeps_exports(root: &Path, sample: &str) -> Result<bool, WasmBuildError> {
    let path = root.join("lab/samples").join(sample).join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(file_error("read", &path))?;
    match toml::from_str::<Manifest>(&text) {
        Ok(manifest) => Ok(manifest.package.metadata.lab.keep_exports),
        Err(source) => Err(WasmBuildError::Manifest {
            path,
            source: Box::new(source),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_whether_exports_stay_and_a_misspelt_field_is_an_error() {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = root.path().join("lab/samples/mine");
        fs::create_dir_all(&folder).expect("the folder can be made");
        let with = |lines: &str| {
            let text = format!("[package]\nname = 'mine'\n{lines}");
            fs::write(folder.join("Cargo.toml"), text).expect("the file can be written");
            keeps_exports(root.path(), "mine")
        };
        assert!(!with("").expect("valid"));
        assert!(with("[package.metadata.lab]\nkeep-exports = true").expect("valid"));
        let error = with("[package.metadata.lab]\nkeep-export = true").expect_err("misspelt");
        assert!(error.to_string().contains("mine/Cargo.toml"), "{error}");
    }
}
