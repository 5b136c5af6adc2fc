//! Metrics and usage limits. Both can be written before their service exists.

use serde_json::{Value, json};

use super::{Reply, not_blank, text, text_of, wrapped};
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
    let mut metric = Metric {
        id: id.into(),
        name: name.into(),
        parent: text(sent, "parent_id").map(Into::into),
    };
    // The answer repeats what was sent; a parent that was left out stays what it was.
    let answer = shown(service, &metric);
    let book = ledger.directory.book_or_new(service);
    let mut catalogue = book.catalogue.write();
    if metric.parent.is_none() {
        metric.parent = catalogue.metric(id).and_then(|known| known.parent.clone());
    }
    catalogue.put_metric(metric);
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
    let shown = |value: Value| {
        let mut limit = json!({
            "service_id": at.service,
            "plan_id": at.plan,
            "metric_id": at.metric,
        });
        limit[at.period] = value;
        limit
    };
    // A period that does not exist is taken, and has no limits.
    let period = Period::parse(at.period);
    Some(match method {
        "GET" => {
            let book = ledger.directory.book(at.service);
            let value = book.zip(period).and_then(|(book, period)| {
                let catalogue = book.catalogue.read();
                let limit = catalogue.limit(at.plan, at.metric, period)?;
                Some(limit.value)
            });
            match value {
                Some(value) => Reply::ok("found").with("usagelimit", shown(number(value))),
                None => Reply::not_found("usagelimit"),
            }
        }
        "PUT" => match sent_limit(body, at.period) {
            Ok(sent) => {
                if let Some(period) = period {
                    let limit = Limit {
                        metric: at.metric.into(),
                        period,
                        value: leading_integer(&sent),
                    };
                    let book = ledger.directory.book_or_new(at.service);
                    book.catalogue.write().put_limit(at.plan, limit);
                }
                Reply::ok("modified").with("usagelimit", shown(sent))
            }
            Err(error) => error,
        },
        "DELETE" => {
            if let Some((book, period)) = ledger.directory.book(at.service).zip(period) {
                let mut catalogue = book.catalogue.write();
                catalogue.remove_limit(at.plan, at.metric, period);
            }
            Reply::ok("deleted")
        }
        _ => return None,
    })
}

/// The value of a limit, as sent: the answer repeats it.
fn sent_limit(body: &Value, period: &str) -> Result<Value, Reply> {
    match wrapped(body, "usagelimit")?.get(period) {
        Some(value @ (Value::Number(_) | Value::String(_))) => Ok(value.clone()),
        _ => Err(Reply::missing(period)),
    }
}

/// The integer that a value starts with, or 0: `10`, `"10"`, `10.7` and `"10 calls"` are all 10.
pub(super) fn leading_integer(value: &Value) -> Amount {
    let text = text_of(value).unwrap_or_default();
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let amount = match &digits[..length] {
        "" => 0,
        digits => digits.parse().unwrap_or(Amount::MAX),
    };
    if negative { -amount } else { amount }
}

/// A number of JSON, which has no more than 64 bits; a larger one is written as text.
pub(super) fn number(value: Amount) -> Value {
    match i64::try_from(value) {
        Ok(value) => json!(value),
        Err(_) => json!(value.to_string()),
    }
}
