//! Answers of the backend that cannot be used: never taken for a yes, never the end of a worker.

use lab::topology::Role;

use crate::harness::population::Population;
use crate::harness::request::Request;
use crate::harness::stand_in::{Answer, StandIn};
use crate::harness::{AMPLE, Gateway, KEYS, Setup, wait_until};

const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_cannot_be_read_are_an_outage_and_leave_the_worker_alive() {
    let cases: Vec<(&str, Answer)> = vec![
        ("an empty body", Answer::http("200 OK", &[], b"")),
        ("bytes", Answer::http("200 OK", &[], b"\xff\xfe\x00\x01")),
        ("text", Answer::http("200 OK", &[], b"hello")),
        (
            "an HTML page",
            Answer::http("200 OK", &[], b"<html><body>hi</body></html>"),
        ),
        (
            "cut XML",
            xml("200 OK", "<status><authorized>true</authorized><plan>"),
        ),
        (
            "a metric that is not UTF-8",
            report_with_metric(b"h\xff\xfets"),
        ),
        (
            "no verdict",
            xml("200 OK", "<status><plan>a</plan></status>"),
        ),
        (
            "an odd verdict",
            xml("200 OK", "<status><authorized>maybe</authorized></status>"),
        ),
        ("a negative limit", report("eternity", "-1", "0")),
        (
            "a limit beyond counting",
            report("eternity", "99999999999999999999999", "0"),
        ),
        ("a limit that is a word", report("eternity", "many", "0")),
        ("an unknown period", report("fortnight", "10", "0")),
        ("a window without bounds", report("day", "10", "0")),
        ("deep nesting", xml("200 OK", &"<a>".repeat(100_000))),
        ("entities", entities()),
        (
            "a huge body",
            Answer::http("200 OK", &[], &vec![b' '; 3 << 20]),
        ),
        ("a huge but valid beginning", huge_status()),
        ("a body shorter than announced", short_body()),
        (
            "a page that is not there",
            Answer::http("404 Not Found", &[], b"<h1>404</h1>"),
        ),
        (
            "no content",
            Answer::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ),
        (
            "a redirect",
            Answer::http("302 Found", &[("location", b"http://elsewhere/")], b""),
        ),
        (
            "too many requests",
            Answer::http("429 Too Many Requests", &[], b""),
        ),
        (
            "an error",
            Answer::http("500 Internal Server Error", &[], b""),
        ),
        ("not HTTP", Answer::Bytes(b"hello\r\n\r\n".to_vec())),
        ("an impossible status", Answer::http("99999 What", &[], b"")),
        ("nothing", Answer::Close),
    ];
    let (mut gateway, stand_in) = start().await;
    for (n, (what, answer)) in (0..).zip(&cases) {
        stand_in.answer_with(answer.clone());
        // A key of its own, so that nothing that is remembered decides.
        let reply = gateway
            .send(&Request::user("/hello", &format!("case-{n}")))
            .await;
        assert_eq!(reply.status, 503, "{what}: {}", reply.text());
        assert_eq!(stand_in.seen().len(), n + 1, "{what} was asked for once");
        gateway.admit(1, &Request::user("/hello", "ada")).await;
        assert_eq!(
            gateway.upstream_requests().await as usize,
            1 + n + 1,
            "{what}"
        );
    }
    gateway.expect_figures(&[("vm_starts", 1)]).await;
    // None of it is remembered as a verdict.
    drop(stand_in);
    gateway.restart_backend().await;
    gateway.load(&Population::new().user("case-0", AMPLE)).await;
    gateway.admit(2, &Request::user("/hello", "case-0")).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denials_in_unusual_form_are_still_denials() {
    let denied = "<status><authorized>false</authorized><plan>a</plan></status>";
    let with_reports = "<status><authorized>false</authorized><plan>a</plan><usage_reports>\
        <usage_report metric=\"hits\" period=\"eternity\"><max_value>1000</max_value>\
        <current_value>0</current_value></usage_report></usage_reports></status>";
    let bytes: &[u8] = b"\xff\xfe";
    let body = |body: &str| format!("{XML}{body}").into_bytes();
    let cases: Vec<(&str, Answer)> = vec![
        ("no reason at all", xml("409 Conflict", denied)),
        ("no document", Answer::http("409 Conflict", &[], b"no")),
        ("bytes", Answer::http("409 Conflict", &[], b"\xff\xfe")),
        (
            "a reason that is not text",
            Answer::http(
                "409 Conflict",
                &[("3scale-rejection-reason", bytes)],
                &body(denied),
            ),
        ),
        (
            "a reason that nobody knows",
            Answer::http(
                "409 Conflict",
                &[("3scale-rejection-reason", b"weather")],
                &body(denied),
            ),
        ),
        (
            "full state and no reason",
            xml("409 Conflict", with_reports),
        ),
        (
            "an unknown code",
            xml("403 Forbidden", "<error code=\"weather\">rain</error>"),
        ),
    ];
    let (gateway, stand_in) = start().await;
    for (n, (what, answer)) in (0..).zip(&cases) {
        stand_in.answer_with(answer.clone());
        let request = Request::user("/hello", &format!("case-{n}"));
        // Twice: the first answer must not have become a record that lets the second through.
        for _ in 0..2 {
            let reply = gateway.send(&request).await;
            assert!(
                (400..500).contains(&reply.status),
                "{what}: {}",
                reply.text()
            );
        }
    }
    // Said with the status of a yes: whatever it is taken for, it is none.
    stand_in.answer_with(xml("200 OK", with_reports));
    for _ in 0..2 {
        let reply = gateway
            .send(&Request::user("/hello", "contradiction"))
            .await;
        assert!(reply.status >= 400, "{}", reply.text());
    }
    assert_eq!(gateway.upstream_requests().await, 1);
    gateway.stop().await;
}

/// The sync side is started once and never again, so nothing that it reads may end it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_reports_and_refreshes_that_cannot_be_read_leave_the_sync_side_alive() {
    let answers = [
        Answer::http("200 OK", &[], b"\xff\xfe\x00"),
        Answer::http(
            "409 Conflict",
            &[("3scale-rejection-reason", b"\xff")],
            b"\xff",
        ),
        Answer::http("500 Error", &[], &vec![b'<'; 3 << 20]),
        xml("200 OK", &"<a>".repeat(100_000)),
        Answer::Bytes(b"hello\r\n\r\n".to_vec()),
        Answer::Close,
    ];
    let users: Vec<String> = (0..2 * answers.len())
        .map(|n| format!("user-{n}"))
        .collect();
    let population = users
        .iter()
        .fold(Population::new(), |all, user| all.user(user, AMPLE));
    let mut gateway = Setup::new(population).start().await;
    for user in &users {
        gateway.admit(1, &Request::user("/hello", user)).await;
    }
    let address = gateway.peer(Role::Backend);
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    let stand_in = StandIn::on(address, Answer::Close).await;

    let (to_reports, to_refreshes) = users.split_at(answers.len());
    for (user, answer) in to_reports.iter().zip(&answers) {
        stand_in.answer_with(answer.clone());
        one_more(&gateway, "report_failures", user).await;
    }
    stand_in.answer_posts_with(Answer::http("202 Accepted", &[], b""));
    for (user, answer) in to_refreshes.iter().zip(&answers) {
        stand_in.answer_with(answer.clone());
        let figure = match answer {
            // This one is a denial, whatever its body.
            Answer::Bytes(bytes) if bytes.starts_with(b"HTTP/1.1 409") => {
                "callouts_authorize_denied"
            }
            _ => "callouts_authorize_failed",
        };
        one_more(&gateway, figure, user).await;
    }
    gateway
        .expect_figures(&[("usage_pending", 0), ("usage_lost", 0)])
        .await;

    // It reports and refreshes as if nothing had been.
    drop(stand_in);
    gateway.restart_backend().await;
    gateway.admit(3, &Request::user("/hello", &users[0])).await;
    gateway.drain().await;
    assert_eq!(gateway.ledger(KEYS).await["hits"], 3);
    gateway.stop().await;
}

