//! The names of everything in Redis, which `docs/BACKEND.md` documents.
//!
//! Owns names and the way from names back to ids. Must not know values or commands.

use crate::backend::ledger::calendar::Period;
use crate::backend::ledger::counters::CounterId;
use crate::backend::ledger::journal::Record;

/// What every key starts with.
pub(super) const ALL: &str = "tollgate:*";
/// Key of the layout's version.
pub(super) const FORMAT: &str = "tollgate:format";
/// Keys of lists of errors.
pub(super) const ERRORS: &str = "tollgate:errors:";
/// Keys of eternity counters.
pub(super) const ETERNITY: &str = "tollgate:counter:*:eternity";
const COUNTER: &str = "tollgate:counter:";

/// Keys of the hashes that hold records.
pub(super) const TABLES: [&str; 7] = [
    "tollgate:services",
    "tollgate:default_services",
    "tollgate:tokens",
    "tollgate:metrics",
    "tollgate:limits",
    "tollgate:applications",
    "tollgate:user_keys",
];

/// The key that says what a process wrote last.
pub(super) fn writer(process: u128) -> String {
    format!("tollgate:writer:{process:032x}")
}

/// The key of a service's list of errors.
pub(super) fn errors(service: &str) -> String {
    format!("{ERRORS}{service}")
}

/// The key of the hash that holds a counter; its metric id is the field.
pub(super) fn counter(counter: &CounterId) -> String {
    let service = escaped(&counter.service);
    let application = escaped(&counter.application);
    let period = counter.period.name();
    match counter.period {
        Period::Eternity => format!("{COUNTER}{service}:{application}:{period}"),
        _ => format!(
            "{COUNTER}{service}:{application}:{period}:{}",
            counter.start
        ),
    }
}

/// The service id in a counter's key.
pub(super) fn service_of(counter_key: &str) -> Option<String> {
    let (service, _) = counter_key.strip_prefix(COUNTER)?.split_once(':')?;
    Some(service.replace("%3A", ":").replace("%25", "%"))
}

/// An id without the colon, which separates: no two pairs of ids have the same key.
fn escaped(id: &str) -> String {
    id.replace('%', "%25").replace(':', "%3A")
}

/// The hash and the field of a record.
pub(super) fn record(record: &Record) -> (&'static str, String) {
    let [
        services,
        defaults,
        tokens,
        metrics,
        limits,
        applications,
        user_keys,
    ] = TABLES;
    match record {
        Record::Service(id) => (services, id.clone()),
        Record::Default(provider_key) => (defaults, provider_key.clone()),
        Record::Token(token, service) => (tokens, list(&[token, service])),
        Record::Metric(service, id) => (metrics, list(&[service, id])),
        Record::Limit(service, plan, metric, period) => {
            (limits, list(&[service, plan, metric, period.name()]))
        }
        Record::Application(service, id) => (applications, list(&[service, id])),
        Record::UserKey(service, key) => (user_keys, list(&[service, key])),
    }
}

/// The record of a field in a hash.
pub(super) fn parse_record(table: &str, field: &str) -> Option<Record> {
    let pair = || serde_json::from_str::<(String, String)>(field).ok();
    let make = |make: fn(String, String) -> Record| pair().map(|(a, b)| make(a, b));
    match table.strip_prefix("tollgate:")? {
        "services" => Some(Record::Service(field.to_owned())),
        "default_services" => Some(Record::Default(field.to_owned())),
        "tokens" => make(Record::Token),
        "metrics" => make(Record::Metric),
        "limits" => {
            let parts = serde_json::from_str::<(String, String, String, String)>(field);
            let (service, plan, metric, period) = parts.ok()?;
            Some(Record::Limit(
                service,
                plan,
                metric,
                Period::parse(&period)?,
            ))
        }
        "applications" => make(Record::Application),
        "user_keys" => make(Record::UserKey),
        _ => None,
    }
}

fn list(ids: &[&str]) -> String {
    serde_json::json!(ids).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_again_by_its_name() {
        let id = || "a:\"b%\u{1f600}\n".to_owned();
        for known in [
            Record::Service(id()),
            Record::Default(id()),
            Record::Token(id(), id()),
            Record::Metric(id(), String::new()),
            Record::Limit(id(), id(), id(), Period::Week),
            Record::Application(id(), id()),
            Record::UserKey(id(), id()),
        ] {
            let (table, field) = record(&known);
            assert!(TABLES.contains(&table), "{table}");
            assert_eq!(parse_record(table, &field), Some(known));
        }
    }

    #[test]
    fn no_two_counters_share_a_key() {
        let key = |service: &str, application: &str, period, start| {
            counter(&CounterId {
                service: service.into(),
                application: application.into(),
                metric: "m".into(),
                period,
                start,
            })
        };
        assert_eq!(
            key("1", "a", Period::Minute, 120),
            "tollgate:counter:1:a:minute:120"
        );
        assert_eq!(
            key("1", "a", Period::Eternity, i64::MIN),
            "tollgate:counter:1:a:eternity"
        );
        let keys = [
            key("a:b", "c", Period::Day, 0),
            key("a", "b:c", Period::Day, 0),
            key("a%3Ab", "c", Period::Day, 0),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        for (key, service) in keys.iter().zip(["a:b", "a", "a%3Ab"]) {
            assert_eq!(service_of(key).as_deref(), Some(service));
        }
    }
}
