//! What a worker does with requests.
//!
//! Owns what each class does before and inside the counted region. Must not know how it is counted.

use std::hint::black_box;
use std::rc::Rc;

use authcache::config::Settings;
use authcache::filter_flow::Step;
use authcache::time::Period;

use super::REPEATS;
use super::measure::{Counts, Meter};
use super::support::NOW;
use super::support::backend::Backend;
use super::support::host::{Incoming, Shared, WorkerHost};

/// More than any class uses.
pub(super) const AMPLE: u64 = 1_000_000_000;

/// How limits are kept.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Fast,
    Balanced,
    Strict,
}

/// Where the credential stands.
#[derive(Clone, Copy)]
pub(super) enum Key {
    /// One secret, in the query.
    User,
    /// An id and a secret, in the query.
    App,
    /// One secret, in a header; it is read where the query has none.
    Header,
}

/// One rule for each of `rules` paths, the last of which the requests match.
fn settings(mode: Mode, rules: usize) -> Settings {
    let rules: Vec<String> = (0..rules)
        .map(|n| {
            format!(
                r#"{{"method": "GET", "pattern": "/path-{n}/{{id}}",
                    "usages": [{{"name": "hits", "delta": 1}}]}}"#
            )
        })
        .collect();
    let query = |name: &str| format!(r#"{{"query_string": {{"keys": ["{name}"]}}}}"#);
    let mode = match mode {
        Mode::Fast => "fast",
        Mode::Balanced => "balanced",
        Mode::Strict => "strict",
    };
    let text = format!(
        r#"{{
            "api": "v1",
            "backend": {{"upstream": {{"name": "backend", "url": "http://backend.example"}}}},
            "services": [{{
                "id": "1", "token": "token", "authorities": ["*"],
                "credentials": {{
                    "user_key": [{}],
                    "app_id": [{}],
                    "app_key": [{}]
                }},
                "mapping_rules": [{}]
            }}],
            "cache": {{"mode": "{mode}"}}
        }}"#,
        query("user_key"),
        query("app_id"),
        query("app_key"),
        rules.join(",")
    );
    Settings::parse(text.as_bytes()).expect("the settings are valid")
}

/// The same with the key in a header only.
fn settings_with_header() -> Settings {
    let text = r#"{
        "api": "v1",
        "backend": {"upstream": {"name": "backend", "url": "http://backend.example"}},
        "services": [{
            "id": "1", "token": "token", "authorities": ["*"],
            "credentials": {"user_key": [{"header": {"keys": ["x-user-key"]}}]},
            "mapping_rules": [{"method": "GET", "pattern": "/path-0/{id}",
                "usages": [{"name": "hits", "delta": 1}]}]
        }]
    }"#;
    Settings::parse(text.as_bytes()).expect("the settings are valid")
}

pub(super) fn backend(most: u64) -> Backend {
    let limits = [("hits", Period::Minute, most), ("hits", Period::Day, most)];
    let mut backend = Backend::new(&limits);
    backend.add("ada", &[]);
    backend.add("app", &["secret", "other"]);
    backend
}

pub(super) fn user(n: u32) -> (String, Incoming) {
    let name = format!("application-{n}");
    let request = Incoming::new(&format!("/path-0/7?user_key={name}"));
    (name, request)
}

pub(super) fn host(mode: Mode) -> WorkerHost {
    WorkerHost::new(&settings(mode, 1), &Rc::new(Shared::default()), NOW)
}

/// Every request of one application.
pub(super) fn hit(mode: Mode, rules: usize, key: Key) -> Counts {
    let last = rules - 1;
    let (settings, request) = match key {
        Key::User => {
            let path = format!("/path-{last}/7?user_key=ada");
            (settings(mode, rules), Incoming::new(&path))
        }
        Key::App => {
            let path = format!("/path-{last}/7?app_id=app&app_key=secret");
            (settings(mode, rules), Incoming::new(&path))
        }
        Key::Header => {
            let request = Incoming::new("/path-0/7").header("x-user-key", "ada");
            (settings_with_header(), request)
        }
    };
    let mut host = WorkerHost::new(&settings, &Rc::new(Shared::default()), NOW);
    host.settle(&request, &mut backend(AMPLE));
    // Once outside, so that what happens once per tick is not part of a request.
    assert!(matches!(host.request(&request), Step::Continue));
    repeat_hits(&mut host, |_, _| {}, |_| &request)
}

