//! The services, applications, metrics and limits of these tests, and calls about them.

use lab::backend::ledger::Ledger;
use lab::backend::ledger::calendar::{Period, UnixMillis};
use lab::backend::ledger::call::{
    AuthorizeCall, Caller, Options, Purpose, ReportCall, SentUsage, Transaction,
};
use lab::backend::ledger::catalogue::{Limit, Metric};
use lab::backend::ledger::usage::SentEntry;
use lab::backend::population;
use serde_json::json;

/// Metrics: id, name, parent id.
pub(crate) const METRICS: [(&str, &str, Option<&str>); 5] = [
    ("1", "hits", None),
    ("2", "search", Some("1")),
    ("3", "images", Some("2")),
    ("4", "orders", Some("1")),
    ("5", "other", None),
];

/// Ids of the applications of each service.
pub(crate) const APPLICATIONS: [&str; 3] = ["a", "b", "c"];

/// A ledger with services of these ids, each with token `t`, the metrics and the applications.
pub(crate) fn ledger(services: &[&str]) -> Ledger {
    let ledger = Ledger::default();
    for service in services {
        let applications: Vec<_> = APPLICATIONS
            .iter()
            .map(|id| json!({ "service_id": service, "id": id, "state": "active", "plan_id": "p" }))
            .collect();
        let document = json!({
            "services": [{ "id": service, "provider_key": "k", "state": "active" }],
            "service_tokens": [{ "token": "t", "service_id": service }],
            "applications": applications,
        })
        .to_string();
        population::load(document.as_bytes(), &ledger, |_| {}).expect("a well-formed population");
        let book = ledger.directory.book(service).expect("it was loaded");
        let mut catalogue = book.catalogue.write();
        for (id, name, parent) in METRICS {
            catalogue.put_metric(Metric {
                id: id.into(),
                name: name.into(),
                parent: parent.map(Into::into),
            });
        }
    }
    ledger
}

/// Sets or removes a limit of the plan.
pub(crate) fn set_limit(
    ledger: &Ledger,
    service: &str,
    metric: &str,
    period: Period,
    to: Option<i128>,
) {
    let book = ledger.directory.book(service).expect("a known service");
    let (id, ..) = METRICS
        .iter()
        .find(|(_, name, _)| *name == metric)
        .expect("a known metric");
    let mut catalogue = book.catalogue.write();
    match to {
        Some(value) => {
            let metric = (*id).into();
            catalogue.put_limit(
                "p",
                Limit {
                    metric,
                    period,
                    value,
                },
            );
        }
        None => catalogue.remove_limit("p", id, period),
    }
}

/// An authorize or authrep call.
pub(crate) fn ask(
    service: &str,
    application: &str,
    purpose: Purpose,
    usage: Option<&[(String, String)]>,
    flat_usage: bool,
) -> AuthorizeCall {
    AuthorizeCall {
        app_id: Some(application.to_owned()),
        usage: sent(usage),
        options: Options {
            flat_usage,
            limit_headers: true,
            ..Options::default()
        },
        ..AuthorizeCall::of(caller(service), purpose)
    }
}

/// A report.
pub(crate) fn report(
    service: &str,
    transactions: Vec<Transaction>,
    flat_usage: bool,
) -> ReportCall {
    ReportCall {
        caller: caller(service),
        transactions: Ok(transactions),
        flat_usage,
    }
}

/// One transaction of a report.
pub(crate) fn transaction(
    application: &str,
    usage: Option<&[(String, String)]>,
    timestamp: Option<String>,
) -> Transaction {
    Transaction {
        app_id: Some(application.to_owned()),
        user_key: None,
        usage: sent(usage),
        timestamp,
    }
}

/// A moment in seconds since 1970.
pub(crate) fn at(seconds: i64) -> UnixMillis {
    UnixMillis::from_seconds(seconds).expect("a moment of these tests")
}

fn caller(service: &str) -> Caller {
    Caller {
        provider_key: None,
        service_token: Some("t".to_owned()),
        service_id: Some(service.to_owned()),
    }
}

fn sent(usage: Option<&[(String, String)]>) -> SentUsage {
    let Some(usage) = usage else {
        return SentUsage::Absent;
    };
    let entry = |(metric, value): &(String, String)| SentEntry {
        metric: metric.clone(),
        value: Some(value.clone()),
    };
    SentUsage::Entries(usage.iter().map(entry).collect())
}
