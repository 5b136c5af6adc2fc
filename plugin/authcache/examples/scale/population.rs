//! A worker that knows many applications.
//!
//! Owns [`Population`]: bringing a worker to know applications by the way requests take, and sending it
//! requests. Must not know clocks or what is done with figures.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use authcache::callout::CallOutcome;
use authcache::config::{ConfigError, Settings};
use authcache::filter_flow::{FilterFlow, Resolution, Step, StreamId};
use authcache::key::HashSeed;
use authcache::request::RequestView;
use authcache::shared::{Cas, Conflict, Expect, SharedData};
use authcache::time::{Period, UnixMillis};
use authcache::worker::{Seeds, WorkerState};

use crate::memory::live_bytes;

/// Half past a minute, far from the end of a day.
const NOW: UnixMillis = UnixMillis(1_935_742_830_000);
/// When the process began: so long ago that a first question does not wait.
const LONG_AGO: UnixMillis = UnixMillis(NOW.0 - 60_000);
const LIMITS: [(&str, Period); 3] = [
    ("hits", Period::Minute),
    ("hits", Period::Day),
    ("search", Period::Month),
];
/// Places for leases of each application: so many that every one finds one.
const LEASES_EACH: u64 = 64;
/// The most that may be configured.
const MOST_LEASES: u64 = 40_000_000;
/// The backend knows no application with this number or a higher one.
pub(crate) const STRANGERS: u32 = 1 << 31;

/// A request that is written over for each application.
pub(crate) struct Request {
    path: Vec<u8>,
}

impl Request {
    pub(crate) fn new() -> Self {
        let mut path = b"/hello?user_key=".to_vec();
        path.resize(path.len() + 32, b'0');
        Self { path }
    }

    /// Becomes the request of application `n`: 32 hexadecimal digits that only a hash can tell apart
    /// early.
    pub(crate) fn of(&mut self, n: u32) {
        let mut bits = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        bits ^= bits >> 67;
        let start = self.path.len() - 32;
        for digit in &mut self.path[start..] {
            *digit = b"0123456789abcdef"[(bits & 15) as usize];
            bits >>= 4;
        }
    }
}

impl RequestView for Request {
    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn authority(&self) -> &[u8] {
        b"api.example"
    }

