//! How requests travel, as the server sees it: connections, protocols, TLS and bodies.

use std::sync::Arc;

use bytes::Bytes;
use http::Version;
use lab::precise_timer::PreciseTimer;
use lab::scenario::filler;
use loadgen::drive::{Drive, Plan};
use loadgen::latency::{ErrorClass, Interval};
use loadgen::mix::{Mix, Popularity};
use loadgen::profile::{Profile, Protocol};
use loadgen::reach::{ReachError, reach};
use loadgen::requests::{Expect, PlainRequest, Requests, parse_target};
use loadgen::tls::Trust;

use crate::server::{Server, Speaks};

#[path = "transport/server.rs"]
mod server;

/// Two users and 60 requests in all, with this table `[connection]`.
async fn load(server: &Server, connection: &str, body: Bytes, trust: Trust) -> Interval {
    let profile = format!(
        "name = 'test'\ndescription = 'a test'\nmode = 'closed'\nusers = 2\nrequests = 60\n\
         [connection]\n{connection}"
    );
    let profile = Profile::parse("test", &profile).expect("profiles of these tests are valid");
    let plain = PlainRequest {
        method: "POST".to_owned(),
        path_and_query: "/".to_owned(),
        headers: Vec::new(),
        body,
        expect: Expect::Status(200),
    };
    let requests = Requests::single(&server.url(), plain).expect("a plain request");
    let plan = Plan {
        mix: Mix::new(1, 1, Popularity::Uniform, &[1.0], 0.0).expect("one of each"),
        requests: Arc::new(requests.trusting(trust)),
        profile,
        timer: PreciseTimer::start(),
    };
    let mut drive = Drive::start(plan).await.expect("the load starts");
    drive.ended().await;
    let mut sum = Interval::default();
    for (_, interval) in drive.finish().await.expect("the load ends well") {
        sum.absorb(&interval);
    }
    sum
}

fn only(server: &Server) -> Trust {
    Trust::Only(server.certificate.clone().expect("it has TLS"))
}

