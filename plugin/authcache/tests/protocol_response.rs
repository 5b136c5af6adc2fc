//! Answers of the backend: the documents of the protocol, and everything else that may arrive.

#![cfg(test)]

use authcache::protocol::response::{
    Answer, DenialReason, MAX_BODY_BYTES, ReportAnswer, ResponseError, StatusAnswer, parse,
    parse_report,
};
use authcache::time::{Period, UnixMillis, Window};

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
const MONTH: &str = "<period_start>2031-05-01 00:00:00 +0000</period_start>\
                     <period_end>2031-06-01 00:00:00 +0000</period_end>";

fn report(metric: &str, period: &str, window: &str, max: &str, current: &str) -> String {
    format!(
        r#"<usage_report metric="{metric}" period="{period}">{window}<max_value>{max}</max_value><current_value>{current}</current_value></usage_report>"#
    )
}

fn document(inside: &str) -> String {
    format!("{DECLARATION}<status>{inside}</status>")
}

fn allowed(inside: &str) -> String {
    document(&format!("<authorized>true</authorized>{inside}"))
}

fn denied(reason: &str, inside: &str) -> String {
    document(&format!(
        "<authorized>false</authorized><reason>{reason}</reason>{inside}"
    ))
}

#[track_caller]
fn status(status: u16, header: Option<&str>, body: &str) -> StatusAnswer {
    match parse(status, header, body.as_bytes()) {
        Ok(Answer::Status(answer)) => answer,
        other => panic!("{other:?} for {body}"),
    }
}

#[track_caller]
fn error(body: &str) -> ResponseError {
    parse(200, None, body.as_bytes()).expect_err(body)
}

