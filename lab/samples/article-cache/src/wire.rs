//! Calls to the backend and what their answers say.
//!
//! Owns the text of requests and the scan of an authorization answer.

use std::ops::Range;
use std::time::Duration;

use proxy_wasm::hostcalls;

use crate::config::{Service, Usage};
use crate::record::{Limit, Metric, Record};

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
        ("3scale-options", "hierarchy=1&list_app_keys=1"),
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
pub(crate) fn record(service: &Service, xml: &str) -> Option<Record> {
    if text_of(xml, "authorized")? != "true" {
        return None;
    }
    let mut record = Record {
        service: service.id.clone(),
        application: attribute_of(xml.split_once("<app_keys ")?.1, "app")?.to_owned(),
        plan: text_of(xml, "plan").unwrap_or_default().to_owned(),
        ..Record::default()
    };
    for metric in xml.split("<metric ").skip(1) {
        let children = attribute_of(metric, "children").unwrap_or_default();
        record.metrics.push(Metric {
            parent: attribute_of(metric, "name")?.to_owned(),
            children: children.split_whitespace().map(str::to_owned).collect(),
        });
    }
    for report in xml.split("<usage_report ").skip(1) {
        record.limits.push(Limit {
            metric: attribute_of(report, "metric")?.to_owned(),
            period: attribute_of(report, "period")?.to_owned(),
            start: text_of(report, "period_start").map_or(Some(0), seconds)?,
            end: text_of(report, "period_end").map_or(Some(0), seconds)?,
            max: text_of(report, "max_value")?.parse().ok()?,
            current: text_of(report, "current_value")?.parse().ok()?,
        });
    }
    Some(record)
}

/// Seconds since 1970 of a time such as `2026-01-31 12:00:00 +0000`.
fn seconds(time: &str) -> Option<u64> {
    let number = |range: Range<usize>| time.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let clock = number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)?;
    // Years begin in March, so that a leap day is the last of its year.
    let year = year.checked_sub(u64::from(month < 3))?;
    let days_of_months = ((month + 9) % 12 * 153 + 2) / 5;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + days_of_months + day;
    Some(days.checked_sub(719_469)? * 86_400 + clock)
}

fn attribute_of<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = element.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0)
}

fn text_of<'a>(xml: &'a str, element: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{element}>"))?;
    Some(rest.split_once(&format!("</{element}>"))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "<status><authorized>true</authorized><plan>basic</plan><usage_reports>\
        <usage_report metric=\"hits\" period=\"day\"><period_start>2024-02-29 00:00:00 +0000\
        </period_start><period_end>2024-03-01 00:00:00 +0000</period_end>\
        <max_value>10</max_value><current_value>3</current_value></usage_report>\
        <usage_report metric=\"hits\" period=\"eternity\"><max_value>5</max_value>\
        <current_value>1</current_value></usage_report></usage_reports>\
        <hierarchy><metric name=\"hits\" children=\"books films\" /></hierarchy>\
        <app_keys app=\"a1\" svc=\"7\"></app_keys></status>";

    fn service() -> Service {
        Service::parse(br#"{"services": [{"id": "7", "token": "t", "mapping_rules": []}]}"#)
            .expect("valid")
    }

    #[test]
    fn every_limit_and_metric_of_an_answer_is_read() {
        let record = record(&service(), ANSWER).expect("it authorizes");
        let read: Vec<(u64, u64)> = record
            .limits
            .iter()
            .map(|it| (it.max, it.current))
            .collect();
        assert_eq!(read, [(10, 3), (5, 1)]);
        assert_eq!(record.application, "a1");
        let day = &record.limits[0];
        assert_eq!((day.start, day.end), (1_709_164_800, 1_709_251_200));
        assert_eq!(record.limits[1].end, 0);
        assert_eq!(record.metrics[0].children, ["books", "films"]);
    }

    #[test]
    fn an_answer_that_does_not_authorize_or_is_cut_gives_no_record() {
        let read = |xml: &str| record(&service(), xml);
        assert_eq!(read(&ANSWER.replace("true", "false")), None);
        let cut = ANSWER.find("<current_value>").expect("a report");
        assert_eq!(read(&ANSWER[..cut]), None);
        assert_eq!(read(""), None);
    }
}
