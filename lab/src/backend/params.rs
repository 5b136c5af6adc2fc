//! Form parameters: bytes of a query or body to nested values, as the reference reads them.
//!
//! Owns their values and the bounds on them. Must not know what any parameter means, how brackets in names
//! nest (`brackets`) or how characters are escaped ([`encoding`]).

mod brackets;
pub mod encoding;
pub mod multipart;
#[cfg(test)]
mod tests;

use std::fmt;

use self::encoding::decode;

/// Parameters of one query or body at most. As in the reference it is separators that are counted,
/// so that empty parameters count as well.
pub const MAX_PARAMETERS: usize = 4096;
/// Bytes of one query or body at most.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Bracket pairs behind one name have to be fewer than this.
const MAX_DEPTH: usize = 32;

/// The value of a parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A name without `=`.
    Missing,
    /// Text.
    Text(String),
    /// `name[]=…`.
    List(Vec<Value>),
    /// `name[key]=…`.
    Hash(Hash),
}

impl Value {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::List(_) | Self::Hash(_) => None,
        }
    }

    /// The value as text, where the reference puts whatever was sent into a text: a list or hash
    /// looks like source code then.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Missing => None,
            Self::Text(text) => Some(text.clone()),
            Self::List(_) | Self::Hash(_) => Some(self.inspect()),
        }
    }

    fn inspect(&self) -> String {
        match self {
            Self::Missing => "nil".to_owned(),
            Self::Text(text) => format!("{text:?}"),
            Self::List(list) => {
                let items: Vec<String> = list.iter().map(Self::inspect).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Hash(Hash(entries)) => {
                let pair =
                    |(name, value): &(String, Value)| format!("{name:?}=>{}", value.inspect());
                let items: Vec<String> = entries.iter().map(pair).collect();
                format!("{{{}}}", items.join(", "))
            }
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "NilClass",
            Self::Text(_) => "String",
            Self::List(_) => "Array",
            Self::Hash(_) => "Rack::QueryParser::Params",
        }
    }
}

/// Names and values, in the order in which the names were first sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hash(Vec<(String, Value)>);

impl Hash {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// Takes the value of a name out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(index).1)
    }

    /// Takes the text of a name out; anything that is not text is dropped.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::Text(text) => Some(text),
            Value::Missing | Value::List(_) | Value::Hash(_) => None,
        }
    }

    /// Names and values.
    pub fn into_entries(self) -> Vec<(String, Value)> {
        self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, name: String, value: Value) {
        match self.find(&name) {
            Some(known) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Callers send what belongs together in a row, so the last name is the likeliest.
    fn find(&mut self, name: &str) -> Option<&mut Value> {
        let found = self.0.iter_mut().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }

    /// The value of a name, where a missing one is replaced by `make` first.
    fn find_or(&mut self, name: &str, make: fn() -> Value) -> &mut Value {
        let index = self.0.iter().rposition(|(known, _)| known == name);
        let index = index.unwrap_or_else(|| {
            self.0.push((name.to_owned(), Value::Missing));
            self.0.len() - 1
        });
        let value = &mut self.0[index].1;
        if *value == Value::Missing {
            *value = make();
        }
        value
    }
}

/// What is wrong with the parameters as such.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ShapeError {
    /// Broken percent encoding.
    PercentEncoding,
    /// More parameters, bytes or brackets than allowed, or a form that cannot be split.
    Bounds,
    /// One name is used in two shapes.
    Mixed {
        /// The shape the name asks for.
        expected: &'static str,
        /// The shape it had.
        found: &'static str,
        /// The name.
        name: String,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PercentEncoding => f.write_str("invalid %-encoding"),
            Self::Bounds => f.write_str("too many parameters"),
            Self::Mixed {
                expected,
                found,
                name,
            } => write!(f, "expected {expected} (got {found}) for param `{name}'"),
        }
    }
}

/// The parameters of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Params {
    /// Names and values; what was not UTF-8 is replaced.
    pub values: Hash,
    /// Whether every name and value was UTF-8.
    pub is_utf8: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            values: Hash::default(),
            is_utf8: true,
        }
    }
}

impl Params {
    /// Reads a query string or a form body.
    pub fn parse(form: &[u8]) -> Result<Self, ShapeError> {
        let separators = form.iter().filter(|byte| **byte == b'&').count();
        if form.len() > MAX_BYTES || separators >= MAX_PARAMETERS {
            return Err(ShapeError::Bounds);
        }
        let mut params = Self::default();
        // Blanks behind a separator belong to it.
        let parts = form
            .split(|byte| *byte == b'&')
            .enumerate()
            .map(|(index, part)| match index {
                0 => part,
                _ => trim_blanks_before(part),
            });
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = split_once(part, b'=');
            let name = params.text(decode(name)?);
            let value = match value {
                Some(value) => Value::Text(params.text(decode(value)?)),
                None => Value::Missing,
            };
            params.insert(&name, value)?;
        }
        Ok(params)
    }

    /// Adds one parameter by its full name, brackets included.
    fn insert(&mut self, name: &str, value: Value) -> Result<(), ShapeError> {
        brackets::insert(&mut self.values, name, value)
    }

    /// These parameters with others on top: on a clash of names the others win.
    pub fn overlaid_with(mut self, over: Self) -> Self {
        self.is_utf8 &= over.is_utf8;
        for (name, value) in over.values.0 {
            self.values.put(name, value);
        }
        self
    }

    fn text(&mut self, bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap_or_else(|error| {
            self.is_utf8 = false;
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })
    }
}

fn trim_blanks_before(part: &[u8]) -> &[u8] {
    let blanks = part.iter().take_while(|byte| **byte == b' ').count();
    &part[blanks..]
}

fn split_once(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == separator) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}
