//! The same calls in the same order are answered alike, wherever the state is kept.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::backend::Running;
use crate::redis_server::RedisServer;
use crate::{NOW, population};

/// Calls of one sequence.
const CALLS: usize = 400;

enum Call {
    Public(&'static str, String, String),
    Internal(&'static str, String, Value),
    Control(String),
}

struct Draw {
    random: StdRng,
    clock: i64,
}

impl Draw {
    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.random.random_range(0..values.len())]
    }

    fn call(&mut self) -> Call {
        match self.random.random_range(0..20) {
            0..7 => Call::Public("GET", self.authorization(), String::new()),
            7..12 => Call::Public("POST", "/transactions.xml".to_owned(), self.report()),
            12..15 => Call::Control("/control/settle".to_owned()),
            15 => Call::Control("/control/stats".to_owned()),
            16 => {
                // Forward only: in memory, windows that are over are gone for a clock set back.
                self.clock += self.one_of(&[1, 30, 60, 3600, 86_400, 40 * 86_400]);
                Call::Control(format!("/control/clock?at={}", self.clock))
            }
            _ => self.internal(),
        }
    }

    /// Mostly small: a counter near the end of 64 bits allows nothing until it is set again.
    fn amount(&mut self) -> &'static str {
        let huge = [
            "9223372036854775807",
            "9223372036854775808",
            "%239223372036854775807",
        ];
        match self.random.random_range(0..40) {
            0 => self.one_of(&huge),
            1 => "x",
            _ => self.one_of(&["1", "1", "2", "2", "70", "0", "%230", "%235", "%231500"]),
        }
    }

    fn authorization(&mut self) -> String {
        let call = self.one_of(&["authorize", "authrep"]);
        let key = self.one_of(&["u", "u", "v", "nobody"]);
        let metric = self.one_of(&["hits", "search", "nope"]);
        let amount = self.amount();
        format!(
            "/transactions/{call}.xml?service_token=t&service_id=s:1&user_key={key}&referrer=*\
             &usage[{metric}]={amount}"
        )
    }

    fn report(&mut self) -> String {
        let mut body = "service_token=t&service_id=s:1".to_owned();
        for number in 0..self.random.random_range(1..4) {
            let key = self.one_of(&["u", "u", "u", "v"]);
            let metric = self.one_of(&["hits", "search"]);
            let amount = self.amount();
            let at = self.clock - self.one_of(&[0, 0, 100, 4000, 86_300, 86_500, -3000]);
            let of = format!("&transactions[{number}]");
            body +=
                &format!("{of}[user_key]={key}{of}[usage][{metric}]={amount}{of}[timestamp]={at}");
        }
        body
    }

    fn internal(&mut self) -> Call {
        let application = self.one_of(&["a", "b:%25"]);
        let path = format!("/services/s:1/applications/{application}");
        let period = self.one_of(&["minute", "hour", "day", "week", "month", "year", "eternity"]);
        let limit = format!("/services/s:1/plans/gold/usagelimits/10/{period}");
        let state = self.one_of(&["active", "active", "active", "suspended"]);
        match self.random.random_range(0..7) {
            0 => Call::Internal("GET", format!("{path}/utilization/"), Value::Null),
            1 => Call::Internal("PUT", path, json!({"application": {"state": state}})),
            2 => Call::Internal("GET", path, Value::Null),
            3 => {
                let value = self.one_of(&[3, 800, 5000]);
                Call::Internal("PUT", limit, json!({"usagelimit": {period: value}}))
            }
            4 => Call::Internal("DELETE", limit, Value::Null),
            5 => Call::Internal("GET", "/services/s:1/errors/".to_owned(), Value::Null),
            _ => Call::Internal("DELETE", "/services/s:1/errors/".to_owned(), Value::Null),
        }
    }
}

async fn answer(backend: &mut Running, call: &Call) -> (u16, String) {
    let (status, mut json) = match call {
        Call::Public(method, target, body) => return backend.public(method, target, body).await,
        Call::Internal(method, path, json) => backend.internal(method, path, json.clone()).await,
        Call::Control(target) => backend.control("GET", target, Value::Null).await,
    };
    // How many counters are in the process is the one thing that a store changes.
    if let Some(ledger) = json.get_mut("ledger").and_then(Value::as_object_mut) {
        ledger.remove("counters");
    }
    (status, json.to_string())
}

fn describe(call: &Call) -> String {
    match call {
        Call::Public(method, target, body) => format!("{method} {target} {body}"),
        Call::Internal(method, path, json) => format!("{method} /internal{path} {json}"),
        Call::Control(target) => format!("GET {target}"),
    }
}

#[tokio::test]
async fn random_calls_are_answered_alike_with_a_store_and_without() {
    let redis = RedisServer::start();
    let mut kept = Running::with_store(&redis.url()).await;
    let mut in_memory = Running::in_memory().await;
    for seed in 0..5 {
        let mut draw = Draw {
            random: StdRng::seed_from_u64(seed),
            clock: NOW,
        };
        for backend in [&mut kept, &mut in_memory] {
            backend.tell("GET", "/control/reset", Value::Null).await;
            backend
                .tell("POST", "/control/population", population())
                .await;
            backend.hold_still(NOW).await;
        }
        let mut allowed = 0;
        for number in 0..CALLS {
            let call = draw.call();
            let expected = answer(&mut in_memory, &call).await;
            let found = answer(&mut kept, &call).await;
            let described = describe(&call);
            assert_eq!(found, expected, "seed {seed}, call {number}: {described}");
            allowed += usize::from(described.contains(".xml?") && expected.0 == 200);
        }
        assert!(
            allowed > 10,
            "seed {seed}: only {allowed} calls were allowed"
        );
    }
}