    fn header(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

/// Shared data that knows how much memory it takes, which is the process's and not the worker's.
#[derive(Default)]
pub(crate) struct Shared {
    values: RefCell<HashMap<String, (Vec<u8>, Cas)>>,
    version: Cell<u32>,
    held_bytes: Cell<i64>,
    payload_bytes: Cell<i64>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl SharedData for Shared {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Cas)> {
        self.values.borrow().get(key).cloned()
    }

    fn set(&self, key: &str, value: &[u8], expect: Expect) -> Result<(), Conflict> {
        let before = live_bytes();
        let mut values = self.values.borrow_mut();
        let found = values.get(key);
        let is_expected = match expect {
            Expect::Missing => found.is_none(),
            Expect::Version(version) => found.is_some_and(|(_, known)| *known == version),
        };
        if !is_expected {
            return Err(Conflict);
        }
        let known = found.map_or(0, |(value, _)| key.len() + value.len());
        self.version.set(self.version.get().wrapping_add(1));
        values.insert(key.to_owned(), (value.to_vec(), Cas(self.version.get())));
        let payload = (key.len() + value.len()) as i64 - known as i64;
        self.payload_bytes.set(self.payload_bytes.get() + payload);
        self.held_bytes
            .set(self.held_bytes.get() + live_bytes() - before);
        Ok(())
    }
}

/// A worker and what it knows.
pub(crate) struct Population {
    flow: FilterFlow,
    worker: WorkerState,
    shared: Rc<Shared>,
    request: Request,
    applications: u32,
    before: i64,
}

impl Population {
    /// A worker that keeps at most `bound` applications; the settings know the least and the most.
    pub(crate) fn new(bound: u32) -> Result<Self, ConfigError> {
        let before = live_bytes();
        let shared = Rc::new(Shared::default());
        let seeds = Seeds {
            hash: HashSeed(1, 2),
            jitter: 1,
            generation: 1,
        };
        let mut worker = WorkerState::new(seeds, Rc::clone(&shared) as Rc<dyn SharedData>);
        let flow = FilterFlow::new(settings(bound)?, &mut worker, LONG_AGO);
        Ok(Self {
            flow,
            worker,
            shared,
            request: Request::new(),
            applications: 0,
            before,
        })
    }

    /// How many have a record.
    pub(crate) fn known(&self) -> usize {
        self.worker.applications()
    }

    /// Bytes that the worker holds, without shared data.
    pub(crate) fn held_bytes(&self) -> i64 {
        live_bytes() - self.before - self.shared.held_bytes.get()
    }

    /// Bytes of the keys and values in shared data.
    pub(crate) fn shared_bytes(&self) -> i64 {
        self.shared.payload_bytes.get()
    }

    /// Applications that nobody asked for so far ask, until there were `applications` in all.
    pub(crate) fn grow(&mut self, applications: u32) {
        let allowed = answer(200, &allowed());
        self.return_leases();
        for n in self.applications..applications {
            self.miss(n, &allowed);
            if n % 1_000 == 999 {
                // As happens after a second. What has leases is not evicted.
                self.return_leases();
            }
        }
        self.return_leases();
        self.applications = self.applications.max(applications);
    }

    /// Strangers ask, whom the backend refuses.
    pub(crate) fn refuse(&mut self, strangers: u32) {
        let refused = answer(404, r#"<error code="user_key_invalid">no</error>"#);
        for n in 0..strangers {
            self.miss(STRANGERS + n, &refused);
        }
    }

    /// All leases go back, as those do that nobody uses for a second.
    fn return_leases(&mut self) {
        self.flow.on_end(&mut self.worker, NOW);
        self.hand_over();
    }

    /// Every application asks once, so that all of them have leases.
    pub(crate) fn lease_all(&mut self) {
        for n in 0..self.applications {
            self.hit(n);
            if n % 1_000 == 999 {
                self.hand_over();
            }
        }
        self.hand_over();
    }

    /// A request of application `n`.
    pub(crate) fn hit(&mut self, n: u32) {
        self.request.of(n);
        let step = self
            .flow
            .on_request(&mut self.worker, &self.request, StreamId(n), NOW);
        assert!(matches!(step, Step::Continue), "{n} is known");
    }

    /// Hands usage over, as with a tick.
    pub(crate) fn hand_over(&mut self) {
        if let Some(message) = self.worker.message(1) {
            assert!(message.encode().is_ok(), "usage can be written");
            self.worker.handed_over();
        }
    }

    fn miss(&mut self, n: u32, outcome: &CallOutcome) {
        self.request.of(n);
        let step = self
            .flow
            .on_request(&mut self.worker, &self.request, StreamId(n), NOW);
        assert!(matches!(step, Step::Wait), "{n} is new");
        // One that finds no room for its record has a second call of its own.
        let mut resumed = Vec::new();
        while let Some((flight, _)) = self.flow.next_callout(&mut self.worker, NOW) {
            let decided = self.flow.on_outcome(&mut self.worker, flight, outcome, NOW);
            resumed.extend(decided);
        }
        let is_admitted = matches!(&resumed[..], [one] if one.resolution == Resolution::Continue);
        assert_eq!(is_admitted, n < STRANGERS, "{n}");
    }
}

/// Nothing refills while time stands still, so strangers are hardly rationed.
fn settings(bound: u32) -> Result<Settings, ConfigError> {
    let text = format!(
        r#"{{
            "api": "v1",
            "backend": {{"upstream": {{"name": "backend", "url": "http://backend.example"}}}},
            "services": [{{
                "id": "1", "token": "token", "authorities": ["*"],
                "credentials": {{"user_key": [{{"query_string": {{"keys": ["user_key"]}}}}]}},
                "mapping_rules": [{{"method": "any", "pattern": "/hello$",
                    "usages": [{{"name": "search", "delta": 1}}]}}]
            }}],
            "cache": {{"unknown_calls_per_second": 1000000,
                "memory": {{"applications": {bound}, "leases": {leases}}}}}
        }}"#,
        leases = (u64::from(bound) * LEASES_EACH).min(MOST_LEASES)
    );
    Settings::parse(text.as_bytes())
}

fn answer(status: u16, body: &str) -> CallOutcome {
    CallOutcome::Answered {
        status,
        reason: None,
        body: body.as_bytes().to_vec(),
    }
}

/// An answer with three limits that nobody reaches.
fn allowed() -> String {
    let reports = LIMITS.map(|(metric, period)| {
        let window = period.window(NOW);
        format!(
            "<usage_report metric=\"{metric}\" period=\"{period}\">\
             <period_start>{} +0000</period_start><period_end>{} +0000</period_end>\
             <max_value>1000000000</max_value><current_value>1</current_value></usage_report>",
            window.start, window.end
        )
    });
    let reports = reports.concat();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><status><authorized>true</authorized><plan>p</plan><usage_reports>{reports}</usage_reports><app_keys app="a" svc="1"></app_keys><hierarchy><metric name="hits" children="search"/><metric name="search" children=""/></hierarchy></status>"#
    )
}
