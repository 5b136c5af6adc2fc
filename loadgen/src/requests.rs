//! Requests ready to be sent, and what their answers have to be.
//!
//! Owns [`Requests`], which prepares each request of a bounded population once. Must not know when
//! a request is sent, or what a credential in it means.

mod ready;
mod target;

use bytes::Bytes;
use reqwest::Url;
use thiserror::Error;

use crate::mix::{Caller, Choice};
use crate::profile::Protocol;
use crate::requests::target::Target;
use crate::tls::Trust;

pub use self::ready::Ready;
pub use self::target::parse_target;

/// Populations up to this many pairs of application and endpoint are prepared beforehand; larger
/// ones are built as they are sent, so that a million applications need no memory here.
const MOST_PREPARED: usize = 10_000;

/// A request in plain words.
#[derive(Clone, Debug)]
pub struct PlainRequest {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Path with query, starting with `/`.
    pub path_and_query: String,
    /// Names and values of headers.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none. Every request that carries it shares the bytes.
    pub body: Bytes,
    /// The answer that counts as success.
    pub expect: Expect,
}

impl PlainRequest {
    /// A GET that is to be answered with 200.
    pub fn get(path_and_query: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            path_and_query: path_and_query.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            expect: Expect::Status(200),
        }
    }
}

/// Which status counts as success.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// Exactly this one.
    Status(u16),
    /// Any from 200 to 399.
    Success,
}

impl Expect {
    /// Whether a status is as expected.
    pub fn holds(self, status: u16) -> bool {
        match self {
            Expect::Status(expected) => status == expected,
            Expect::Success => (200..400).contains(&status),
        }
    }
}

/// Why a request cannot be put together. No message shows a header's value or a query, which may
/// hold a credential.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A target that is not a URL.
    #[error("`{url}` is not the URL of a target: expected http:// or https:// and a host")]
    Target {
        /// The text.
        url: String,
    },
    /// Target and path do not give a URL.
    #[error("`{path}` is not the path of a request: expected it to start with `/`")]
    Path {
        /// The path without its query.
        path: String,
    },
    /// Not a method.
    #[error("`{method}` is not an HTTP method")]
    Method {
        /// The text.
        method: String,
    },
    /// Not a header.
    #[error("header `{name}` has a name or a value that HTTP does not allow")]
    Header {
        /// Its name.
        name: String,
    },
}

type Source = Box<dyn Fn(Choice) -> PlainRequest + Send + Sync>;

/// Every request that a load may send.
pub struct Requests {
    /// Where the requests of each endpoint go; the first one stands for those that are not there.
    targets: Vec<Target>,
    endpoints: usize,
    /// As HTTP/1.1 has them.
    prepared: Vec<Ready>,
    source: Source,
    trust: Trust,
}

impl Requests {
    /// The requests of a population; `source` says what each looks like.
    pub fn prepare(
        target: &str,
        applications: usize,
        endpoints: usize,
        source: impl Fn(Choice) -> PlainRequest + Send + Sync + 'static,
    ) -> Result<Self, RequestError> {
        let targets = vec![Target::parse(target)?];
        Self::build_all(targets, applications, endpoints, Box::new(source))
    }

    fn build_all(
        targets: Vec<Target>,
        applications: usize,
        endpoints: usize,
        source: Source,
    ) -> Result<Self, RequestError> {
        let mut requests = Self {
            targets,
            endpoints,
            prepared: Vec::new(),
            source,
            trust: Trust::default(),
        };
        let pairs = applications.saturating_mul(endpoints);
        // A population that is built as it is sent is at least tried with one application.
        let to_try = if pairs <= MOST_PREPARED {
            pairs
        } else {
            endpoints
        };
        let built: Result<Vec<_>, _> = (0..to_try)
            .map(|pair| {
                let caller = Caller::Application(pair / endpoints);
                requests.build(Choice {
                    caller,
                    endpoint: pair % endpoints,
                })
            })
            .collect();
        requests.prepared = built?;
        if to_try < pairs {
            requests.prepared.clear();
        }
        Ok(requests)
    }

    /// The one request of a load without a population.
    pub fn single(target: &str, plain: PlainRequest) -> Result<Self, RequestError> {
        Self::prepare(target, 1, 1, move |_| plain.clone())
    }

    /// One request to several targets, each of which is an endpoint of the mix.
    pub fn spread(targets: &[String], plain: PlainRequest) -> Result<Self, RequestError> {
        let parsed: Result<Vec<Target>, _> = targets.iter().map(|it| Target::parse(it)).collect();
        Self::build_all(parsed?, 1, targets.len(), Box::new(move |_| plain.clone()))
    }

    /// The same requests to targets whose certificates are accepted otherwise.
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Whose certificates are accepted, absent where no target is reached over TLS.
    pub fn trust(&self) -> Option<&Trust> {
        let is_secured = |target: &Url| target.scheme() == "https";
        self.targets().any(is_secured).then_some(&self.trust)
    }

