//! A model of the backend and a world in virtual time around both flows.
//!
//! The model is written from the protocol document and shares nothing with the crate but the types of
//! calls and times.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod backend;
pub(crate) mod flood;
pub(crate) mod world;

use std::rc::Rc;

use authcache::config::Settings;
use authcache::key::HashSeed;
use authcache::request::RequestView;
use authcache::shared::memory::Memory;
use authcache::time::UnixMillis;
use authcache::worker::{Seeds, WorkerState};

/// Half past a minute, far from the end of a day.
pub(crate) const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
pub(crate) const SETTLE_MS: u64 = 300;
/// When processes began that have been there for long.
pub(crate) const LONG_AGO: UnixMillis = UnixMillis(NOW.0 - 60_000);

/// A request that clients send.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) authority: String,
}

impl RequestView for Request {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn authority(&self) -> &[u8] {
        self.authority.as_bytes()
    }

    fn header(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

pub(crate) fn get(path: &str) -> Request {
    Request {
        method: "GET",
        path: path.to_owned(),
        authority: "api.example".to_owned(),
    }
}

/// Settings with rules `/METRIC` for the metrics of the model, and `cache` as given, in mode `fast`
/// where it names none.
pub(crate) fn settings(cache: &str) -> Settings {
    let modes = ["off", "fast", "balanced", "strict"].map(|mode| format!("\"mode\":\"{mode}\""));
    let cache = if modes.iter().any(|mode| cache.contains(mode)) {
        cache.to_owned()
    } else {
        let others = cache.strip_prefix('{').expect("an object");
        let comma = if others == "}" { "" } else { "," };
        format!("{{\"mode\": \"fast\"{comma}{others}")
    };
    let rules = ["hits", "search", "images", "orders", "nonsense"].map(|metric| {
        format!(
            r#"{{"method":"GET","pattern":"/{metric}","usages":[{{"name":"{metric}","delta":1}}]}}"#
        )
    });
    let text = format!(
        r#"{{
          "api": "v1",
          "backend": {{"upstream": {{"name": "backend", "url": "http://backend.example", "timeout": 1000}}}},
          "services": [{{
            "id": "1", "token": "token", "authorities": ["*"],
            "credentials": {{
              "user_key": [{{"query_string": {{"keys": ["user_key"]}}}}],
              "app_id": [{{"query_string": {{"keys": ["app_id"]}}}}],
              "app_key": [{{"query_string": {{"keys": ["app_key"]}}}}]
            }},
            "mapping_rules": [{}]
          }}],
          "cache": {cache}
        }}"#,
        rules.join(",")
    );
    Settings::parse(text.as_bytes()).expect("the settings of a test are valid")
}

pub(crate) fn worker(generation: u64) -> WorkerState {
    worker_of(Rc::new(Memory::default()), generation)
}

/// A worker of the process that `shared` belongs to.
pub(crate) fn worker_of(shared: Rc<Memory>, generation: u64) -> WorkerState {
    let seeds = Seeds {
        hash: HashSeed(1, 2),
        jitter: generation,
        generation,
    };
    WorkerState::new(seeds, shared)
}
