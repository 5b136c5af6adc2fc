//! Metrics and usage limits. Both can be written before their service exists.

use serde_json::{Value, json};

use super::{Reply, not_blank, text, wrapped};
use crate::backend::ledger::Ledger;
use crate::backend::ledger::calendar::Period;
use crate::backend::ledger::catalogue::{Limit, Metric};
use crate::backend::ledger::usage::Amount;

pub(super) fn metric(
    ledger: &Ledger,
    service: &str,
    id: &str,
    method: &str,
    body: &Value,
) -> Option<Reply> {
    Some(match method {
        "GET" => get_metric(ledger, service, id),
        "POST" => put_metric(ledger, service, id, body, Reply::created()).unwrap_or_else(|e| e),
        "PUT" => put_metric(ledger, service, id, body, Reply::ok("modified")).unwrap_or_else(|e| e),
        "DELETE" => {
            let book = ledger.directory.book(service);
            match book.is_some_and(|book| book.catalogue.write().remove_metric(id)) {
                true => Reply::ok("deleted"),
                false => Reply::not_found("metric"),
            }
        }
        _ => return None,
    })
}

fn get_metric(ledger: &Ledger, service: &str, id: &str) -> Reply {
    let book = ledger.directory.book(service);
    let metric = book.and_then(|book| book.catalogue.read().metric(id).cloned());
    match metric {
        Some(metric) => Reply::ok("found").with("metric", shown(service, &metric)),
        None => Reply::not_found("metric"),
    }
}

fn put_metric(
    ledger: &Ledger,
    service: &str,
    id: &str,
    body: &Value,
    reply: Reply,
) -> Result<Reply, Reply> {
    let sent = wrapped(body, "metric")?;
    let name = not_blank(text(sent, "name"));
    let name =
        name.ok_or_else(|| Reply::bad_request(format!("Metric with id=\"{id}\" has no name")))?;
    let metric = Metric {
        id: id.into(),
        name: name.into(),
        parent: not_blank(text(sent, "parent_id")).map(Into::into),
    };
    let answer = shown(service, &metric);
    let book = ledger.directory.book_or_new(service);
    book.catalogue.write().put_metric(metric);
    Ok(reply.with("metric", answer))
}

fn shown(service: &str, metric: &Metric) -> Value {
    json!({
        "service_id": service,
        "id": &*metric.id,
        "name": &*metric.name,
        "parent_id": metric.parent.as_deref(),
    })
}

/// Which limit a path names.
pub(super) struct LimitPath<'a> {
    pub(super) service: &'a str,
    pub(super) plan: &'a str,
    pub(super) metric: &'a str,
    pub(super) period: &'a str,
}

pub(super) fn limit(
    ledger: &Ledger,
    at: &LimitPath<'_>,
    method: &str,
    body: &Value,
) -> Option<Reply> {
    let period = Period::parse(at.period)?;
    let shown = |value: Amount| {
        let mut limit = json!({
            "service_id": at.service,
            "plan_id": at.plan,
            "metric_id": at.metric,
        });
        limit[at.period] = number(value);
        limit
    };
    Some(match method {
        "GET" => {
            let book = ledger.directory.book(at.service);
            let value = book.and_then(|book| {
                let catalogue = book.catalogue.read();
                catalogue
                    .limit(at.plan, at.metric, period)
                    .map(|limit| limit.value)
            });
            match value {
                Some(value) => Reply::ok("found").with("usagelimit", shown(value)),
                None => Reply::not_found("usage limit"),
            }
        }
        "PUT" => match sent_limit(body, at.period) {
            Ok(value) => {
                let limit = Limit {
                    metric: at.metric.into(),
                    period,
                    value,
                };
                let book = ledger.directory.book_or_new(at.service);
                book.catalogue.write().put_limit(at.plan, limit);
                Reply::ok("modified").with("usagelimit", shown(value))
            }
            Err(error) => error,
        },
        "DELETE" => {
            if let Some(book) = ledger.directory.book(at.service) {
                book.catalogue
                    .write()
                    .remove_limit(at.plan, at.metric, period);
            }
            Reply::ok("deleted")
        }
        _ => return None,
    })
}

fn sent_limit(body: &Value, period: &str) -> Result<Amount, Reply> {
    let text = text(wrapped(body, "usagelimit")?, period);
    let value = text.and_then(|text| text.trim().parse().ok());
    value.ok_or_else(|| Reply::missing(period))
}

/// A number of JSON, which has no more than 64 bits; a larger one is written as text.
pub(super) fn number(value: Amount) -> Value {
    match i64::try_from(value) {
        Ok(value) => json!(value),
        Err(_) => json!(value.to_string()),
    }
}
