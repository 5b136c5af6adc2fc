//! What an answer has to have in common with the expected one.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

use super::case::Expectation;
use super::client::Answer;
use super::moment::Moment;

/// Every difference, in words.
pub(crate) fn differences(expected: &Expectation, answer: &Answer, moment: Moment) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(status) = expected.status.filter(|status| *status != answer.status) {
        found.push(format!("status: expected {status}, got {}", answer.status));
    }
    headers(expected, answer, moment, &mut found);
    let body = String::from_utf8_lossy(&answer.body);
    if let Some(text) = &expected.body {
        let text = moment.fill(text);
        if text != body && !same_xml(&text, &body) {
            found.push(format!("body: expected {text}\n       got      {body}"));
        }
    }
    if let Some(json) = &expected.json {
        match serde_json::from_str(&body) {
            Ok(answered) => subset(json, &answered, "$", &mut found),
            Err(error) => found.push(format!("body: {error}: {body}")),
        }
    }
    found
}

fn headers(expected: &Expectation, answer: &Answer, moment: Moment, found: &mut Vec<String>) {
    let Some(headers) = &expected.headers else {
        return;
    };
    for (name, value) in headers {
        let value = value
            .as_ref()
            .map(|value| match value.strip_prefix("@reset:") {
                Some(period) => moment.seconds_left(period).to_string(),
                None => value.clone(),
            });
        let sent = answer.headers.get(name).map(|sent| match name.as_str() {
            "content-type" => sent.split(';').next().unwrap_or_default().trim().to_owned(),
            _ => sent.clone(),
        });
        if sent != value {
            found.push(format!("header {name}: expected {value:?}, got {sent:?}"));
        }
    }
    let unexpected = answer
        .headers
        .keys()
        .filter(|name| name.starts_with("3scale-") && !headers.contains_key(*name));
    found.extend(unexpected.map(|name| format!("header {name}: not expected")));
}

/// An element with what has no order sorted.
#[derive(Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

fn same_xml(expected: &str, answered: &str) -> bool {
    let declared = |xml: &str| xml.starts_with("<?xml");
    match (element(expected), element(answered)) {
        (Some(expected_root), Some(answered_root)) => {
            expected_root == answered_root && declared(expected) == declared(answered)
        }
        _ => false,
    }
}

fn element(xml: &str) -> Option<Element> {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => open.push(started(&start)?),
            Event::Empty(start) => {
                let element = started(&start)?;
                open.last_mut()?.children.push(element);
            }
            Event::End(_) => {
                let mut element = open.pop()?;
                if matches!(
                    element.name.as_str(),
                    "usage_reports" | "hierarchy" | "app_keys"
                ) {
                    element.children.sort();
                }
                open.last_mut()?.children.push(element);
            }
            Event::Text(text) => open.last_mut()?.text += &*text,
            Event::GeneralRef(entity) => {
                open.last_mut()?.text += &format!("&{};", &*entity);
            }
            Event::Eof => return open.pop().filter(|root| !root.children.is_empty()),
            _ => {}
        }
    }
}

fn started(start: &BytesStart<'_>) -> Option<Element> {
    let name = start.name().as_ref().to_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let key = attribute.key.as_ref().to_owned();
        let mut value = attribute.value.into_owned();
        if key == "children" {
            let mut children: Vec<&str> = value.split_whitespace().collect();
            children.sort_unstable();
            value = children.join(" ");
        }
        attributes.push((key, value));
    }
    attributes.sort();
    Some(Element {
        name,
        attributes,
        ..Element::default()
    })
}

/// Whether everything expected is there; objects may have more than that.
fn subset(expected: &Value, answered: &Value, path: &str, found: &mut Vec<String>) {
    match (expected, answered) {
        (Value::Object(expected), Value::Object(answered)) => {
            for (name, value) in expected {
                let path = format!("{path}.{name}");
                match answered.get(name) {
                    Some(answered) => subset(value, answered, &path, found),
                    None => found.push(format!("{path}: missing")),
                }
            }
        }
        (Value::Array(expected), Value::Array(answered)) if expected.len() == answered.len() => {
            if expected.iter().all(Value::is_string) {
                let sorted = |list: &[Value]| {
                    let mut texts: Vec<String> = list.iter().map(Value::to_string).collect();
                    texts.sort();
                    texts
                };
                if sorted(expected) != sorted(answered) {
                    found.push(format!("{path}: expected {expected:?}, got {answered:?}"));
                }
                return;
            }
            for (index, (expected, answered)) in expected.iter().zip(answered).enumerate() {
                subset(expected, answered, &format!("{path}[{index}]"), found);
            }
        }
        (expected, answered) if expected == answered => {}
        _ => found.push(format!("{path}: expected {expected}, got {answered}")),
    }
}
