//! Load profiles: in which mode load arrives, at which rate, and for how long.
//!
//! Owns [`Profile`], the profiles that ship with the executable, and the overrides a person may
//! type. Must not know what is loaded, when a request is really sent, or what it costs.

mod closed;
mod connection;
mod error;
mod load;
mod overrides;
mod search;
mod text;
mod trace;
mod warm_up;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

pub use self::connection::{Connection, Protocol};
pub use self::error::ProfileError;
pub use self::load::{Arrival, Load, Saturation, Segment, ThinkTime, Until};
pub use self::overrides::Overrides;
pub use self::trace::{Named, Trace};
pub use self::warm_up::UntilStable;

/// Profiles in the order in which `list` shows them.
const EMBEDDED: [(&str, &str); 15] = [
    ("headline", include_str!("../profiles/headline.toml")),
    ("quick", include_str!("../profiles/quick.toml")),
    ("steady", include_str!("../profiles/steady.toml")),
    ("spike", include_str!("../profiles/spike.toml")),
    ("ramp", include_str!("../profiles/ramp.toml")),
    ("step", include_str!("../profiles/step.toml")),
    ("saturation", include_str!("../profiles/saturation.toml")),
    ("soak", include_str!("../profiles/soak.toml")),
    ("trace", include_str!("../profiles/trace.toml")),
    ("closed", include_str!("../profiles/closed.toml")),
    ("first-wave", include_str!("../profiles/first-wave.toml")),
    ("random-keys", include_str!("../profiles/random-keys.toml")),
    (
        "articles-latency",
        include_str!("../profiles/articles-latency.toml"),
    ),
    (
        "articles-regular",
        include_str!("../profiles/articles-regular.toml"),
    ),
    (
        "articles-spike",
        include_str!("../profiles/articles-spike.toml"),
    ),
];

/// Traces of embedded profiles, by the name of the file.
const EMBEDDED_TRACES: [(&str, &str); 1] = [("trace.csv", include_str!("../profiles/trace.csv"))];

/// The profile of the headline experiment.
pub const HEADLINE: &str = "headline";
/// The profile of `--quick`.
pub const QUICK: &str = "quick";

/// How load arrives, in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// The name, as in `--profile NAME`.
    pub name: String,
    /// One sentence for `list`.
    pub description: String,
    /// The mode with its figures.
    #[serde(flatten)]
    pub load: Load,
    /// By what `--scale` multiplied every duration, and the requests of a closed loop; 1 if nothing
    /// did. The other fields are as they came out.
    pub scale: f64,
    /// Seconds of load before the measured part, the most if it depends on `warm_up_until`. Whole
    /// seconds, because histograms are kept per second and the measured part has to begin with one.
    pub warm_up_s: u32,
    /// What ends the warm-up before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up_until: Option<UntilStable>,
    /// Seed of arrivals and mix.
    pub seed: u64,
    /// Threads of the generator.
    pub threads: u32,
    /// Most requests in flight at once, and so most connections of HTTP/1.1.
    pub connections: u32,
    /// Protocol and life of connections.
    pub connection: Connection,
    /// When a request without an answer counts as failed.
    #[serde(rename = "timeout_s", serialize_with = "as_seconds")]
    pub timeout: Duration,
}

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

    /// A profile from its text; `origin` is the file or name for messages.
    pub fn parse(origin: &str, source: &str) -> Result<Self, ProfileError> {
        text::parse(origin, source)
    }

    /// Length of the measured part in seconds, if it is known beforehand.
    pub fn measured_s(&self) -> Option<f64> {
        match &self.load {
            Load::Open { segments, .. } => Some(segments.iter().map(|s| s.duration_s).sum()),
            Load::Trace(trace) => Some(trace.length_s),
            Load::Closed {
                until: Until::DurationS(seconds),
                ..
            } => Some(*seconds),
            Load::Closed {
                until: Until::Requests(_),
                ..
            }
            | Load::Saturation(_) => None,
        }
    }

    /// The highest rate of an open loop; 0 for a closed one.
    pub fn peak_rps(&self) -> f64 {
        self.load.peak_rps()
    }

    /// The whole open loop, warm-up included: it runs at the rate with which measuring starts.
    pub fn segments_with_warm_up(&self) -> Vec<Segment> {
        let Load::Open { segments, .. } = &self.load else {
            return Vec::new();
        };
        let first_rps = segments.first().map_or(0.0, |segment| segment.from_rps);
        let warm_up = Segment {
            duration_s: f64::from(self.warm_up_s),
            from_rps: first_rps,
            to_rps: first_rps,
        };
        let warm_up = (self.warm_up_s > 0).then_some(warm_up);
        warm_up
            .into_iter()
            .chain(segments.iter().copied())
            .collect()
    }
}

/// The trace that the profile of this origin, a file or an embedded name, calls `file`.
fn trace_of(origin: &str, file: &str) -> Result<Trace, ProfileError> {
    let is_embedded = EMBEDDED.iter().any(|(name, _)| *name == origin);
    let embedded = EMBEDDED_TRACES.iter().find(|(name, _)| *name == file);
    if let Some((name, text)) = embedded.filter(|_| is_embedded) {
        return Trace::parse(name, file, results::digest::of(text), text.as_bytes());
    }
    Trace::read(Path::new(origin), file)
}

