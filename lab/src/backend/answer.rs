//! Answers of the public API: verdicts and errors to status, headers and XML.
//!
//! Owns the wire format of answers. Must not know HTTP beyond status and header texts, or how a
//! verdict came about.

use std::fmt::Write;

use super::ledger::calendar::{Period, TimeText};
use super::ledger::call::Options;
use super::ledger::error::CallError;
use super::ledger::status::{AppKeys, Branch, CallsLeft, OauthApplication, Status, UsageReport};
use super::params::ShapeError;

/// Content type of every answer that does not say otherwise.
pub const CONTENT_TYPE: &str = "application/vnd.3scale-v2.0+xml";

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: &'static str,
    /// Headers that only some answers have.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: String,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self::xml(status, String::new())
    }

    fn xml(status: u16, body: String) -> Self {
        Self {
            status,
            content_type: CONTENT_TYPE,
            headers: Vec::new(),
            body,
        }
    }
}

/// The answer to a call that was decided.
pub fn of_status(status: &Status, options: Options) -> Answer {
    let code = if status.denial.is_some() { 409 } else { 200 };
    let mut answer = Answer::empty(code);
    if let Some(denial) = status
        .denial
        .as_ref()
        .filter(|_| options.rejection_reason_header)
    {
        let reason = denial.code().to_owned();
        answer.headers.push(("3scale-rejection-reason", reason));
    }
    if let Some(left) = status.calls_left {
        answer.headers.extend(limit_headers(left));
    }
    if !options.no_body {
        answer.body = status_document(status);
    }
    answer
}

/// The answer to a call that failed.
pub fn of_error(error: &CallError, options: Options) -> Answer {
    let silent = options.no_body && !error.is_malformed();
    let has_body = !silent && *error != CallError::UsageShape;
    let body = if has_body {
        error_document(error)
    } else {
        String::new()
    };
    Answer::xml(error.status(), body)
}

/// The answer to parameters of impossible shape.
///
/// The reference gives some of these an answer of its web framework instead of the protocol's: plain
/// text that calls itself HTML and is escaped twice.
pub fn of_shape(error: &ShapeError) -> Answer {
    match error {
        ShapeError::PercentEncoding => of_error(&CallError::PercentEncoding, Options::default()),
        ShapeError::Bounds | ShapeError::Mixed { found: "Array", .. } => {
            of_error(&CallError::BadRequest, Options::default())
        }
        ShapeError::Mixed { .. } => Answer {
            content_type: "text/html",
            ..Answer::xml(
                400,
                format!(
                    "Invalid query parameters: {}",
                    escape_html(&escape_html(&error.to_string()))
                ),
            )
        },
    }
}

fn limit_headers(left: CallsLeft) -> Vec<(&'static str, String)> {
    let (calls, reset, max) = match left {
        CallsLeft::Unlimited => (-1, None, None),
        CallsLeft::Limited {
            calls,
            reset_seconds,
            max,
        } => (calls, reset_seconds, Some(max)),
    };
    let mut headers = vec![
        ("3scale-limit-remaining", calls.to_string()),
        ("3scale-limit-reset", reset.unwrap_or(-1).to_string()),
    ];
    headers.extend(max.map(|max| ("3scale-limit-max-value", max.to_string())));
    headers
}

fn error_document(error: &CallError) -> String {
    let mut xml = String::from(DECLARATION);
    xml.push_str("<error code=\"");
    xml.push_str(error.code());
    xml.push_str("\">");
    push_escaped(&mut xml, &error.to_string(), false);
    xml.push_str("</error>");
    xml
}

fn status_document(status: &Status) -> String {
    let mut xml = String::with_capacity(256 + status.reports.len() * 256);
    xml.push_str(DECLARATION);
    xml.push_str("<status>");
    match &status.denial {
        None => xml.push_str("<authorized>true</authorized>"),
        Some(denial) => {
            xml.push_str("<authorized>false</authorized>");
            push_element(&mut xml, "reason", &denial.text());
        }
    }
    if let Some(application) = &status.application {
        push_application(&mut xml, application);
    }
    push_element(&mut xml, "plan", status.plan.as_deref().unwrap_or_default());
    if !status.reports.is_empty() {
        xml.push_str("<usage_reports>");
        for report in &status.reports {
            push_report(&mut xml, report);
        }
        xml.push_str("</usage_reports>");
    }
    if let Some(keys) = &status.app_keys {
        push_app_keys(&mut xml, keys);
    }
    if let Some(hierarchy) = &status.hierarchy {
        xml.push_str("<hierarchy>");
        for Branch { metric, children } in hierarchy {
            xml.push_str("<metric");
            push_attribute(&mut xml, "name", metric);
            push_attribute(&mut xml, "children", &children.join(" "));
            xml.push_str("/>");
        }
        xml.push_str("</hierarchy>");
    }
    xml.push_str("</status>");
    xml
}

