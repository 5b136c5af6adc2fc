//! Patterns of mapping rules, compiled once.
//!
//! Owns [`Pattern`]. Must not know methods, metrics or where a path comes from.

use thiserror::Error;

use super::path;
use crate::form;

/// A pattern: a prefix of the path in which `{name}` stands for one or more bytes of one segment,
/// whole when it ends in `$`, with the query parameters that have to be there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    /// What the path begins with.
    start: Vec<u8>,
    /// What follows each placeholder.
    after_placeholders: Vec<Vec<u8>>,
    anchored: bool,
    parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Parameter {
    name: Vec<u8>,
    /// `None`: any value, even an empty one.
    value: Option<Vec<u8>>,
}

/// Whether a request matches.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Match {
    No,
    /// A parameter came more than once, and one of its values matches. The upstream may take another one.
    ByOneOfSeveral,
    Yes,
}

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum PatternError {
    /// No path could match.
    #[error("a pattern starts with `/`")]
    NoSlash,
    /// Longer than the bound.
    #[error(
        "the pattern has {bytes} bytes, at most {} are allowed",
        Pattern::MAX_BYTES
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// `{` without `}`, `}` without `{`, nothing or a `/` between them.
    #[error("a placeholder is written `{{name}}`, within one segment")]
    Placeholder,
    /// A literal part that no request path can have once it is read.
    #[error(
        "no path matches it: `//`, `.` and `..` segments, `;`, `\\`, `#`, blanks, control \
         characters, `%2F` and broken escapes do not reach the rules"
    )]
    NoPathMatches,
    /// A query part with an empty name, a broken escape, or a placeholder that is not all of a value.
    #[error("a query part is written `?name=value&other={{name}}`")]
    Query,
    /// `$` at the end of the query part.
    #[error("`$` anchors the path and stands before `?`; as part of a value it is written `%24`")]
    AnchorInQuery,
}

impl Pattern {
    /// Longest pattern.
    pub const MAX_BYTES: usize = 1_024;

    /// Reads a pattern.
    pub fn parse(raw: &str) -> Result<Self, PatternError> {
        if raw.len() > Self::MAX_BYTES {
            return Err(PatternError::TooLong { bytes: raw.len() });
        }
        if !raw.starts_with('/') {
            return Err(PatternError::NoSlash);
        }
        let (path, query) = split_query(raw);
        let (path, anchored) = match path.strip_suffix('$') {
            Some(path) => (path, true),
            None => (path, false),
        };
        let (start, after_placeholders) = parse_path(path)?;
        Ok(Self {
            start,
            after_placeholders,
            anchored,
            parameters: query.map(parse_query).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether a request with this path (in canonical form) and query matches.
    pub(super) fn matches(&self, path: &[u8], query: &[u8]) -> Match {
        if !self.matches_path(path) {
            return Match::No;
        }
        let parameters = self.parameters.iter();
        let least = parameters.map(|parameter| parameter.is_in(query)).min();
        least.unwrap_or(Match::Yes)
    }

    fn matches_path(&self, path: &[u8]) -> bool {
        let Some(mut rest) = path.strip_prefix(self.start.as_slice()) else {
            return false;
        };
        let Some((last, others)) = self.after_placeholders.split_last() else {
            return !self.anchored || rest.is_empty();
        };
        for literal in others {
            match skip_placeholder(rest, literal) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        if self.anchored {
            rest.strip_suffix(last.as_slice())
                .is_some_and(|value| !value.is_empty() && !value.contains(&b'/'))
        } else {
            skip_placeholder(rest, last).is_some()
        }
    }
}

/// What follows the first place where `literal` can stand after a placeholder. A later place need
/// not be tried: the next placeholder could take up whatever lies between, as it is all one segment.
fn skip_placeholder<'path>(rest: &'path [u8], literal: &[u8]) -> Option<&'path [u8]> {
    let longest = rest
        .iter()
        .position(|byte| *byte == b'/')
        .unwrap_or(rest.len());
    (1..=longest).find_map(|length| rest.get(length..)?.strip_prefix(literal))
}

impl Parameter {
    fn is_in(&self, query: &[u8]) -> Match {
        let (mut is_there, mut is_alone) = (false, true);
        for (name, value) in form::parameters(query) {
            if form::stands_for(name, &self.name) {
                let mut expected = self.value.iter();
                let fits = expected.all(|expected| form::stands_for(value, expected));
                is_there |= fits;
                is_alone &= fits;
            }
        }
        match (is_there, is_alone) {
            (false, _) => Match::No,
            (true, false) => Match::ByOneOfSeveral,
            (true, true) => Match::Yes,
        }
    }
}

fn split_query(raw: &str) -> (&str, Option<&str>) {
    match raw.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (raw, None),
    }
}

fn parse_path(raw: &str) -> Result<(Vec<u8>, Vec<Vec<u8>>), PatternError> {
    let mut literals = raw.split('{');
    let start = literal(literals.next().unwrap_or_default())?;
    let after_placeholders = literals
        .map(|part| {
            let (name, after) = part.split_once('}').ok_or(PatternError::Placeholder)?;
            if name.is_empty() || name.contains('/') {
                return Err(PatternError::Placeholder);
            }
            literal(after)
        })
        .collect::<Result<Vec<_>, _>>()?;
    check_reachable(raw, &start, &after_placeholders)?;
    Ok((start, after_placeholders))
}

/// A part of the path between placeholders, as the bytes it stands for.
fn literal(raw: &str) -> Result<Vec<u8>, PatternError> {
    if raw.contains('}') {
        return Err(PatternError::Placeholder);
    }
    form::Escapes::of_path(raw.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| PatternError::NoPathMatches)
}

/// Reads the pattern as a request's path would be, with `x` for every placeholder, and refuses it
/// when that changes anything but escapes.
fn check_reachable(raw: &str, start: &[u8], after: &[Vec<u8>]) -> Result<(), PatternError> {
    let mut expected = start.to_vec();
    for literal in after {
        expected.push(b'x');
        expected.extend_from_slice(literal);
    }
    let mut path = String::new();
    for (number, part) in raw.split('{').enumerate() {
        let literal = part.split_once('}').map_or(part, |(_, after)| after);
        path.push_str(if number == 0 { "" } else { "x" });
        path.push_str(literal);
    }
    match path::with_canonical(path.as_bytes(), |canonical| canonical == expected) {
        Some(true) => Ok(()),
        _ => Err(PatternError::NoPathMatches),
    }
}

fn parse_query(raw: &str) -> Result<Vec<Parameter>, PatternError> {
    if raw.ends_with('$') {
        return Err(PatternError::AnchorInQuery);
    }
    if raw.is_empty() {
        return Err(PatternError::Query);
    }
    raw.split('&').map(parse_parameter).collect()
}

fn parse_parameter(raw: &str) -> Result<Parameter, PatternError> {
    let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
    let placeholder = value
        .strip_prefix('{')
        .and_then(|value| value.strip_suffix('}'))
        .filter(|name| !name.is_empty());
    let literal = if placeholder.is_some() { "" } else { value };
    let has_braces = |text: &str| text.contains(['{', '}']);
    if name.is_empty()
        || [name, literal, placeholder.unwrap_or_default()].map(has_braces) != [false; 3]
    {
        return Err(PatternError::Query);
    }
    let decode = |text: &str| match form::decode(text.as_bytes()) {
        Ok(bytes) => Ok(bytes.into_owned()),
        Err(form::Broken) => Err(PatternError::Query),
    };
    Ok(Parameter {
        name: decode(name)?,
        value: match placeholder {
            Some(_) => None,
            None => Some(decode(value)?),
        },
    })
}
