//! Files that a command leaves behind beside its run.
//!
//! Owns finding out beforehand whether they can be written, and writing them. Must not know what is in
//! them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use loadgen::cli::OutputArgs;

/// Writes values for programs.
pub(super) fn json(path: &Path, value: &serde_json::Value) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Found out before minutes of load, not after.
pub(super) fn check_json(output: &OutputArgs) -> Result<()> {
    check_file(output.json.as_deref())
}

/// Whether there can be a file of this path.
pub(super) fn check_file(file: Option<&Path>) -> Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) || file.is_dir() {
        anyhow::bail!(
            "cannot write `{}`: expected the path of a file in an existing folder",
            file.display()
        );
    }
    Ok(())
}

/// Renders the report of a run and returns its page.
pub(super) fn report(run: &Path) -> Result<PathBuf> {
    let rendered = reports::render(run, &run.join("report"))
        .context("the run is recorded, but its report cannot be rendered")?;
    Ok(rendered.html)
}