fn push_application(xml: &mut String, application: &OauthApplication) {
    xml.push_str("<application>");
    push_element(xml, "id", &application.id);
    push_element(xml, "key", application.key.as_deref().unwrap_or_default());
    let url = application.redirect_url.as_deref().unwrap_or_default();
    push_element(xml, application.parameter.name(), url);
    xml.push_str("</application>");
}

fn push_report(xml: &mut String, report: &UsageReport) {
    xml.push_str("<usage_report");
    push_attribute(xml, "metric", &report.name);
    push_attribute(xml, "period", report.period.name());
    if report.is_exceeded() {
        push_attribute(xml, "exceeded", "true");
    }
    xml.push('>');
    if report.period != Period::Eternity {
        push_display(xml, "period_start", TimeText(report.window.start));
        push_display(xml, "period_end", TimeText(report.window.end));
    }
    push_display(xml, "max_value", report.max);
    push_display(xml, "current_value", report.shown);
    xml.push_str("</usage_report>");
}

fn push_app_keys(xml: &mut String, keys: &AppKeys) {
    xml.push_str("<app_keys");
    push_attribute(xml, "app", &keys.application);
    push_attribute(xml, "svc", &keys.service);
    xml.push('>');
    for key in &keys.keys {
        xml.push_str("<key");
        push_attribute(xml, "id", key);
        xml.push_str("/>");
    }
    xml.push_str("</app_keys>");
}

fn push_element(xml: &mut String, name: &str, text: &str) {
    for piece in ["<", name, ">"] {
        xml.push_str(piece);
    }
    push_escaped(xml, text, false);
    for piece in ["</", name, ">"] {
        xml.push_str(piece);
    }
}

fn push_display(xml: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(xml, "<{name}>{value}</{name}>");
}

fn push_attribute(xml: &mut String, name: &str, text: &str) {
    for piece in [" ", name, "=\""] {
        xml.push_str(piece);
    }
    push_escaped(xml, text, true);
    xml.push('"');
}

fn push_escaped(xml: &mut String, text: &str, in_attribute: bool) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' if in_attribute => xml.push_str("&quot;"),
            other => xml.push(other),
        }
    }
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::ledger::status::Denial;

    fn status() -> Status {
        let report = |period: Period, stored| UsageReport {
            metric: "1".into(),
            name: "a&\"b".into(),
            period,
            window: period.window(1_935_742_440),
            max: 10,
            stored,
            shown: stored,
        };
        Status {
            denial: None,
            application: None,
            plan: Some("Gold & <more>".into()),
            reports: vec![report(Period::Eternity, 11), report(Period::Minute, 0)],
            app_keys: None,
            hierarchy: None,
            calls_left: None,
        }
    }

    #[test]
    fn a_status_is_one_line_of_escaped_xml() {
        let answer = of_status(&status(), Options::default());
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><status><authorized>true</authorized>\
             <plan>Gold &amp; &lt;more&gt;</plan><usage_reports>\
             <usage_report metric=\"a&amp;&quot;b\" period=\"eternity\" exceeded=\"true\">\
             <max_value>10</max_value><current_value>11</current_value></usage_report>\
             <usage_report metric=\"a&amp;&quot;b\" period=\"minute\">\
             <period_start>2031-05-05 10:14:00 +0000</period_start>\
             <period_end>2031-05-05 10:15:00 +0000</period_end>\
             <max_value>10</max_value><current_value>0</current_value></usage_report>\
             </usage_reports></status>"
        );
    }

    #[test]
    fn reason_header_and_body_follow_the_options() {
        let denied = Status {
            denial: Some(Denial::ApplicationKey(Some("<k>".to_owned()))),
            ..status()
        };
        let options = Options {
            no_body: true,
            rejection_reason_header: true,
            ..Options::default()
        };
        let answer = of_status(&denied, options);
        assert_eq!((answer.status, answer.body.as_str()), (409, ""));
        assert_eq!(
            answer.headers,
            [(
                "3scale-rejection-reason",
                "application_key_invalid".to_owned()
            )]
        );
        let answer = of_status(&denied, Options::default());
        assert!(
            answer
                .body
                .contains("<reason>application key \"&lt;k&gt;\" is invalid</reason>")
        );
        assert_eq!(answer.headers, []);
    }

    #[test]
    fn no_body_silences_errors_but_not_about_malformed_requests() {
        let silent = Options {
            no_body: true,
            ..Options::default()
        };
        assert_eq!(
            of_error(&CallError::Metric("m".to_owned()), silent).body,
            ""
        );
        assert_ne!(of_error(&CallError::NotUtf8, silent).body, "");
        assert_eq!(
            of_error(&CallError::UsageShape, Options::default()).body,
            ""
        );
    }
}
