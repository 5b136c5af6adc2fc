//! The JSON Schema of version 1, held to the structs that it is made from.
//!
//! Owns the units of the fields and the file `schema/run.v1.schema.json`. Compiled for tests only;
//! `UPDATE_SCHEMA=1 cargo test -p results` writes the file anew, which a frozen version never needs.

use std::fs;
use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::record::{RunRecord, SCHEMA_VERSION};

mod check;

/// Unit of every number, by the name of its field.
const UNITS: [(&str, &str); 30] = [
    ("schema_version", "version"),
    ("seed", "none"),
    ("at_s", "s"),
    ("duration_s", "s"),
    ("measured_s", "s"),
    ("cpus", "processors"),
    ("memory_bytes", "B"),
    ("bytes", "B"),
    ("index", "parts"),
    ("of", "parts"),
    ("offered_rps", "requests/s"),
    ("achieved_rps", "requests/s"),
    ("requests", "requests"),
    ("warmup_requests", "requests"),
    ("errors", "requests"),
    ("errors_by_class", "requests"),
    ("p50", "µs"),
    ("p90", "µs"),
    ("p99", "µs"),
    ("p999", "µs"),
    ("max", "µs"),
    ("envoy_cpu_us_per_request", "µs/request"),
    ("generator_cpu_us_per_request", "µs/request"),
    ("backend_calls_per_1000", "calls/1000 requests"),
    ("hits", "requests"),
    ("misses", "requests"),
    ("denied", "requests"),
    ("admitted", "requests"),
    ("reported", "usage"),
    ("upstream_requests", "requests"),
];

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/run.v1.schema.json")
}

fn stated() -> Value {
    let text = fs::read_to_string(file()).expect("the schema is in the checkout");
    serde_json::from_str(&text).expect("the schema is JSON")
}

/// The schema of the structs, with units.
fn generated() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<RunRecord>().to_value();
    schema["title"] = json!(format!("Run record, version {SCHEMA_VERSION}"));
    schema["properties"]["schema_version"]["const"] = json!(SCHEMA_VERSION);
    plain_text(&mut schema);
    add_units(&mut schema);
    schema
}

/// Takes what is Rust's out of descriptions: line ends, and links to items.
fn plain_text(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                let joined = text.replace("\n\n", "\u{0}").replace('\n', " ");
                *text = joined.replace('\u{0}', "\n\n");
                *text = text.replace("[`", "`").replace("`]", "`");
            }
            fields.values_mut().for_each(plain_text);
        }
        Value::Array(items) => items.iter_mut().for_each(plain_text),
        _ => {}
    }
}

fn add_units(schema: &mut Value) {
    let Value::Object(fields) = schema else {
        return;
    };
    for (key, value) in fields.iter_mut() {
        if key == "properties" {
            let properties = value.as_object_mut().expect("properties have names");
            for (name, property) in properties {
                let is_counted = is_number(property)
                    || property.get("additionalProperties").is_some_and(is_number);
                if is_counted {
                    let unit = UNITS.iter().find(|(field, _)| field == name);
                    let (_, unit) = unit.unwrap_or_else(|| panic!("`{name}` has no unit"));
                    property["x-unit"] = json!(unit);
                }
            }
        }
        add_units(value);
    }
}

fn is_number(property: &Value) -> bool {
    let is = |name: &Value| name == "integer" || name == "number";
    match property.get("type") {
        Some(Value::Array(names)) => names.iter().any(is),
        Some(name) => is(name),
        None => false,
    }
}

/// Every object with names of its own: the root and the definitions.
fn objects(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let definitions = schema["$defs"].as_object().into_iter().flatten();
    let definitions = definitions.map(|(name, definition)| (name.as_str(), definition));
    std::iter::once(("RunRecord", schema))
        .chain(definitions)
        .filter(|(_, definition)| definition.get("properties").is_some())
}

fn json_of(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("the file is there");
    serde_json::from_str(&text).expect("the file is JSON")
}

/// Every `run.json` below a folder.
fn recorded(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !entry.file_name().to_string_lossy().starts_with('.') {
            recorded(&path, found);
        } else if path.file_name().is_some_and(|name| name == "run.json") {
            found.push(path);
        }
    }
}

#[test]
fn the_schema_states_the_fields_of_the_structs() {
    let generated = generated();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let text = serde_json::to_string_pretty(&generated).expect("a schema is JSON");
        fs::write(file(), text + "\n").expect("the checkout is writable");
    }
    let stated = stated();
    for (name, object) in objects(&generated) {
        let same = objects(&stated).find(|(other, _)| *other == name);
        assert_eq!(Some(object), same.map(|(_, object)| object), "{name}");
    }
    assert_eq!(generated, stated);
}

#[test]
fn every_field_has_a_meaning_and_a_type() {
    let schema = stated();
    let mut fields = 0;
    for (object, definition) in objects(&schema) {
        for (name, property) in definition["properties"].as_object().expect("names") {
            fields += 1;
            let has = |key: &str| property.get(key).is_some();
            assert!(has("description"), "{object}.{name} has no meaning");
            let is_free = ["profile", "scenario"].contains(&name.as_str());
            let is_typed = has("type") || has("$ref") || has("anyOf");
            assert!(is_typed || is_free, "{object}.{name} has no type");
        }
    }
    assert!(fields > 60, "{fields}");
}

#[test]
fn every_recorded_run_satisfies_the_schema() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut records = vec![
        results.join("tests/fixtures/v1-early.json"),
        results.join("tests/fixtures/v1.json"),
    ];
    recorded(&results.join("runs"), &mut records);
    recorded(&results.join("../reports/tests/fixtures"), &mut records);
    assert!(records.len() >= 3, "{records:?}");
    for path in records {
        let wrong = check::check(&stated(), &json_of(&path));
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    }
}

#[test]
fn a_full_record_names_every_property_and_no_other() {
    let record: RunRecord = serde_json::from_str(include_str!("../tests/fixtures/v1.json"))
        .expect("the fixture is of this version");
    let written = serde_json::to_value(&record).expect("a record is JSON");
    let schema = stated();
    assert_eq!(check::check(&schema, &written), Vec::<String>::new());
    let scenario = &written["scenarios"][0];
    let samples = [
        ("RunRecord", &written),
        ("Machine", &written["machine"]),
        ("Envoy", &written["envoy"]),
        ("Artefact", &written["artefact"]),
        ("Validity", &written["validity"]),
        ("Engine", &written["engine"]),
        ("Shard", &written["shard"]),
        ("FileDigest", &written["files"][0]),
        ("ScenarioRecord", scenario),
        ("Summary", &scenario["summary"]),
        ("Percentiles", &scenario["summary"]["latency_us"]),
        ("Event", &scenario["events"][0]),
        ("Files", &scenario["files"]),
    ];
    assert_eq!(objects(&schema).count(), samples.len());
    let names = |value: &Value| -> Vec<String> {
        let fields = value.as_object().expect("the full record lacks nothing");
        fields.keys().cloned().collect()
    };
    for (name, sample) in samples {
        let (_, object) = objects(&schema)
            .find(|(object, _)| *object == name)
            .expect("the schema has an object of each struct");
        assert_eq!(names(&object["properties"]), names(sample), "{name}");
    }
}