/// Hits, with something that happens before each and does not count.
fn repeat_hits<'a>(
    host: &mut WorkerHost,
    mut before: impl FnMut(&mut WorkerHost, u32),
    request: impl Fn(u32) -> &'a Incoming,
) -> Counts {
    let mut meter = Meter::new(&host.shared);
    for n in 0..REPEATS {
        before(host, n);
        let request = black_box(request(n));
        let step = meter.count(|| host.request(request));
        assert!(matches!(step, Step::Continue));
    }
    meter.counts()
}

/// Usage was handed over a moment ago, so the request opens an account.
pub(super) fn hit_first_of_a_tick() -> Counts {
    let mut host = host(Mode::Balanced);
    let (_, request) = user(0);
    let mut backend = backend(AMPLE);
    backend.add("application-0", &[]);
    host.settle(&request, &mut backend);
    let hand_over = |host: &mut WorkerHost, _| assert!(host.hand_over().is_some());
    repeat_hits(&mut host, hand_over, |_| &request)
}

/// Another application each time, of which none is new to the tick.
pub(super) fn hit_among_many() -> Counts {
    const APPLICATIONS: u32 = 10_000;
    let mut host = host(Mode::Balanced);
    let mut backend = backend(AMPLE);
    let requests = (0..APPLICATIONS).map(|n| {
        let (name, request) = user(n);
        backend.add(&name, &[]);
        host.settle(&request, &mut backend);
        request
    });
    let requests: Vec<Incoming> = requests.collect();
    repeat_hits(
        &mut host,
        |_, _| {},
        |n| &requests[n as usize * 7_919 % requests.len()],
    )
}

/// The tokens are used up, so the slot is asked for more: one compare-and-swap.
pub(super) fn lease_refill() -> Counts {
    let mut host = host(Mode::Balanced);
    let request = Incoming::new("/path-0/7?user_key=ada");
    host.settle(&request, &mut backend(AMPLE));
    let empty = |host: &mut WorkerHost, _| {
        let now = host.now;
        host.flow.on_end(&mut host.worker, now);
    };
    let counts = repeat_hits(&mut host, empty, |_| &request);
    assert_eq!(counts.host_calls["shared_set"], u64::from(REPEATS));
    counts
}

fn repeat_denials(host: &mut WorkerHost, request: &Incoming) -> Counts {
    let mut meter = Meter::new(&host.shared);
    for _ in 0..REPEATS {
        let step = meter.count(|| host.request(black_box(request)));
        assert!(matches!(step, Step::Reply(_)));
    }
    meter.counts()
}

/// The limit is used up, and the slot said so a moment ago.
pub(super) fn denied_limit() -> Counts {
    let mut host = host(Mode::Balanced);
    let request = Incoming::new("/path-0/7?user_key=ada");
    host.settle(&request, &mut backend(1));
    assert!(matches!(host.request(&request), Step::Reply(_)));
    repeat_denials(&mut host, &request)
}

/// The backend refused the application a moment ago.
pub(super) fn denied_remembered() -> Counts {
    let mut host = host(Mode::Balanced);
    let request = Incoming::new("/path-0/7?user_key=nobody");
    host.settle(&request, &mut backend(AMPLE));
    repeat_denials(&mut host, &request)
}

/// What the request shows is enough.
pub(super) fn denied_at_once(path: &str) -> Counts {
    let mut host = host(Mode::Balanced);
    repeat_denials(&mut host, &Incoming::new(path))
}

/// Nothing is known about the application: from the request to the call.
pub(super) fn miss_question() -> Counts {
    let mut host = host(Mode::Balanced);
    let mut backend = backend(AMPLE);
    let mut meter = Meter::new(&host.shared);
    for n in 0..REPEATS {
        let (name, request) = user(n);
        backend.add(&name, &[]);
        let mut calls = meter.count(|| {
            assert!(matches!(host.request(black_box(&request)), Step::Wait));
            host.callouts()
        });
        // So that nothing is under way when the next one comes.
        let (flight, callout) = calls.pop().expect("one call");
        let outcome = backend.handle(&callout, host.now);
        host.answer(flight, &outcome);
    }
    meter.counts()
}

/// From its answer to the decision: record, slot, lease.
pub(super) fn miss_answer() -> Counts {
    let mut host = host(Mode::Balanced);
    let mut backend = backend(AMPLE);
    let mut meter = Meter::new(&host.shared);
    for n in 0..REPEATS {
        let (name, request) = user(n);
        backend.add(&name, &[]);
        assert!(matches!(host.request(&request), Step::Wait));
        let (flight, callout) = host.callouts().pop().expect("one call");
        let outcome = backend.handle(&callout, host.now);
        let resumed = meter.count(|| host.answer(flight, black_box(&outcome)));
        assert_eq!(resumed.len(), 1);
    }
    meter.counts()
}