#[test]
fn an_allowed_request_comes_with_every_limit_of_every_period() {
    let reports = [
        report("search", "eternity", "", "90000", "17"),
        report("search", "month", MONTH, "5000", "17"),
        report(
            "search",
            "minute",
            "<period_start>2031-05-04 10:20:00 +0000</period_start>\
             <period_end>2031-05-04 10:21:00 +0000</period_end>",
            "10",
            "12",
        ),
    ];
    let body = allowed(&format!(
        "<plan>Gold &amp; more</plan><usage_reports>{}</usage_reports>",
        reports.concat()
    ));
    let answer = status(200, None, &body);
    assert!(answer.authorized);
    assert_eq!(answer.reason, None);
    assert_eq!(answer.plan, "Gold & more");
    assert_eq!(answer.app_keys, None);
    assert_eq!(answer.hierarchy, None);
    let found: Vec<_> = answer
        .reports
        .iter()
        .map(|report| {
            (
                report.metric.as_str(),
                report.period,
                report.max,
                report.current,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("search", Period::Eternity, 90_000, 17),
            ("search", Period::Month, 5_000, 17),
            ("search", Period::Minute, 10, 12),
        ]
    );
    assert_eq!(answer.reports[0].window, Window::ETERNITY);
    let may = UnixMillis::parse("2031-05-09 00:00:00 +0000").expect("a valid time");
    assert_eq!(answer.reports[1].window, Period::Month.window(may));
}

#[test]
fn a_denial_for_limits_carries_the_full_state() {
    let inside = format!(
        "<plan>Basic</plan><usage_reports>{}</usage_reports>",
        report("hits", "month", MONTH, "5", "6").replace("period=", "exceeded=\"true\" period=")
    );
    let body = denied("usage limits are exceeded", &inside);
    for header in [None, Some("limits_exceeded")] {
        let answer = status(409, header, &body);
        assert!(!answer.authorized);
        assert_eq!(answer.reason, Some(DenialReason::LimitsExceeded));
        assert_eq!((answer.reports[0].max, answer.reports[0].current), (5, 6));
    }
}

#[test]
fn hierarchy_and_keys_are_read() {
    let body = allowed(
        r#"<plan/><app_keys app="7" svc="1"><key id="k1"/><key id="a&amp;&quot;b"/></app_keys><hierarchy><metric name="hits" children="m1 m2"/><metric name="m1" children=""/></hierarchy>"#,
    );
    let answer = status(200, None, &body);
    let keys = answer.app_keys.expect("the section is there");
    let keys: Vec<_> = keys.iter().map(|key| key.expose()).collect();
    assert_eq!(keys, ["k1", "a&\"b"]);
    assert_eq!(
        answer.hierarchy,
        Some(vec![
            ("hits".to_owned(), vec!["m1".to_owned(), "m2".to_owned()]),
            ("m1".to_owned(), vec![]),
        ])
    );
}

#[test]
fn no_keys_and_no_word_about_keys_are_told_apart() {
    let none = status(
        200,
        None,
        &allowed("<app_keys app=\"7\" svc=\"1\"></app_keys>"),
    );
    assert_eq!(none.app_keys, Some(vec![]));
    assert_eq!(status(200, None, &allowed("")).app_keys, None);
    let leaf = status(200, None, &allowed("<hierarchy></hierarchy>"));
    assert_eq!(leaf.hierarchy, Some(vec![]));
}

#[test]
fn the_reason_is_read_from_the_header_first_and_from_the_text_else() {
    #[track_caller]
    fn check(header: Option<&str>, text: &str, reason: DenialReason) {
        let body = denied(text, "<plan>Basic</plan>");
        assert_eq!(status(409, header, &body).reason, Some(reason), "{text}");
    }
    use DenialReason::*;
    check(None, "oauth is not enabled", OauthNotEnabled);
    check(
        None,
        "application key \"usage limits are exceeded\" is invalid",
        ApplicationKeyInvalid,
    );
    check(None, "application key is missing", ApplicationKeyInvalid);
    check(None, "redirect_url \"x\" is invalid", RedirectUrlInvalid);
    check(None, "redirect_uri \"x\" is invalid", RedirectUriInvalid);
    check(None, "referrer is missing", ReferrerNotAllowed);
    check(None, "referrer \"x\" is not allowed", ReferrerNotAllowed);
    check(None, "application is not active", ApplicationNotActive);
    check(None, "service is not active", ServiceNotActive);
    check(None, "usage limits are exceeded", LimitsExceeded);
    check(None, "the moon is full", Other);
    check(None, "", Other);
    check(
        Some("service_not_active"),
        "usage limits are exceeded",
        ServiceNotActive,
    );
    check(Some("moon_full"), "usage limits are exceeded", Other);
    let body = document("<authorized>false</authorized><plan/>");
    assert_eq!(status(409, None, &body).reason, Some(Other));
}

#[test]
fn a_denial_whose_document_is_broken_stays_a_denial() {
    for body in [
        "".to_owned(),
        "garbage".to_owned(),
        denied("application key \"</reason><x\" is invalid", "<plan/>"),
        denied("application key \"&x\" is invalid", "<plan/>"),
        denied("x", "<usage_reports><usage_report/></usage_reports>"),
        allowed(""),
        "x".repeat(MAX_BODY_BYTES + 1),
    ] {
        let answer = parse(409, Some("application_key_invalid"), body.as_bytes());
        let reason = DenialReason::ApplicationKeyInvalid;
        assert_eq!(answer, Ok(Answer::Denied { reason }));
        let answer = parse(409, None, body.as_bytes());
        let reason = DenialReason::Other;
        assert_eq!(answer, Ok(Answer::Denied { reason }));
    }
    let answer = parse(409, None, b"\xff\xfe");
    let reason = DenialReason::Other;
    assert_eq!(answer, Ok(Answer::Denied { reason }));
}

#[test]
fn a_limit_that_cannot_be_read_makes_the_answer_unusable() {
    let good = report("hits", "month", MONTH, "5", "6");
    let bad = [
        report("", "month", MONTH, "5", "6"),
        report("hits", "fortnight", MONTH, "5", "6"),
        report("hits", "", MONTH, "5", "6"),
        report("hits", "month", "", "5", "6"),
        report("hits", "month", MONTH, "", "6"),
        report("hits", "month", MONTH, "-5", "6"),
        report("hits", "month", MONTH, "+5", "6"),
        report("hits", "month", MONTH, "5", "6.0"),
        report("hits", "month", MONTH, "5", "99999999999999999999"),
        report(
            "hits",
            "month",
            &MONTH.replace("2031-06", "2031-05"),
            "5",
            "6",
        ),
        report("hits", "month", &MONTH.replace("+0000", ""), "5", "6"),
        report("hits", "month", &format!("{MONTH}{MONTH}"), "5", "6"),
        good.replace("<max_value>5</max_value>", ""),
        good.replace("<current_value>6</current_value>", ""),
        good.replace("metric=\"hits\"", ""),
        good.replace("metric=\"hits\"", "metric=\"hits\" metric=\"other\""),
        good.replace("usage_report", "usage_repeat"),
        good.replace("6</current_value>", "<b>6</b></current_value>"),
        format!("stray{good}"),
    ];
    let _ = status(
        200,
        None,
        &allowed(&format!("<usage_reports>{good}</usage_reports>")),
    );
    for bad in bad {
        let sections = format!("<usage_reports>{good}{bad}</usage_reports>");
        let _ = error(&allowed(&sections));
    }
}

#[test]
fn a_key_that_cannot_be_read_makes_the_answer_unusable() {
    for key in [
        "<key/>",
        "<key id=\"\"/>",
        "<key id=\" \"/>",
        "<kei id=\"a\"/>",
        "x",
    ] {
        let _ = error(&allowed(&format!(
            "<app_keys><key id=\"k\"/>{key}</app_keys>"
        )));
    }
    let long = format!("<app_keys><key id=\"{}\"/></app_keys>", "k".repeat(256));
    let _ = error(&allowed(&long));
}

#[test]
fn documents_of_another_kind_are_errors() {
    let twice = "<authorized>true</authorized>".repeat(2);
    for body in [
        "",
        DECLARATION,
        "<status>",
        "<status/>",
        "<html><body>welcome</body></html>",
        "{\"authorized\": true}",
        &document("<authorized>yes</authorized>"),
        &document("<authorized> true</authorized>"),
        &document("<plan>Basic</plan>"),
        &document(&twice),
        &allowed("<plan>a</plan><plan>b</plan>"),
        &allowed("</status>"),
        &allowed("<plan>a & b</plan>"),
        &allowed("<plan>&nbsp;</plan>"),
        &allowed("<plan>&#0;</plan>"),
        &allowed("<plan>a < b</plan>"),
        &allowed("<plan>"),
        &format!("{}<status/>", allowed("")),
        &format!("{}trailing", allowed("")),
        &format!(
            "<!DOCTYPE status [<!ENTITY a \"b\">]>{}",
            allowed("<plan>&a;</plan>")
        ),
        &denied("limits", ""),
    ] {
        let _ = error(body);
    }
}

#[test]
fn what_later_backends_may_add_is_passed_over() {
    let body = allowed(
        "<!-- note --><application><id>4</id><key/></application><?pi?><plan><![CDATA[a<b]]>&#x41;</plan>\n<new><new/>text</new>",
    );
    assert_eq!(status(200, None, &body).plan, "a<bA");
}

#[test]
fn errors_of_the_protocol_are_definite() {
    #[track_caller]
    fn check(status: u16, body: &str, code: &str) {
        let expected = Answer::Error {
            status,
            code: code.to_owned(),
        };
        assert_eq!(parse(status, None, body.as_bytes()), Ok(expected));
    }
    check(
        404,
        &format!(
            "{DECLARATION}<error code=\"application_not_found\">application with id=\"x\" was not found</error>"
        ),
        "application_not_found",
    );
    check(
        403,
        "<error code=\"user_key_invalid\">user key \"<\" is",
        "user_key_invalid",
    );
    check(422, "<error code=\"not_valid_data\"/>", "not_valid_data");
    check(400, "<error code=\"bad_request\"></error>", "bad_request");
    check(
        403,
        &format!("{DECLARATION}\r\n  <!-- proxy -->\n<error code=\"user_key_invalid\"/>"),
        "user_key_invalid",
    );
}

#[test]
fn statuses_that_say_nothing_about_the_application_are_errors() {
    let body = b"<error code=\"user_key_invalid\">x</error>";
    for status in [408, 429, 500, 502, 503, 504, 599] {
        let expected = ResponseError::Unavailable { status };
        assert_eq!(parse(status, None, body), Err(expected.clone()));
        assert_eq!(parse_report(status, body), Err(expected));
    }
    for status in [0, 100, 201, 204, 301, 302, 399, 600, 999] {
        let expected = ResponseError::UnexpectedStatus { status };
        assert_eq!(parse(status, None, body), Err(expected));
    }
    for body in [
        "",
        "Not Found",
        "<html>404</html>",
        "<error>no code</error>",
        "<error code=\"\"/>",
        "<error code=\"a b\"/>",
        "<error code=\"<script>\"/>",
    ] {
        assert!(parse(404, None, body.as_bytes()).is_err(), "{body}");
        assert!(parse(403, Some("limits_exceeded"), body.as_bytes()).is_err());
    }
}

#[test]
fn a_report_is_accepted_or_refused() {
    assert_eq!(parse_report(202, b""), Ok(ReportAnswer::Accepted));
    let body = b"<error code=\"service_token_invalid\">x</error>";
    let refused = ReportAnswer::Refused {
        status: 403,
        code: "service_token_invalid".to_owned(),
    };
    assert_eq!(parse_report(403, body), Ok(refused));
    assert!(parse_report(404, b"").is_err());
    assert!(parse_report(204, b"").is_err());
    assert!(parse_report(200, b"<html>welcome</html>").is_err());
}

#[test]
fn no_message_quotes_a_key() {
    let canary = "canary-5f1e";
    for body in [
        allowed(&format!("<app_keys><key id=\"{canary}\"></kex></app_keys>")),
        allowed(&format!("<app_keys><{canary}/></app_keys>")),
        allowed(&format!("<app_keys>{canary}</app_keys>")),
        allowed(&format!(
            "<app_keys><key id=\"{canary}{}\"/></app_keys>",
            "x".repeat(255)
        )),
        allowed(&format!("<app_keys><key id=\"{canary}&bad;\"/></app_keys>")),
        denied(&format!("application key \"<{canary}>\" is invalid"), ""),
    ] {
        let error = error(&body);
        assert!(!format!("{error} {error:?}").contains(canary), "{error}");
    }
}

#[test]
fn work_is_bounded_by_the_length_of_the_answer() {
    let attributes: String = (0..60_000).map(|n| format!(" a{n}=\"\"")).collect();
    let _ = status(200, None, &allowed(&format!("<new{attributes}/>")));
    let deep = 100_000;
    let nested = format!("{}{}", "<n>".repeat(deep), "</n>".repeat(deep));
    let _ = status(200, None, &allowed(&nested));
    let key = "<key id=\"k\"/>";
    let _ = status(
        200,
        None,
        &allowed(&format!("<app_keys>{}</app_keys>", key.repeat(4_096))),
    );
    let _ = error(&allowed(&format!(
        "<app_keys>{}</app_keys>",
        key.repeat(4_097)
    )));
    let bytes = MAX_BODY_BYTES + 1;
    let expected = ResponseError::TooLarge { bytes };
    assert_eq!(parse(200, None, &vec![b' '; bytes]), Err(expected));
}