#[track_caller]
fn all_succeeded(total: &Interval) {
    assert_eq!((total.sent, total.ok), (60, 60), "{:?}", total.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_is_kept_alive_unless_the_profile_says_otherwise() {
    let server = Server::start(Speaks::Http1);
    all_succeeded(&load(&server, "", Bytes::new(), Trust::System).await);
    let seen = server.seen.lock();
    // As many as requests were ever in flight at once.
    assert!(seen.connections.len() <= 2, "{:?}", seen.connections);
    assert!(seen.versions.iter().all(|it| *it == Version::HTTP_11));
    assert_eq!(seen.closing, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_keep_alive_every_request_has_a_connection_of_its_own() {
    let server = Server::start(Speaks::Http1);
    all_succeeded(&load(&server, "keep_alive = false", Bytes::new(), Trust::System).await);
    let seen = server.seen.lock();
    assert_eq!(seen.connections, vec![1; 60]);
    assert_eq!(seen.closing, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_connection_carries_more_requests_than_it_may() {
    let server = Server::start(Speaks::Http1);
    let connection = "requests_per_connection = 7";
    all_succeeded(&load(&server, connection, Bytes::new(), Trust::System).await);
    let seen = server.seen.lock();
    assert_eq!(seen.connections.iter().sum::<u32>(), 60);
    assert!(
        seen.connections.iter().all(|requests| *requests <= 7),
        "{:?}",
        seen.connections
    );
    // At most two connections are left with less than seven, so 7 or 8 requests were the last of seven.
    assert!((7..=8).contains(&seen.closing), "{}", seen.closing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn h2_carries_all_requests_over_the_connections_it_is_given() {
    for (connection, connections) in [
        ("", 1),
        ("h2_connections = 2", 2),
        ("keep_alive = false", 60),
    ] {
        let server = Server::start(Speaks::H2);
        let connection = format!("protocol = 'h2'\n{connection}");
        let body = filler(100_000);
        all_succeeded(&load(&server, &connection, body.clone(), Trust::System).await);
        let seen = server.seen.lock();
        assert_eq!(seen.connections.len(), connections, "{connection}");
        assert!(seen.versions.iter().all(|it| *it == Version::HTTP_2));
        assert!(seen.bodies.iter().all(|it| *it == body), "{connection}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn connections_that_the_server_closes_unannounced_cost_no_request() {
    for (speaks, connection) in [(Speaks::Http1, ""), (Speaks::H2, "protocol = 'h2'")] {
        let server = Server::start_closing(speaks, 5);
        // Time for the end of the connection to arrive before the next request.
        let connection = format!("{connection}\n[think_time]\nconstant = '20ms'");
        all_succeeded(&load(&server, &connection, Bytes::new(), Trust::System).await);
        let seen = server.seen.lock();
        assert_eq!(seen.connections.iter().sum::<u32>(), 60);
        // What is under way when a connection of h2 ends is still answered over it.
        assert!(seen.connections.len() >= 8, "{:?}", seen.connections);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bodies_arrive_whole_over_tls_in_either_protocol() {
    for (speaks, connection, version) in [
        (Speaks::Http1, "", Version::HTTP_11),
        (
            Speaks::Http1,
            "requests_per_connection = 7",
            Version::HTTP_11,
        ),
        (Speaks::H2, "protocol = 'h2'", Version::HTTP_2),
    ] {
        let server = Server::start_tls(speaks);
        let body = filler(70_001);
        all_succeeded(&load(&server, connection, body.clone(), only(&server)).await);
        let seen = server.seen.lock();
        assert!(seen.versions.iter().all(|it| *it == version));
        assert!(seen.methods.iter().all(|it| it == "POST"));
        assert!(seen.bodies.iter().all(|it| *it == body), "{connection}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certificate_that_nobody_vouches_for_ends_every_request() {
    let server = Server::start_tls(Speaks::Http1);
    let other = Server::start_tls(Speaks::Http1);
    for trust in [Trust::System, only(&other)] {
        let total = load(&server, "", Bytes::new(), trust).await;
        assert_eq!(total.errors.get(&ErrorClass::Connect), Some(&60));
    }
    all_succeeded(&load(&server, "", Bytes::new(), Trust::Anybody).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_first_contact_says_what_is_wrong_and_sends_nothing() {
    async fn contact(server: &Server, protocol: Protocol, trust: Trust) -> Result<(), ReachError> {
        let target = parse_target(&server.url()).expect("a URL");
        let reached = reach(&target, protocol, &trust).await;
        assert_eq!(server.seen.lock().connections, Vec::<u32>::new());
        reached
    }
    #[track_caller]
    fn refused(reached: Result<(), ReachError>, server: &Server, parts: &[&str]) {
        let message = reached.expect_err("it must be refused").to_string();
        for part in parts.iter().copied().chain([&*server.url()]) {
            assert!(message.contains(part), "`{part}` is missing in: {message}");
        }
    }
    let (http1, h2) = (Server::start(Speaks::Http1), Server::start(Speaks::H2));
    for (server, protocol) in [(&http1, Protocol::Http1), (&h2, Protocol::H2)] {
        let reached = contact(server, protocol, Trust::System).await;
        reached.expect("it is as expected");
    }
    let reached = contact(&http1, Protocol::H2, Trust::System).await;
    refused(reached, &http1, &["does not speak h2", "--http2"]);

    let (http1, h2) = (
        Server::start_tls(Speaks::Http1),
        Server::start_tls(Speaks::H2),
    );
    for (server, protocol) in [(&http1, Protocol::Http1), (&h2, Protocol::H2)] {
        for trust in [only(server), Trust::Anybody] {
            let reached = contact(server, protocol, trust).await;
            reached.expect("it is as expected");
        }
    }
    let reached = contact(&http1, Protocol::Http1, Trust::System).await;
    refused(reached, &http1, &["certificate", "--cacert", "--insecure"]);
    let reached = contact(&http1, Protocol::Http1, only(&h2)).await;
    refused(reached, &http1, &["certificate"]);
    let reached = contact(&http1, Protocol::H2, only(&http1)).await;
    refused(reached, &http1, &["does not speak h2", "handshake"]);
    let reached = contact(&h2, Protocol::Http1, only(&h2)).await;
    refused(reached, &h2, &["does not speak http/1.1", "try --http2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_without_tls_is_told_from_one_with_a_bad_certificate() {
    let plain = Server::start(Speaks::Http1);
    let url = plain.url().replace("http://", "https://");
    let target = parse_target(&url).expect("a URL");
    let reached = reach(&target, Protocol::Http1, &Trust::Anybody).await;
    let message = reached.expect_err("there is no TLS").to_string();
    assert!(
        message.contains("does not speak TLS") && message.contains(&url),
        "{message}"
    );
}
