//! A copy of the crate in which every fault can be switched on.
//!
//! Owns where things lie in it. Must not know the faults' meaning. Files are only written when they
//! change, so that building again is quick.

use std::fs;
use std::path::Path;

use crate::faults::{FAULTS, PLANTED};

/// The simulator's name in the copy, which shares the build directory.
pub(crate) const SIMULATE: &str = "simulate_with_faults";
/// The environment variable that names the fault.
pub(crate) const SWITCH: &str = "TOLLGATE_PLANTED_FAULT";

/// Makes the copy, or brings it up to date.
pub(crate) fn make(root: &Path, copy: &Path) -> Result<(), String> {
    let manifest = read(&root.join("Cargo.toml"))?;
    let manifest: String = manifest
        .lines()
        .map(|line| match line.split('=').next().map(str::trim) {
            Some("members" | "default-members") => {
                let name = line.split('=').next().unwrap_or_default();
                format!("{name}= [\"plugin/authcache\"]\n")
            }
            Some("exclude") => String::new(),
            _ => format!("{line}\n"),
        })
        .collect();
    write(&copy.join("Cargo.toml"), &manifest)?;
    write(&copy.join("Cargo.lock"), &read(&root.join("Cargo.lock"))?)?;
    let (from, to) = (root.join("plugin/authcache"), copy.join("plugin/authcache"));
    write(&to.join("Cargo.toml"), &read(&from.join("Cargo.toml"))?)?;
    // The manifest names the benchmarks, so they have to be there.
    for part in ["simulator", "benches"] {
        copy_tree(&from.join(part), &to.join(part))?;
    }
    let examples = to.join("examples").join(SIMULATE);
    copy_tree(&from.join("examples/simulate"), &examples)?;
    let mut found = vec![0; FAULTS.len()];
    plant_tree(
        &from.join("src"),
        &to.join("src"),
        Path::new(""),
        &mut found,
    )?;
    for (fault, found) in FAULTS.iter().zip(found) {
        if found != fault.edits.len() {
            return Err(format!(
                "fault `{}`: {found} of its {} places were found; the source has moved on, and \
                 the fault has to follow",
                fault.name,
                fault.edits.len()
            ));
        }
    }
    Ok(())
}

fn plant_tree(from: &Path, to: &Path, name: &Path, found: &mut [usize]) -> Result<(), String> {
    for entry in entries(from)? {
        let name = name.join(&entry);
        let (from, to) = (from.join(&entry), to.join(&entry));
        if from.is_dir() {
            plant_tree(&from, &to, &name, found)?;
            continue;
        }
        let mut text = read(&from)?;
        for (fault, found) in FAULTS.iter().zip(found.iter_mut()) {
            for edit in fault
                .edits
                .iter()
                .filter(|edit| Path::new(edit.file) == name)
            {
                if text.matches(edit.original).count() != 1 {
                    let times = text.matches(edit.original).count();
                    return Err(format!(
                        "fault `{}`: {times} places like this in src/{}, expected one:\n{}",
                        fault.name, edit.file, edit.original
                    ));
                }
                let switch = format!("crate::planted::is(\"{}\")", fault.name);
                let planted = edit.planted.replace(PLANTED, &switch);
                text = text.replace(edit.original, &planted);
                *found += 1;
            }
        }
        if name == Path::new("lib.rs") {
            text += &format!(
                r#"
/// Which fault is switched on.
pub(crate) mod planted {{
    use std::sync::OnceLock;

    static FAULT: OnceLock<String> = OnceLock::new();

    pub(crate) fn is(name: &str) -> bool {{
        FAULT.get_or_init(|| std::env::var("{SWITCH}").unwrap_or_default()) == name
    }}
}}
"#
            );
        }
        write(&to, &text)?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), String> {
    for entry in entries(from)? {
        let (from, to) = (from.join(&entry), to.join(&entry));
        if from.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            write(&to, &read(&from)?)?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<String>, String> {
    let problem = |error| format!("{}: {error}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(problem)? {
        let name = entry.map_err(problem)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(file).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let problem = |error| format!("{}: {error}", file.display());
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(problem)?;
    }
    fs::write(file, text).map_err(problem)
}
