//! The bracket notation: `a[b]=c` is a hash in a hash, `a[]=b` a list.
//!
//! Owns how names nest. Must not know how names and values were escaped.

use super::{Hash, MAX_DEPTH, ShapeError, Value};

/// Adds one parameter by its full name, brackets included.
pub(super) fn insert(hash: &mut Hash, name: &str, value: Value) -> Result<(), ShapeError> {
    insert_at(hash, name, value, 0)
}

/// Splits a name at its first bracket pair: what comes first, and the rest behind it.
fn split_name(name: &str, depth: usize) -> (&str, &str) {
    if depth == 0 {
        // A bracket in front is an ordinary character of the name.
        let bracket = name.char_indices().skip(1).find(|(_, c)| *c == '[');
        return match bracket {
            Some((at, _)) => name.split_at(at),
            None => (name, ""),
        };
    }
    if let Some(rest) = name.strip_prefix("[]") {
        return ("[]", rest);
    }
    let inside = name.strip_prefix('[');
    match inside.and_then(|inside| inside.split_once(']')) {
        Some((key, rest)) => (key, rest),
        // Not in brackets after all: the text as a whole is the name.
        None => (name, ""),
    }
}

fn insert_at(hash: &mut Hash, name: &str, value: Value, depth: usize) -> Result<(), ShapeError> {
    if depth >= MAX_DEPTH {
        return Err(ShapeError::Bounds);
    }
    let (key, rest) = split_name(name, depth);
    if key.is_empty() {
        return Ok(());
    }
    if rest.is_empty() {
        hash.put(key.to_owned(), value);
    } else if rest == "[" {
        hash.put(name.to_owned(), value);
    } else if let Some(element) = rest.strip_prefix("[]") {
        let list = list_of(hash, key)?;
        insert_in_list(list, element, value, depth)?;
    } else {
        insert_at(hash_of(hash, key)?, rest, value, depth + 1)?;
    }
    Ok(())
}

/// `name[]=v` adds an element; `name[][key]=v` goes into the last element if that is a hash which has
/// no such key yet, all brackets of the key considered.
fn insert_in_list(
    list: &mut Vec<Value>,
    element: &str,
    value: Value,
    depth: usize,
) -> Result<(), ShapeError> {
    if element.is_empty() {
        list.push(value);
        return Ok(());
    }
    let inside = element
        .strip_prefix('[')
        .and_then(|inside| inside.strip_suffix(']'));
    let name = match inside {
        Some(inside) if !inside.is_empty() && !inside.contains(['[', ']']) => inside,
        _ => element,
    };
    if let Some(Value::Hash(last)) = list.last_mut()
        && !has_path(last, name)
    {
        return insert_at(last, name, value, depth + 1);
    }
    let mut fresh = Hash::default();
    insert_at(&mut fresh, name, value, depth + 1)?;
    list.push(Value::Hash(fresh));
    Ok(())
}

/// Whether a hash has something at `a`, `a[b]` and so on.
fn has_path(hash: &Hash, name: &str) -> bool {
    if name.contains("[]") {
        return false;
    }
    let mut parts = name.split(['[', ']']).filter(|part| !part.is_empty());
    let Some(first) = parts.next() else {
        return true;
    };
    let found = parts.try_fold(hash.get(first), |at, part| match at {
        Some(Value::Hash(hash)) => Some(hash.get(part)),
        _ => None,
    });
    found.flatten().is_some()
}

fn list_of<'a>(hash: &'a mut Hash, key: &str) -> Result<&'a mut Vec<Value>, ShapeError> {
    match hash.find_or(key, || Value::List(Vec::new())) {
        Value::List(list) => Ok(list),
        other => Err(mixed("Array", other, key)),
    }
}

fn hash_of<'a>(hash: &'a mut Hash, key: &str) -> Result<&'a mut Hash, ShapeError> {
    match hash.find_or(key, || Value::Hash(Hash::default())) {
        Value::Hash(hash) => Ok(hash),
        other => Err(mixed("Hash", other, key)),
    }
}

fn mixed(expected: &'static str, found: &Value, name: &str) -> ShapeError {
    ShapeError::Mixed {
        expected,
        found: found.kind(),
        name: name.to_owned(),
    }
}
