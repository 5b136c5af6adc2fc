//! Profiles by name: those that ship with the executable, and files of one's own.
//!
//! Owns which profiles and traces ship, and where a name is looked up. Must not know the fields of a
//! profile.

use std::path::Path;

use super::{Profile, ProfileError, Trace};

/// Profiles in the order in which `list` shows them.
const EMBEDDED: [(&str, &str); 15] = [
    ("headline", include_str!("../../profiles/headline.toml")),
    ("quick", include_str!("../../profiles/quick.toml")),
    ("steady", include_str!("../../profiles/steady.toml")),
    ("spike", include_str!("../../profiles/spike.toml")),
    ("ramp", include_str!("../../profiles/ramp.toml")),
    ("step", include_str!("../../profiles/step.toml")),
    ("saturation", include_str!("../../profiles/saturation.toml")),
    ("soak", include_str!("../../profiles/soak.toml")),
    ("trace", include_str!("../../profiles/trace.toml")),
    ("closed", include_str!("../../profiles/closed.toml")),
    ("first-wave", include_str!("../../profiles/first-wave.toml")),
    (
        "random-keys",
        include_str!("../../profiles/random-keys.toml"),
    ),
    (
        "articles-latency",
        include_str!("../../profiles/articles-latency.toml"),
    ),
    (
        "articles-regular",
        include_str!("../../profiles/articles-regular.toml"),
    ),
    (
        "articles-spike",
        include_str!("../../profiles/articles-spike.toml"),
    ),
];

/// Traces of embedded profiles, by the name of the file.
const EMBEDDED_TRACES: [(&str, &str); 1] =
    [("trace.csv", include_str!("../../profiles/trace.csv"))];

/// The profile of the headline experiment.
pub const HEADLINE: &str = "headline";
/// The profile of `--quick`.
pub const QUICK: &str = "quick";

/// Name and description of every embedded profile.
pub fn names() -> Vec<(String, String)> {
    EMBEDDED
        .iter()
        .filter_map(|(name, source)| Profile::parse(name, source).ok())
        .map(|profile| (profile.name, profile.description))
        .collect()
}

impl Profile {
    /// The embedded profile of that name, or the one in a file if the name looks like a path.
    pub fn find(name_or_path: &str) -> Result<Self, ProfileError> {
        if let Some((name, source)) = EMBEDDED.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, source);
        }
        let path = Path::new(name_or_path);
        let looks_like_a_path =
            path.components().count() > 1 || path.extension().is_some_and(|e| e == "toml");
        if !looks_like_a_path {
            let known: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
            return Err(ProfileError::Unknown {
                name: name_or_path.to_owned(),
                known: known.join(", "),
            });
        }
        let source = std::fs::read_to_string(path).map_err(|source| ProfileError::Read {
            path: name_or_path.to_owned(),
            source,
        })?;
        Self::parse(name_or_path, &source)
    }
}

/// The trace that the profile of this origin, a file or an embedded name, calls `file`.
pub(super) fn trace_of(origin: &str, file: &str) -> Result<Trace, ProfileError> {
    let is_embedded = EMBEDDED.iter().any(|(name, _)| *name == origin);
    let embedded = EMBEDDED_TRACES.iter().find(|(name, _)| *name == file);
    if let Some((name, text)) = embedded.filter(|_| is_embedded) {
        return Trace::parse(name, file, results::digest::of(text), text.as_bytes());
    }
    Trace::read(Path::new(origin), file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_profile_parses_under_its_own_name() {
        let named = names();
        assert_eq!(named.len(), EMBEDDED.len());
        for ((name, _), (embedded, source)) in named.iter().zip(EMBEDDED) {
            assert_eq!(name, embedded);
            Profile::parse(embedded, source).expect("embedded profiles are valid");
        }
    }

    #[test]
    fn a_trace_lies_beside_its_profile() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("the folder is writable");
        };
        let head = "name = 'mine'\ndescription = 'd'\nmode = 'open'\narrival = 'trace'\n";
        write("mine.toml", &format!("{head}trace = 'mine.csv'\n"));
        write(
            "with.toml",
            &format!("{head}trace = 'mine.csv'\n[[phases]]\nduration = '1s'\nrate = 1\n"),
        );
        let find = |name: &str| Profile::find(&folder.path().join(name).display().to_string());
        let message = find("mine.toml").expect_err("no trace").to_string();
        assert!(
            message.contains("mine.csv") && message.contains("cannot be read"),
            "{message}"
        );
        write("mine.csv", "0\n1,x\n");
        let message = find("mine.toml").expect_err("a bad line").to_string();
        assert!(
            message.contains("mine.csv") && message.contains("line 2"),
            "{message}"
        );
        write("mine.csv", "0\n1\n1.5\n");
        let profile = find("mine.toml").expect("valid");
        assert_eq!((profile.measured_s(), profile.peak_rps()), (Some(1.5), 2.0));
        let recorded = serde_json::to_value(&profile).expect("plain");
        for (field, expected) in [
            ("mode", "open"),
            ("arrival", "trace"),
            ("trace", "mine.csv"),
        ] {
            assert_eq!(recorded[field], expected, "{recorded}");
        }
        assert_eq!(recorded["requests"], 3);
        assert_eq!(recorded["trace_sha256"].as_str().map(str::len), Some(64));
        let message = find("with.toml").expect_err("phases too").to_string();
        assert!(message.contains("phases"), "{message}");
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let message = Profile::find("heroic")
            .expect_err("there is none")
            .to_string();
        assert!(
            message.contains("heroic") && message.contains("headline"),
            "{message}"
        );
        let message = Profile::find("none/such.toml")
            .expect_err("no such file")
            .to_string();
        assert!(message.contains("none/such.toml"), "{message}");
    }
}
