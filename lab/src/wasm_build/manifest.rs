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

/// What is needed of the manifest of a crate of somebody's own.
#[derive(Deserialize)]
struct CrateManifest {
    package: Named,
    #[serde(default)]
    lib: Library,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
struct Library {
    name: Option<String>,
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

/// The name of the library in a folder, as files are called after it.
pub(super) fn library(folder: &Path) -> Result<String, WasmBuildError> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(file_error("read", &path))?;
    match toml::from_str::<CrateManifest>(&text) {
        Ok(manifest) => {
            let name = manifest.lib.name.unwrap_or(manifest.package.name);
            Ok(name.replace('-', "_"))
        }
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
    fn a_library_is_called_after_its_package_unless_it_has_a_name() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let missing = library(folder.path()).expect_err("there is no manifest");
        assert!(missing.to_string().contains("Cargo.toml"), "{missing}");
        let with = |lines: &str| {
            let text = format!("[package]\nname = 'my-filter'\n{lines}");
            fs::write(folder.path().join("Cargo.toml"), text).expect("it can be written");
            library(folder.path()).expect("valid")
        };
        assert_eq!(with("[lib]\ncrate-type = ['cdylib']"), "my_filter");
        assert_eq!(with("[lib]\nname = 'other'"), "other");
    }

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
