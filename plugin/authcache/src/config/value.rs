//! Single values of the configuration: each says what it expected when it is given something else.
//!
//! Owns the checked deserialisation of texts, words, numbers and durations. Must not know which
//! setting a value belongs to: the path is added by whoever reads the document.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

/// What is read from a JSON object.
pub(super) trait Fields {
    /// What a message says it should have been.
    const EXPECTED: &'static str;
}

/// A JSON object and nothing else: derived structs would accept a list of their fields' values too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Object<T>(pub(super) T);

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Fields> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(ObjectVisitor(PhantomData))
            .map(Self)
    }
}

impl<'de, T: Deserialize<'de> + Fields> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// A list that may not be empty.
#[derive(serde::Deserialize)]
#[serde(try_from = "Vec<T>", bound = "T: Deserialize<'de>")]
pub(super) struct AtLeastOne<T>(pub(super) Vec<T>);

impl<T> TryFrom<Vec<T>> for AtLeastOne<T> {
    type Error = &'static str;

    fn try_from(list: Vec<T>) -> Result<Self, Self::Error> {
        if list.is_empty() {
            return Err("invalid value: an empty list, expected at least one entry");
        }
        Ok(Self(list))
    }
}

/// What can be read from a text.
pub(super) trait Text: Sized {
    /// What a message says it should have been.
    const EXPECTED: &'static str;
    /// Whether the value must not show in a message.
    const SECRET: bool = false;

    /// Reads the text or says what is wrong with it.
    fn read(raw: &str) -> Result<Self, String>;
}

/// A value read by [`Text`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Checked<T>(pub(super) T);

struct TextVisitor<T>(PhantomData<T>);

impl<'de, T: Text> Deserialize<'de> for Checked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(TextVisitor(PhantomData))
            .map(Self)
    }
}

impl<T: Text> TextVisitor<T> {
    fn wrong_type<E: Error>(&self, kind: &'static str, found: Unexpected<'_>) -> E {
        if T::SECRET {
            E::invalid_type(Unexpected::Other(kind), self)
        } else {
            E::invalid_type(found, self)
        }
    }
}

impl<T: Text> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, raw: &str) -> Result<T, E> {
        T::read(raw).map_err(|problem| {
            if T::SECRET {
                E::custom(format_args!("{problem}, expected {}", T::EXPECTED))
            } else {
                let shown = shortened(raw);
                E::custom(format_args!(
                    "invalid value `{shown}`: {problem}, expected {}",
                    T::EXPECTED
                ))
            }
        })
    }

    fn visit_bool<E: Error>(self, found: bool) -> Result<T, E> {
        Err(self.wrong_type("a boolean", Unexpected::Bool(found)))
    }

    fn visit_i64<E: Error>(self, found: i64) -> Result<T, E> {
        Err(self.wrong_type("a number", Unexpected::Signed(found)))
    }

    fn visit_u64<E: Error>(self, found: u64) -> Result<T, E> {
        Err(self.wrong_type("a number", Unexpected::Unsigned(found)))
    }

    fn visit_f64<E: Error>(self, found: f64) -> Result<T, E> {
        Err(self.wrong_type("a number", Unexpected::Float(found)))
    }
}

/// The beginning of a text, for a message.
fn shortened(raw: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    let mut shown: String = raw.chars().take(SHOWN_CHARS).collect();
    if shown.len() < raw.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

/// Reads one of a few words.
pub(super) fn word<T: Copy>(raw: &str, words: &[(&str, T)]) -> Result<T, String> {
    match words.iter().find(|(word, _)| *word == raw) {
        Some((_, value)) => Ok(*value),
        None => Err("not one of the words".to_owned()),
    }
}

/// A word that a later version may understand.
pub(super) fn not_supported() -> String {
    NOT_SUPPORTED.to_owned()
}

const NOT_SUPPORTED: &str = "not supported by this version";

/// A setting that this version does not carry out, whatever its value. Left out or `null` it is
/// fine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unsupported {}

impl<'de> Deserialize<'de> for Unsupported {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(NOT_SUPPORTED))
    }
}

/// A boolean setting of which only `false` is carried out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct OnlyFalse;

impl<'de> Deserialize<'de> for OnlyFalse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? {
            return Err(D::Error::custom(format_args!(
                "invalid value `true`: {NOT_SUPPORTED}, expected `false`"
            )));
        }
        Ok(Self)
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Number<const MIN: u64, const MAX: u64>(pub(super) u64);

struct NumberVisitor<const MIN: u64, const MAX: u64>;

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(NumberVisitor::<MIN, MAX>)
            .map(Self)
    }
}

impl<const MIN: u64, const MAX: u64> Visitor<'_> for NumberVisitor<MIN, MAX> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if MIN == MAX {
            write!(f, "{MIN} in this version")
        } else {
            write!(f, "a whole number from {MIN} to {MAX}")
        }
    }

    fn visit_u64<E: Error>(self, found: u64) -> Result<u64, E> {
        if (MIN..=MAX).contains(&found) {
            Ok(found)
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(found), &self))
        }
    }

    fn visit_i64<E: Error>(self, found: i64) -> Result<u64, E> {
        Err(E::invalid_value(Unexpected::Signed(found), &self))
    }

    fn visit_f64<E: Error>(self, found: f64) -> Result<u64, E> {
        Err(E::invalid_value(Unexpected::Float(found), &self))
    }
}

/// A share from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share(pub(super) f64);

struct ShareVisitor;

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShareVisitor).map(Self)
    }
}

impl Visitor<'_> for ShareVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0 to 1")
    }

    fn visit_u64<E: Error>(self, found: u64) -> Result<f64, E> {
        match found {
            0 => Ok(0.0),
            1 => Ok(1.0),
            _ => Err(E::invalid_value(Unexpected::Unsigned(found), &self)),
        }
    }

    fn visit_i64<E: Error>(self, found: i64) -> Result<f64, E> {
        Err(E::invalid_value(Unexpected::Signed(found), &self))
    }

    fn visit_f64<E: Error>(self, found: f64) -> Result<f64, E> {
        if (0.0..=1.0).contains(&found) {
            Ok(found)
        } else {
            Err(E::invalid_value(Unexpected::Float(found), &self))
        }
    }
}

/// A duration like `250ms`, `30s`, `5m` or `1h`, from `MIN` to `MAX` milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Millis<const MIN: u64, const MAX: u64>(pub(super) u64);

const UNITS_MS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl<const MIN: u64, const MAX: u64> Text for Millis<MIN, MAX> {
    const EXPECTED: &'static str = "a duration like `250ms`, `30s`, `5m` or `1h`";

    fn read(raw: &str) -> Result<Self, String> {
        let ms = duration_ms(raw).ok_or("not a duration")?;
        if (MIN..=MAX).contains(&ms) {
            Ok(Self(ms))
        } else {
            let (min, max) = (in_largest_unit(MIN), in_largest_unit(MAX));
            Err(format!("not between {min} and {max}"))
        }
    }
}

fn duration_ms(raw: &str) -> Option<u64> {
    let digits = raw.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = raw.split_at_checked(digits)?;
    let (_, unit_ms) = UNITS_MS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*unit_ms)
}

fn in_largest_unit(ms: u64) -> String {
    let fits = |(_, unit_ms): &&(&str, u64)| ms >= *unit_ms && ms.is_multiple_of(*unit_ms);
    match UNITS_MS.iter().rfind(fits) {
        Some((unit, unit_ms)) => format!("{}{unit}", ms / unit_ms),
        None => format!("{ms}ms"),
    }
}
