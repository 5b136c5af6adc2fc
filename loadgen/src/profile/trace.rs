//! A recorded trace: the send times of a load that once was, from a file of text.
//!
//! Owns the format of the file and what is expected of each line. Must not know when a request is
//! really sent, or what an application or an endpoint is.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use results::digest;
use serde::Serialize;

use super::ProfileError;

/// Requests that a trace may have: they are kept in memory, 16 bytes each.
const MOST_REQUESTS: usize = 10_000_000;
/// Length that a trace may have, in seconds: a week.
const LONGEST_S: f64 = 7.0 * 86_400.0;
const COLUMNS: [&str; 3] = ["at_s", "application", "endpoint"];
/// Stands for an index that a line does not have.
const NONE: u32 = u32::MAX;

/// When each request of a load is sent, as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    arrival: Kind,
    /// The file, as the profile names it.
    #[serde(rename = "trace")]
    pub file: String,
    /// SHA-256 of the file, lower-case hexadecimal.
    #[serde(rename = "trace_sha256")]
    pub sha256: String,
    /// Requests that are sent.
    pub requests: usize,
    /// Length in seconds: from 0 to the last line, or to where it was cut.
    pub length_s: f64,
    #[serde(skip)]
    lines: Arc<[Line]>,
}

/// What stands under `arrival`, as in the text of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Trace,
}

/// One request of a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    at_ns: u64,
    application: u32,
    endpoint: u32,
}

/// What a line of a trace says about its request; what it leaves out is drawn from the mix.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Named {
    /// Index of the application.
    pub application: Option<usize>,
    /// Index of the endpoint.
    pub endpoint: Option<usize>,
}

impl Trace {
    /// Reads a trace. `file` is what the profile says, which is relative to the profile's file.
    pub fn read(profile: &Path, file: &str) -> Result<Self, ProfileError> {
        let path = profile
            .parent()
            .map_or_else(|| file.into(), |folder| folder.join(file));
        let shown = path.display().to_string();
        let unreadable = |source| ProfileError::Trace {
            path: shown.clone(),
            source,
        };
        let (_, sha256) = digest::file(&path).map_err(unreadable)?;
        let source = std::fs::File::open(&path).map_err(unreadable)?;
        Self::parse(&shown, file, sha256, std::io::BufReader::new(source))
    }

    /// A trace from its text; `shown` is the path for messages.
    pub fn parse(
        shown: &str,
        file: &str,
        sha256: String,
        mut source: impl BufRead,
    ) -> Result<Self, ProfileError> {
        let mut lines: Vec<Line> = Vec::new();
        let mut text = String::new();
        let mut number = 0;
        loop {
            text.clear();
            let read = source.read_line(&mut text);
            let bytes = read.map_err(|source| ProfileError::Trace {
                path: shown.to_owned(),
                source,
            })?;
            if bytes == 0 {
                break;
            }
            number += 1;
            let refused = |expected: String| ProfileError::TraceLine {
                path: shown.to_owned(),
                line: number,
                expected,
            };
            let content = text.trim();
            if content.is_empty() || content.starts_with('#') || is_header(content) {
                continue;
            }
            let line = Line::parse(content).map_err(&refused)?;
            if let Some(last) = lines.last().filter(|last| last.at_ns > line.at_ns) {
                let last_s = Duration::from_nanos(last.at_ns).as_secs_f64();
                return Err(refused(format!(
                    "expected a time of {last_s} s or later, as lines are in order, not `{content}`"
                )));
            }
            if lines.len() == MOST_REQUESTS {
                return Err(refused(format!(
                    "expected at most {MOST_REQUESTS} requests; split the trace"
                )));
            }
            lines.push(line);
        }
        let Some(last) = lines.last() else {
            return Err(ProfileError::TraceLine {
                path: shown.to_owned(),
                line: number.max(1),
                expected: "expected at least one line with a time in seconds".to_owned(),
            });
        };
        let length_s = Duration::from_nanos(last.at_ns).as_secs_f64();
        if length_s <= 0.0 {
            return Err(ProfileError::TraceLine {
                path: shown.to_owned(),
                line: number,
                expected: "expected a last request after 0 s, which ends the trace".to_owned(),
            });
        }
        Ok(Self {
            arrival: Kind::Trace,
            file: file.to_owned(),
            sha256,
            requests: lines.len(),
            length_s,
            lines: lines.into(),
        })
    }

    /// Requests per second on average.
    pub fn mean_rps(&self) -> f64 {
        self.requests as f64 / self.length_s
    }

    /// The most requests of a whole second.
    pub fn peak_rps(&self) -> f64 {
        let kept = self.lines.get(..self.requests).unwrap_or_default();
        let seconds = kept.chunk_by(|a, b| a.second() == b.second());
        seconds.map(<[_]>::len).max().unwrap_or_default() as f64
    }

    /// Keeps what lies before a time in seconds, at most the trace's length; false if that is nothing.
    pub fn cut(&mut self, length_s: f64) -> bool {
        let end = Duration::from_secs_f64(length_s).as_nanos();
        let kept = self.lines.get(..self.requests).unwrap_or_default();
        let whole = length_s >= self.length_s;
        if !whole {
            self.requests = kept.partition_point(|line| u128::from(line.at_ns) < end);
            self.length_s = length_s;
        }
        self.requests > 0
    }

