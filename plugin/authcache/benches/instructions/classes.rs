//! The classes of requests.
//!
//! Owns what each does before and inside the counted region. Must not know how it is counted.

use std::hint::black_box;

use authcache::config::Settings;
use authcache::filter_flow::{FilterFlow, Step, StreamId};
use authcache::protocol::response;
use authcache::time::Period;
use authcache::worker::WorkerState;

use super::callgrind::counted_region;
use super::support::backend::Backend;
use super::support::world::{Fate, World};
use super::support::{NOW, Request, get};

/// One class.
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) run: fn(),
}

/// Every class.
pub(super) const CLASSES: [Class; 6] = [
    Class {
        name: "hit_user_key",
        run: || hit(1, "/path-0/7?user_key=ada"),
    },
    Class {
        name: "hit_app_id_and_key",
        run: || hit(1, "/path-0/7?app_id=app&app_key=secret"),
    },
    Class {
        name: "hit_ten_rules",
        run: || hit(10, "/path-9/7?user_key=ada"),
    },
    Class {
        name: "hit_among_10000",
        run: hit_among_many,
    },
    Class {
        name: "denied_limit",
        run: denied,
    },
    Class {
        name: "miss_answer",
        run: answer,
    },
];

/// One rule for each of `rules` paths, the last of which the requests match.
fn settings(rules: usize) -> Settings {
    let rules: Vec<String> = (0..rules)
        .map(|n| {
            format!(
                r#"{{"method": "GET", "pattern": "/path-{n}/{{id}}",
                    "usages": [{{"name": "hits", "delta": 1}}]}}"#
            )
        })
        .collect();
    let lookup = |name: &str| format!(r#"[{{"query_string": {{"keys": ["{name}"]}}}}]"#);
    let text = format!(
        r#"{{
            "api": "v1",
            "backend": {{"upstream": {{"name": "backend", "url": "http://backend.example"}}}},
            "services": [{{
                "id": "1", "token": "token", "authorities": ["*"],
                "credentials": {{"user_key": {}, "app_id": {}, "app_key": {}}},
                "mapping_rules": [{}]
            }}],
            "cache": {{"mode": "fast"}}
        }}"#,
        lookup("user_key"),
        lookup("app_id"),
        lookup("app_key"),
        rules.join(",")
    );
    Settings::parse(text.as_bytes()).expect("the settings are valid")
}

fn world(rules: usize, most: u64) -> World {
    let limits = [("hits", Period::Minute, most), ("hits", Period::Day, most)];
    let mut backend = Backend::new(&limits);
    backend.add("ada", &[]);
    backend.add("app", &["secret", "other"]);
    World::new(&settings(rules), 1, backend)
}

fn decide(worker: &mut (FilterFlow, WorkerState), request: &Request, n: u32) -> Step {
    let (flow, state) = worker;
    flow.on_request(state, request, StreamId(n), NOW)
}

fn hit(rules: usize, path: &str) {
    let mut world = world(rules, 1_000_000_000);
    assert_eq!(world.ask(0, path), Fate::Admitted);
    let request = get(path);
    let worker = &mut world.workers[0];
    // Once outside, so that what happens once per tick is not part of a request.
    assert!(matches!(decide(worker, &request, 0), Step::Continue));
    counted_region(|n| {
        let step = decide(worker, black_box(&request), n);
        assert!(matches!(step, Step::Continue));
    });
}

/// Another application each time.
fn hit_among_many() {
    const APPLICATIONS: u32 = 10_000;
    let mut world = world(1, 1_000_000_000);
    let path = |n: u32| format!("/path-0/7?user_key=application-{n}");
    for n in 0..APPLICATIONS {
        world.backend.add(&format!("application-{n}"), &[]);
        assert_eq!(world.ask(0, &path(n)), Fate::Admitted);
    }
    let requests: Vec<Request> = (0..APPLICATIONS).map(|n| get(&path(n))).collect();
    let worker = &mut world.workers[0];
    counted_region(|n| {
        let request = &requests[n as usize * 7_919 % requests.len()];
        assert!(matches!(decide(worker, request, n), Step::Continue));
    });
}

fn denied() {
    let path = "/path-0/7?user_key=ada";
    let mut world = world(1, 1);
    assert_eq!(world.ask(0, path), Fate::Admitted);
    let request = get(path);
    let worker = &mut world.workers[0];
    counted_region(|n| {
        let step = decide(worker, black_box(&request), n);
        assert!(matches!(step, Step::Reply(_)));
    });
}

/// An answer as the backend gives it to a miss, read.
fn answer() {
    let body = concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><status><authorized>true</authorized>"#,
        r#"<plan>basic</plan><usage_reports><usage_report metric="hits" period="minute">"#,
        r#"<period_start>2031-05-05 10:20:00 +0000</period_start>"#,
        r#"<period_end>2031-05-05 10:21:00 +0000</period_end>"#,
        r#"<max_value>600</max_value><current_value>1</current_value></usage_report>"#,
        r#"<usage_report metric="items" period="day">"#,
        r#"<period_start>2031-05-05 00:00:00 +0000</period_start>"#,
        r#"<period_end>2031-05-06 00:00:00 +0000</period_end>"#,
        r#"<max_value>10000</max_value><current_value>17</current_value></usage_report>"#,
        r#"</usage_reports><hierarchy><metric name="hits" children="items"/></hierarchy></status>"#
    );
    counted_region(|_| {
        let answer = response::parse(200, None, black_box(body.as_bytes()));
        assert!(answer.is_ok());
        black_box(&answer);
    });
}
