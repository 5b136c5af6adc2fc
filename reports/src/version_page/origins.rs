//! What the parts of a version were measured with.
//!
//! Owns which part says what, and how it is told where they differ. Must not know figures.

use results::record::Machine;

use crate::circumstances::{Circumstances, of_artefact, of_machine};
use crate::part::Content;
use crate::setup::Item;
use crate::version::Version;

/// What is said of a part whose file does not tell.
const UNKNOWN: &str = "not recorded";

/// A part of a version.
struct Origin<'a> {
    name: &'a str,
    content: &'a Content,
    /// How it was made, if it says so.
    made: Option<Circumstances>,
}

/// A value of a part; `None` where there is no such thing.
type Value = fn(&Origin<'_>) -> Option<String>;

/// The commits that its parts were measured at.
pub fn commits(version: &Version) -> String {
    told(&origins(version), commit).unwrap_or_else(unknown)
}

/// What its parts were measured with.
pub(super) fn items(version: &Version) -> Vec<Item> {
    let origins = origins(version);
    let rows: [(&'static str, Value); 5] = [
        ("Commit", commit),
        ("Machine", machine),
        ("Machine class", machine_class),
        ("Envoy", envoy),
        ("Wasm artefact", artefact),
    ];
    rows.into_iter()
        .filter_map(|(name, value)| {
            let value = told(&origins, value)?;
            Some(Item { name, value })
        })
        .collect()
}

fn origins(version: &Version) -> Vec<Origin<'_>> {
    let parts = version.parts.iter();
    parts
        .map(|part| Origin {
            name: &part.entry.name,
            content: &part.content,
            made: made(&part.content),
        })
        .collect()
}

fn made(content: &Content) -> Option<Circumstances> {
    let Content::Run(facts) = content else {
        return content.circumstances();
    };
    let record = &facts.record;
    Some(Circumstances {
        command: record.command.clone(),
        commit: record.commit.clone(),
        dirty: record.dirty,
        started_at: record.started_at.clone(),
        duration_s: record.duration_s,
        machine: record.machine.clone(),
        envoy: record.envoy.clone(),
        artefact: record.artefact.clone(),
    })
}

/// A value of all parts, each once, and with the names of its parts if there are several.
fn told(origins: &[Origin<'_>], value: Value) -> Option<String> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for origin in origins {
        let Some(said) = value(origin) else { continue };
        match found.iter_mut().find(|(known, _)| *known == said) {
            Some((_, names)) => names.push(origin.name),
            None => found.push((said, vec![origin.name])),
        }
    }
    match found.as_slice() {
        [] => None,
        [(only, _)] => Some(only.clone()),
        several => {
            let each = several
                .iter()
                .map(|(said, names)| format!("{said} ({})", names.join(", ")));
            Some(each.collect::<Vec<_>>().join("; "))
        }
    }
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}

fn commit(origin: &Origin<'_>) -> Option<String> {
    let made = origin.made.as_ref();
    Some(made.map_or_else(unknown, |it| it.commit.clone()))
}

fn machine(origin: &Origin<'_>) -> Option<String> {
    Some(machine_of(origin).map_or_else(unknown, of_machine))
}

fn machine_class(origin: &Origin<'_>) -> Option<String> {
    Some(machine_of(origin).map_or_else(unknown, |it| it.fingerprint.clone()))
}

/// A comparison names its machine even where it does not say how it was made.
fn machine_of<'a>(origin: &'a Origin<'_>) -> Option<&'a Machine> {
    match (&origin.made, origin.content) {
        (Some(made), _) => Some(&made.machine),
        (None, Content::Duet(duets, _)) => duets.first().map(|duet| &duet.machine),
        (None, _) => None,
    }
}

fn envoy(origin: &Origin<'_>) -> Option<String> {
    match (&origin.made, origin.content) {
        (Some(made), _) => {
            let envoy = made.envoy.as_ref()?;
            Some(format!("{}, sha256 {}", envoy.version, envoy.sha256))
        }
        // The core runs alone there.
        (None, Content::Scale(_)) => None,
        (None, Content::Duet(duets, _)) => {
            let version = &duets.first()?.envoy_version;
            Some(format!("{version}, sha256 {UNKNOWN}"))
        }
        (None, _) => Some(unknown()),
    }
}

fn artefact(origin: &Origin<'_>) -> Option<String> {
    match (&origin.made, origin.content) {
        (Some(made), _) => made.artefact.as_ref().map(of_artefact),
        (None, Content::Scale(_)) => None,
        (None, Content::Duet(duets, _)) => {
            let digest = duets.first()?.candidate.sha256.as_ref()?;
            Some(format!("sha256 {digest}"))
        }
        (None, _) => Some(unknown()),
    }
}
