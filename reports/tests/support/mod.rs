//! The results of the fixtures' folder, and changed copies of its runs.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use results::record::RunRecord;
use results::run_folder::RunFolder;

/// A run whose load rises.
pub(crate) const STEP: &str = "2031-05-05-step-0123abc";

/// A result.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A folder that goes away with the test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the system has a temporary folder")
}

/// Every file below a folder, by name.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the folder is there") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is inside").to_owned();
                found.insert(name, fs::read(&path).expect("the file is readable"));
            }
        }
    }
    found
}

/// A copy of a run below `parent` that was written with another record, under the same id.
pub(crate) fn changed_run(
    parent: &Path,
    name: &str,
    change: impl FnOnce(&mut RunRecord),
) -> PathBuf {
    let run = results::load(&fixture(name)).expect("the fixture is a run");
    let folder = RunFolder::create(parent, name).expect("the folder is writable");
    for file in run.record.files.iter().flatten() {
        let (from, to) = (run.folder.join(&file.name), folder.path().join(&file.name));
        fs::copy(from, to).expect("the file is there");
    }
    let mut record = run.record;
    change(&mut record);
    folder.commit(record).expect("the files are there").folder
}