    /// The n-th request: seconds from the start of the trace, and what it asks for.
    pub fn get(&self, n: usize) -> Option<(Duration, Named)> {
        let line = self.lines.get(..self.requests)?.get(n)?;
        let index = |index: u32| (index != NONE).then_some(index as usize);
        let named = Named {
            application: index(line.application),
            endpoint: index(line.endpoint),
        };
        Some((Duration::from_nanos(line.at_ns), named))
    }

    /// The highest indexes that lines name.
    pub fn highest(&self) -> Named {
        let highest = |of: fn(&Line) -> u32| {
            let named = self.lines.iter().map(of).filter(|index| *index != NONE);
            named.max().map(|index| index as usize)
        };
        Named {
            application: highest(|line| line.application),
            endpoint: highest(|line| line.endpoint),
        }
    }
}

fn is_header(content: &str) -> bool {
    content.split(',').next().map(str::trim) == COLUMNS.first().copied()
}

impl Line {
    fn parse(content: &str) -> Result<Self, String> {
        let fields: Vec<&str> = content.split(',').map(str::trim).collect();
        let (at, rest) = fields.split_first().ok_or("expected a time in seconds")?;
        if rest.len() > 2 {
            return Err(format!(
                "expected `{}`, not {} fields",
                COLUMNS.join(","),
                fields.len()
            ));
        }
        let at_s: f64 = at
            .parse()
            .ok()
            .filter(|at_s| (0.0..=LONGEST_S).contains(at_s))
            .ok_or_else(|| {
                format!("expected seconds from the start, 0 to {LONGEST_S}, like 1.25, not `{at}`")
            })?;
        let index = |place: usize| match rest.get(place).copied().unwrap_or_default() {
            "" => Ok(NONE),
            text => text
                .parse()
                .ok()
                .filter(|index| *index != NONE)
                .ok_or_else(|| {
                    let column = COLUMNS.get(place + 1).copied().unwrap_or_default();
                    format!("expected the index of an {column} from 0, or nothing, not `{text}`")
                }),
        };
        Ok(Self {
            // In range by the check above.
            at_ns: (at_s * 1e9).round() as u64,
            application: index(0)?,
            endpoint: index(1)?,
        })
    }

    fn second(&self) -> u64 {
        self.at_ns / 1_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Trace, ProfileError> {
        Trace::parse("t.csv", "t.csv", digest::of(text), text.as_bytes())
    }

    #[test]
    fn a_line_is_a_time_and_perhaps_an_application_and_an_endpoint() {
        let trace = parse("# of a day in May\nat_s,application,endpoint\n0\n0.5, 3\n\n1.25,,1\n")
            .expect("valid");
        let named = |application, endpoint| Named {
            application,
            endpoint,
        };
        let all: Vec<_> = (0..4).map_while(|n| trace.get(n)).collect();
        assert_eq!(
            all,
            [
                (Duration::ZERO, named(None, None)),
                (Duration::from_millis(500), named(Some(3), None)),
                (Duration::from_millis(1250), named(None, Some(1))),
            ]
        );
        assert_eq!((trace.requests, trace.length_s), (3, 1.25));
        assert_eq!(trace.highest(), named(Some(3), Some(1)));
        assert_eq!(trace.peak_rps(), 2.0);
        assert_eq!(trace.mean_rps(), 3.0 / 1.25);
    }

    #[test]
    fn a_cut_trace_ends_before_that_time() {
        let mut trace = parse("0\n0.5\n1\n2\n").expect("valid");
        assert!(trace.cut(1.0));
        assert_eq!((trace.requests, trace.length_s), (2, 1.0));
        assert_eq!(trace.get(2), None);
        let mut late = parse("1\n2\n").expect("valid");
        assert!(!late.cut(0.5));
    }

    #[test]
    fn a_bad_line_is_named_with_what_is_expected() {
        #[track_caller]
        fn check(text: &str, parts: &[&str]) {
            let message = parse(text).expect_err("broken on purpose").to_string();
            for part in parts {
                assert!(message.contains(part), "`{part}` is missing in: {message}");
            }
        }
        check("0\nsoon\n", &["t.csv", "line 2", "seconds", "`soon`"]);
        check("1\n0.5\n", &["line 2", "1 s or later", "0.5"]);
        check("0\n-1\n", &["line 2", "-1"]);
        check("0\nNaN\n", &["line 2", "NaN"]);
        check("0,x\n", &["line 1", "application", "`x`"]);
        check("0,1,x\n", &["line 1", "endpoint", "`x`"]);
        check("0,1,2,3\n", &["line 1", "at_s,application,endpoint", "4"]);
        check("# nothing\n", &["at least one line"]);
        check("", &["line 1", "at least one line"]);
        check("0\n0\n", &["after 0 s"]);
        check("700000\n", &["line 1", "604800"]);
    }
}
