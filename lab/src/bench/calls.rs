//! What the backend is asked while it is measured: calls as the plugin makes them.
//!
//! Owns the bytes of the requests and the bounds on their speed. Must not know how they are sent.

use std::fmt::Write;

use crate::population::Population;
use crate::scenario::{LimitSettings, PopulationSettings};

/// Applications that the calls are from: more than any cache line or shard holds.
const APPLICATIONS: u32 = 1000;

/// Transactions of one report.
pub(super) const TRANSACTIONS: u64 = 100;

/// The options that the plugin sends with every authorization.
const OPTIONS: &str = "hierarchy=1&rejection_reason_header=1&list_app_keys=1";

/// A kind of call that is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Authorize,
    Authrep,
    Report,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Authorize, Self::Authrep, Self::Report];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Authrep => "authrep",
            Self::Report => "report, 100 transactions",
        }
    }

    /// Calls a second that one core has to manage, so that the backend is never what a benchmark on
    /// two cores measures: more than Envoy with the plugin asks for on the other.
    pub(super) fn target_per_second(self) -> f64 {
        match self {
            Self::Authorize => 24_000.0,
            Self::Authrep => 20_000.0,
            Self::Report => 2_000.0,
        }
    }

    /// Status of the answer.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Authorize | Self::Authrep => 200,
            Self::Report => 202,
        }
    }

    /// What one call adds to metric `hits`.
    pub(super) fn hits(self) -> u64 {
        match self {
            Self::Authorize => 0,
            Self::Authrep => 1,
            Self::Report => TRANSACTIONS,
        }
    }

    /// How many calls of this kind take about as long as `calls` authorizations.
    pub(super) fn share_of(self, calls: u64) -> u64 {
        match self {
            Self::Authorize | Self::Authrep => calls,
            Self::Report => (calls / 10).max(1),
        }
    }
}

/// Who the calls are from: a plan with limits in three periods, never reached.
pub(super) fn population() -> Population {
    let limit = |metric: &str, period: &str| LimitSettings {
        metric: metric.to_owned(),
        period: period.to_owned(),
        value: 1_000_000_000_000,
    };
    Population::new(&PopulationSettings {
        applications: APPLICATIONS,
        limits: vec![
            limit("hits", "day"),
            limit("hits", "minute"),
            limit("items", "month"),
        ],
        ..PopulationSettings::default()
    })
}

/// One request of each application.
pub(super) fn requests(kind: Kind, population: &Population, unix_seconds: u64) -> Vec<Vec<u8>> {
    let keys: Vec<String> = (0..population.applications())
        .map(|index| population.application(index).credential.secret().to_owned())
        .collect();
    let service = &population.services[0];
    let caller = format!("service_token={}&service_id={}", service.token, service.id);
    let ask = |question: &str| {
        let request = |key: &String| {
            get(&format!(
                "/transactions/{question}.xml?{caller}&user_key={key}&usage%5Bhits%5D=1"
            ))
        };
        keys.iter().map(request).collect()
    };
    match kind {
        Kind::Authorize => ask("authorize"),
        Kind::Authrep => ask("authrep"),
        Kind::Report => {
            let mut turns = keys.iter().cycle();
            (0..keys.len())
                .map(|_| report(&caller, turns.by_ref(), unix_seconds))
                .collect()
        }
    }
}

fn report<'a>(caller: &str, keys: impl Iterator<Item = &'a String>, unix_seconds: u64) -> Vec<u8> {
    let mut form = caller.to_owned();
    for (number, key) in keys.take(TRANSACTIONS as usize).enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(
            form,
            "&transactions%5B{number}%5D%5Buser_key%5D={key}\
             &transactions%5B{number}%5D%5Busage%5D%5Bhits%5D=1\
             &transactions%5B{number}%5D%5Btimestamp%5D={unix_seconds}"
        );
    }
    post(
        "/transactions.xml",
        "application/x-www-form-urlencoded",
        form.as_bytes(),
    )
}

/// A call without a body, with the headers that Envoy adds.
pub(super) fn get(path_and_query: &str) -> Vec<u8> {
    format!(
        "GET {path_and_query} HTTP/1.1\r\nhost: backend\r\n3scale-options: {OPTIONS}\r\n\
         x-envoy-internal: true\r\nx-forwarded-for: 127.0.0.1\r\n\
         x-envoy-expected-rq-timeout-ms: 1000\r\n\r\n"
    )
    .into_bytes()
}

/// A call with a body.
pub(super) fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    with_body("POST", path, content_type, body)
}

/// A control call that sets something.
pub(super) fn put(path: &str, body: &[u8]) -> Vec<u8> {
    with_body("PUT", path, "application/json", body)
}

fn with_body(method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: backend\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\nx-envoy-internal: true\r\nx-forwarded-for: 127.0.0.1\r\n\
         x-envoy-expected-rq-timeout-ms: 1000\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}
