//! Calls to the backend and what their answers say.
//!
//! Owns the text of requests and the scan of an authorization answer.

use std::time::Duration;

use proxy_wasm::hostcalls;

use crate::config::{Service, Usage};
use crate::record::{Limit, Record};

const CLUSTER: &str = "backend";
const TIMEOUT: Duration = Duration::from_secs(1);

/// Asks whether an application may use what it asks, and counts it.
pub(crate) fn authrep(service: &Service, user_key: &str, usages: &[Usage]) -> Option<u32> {
    let usage: String = usages
        .iter()
        .map(|usage| format!("&usage%5B{}%5D={}", usage.name, usage.delta))
        .collect();
    get(service, "authrep", user_key, &usage)
}

/// Asks for the state of an application.
pub(crate) fn authorize(service: &Service, user_key: &str) -> Option<u32> {
    get(service, "authorize", user_key, "")
}

fn get(service: &Service, call: &str, user_key: &str, usage: &str) -> Option<u32> {
    let (token, id) = (&service.token, &service.id);
    let path = format!(
        "/transactions/{call}.xml?service_token={token}&service_id={id}&user_key={user_key}{usage}"
    );
    let headers = vec![
        (":method", "GET"),
        (":path", path.as_str()),
        (":authority", CLUSTER),
    ];
    hostcalls::dispatch_http_call(CLUSTER, headers, None, Vec::new(), TIMEOUT).ok()
}

/// Reports what an application used.
pub(crate) fn report<'a>(
    service: &Service,
    user_key: &str,
    usages: impl Iterator<Item = (&'a String, &'a u64)>,
) -> Option<u32> {
    let mut body = format!(
        "service_token={}&service_id={}&transactions%5B0%5D%5Buser_key%5D={user_key}",
        service.token, service.id
    );
    for (metric, amount) in usages {
        body.push_str(&format!(
            "&transactions%5B0%5D%5Busage%5D%5B{metric}%5D={amount}"
        ));
    }
    let headers = vec![
        (":method", "POST"),
        (":path", "/transactions.xml"),
        (":authority", CLUSTER),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let body = Some(body.as_bytes());
    hostcalls::dispatch_http_call(CLUSTER, headers, body, Vec::new(), TIMEOUT).ok()
}

/// The record that an authorization answer describes; `None` if it does not authorize.
pub(crate) fn record(xml: &str) -> Option<Record> {
    if text_of(xml, "authorized")? != "true" {
        return None;
    }
    let mut limits = Vec::new();
    for report in xml.split("<usage_report ").skip(1) {
        let metric = report.split_once("metric=\"")?.1.split_once('"')?.0;
        limits.push(Limit {
            metric: metric.to_owned(),
            max: text_of(report, "max_value")?.parse().ok()?,
            current: text_of(report, "current_value")?.parse().ok()?,
        });
    }
    Some(Record { limits })
}

fn text_of<'a>(xml: &'a str, element: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{element}>"))?;
    Some(rest.split_once(&format!("</{element}>"))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "<status><authorized>true</authorized><plan>basic</plan><usage_reports>\
        <usage_report metric=\"hits\" period=\"day\"><period_start>x</period_start>\
        <max_value>10</max_value><current_value>3</current_value></usage_report>\
        <usage_report metric=\"hits\" period=\"minute\"><max_value>5</max_value>\
        <current_value>1</current_value></usage_report></usage_reports></status>";

    #[test]
    fn every_limit_of_an_answer_is_read() {
        let record = record(ANSWER).expect("it authorizes");
        let read: Vec<(u64, u64)> = record
            .limits
            .iter()
            .map(|it| (it.max, it.current))
            .collect();
        assert_eq!(read, [(10, 3), (5, 1)]);
    }

    #[test]
    fn an_answer_that_does_not_authorize_or_is_cut_gives_no_record() {
        assert_eq!(record(&ANSWER.replace("true", "false")), None);
        let cut = ANSWER.find("<current_value>").expect("a report");
        assert_eq!(record(&ANSWER[..cut]), None);
        assert_eq!(record(""), None);
    }
}
