//! Generated populations, loaded over HTTP as they are generated and asked about by key.

use lab::population::Population;
use lab::scenario::{LimitSettings, PopulationSettings, UsageSettings};

use crate::harness::{Server, call};

/// 2031-05-04 10:20:30.
const NOW: &str = "/control/clock?at=1935656430";

fn settings() -> PopulationSettings {
    PopulationSettings {
        services: 7,
        applications: 10_000,
        metrics: PopulationSettings::metrics_of(5),
        limits: vec![LimitSettings {
            metric: "hits".to_owned(),
            period: "day".to_owned(),
            value: 1_000_000,
        }],
        seed: 7,
        usage: Some(UsageSettings {
            calls: 100_000,
            exponent: 1.1,
        }),
        ..PopulationSettings::default()
    }
}

async fn authorize(server: &Server, population: &Population, index: u32) -> (u16, String) {
    let application = population.application(index);
    let service = &population.services[application.service];
    let target = format!(
        "/transactions/authorize.xml?service_token={}&service_id={}&user_key={}&usage[hits]=1",
        service.token,
        service.id,
        application.credential.secret()
    );
    let answer = call(server, "GET", &target, "").await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn ten_thousand_applications_load_at_once_and_answer_with_what_they_have_used() {
    let server = Server::backend().await;
    let population = Population::new(&settings());
    let mut documents = Vec::new();
    population
        .write_to(&mut documents)
        .expect("a Vec takes anything");
    let documents = String::from_utf8(documents).expect("JSON is UTF-8");
    assert_eq!(call(&server, "GET", NOW, "").await.status, 200);
    let loaded = call(&server, "POST", "/control/population", &documents).await;
    assert_eq!(
        loaded.json()["loaded"],
        serde_json::json!({ "services": 7, "applications": 10_001 })
    );
    // Nobody holds the list: the keys come from seed and index.
    for index in [0, 1, 99, 9_999] {
        let used = population.usage(index).get("hits").copied().unwrap_or(0);
        let (status, body) = authorize(&server, &population, index).await;
        assert_eq!(status, 200, "{body}");
        let shown = format!("<current_value>{used}</current_value>");
        assert!(body.contains(&shown), "{shown} in {body}");
    }
    assert!(population.usage(0)["hits"] > 10_000, "the first uses most");
    let (status, body) = authorize(&server, &population, 10_000).await;
    assert_eq!(status, 409, "the exhausted one comes last: {body}");
    let (status, _) = authorize(&server, &population, 10_001).await;
    assert_eq!(status, 403, "nobody has the key after the last");
}

#[tokio::test]
async fn a_broken_line_is_named_and_what_follows_is_received_but_not_loaded() {
    let server = Server::backend().await;
    let mut lines = vec![r#"{"applications":[{"service_id":"1","id":"7"}]}"#.to_owned(); 20_000];
    lines[4] = r#"{"applications":[{"service_id":"1"}]}"#.to_owned();
    let loaded = call(&server, "POST", "/control/population", &lines.join("\n")).await;
    assert_eq!(loaded.status, 400);
    let error = loaded.json()["error"].to_string();
    for part in ["document 5 ", "missing field `id`", "line 5 column"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let stats = call(&server, "GET", "/control/stats", "").await.json();
    assert_eq!(stats["ledger"]["applications"], 1);
}