    /// Where requests go, or the first of several places.
    pub fn target(&self) -> Option<&Url> {
        self.targets().next()
    }

    /// All places where requests go.
    pub fn targets(&self) -> impl Iterator<Item = &Url> {
        self.targets.iter().map(Target::url)
    }

    /// The request of a choice, in the form that the protocol has it in.
    pub fn request(&self, choice: Choice, protocol: Protocol) -> Result<Ready, RequestError> {
        let prepared = match choice.caller {
            Caller::Application(application) => self
                .prepared
                .get(application * self.endpoints + choice.endpoint),
            Caller::Unknown(_) => None,
        };
        let mut ready = match prepared {
            Some(prepared) => prepared.clone(),
            None => self.build(choice)?,
        };
        if let Protocol::H2 { .. } = protocol {
            ready.turn_into_h2(&self.targets[ready.target])?;
        }
        Ok(ready)
    }

    fn build(&self, choice: Choice) -> Result<Ready, RequestError> {
        let plain = (self.source)(choice);
        let index = match choice.endpoint {
            endpoint if endpoint < self.targets.len() => endpoint,
            _ => 0,
        };
        match self.targets.get(index) {
            Some(target) => Ready::build(plain, target, index),
            None => Err(path_error(&plain.path_and_query)),
        }
    }
}

fn path_error(path_and_query: &str) -> RequestError {
    let path = path_and_query.split('?').next().unwrap_or_default();
    RequestError::Path {
        path: path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    fn plain(path: &str, header: (&str, &str)) -> PlainRequest {
        PlainRequest {
            method: "GET".to_owned(),
            path_and_query: path.to_owned(),
            headers: vec![(header.0.to_owned(), header.1.to_owned())],
            body: Bytes::new(),
            expect: Expect::Success,
        }
    }

    #[test]
    fn every_pair_of_application_and_endpoint_gives_its_own_request() {
        #[track_caller]
        fn check(applications: usize, choice: Choice, expected: &str) {
            let requests = Requests::prepare("http://localhost:1", applications, 2, |choice| {
                let who = match choice.caller {
                    Caller::Application(index) => format!("a{index}"),
                    Caller::Unknown(n) => format!("u{n}"),
                };
                plain(&format!("/{}?user_key={who}", choice.endpoint), ("x", "y"))
            })
            .expect("plain requests");
            for (protocol, host) in [(Protocol::Http1, ""), (Protocol::H2, "http://localhost:1")] {
                let ready = requests.request(choice, protocol).expect("plain request");
                assert_eq!(ready.request.uri().to_string(), format!("{host}{expected}"));
                assert_eq!(ready.target, 0);
            }
        }
        let known = |index| Choice {
            caller: Caller::Application(index),
            endpoint: 1,
        };
        check(3, known(2), "/1?user_key=a2");
        check(1_000_000, known(999_999), "/1?user_key=a999999");
        let unknown = Choice {
            caller: Caller::Unknown(7),
            endpoint: 0,
        };
        check(3, unknown, "/0?user_key=u7");
    }

    #[test]
    fn copies_of_a_request_share_the_bytes_of_its_body() {
        let mut one = plain("/", ("x", "y"));
        one.method = "POST".to_owned();
        one.body = Bytes::from(vec![b'x'; 4096]);
        let place = one.body.as_ptr();
        let requests = Requests::single("http://localhost:1", one).expect("a plain request");
        let any = Choice {
            caller: Caller::Application(0),
            endpoint: 0,
        };
        for _ in 0..2 {
            let ready = requests.request(any, Protocol::Http1);
            let body = ready.expect("a plain request").request.into_body();
            let body = body.collect().now_or_never().expect("it is there");
            assert_eq!(body.expect("it is whole").to_bytes().as_ptr(), place);
        }
    }

    #[test]
    fn a_request_that_cannot_be_sent_is_refused_without_its_credential() {
        #[track_caller]
        fn check(target: &str, plain: PlainRequest, part: &str) {
            let Err(error) = Requests::single(target, plain) else {
                panic!("{part} was accepted")
            };
            let message = error.to_string();
            assert!(
                message.contains(part) && !message.contains("secret"),
                "{message}"
            );
        }
        check("localhost:80", plain("/", ("x", "y")), "localhost:80");
        check(
            "ftp://localhost?secret",
            plain("/", ("x", "y")),
            "ftp://localhost",
        );
        check(
            "secret:secret@localhost:80",
            plain("/", ("x", "y")),
            "localhost:80",
        );
        check("http://localhost", plain("a?key=secret", ("x", "y")), "`a`");
        check(
            "http://localhost",
            plain("/", ("user key", "secret")),
            "user key",
        );
        check(
            "http://localhost",
            plain("/", ("x-key", "secret\n")),
            "x-key",
        );
    }
}
