//! Whether a value satisfies a schema, for the keywords that the schema of a run record uses.
//!
//! Owns the meaning of these keywords, read from draft 2020-12. A keyword it does not know is an
//! error, so that none goes unchecked.

use serde_json::{Map, Value, json};

/// What is wrong with a value, each as a sentence with its place.
pub(super) fn check(schema: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    Checker { root: schema }.check(schema, value, "", &mut wrong);
    wrong
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Object(keywords) => keywords,
            other => return wrong.push(format!("{at}: `{other}` is not a schema")),
        };
        for (keyword, expected) in keywords {
            let holds = match keyword.as_str() {
                "type" => is_of_type(value, expected),
                "const" => value == expected,
                "enum" => expected.as_array().is_some_and(|all| all.contains(value)),
                "minimum" => value.as_f64() >= expected.as_f64() || !value.is_number(),
                "maximum" => value.as_f64() <= expected.as_f64() || !value.is_number(),
                "required" => has_all(value, expected),
                "anyOf" | "oneOf" => self.fits_any(expected, value, at),
                "$ref" => {
                    self.check(self.definition(expected), value, at, wrong);
                    true
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(expected, item, &format!("{at}[{index}]"), wrong);
                    }
                    true
                }
                "properties" => {
                    self.fields(expected, value, at, wrong);
                    true
                }
                "additionalProperties" => self.others(keywords, expected, value, at, wrong),
                "$schema" | "$defs" | "title" | "description" | "format" | "x-unit" => true,
                _ => false,
            };
            if !holds {
                wrong.push(format!(
                    "{at}: {value} does not fit `{keyword}`: {expected}"
                ));
            }
        }
    }

    fn fields(&self, properties: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        for (name, schema) in properties.as_object().into_iter().flatten() {
            if let Some(field) = value.get(name) {
                self.check(schema, field, &format!("{at}.{name}"), wrong);
            }
        }
    }

    fn others(
        &self,
        keywords: &Map<String, Value>,
        schema: &Value,
        value: &Value,
        at: &str,
        wrong: &mut Vec<String>,
    ) -> bool {
        let known = keywords.get("properties").and_then(Value::as_object);
        let fields = value.as_object().into_iter().flatten();
        let mut others = fields.filter(|(name, _)| !known.is_some_and(|k| k.contains_key(*name)));
        if *schema == json!(false) {
            return others.next().is_none();
        }
        others.for_each(|(name, field)| self.check(schema, field, &format!("{at}.{name}"), wrong));
        true
    }

    fn fits_any(&self, schemas: &Value, value: &Value, at: &str) -> bool {
        let mut schemas = schemas.as_array().into_iter().flatten();
        schemas.any(|schema| {
            let mut wrong = Vec::new();
            self.check(schema, value, at, &mut wrong);
            wrong.is_empty()
        })
    }

    fn definition(&self, reference: &Value) -> &Value {
        let path = reference.as_str().and_then(|path| path.strip_prefix('#'));
        let found = path.and_then(|path| self.root.pointer(path));
        found.unwrap_or_else(|| panic!("{reference} is not in the schema"))
    }
}

fn has_all(value: &Value, names: &Value) -> bool {
    let mut names = names.as_array().into_iter().flatten();
    !value.is_object() || names.all(|name| name.as_str().is_some_and(|n| value.get(n).is_some()))
}

fn is_of_type(value: &Value, expected: &Value) -> bool {
    match expected.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some(_) => false,
        None => expected
            .as_array()
            .is_some_and(|types| types.iter().any(|one| is_of_type(value, one))),
    }
}

#[test]
fn what_does_not_fit_is_named_by_its_place() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": { "type": ["integer", "null"], "minimum": 0 },
            "list": { "type": "array", "items": { "$ref": "#/$defs/word" } },
        },
        "required": ["n"],
        "additionalProperties": false,
        "$defs": { "word": { "enum": ["a", "b"] } },
    });
    #[track_caller]
    fn wrong(schema: &Value, value: Value, places: &[&str]) {
        let found = check(schema, &value);
        assert_eq!(found.len(), places.len(), "{found:?}");
        for (found, place) in found.iter().zip(places) {
            assert!(found.starts_with(place), "{found}");
        }
    }
    wrong(&schema, json!({ "n": 1, "list": ["a", "b"] }), &[]);
    wrong(&schema, json!({ "n": null }), &[]);
    wrong(
        &schema,
        json!({ "n": -1 }),
        &[".n: -1 does not fit `minimum`"],
    );
    wrong(
        &schema,
        json!({ "n": 1.5 }),
        &[".n: 1.5 does not fit `type`"],
    );
    wrong(
        &schema,
        json!({ "n": 1, "list": ["a", "c"] }),
        &[".list[1]: \"c\""],
    );
    wrong(
        &schema,
        json!({ "n": 1, "m": 2 }),
        &[": {\"m\":2,\"n\":1} does not fit `additional"],
    );
    wrong(&schema, json!({}), &[": {} does not fit `required`"]);
    wrong(
        &json!({ "pattern": "x" }),
        json!("x"),
        &[": \"x\" does not fit `pattern`"],
    );
}
