//! Setting the initial state of a case, call by call of the internal API.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::case::InternalRequest;
use super::client::Client;

pub(crate) async fn apply(client: &mut Client, state: &Value) {
    for service in list(state, "services") {
        set(
            client,
            "POST",
            "/services/".to_owned(),
            json!({ "service": service }),
        )
        .await;
    }
    for token in list(state, "service_tokens") {
        let mut tokens = Map::new();
        tokens.insert(
            text(token, "token"),
            json!({ "service_id": text(token, "service_id") }),
        );
        set(
            client,
            "POST",
            "/service_tokens/".to_owned(),
            json!({ "service_tokens": tokens }),
        )
        .await;
    }
    for metric in list(state, "metrics") {
        let path = format!(
            "/services/{}/metrics/{}",
            quoted(metric, "service_id"),
            quoted(metric, "id")
        );
        set(
            client,
            "PUT",
            path,
            json!({ "metric": only(metric, &["name", "parent_id"]) }),
        )
        .await;
    }
    for limit in list(state, "usage_limits") {
        let [service, plan, metric] =
            ["service_id", "plan_id", "metric_id"].map(|name| quoted(limit, name));
        let period = text(limit, "period");
        let path = format!("/services/{service}/plans/{plan}/usagelimits/{metric}/{period}");
        set(
            client,
            "PUT",
            path,
            json!({ "usagelimit": { period: limit["value"] } }),
        )
        .await;
    }
    for application in list(state, "applications") {
        apply_application(client, application).await;
    }
}

async fn apply_application(client: &mut Client, application: &Value) {
    let path = format!(
        "/services/{}/applications/{}",
        quoted(application, "service_id"),
        quoted(application, "id")
    );
    let attributes = only(
        application,
        &["state", "plan_id", "plan_name", "redirect_url"],
    );
    set(
        client,
        "POST",
        path.clone(),
        json!({ "application": attributes }),
    )
    .await;
    if application["user_key"].is_string() {
        let key = format!("{path}/key/{}", quoted(application, "user_key"));
        set(client, "PUT", key, Value::Null).await;
    }
    for key in list(application, "keys") {
        let body = json!({ "application_key": { "value": key } });
        set(client, "POST", format!("{path}/keys/"), body).await;
    }
    for filter in list(application, "referrer_filters") {
        let body = json!({ "referrer_filter": filter });
        set(client, "POST", format!("{path}/referrer_filters"), body).await;
    }
}

async fn set(client: &mut Client, method: &str, path: String, json: Value) {
    let request = InternalRequest {
        method: method.to_owned(),
        path,
        json: (!json.is_null()).then_some(json),
        raw: None,
        auth: None,
        headers: Default::default(),
    };
    let answer = client.internal(&request).await;
    let done = matches!(answer.status, 200 | 201);
    assert!(
        done,
        "{}: {} {:?}",
        request.describe(),
        answer.status,
        answer.body
    );
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of[name].as_array().into_iter().flatten()
}

fn only(of: &Value, names: &[&str]) -> Map<String, Value> {
    let attributes = names
        .iter()
        .map(|name| ((*name).to_owned(), of[*name].clone()));
    attributes.filter(|(_, value)| !value.is_null()).collect()
}

fn text(of: &Value, name: &str) -> String {
    of[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} of {of} is a text"))
        .to_owned()
}

/// A text of the state as one segment of a path.
fn quoted(of: &Value, name: &str) -> String {
    text(of, name)
        .bytes()
        .fold(String::new(), |mut quoted, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                    quoted.push(char::from(byte));
                }
                other => write!(quoted, "%{other:02X}").expect("a String takes everything"),
            }
            quoted
        })
}