/// Requests in flight that an open loop allows for by default: as many as arrive in a second, so
/// that a target that stands still for most of a second does not hold an arrival back.
pub fn default_connections(peak_rps: f64) -> u32 {
    const FEWEST: f64 = 64.0;
    const MOST: f64 = 10_000.0;
    // In range by the clamp.
    peak_rps.clamp(FEWEST, MOST) as u32
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
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
    fn phases_become_straight_lines() {
        #[track_caller]
        fn check(phase: &str, expected: &[(f64, f64, f64)]) {
            let source = format!(
                "name = 'p'\ndescription = 'd'\nmode = 'open'\narrival = 'poisson'\n[[phases]]\n{phase}"
            );
            let profile =
                Profile::parse("test", &source).expect("profiles of this table are valid");
            let Load::Open { segments, .. } = profile.load else {
                panic!("open by its text")
            };
            let lines: Vec<_> = segments
                .iter()
                .map(|s| (s.duration_s, s.from_rps, s.to_rps))
                .collect();
            assert_eq!(lines, expected, "{phase}");
        }
        check("duration = '10s'\nrate = 5", &[(10.0, 5.0, 5.0)]);
        check("duration = '1m'\nfrom = 5\nto = 50", &[(60.0, 5.0, 50.0)]);
        check(
            "duration = '9s'\nfrom = 10\nto = 30\nsteps = 3",
            &[(3.0, 10.0, 10.0), (3.0, 20.0, 20.0), (3.0, 30.0, 30.0)],
        );
        check(
            "duration = '10s'\nrate = 10\npeak = 90\npeak_duration = '2s'",
            &[(4.0, 10.0, 10.0), (2.0, 90.0, 90.0), (4.0, 10.0, 10.0)],
        );
    }

    #[test]
    fn a_broken_profile_is_refused_with_its_place_and_what_is_expected() {
        #[track_caller]
        fn check(source: &str, parts: &[&str]) {
            let message = Profile::parse("mine.toml", source)
                .expect_err("broken on purpose")
                .to_string();
            for part in parts {
                assert!(message.contains(part), "`{part}` is missing in: {message}");
            }
            assert!(message.contains("mine.toml"), "{message}");
        }
        let head = "name = 'p'\ndescription = 'd'\nmode = 'open'\narrival = 'constant'\n";
        check(&format!("{head}rat = 5\n"), &["line 5", "rat"]);
        check("name = 'p'\nmode = ", &["line 2"]);
        check(head, &["phases", "at least one"]);
        check(&format!("{head}phases = []\n"), &["phases", "at least one"]);
        check(
            &format!("{head}[[phases]]\nduration = 'soon'\nrate = 1\n"),
            &["phases[0].duration", "soon"],
        );
        check(
            &format!("{head}[[phases]]\nduration = '0s'\nrate = 1\n"),
            &["phases[0].duration"],
        );
        check(
            &format!("{head}[[phases]]\nduration = '1s'\nrate = -1\n"),
            &["phases[0].rate", "-1"],
        );
        check(
            &format!("{head}[[phases]]\nduration = '1s'\nfrom = 1\n"),
            &["phases[0]", "`from` and `to`"],
        );
        check(
            &format!("{head}[[phases]]\nduration = '1s'\nrate = 1\nfrom = 1\nto = 2\n"),
            &["phases[0]"],
        );
        check(
            &format!(
                "{head}[[phases]]\nduration = '1s'\nrate = 1\npeak = 2\npeak_duration = '3s'\n"
            ),
            &["phases[0].peak_duration"],
        );
        check(
            &format!("{head}warm_up = '1500ms'\n[[phases]]\nduration = '1s'\nrate = 1\n"),
            &["warm_up", "whole seconds"],
        );
        check(
            &format!("{head}users = 5\n[[phases]]\nduration = '1s'\nrate = 1\n"),
            &["users", "closed"],
        );
        check(
            "name = 'p'\ndescription = 'd'\nmode = 'closed'\n",
            &["users"],
        );
        let closed = "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 1\nduration = '1s'\n";
        check(
            &format!("{closed}think_time = {{ constant = '0s' }}\n"),
            &["think_time.constant", "0s"],
        );
        check(
            &format!("{closed}think_time = {{ exponential = '2h' }}\n"),
            &["think_time.exponential", "1h", "2h"],
        );
        check(
            &format!("{closed}think_time = {{ uniform = '1s' }}\n"),
            &["line 6", "uniform", "constant"],
        );
        check(
            &format!(
                "{head}think_time = {{ constant = '1s' }}\n[[phases]]\nduration = '1s'\nrate = 1\n"
            ),
            &["think_time", "closed"],
        );
        let open = "name = 'p'\ndescription = 'd'\nmode = 'open'\n";
        check(
            &format!("{open}arrival = 'trace'\n"),
            &["field `trace`", "missing"],
        );
        check(
            &format!("{open}trace = 't.csv'\n"),
            &["field `trace`", "arrival"],
        );
        check(
            "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 0\nduration = '1s'\n",
            &["users", "0"],
        );
        check(
            "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 1\n",
            &["`duration` or `requests`"],
        );
        check(
            "name = 'p'\ndescription = 'd'\nmode = 'half-open'\n",
            &["line 3", "half-open", "open"],
        );
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