/// Sends a request that is a hit and waits until what follows from it has raised a figure.
async fn one_more(gateway: &Gateway, figure: &str, user: &str) {
    let before = gateway.figure(figure).await;
    gateway.admit(1, &Request::user("/hello", user)).await;
    wait_until(format!("a higher {figure}"), async || {
        let now = gateway.figure(figure).await;
        if now > before {
            Ok(())
        } else {
            Err(gateway.figures().await)
        }
    })
    .await;
}

/// One cached application, and a stand-in where the backend was.
async fn start() -> (Gateway, StandIn) {
    let setup = Setup::new(Population::new().user("ada", AMPLE)).never_flushing();
    let gateway = setup.start().await;
    gateway.admit(1, &Request::user("/hello", "ada")).await;
    let address = gateway.peer(Role::Backend);
    gateway.lab.kill(Role::Backend).await.expect("it runs");
    let stand_in = StandIn::on(address, Answer::Close).await;
    (gateway, stand_in)
}

fn xml(status: &str, body: &str) -> Answer {
    Answer::http(status, &[], format!("{XML}{body}").as_bytes())
}

fn report(period: &str, max: &str, current: &str) -> Answer {
    let body = format!(
        "<status><authorized>true</authorized><plan>a</plan><usage_reports>\
         <usage_report metric=\"hits\" period=\"{period}\"><max_value>{max}</max_value>\
         <current_value>{current}</current_value></usage_report></usage_reports></status>"
    );
    xml("200 OK", &body)
}

fn report_with_metric(metric: &[u8]) -> Answer {
    let parts: [&[u8]; 4] = [
        XML.as_bytes(),
        b"<status><authorized>true</authorized><plan>a</plan><usage_reports><usage_report metric=\"",
        metric,
        b"\" period=\"eternity\"><max_value>9</max_value><current_value>0</current_value>\
          </usage_report></usage_reports></status>",
    ];
    Answer::http("200 OK", &[], &parts.concat())
}

/// A document that grows a billionfold in a reader that expands entities.
fn entities() -> Answer {
    let body = "<!DOCTYPE s [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>\
                <status><authorized>&b;</authorized><plan>&b;</plan></status>";
    xml("200 OK", body)
}

/// Says yes at once and then does not end.
fn huge_status() -> Answer {
    let one = "<usage_report metric=\"hits\" period=\"eternity\"><max_value>9</max_value>\
               <current_value>0</current_value></usage_report>";
    let body = format!(
        "<status><authorized>true</authorized><plan>a</plan><usage_reports>{}</usage_reports></status>",
        one.repeat((2 << 20) / one.len())
    );
    xml("200 OK", &body)
}

fn short_body() -> Answer {
    let body = format!("{XML}<status><authorized>true</authorized><plan>a</plan></status>");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        body.len() + 100
    );
    Answer::Bytes([head.as_bytes(), body.as_bytes()].concat())
}
