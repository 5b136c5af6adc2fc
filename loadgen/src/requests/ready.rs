//! A request as a connection takes it.
//!
//! Owns [`Ready`] and the headers that every request has. Must not know when it is sent.

use bytes::Bytes;
use http::header::{ACCEPT, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;

use super::target::Target;
use super::{Expect, PlainRequest, RequestError, path_error};

/// What the generator calls itself, unless a request has a name of its own.
const GENERATOR: &str = concat!("tollgate-loadgen/", env!("CARGO_PKG_VERSION"));

/// A request that is ready to be sent. Copies share everything but the list of headers.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The request.
    pub request: Request<Full<Bytes>>,
    /// The answer that counts as success.
    pub expect: Expect,
    /// Which of the targets it goes to.
    pub target: usize,
    /// Whether it says itself which host it is for.
    names_host: bool,
}

impl Ready {
    /// In the form that HTTP/1.1 has it in; `index` is that of the target.
    pub(super) fn build(
        plain: PlainRequest,
        target: &Target,
        index: usize,
    ) -> Result<Self, RequestError> {
        let path = match plain.path_and_query.starts_with('/') {
            true => target.path(&plain.path_and_query),
            false => None,
        };
        let path = path.ok_or_else(|| path_error(&plain.path_and_query))?;
        let method = Method::from_bytes(plain.method.as_bytes());
        let mut headers = headers(&plain.headers)?;
        let names_host = headers.contains_key(HOST);
        for (name, value) in [
            (ACCEPT, HeaderValue::from_static("*/*")),
            (USER_AGENT, HeaderValue::from_static(GENERATOR)),
            (HOST, target.host()),
        ] {
            headers.entry(name).or_insert(value);
        }
        let mut request = Request::new(Full::new(plain.body));
        *request.method_mut() = method.map_err(|_| RequestError::Method {
            method: plain.method,
        })?;
        *request.uri_mut() = Uri::from(path);
        *request.headers_mut() = headers;
        Ok(Self {
            request,
            expect: plain.expect,
            target: index,
            names_host,
        })
    }

    /// The host is part of what h2 asks for, and no header.
    pub(super) fn turn_into_h2(&mut self, target: &Target) -> Result<(), RequestError> {
        let path = self.request.uri();
        let absolute = target.absolute(path);
        *self.request.uri_mut() = absolute.ok_or_else(|| path_error(path.path()))?;
        if !self.names_host {
            self.request.headers_mut().remove(HOST);
        }
        Ok(())
    }
}

fn headers(plain: &[(String, String)]) -> Result<HeaderMap, RequestError> {
    // With room for those of the generator.
    let mut headers = HeaderMap::with_capacity(plain.len() + 3);
    for (name, value) in plain {
        let refused = || RequestError::Header { name: name.clone() };
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        headers.append(parsed, HeaderValue::from_str(value).map_err(|_| refused())?);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::{Caller, Choice};
    use crate::profile::Protocol;
    use crate::requests::Requests;

    #[test]
    fn headers_of_a_request_win_over_those_of_the_generator() {
        #[track_caller]
        fn check(header: (&str, &str), protocol: Protocol, expected: &[(&str, &str)]) {
            let requests = Requests::single("http://localhost:1", plain(header));
            let any = Choice {
                caller: Caller::Application(0),
                endpoint: 0,
            };
            let ready = requests.expect("a plain request").request(any, protocol);
            let request = ready.expect("a plain request").request;
            let mut headers: Vec<(&str, &str)> = request
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
                .collect();
            headers.sort_unstable();
            assert_eq!(headers, expected);
        }
        let (accept, agent) = (("accept", "*/*"), ("user-agent", GENERATOR));
        let host = ("host", "localhost:1");
        check(
            ("x", "y"),
            Protocol::Http1,
            &[accept, host, agent, ("x", "y")],
        );
        check(("x", "y"), Protocol::H2, &[accept, agent, ("x", "y")]);
        for protocol in [Protocol::Http1, Protocol::H2] {
            check(("host", "a"), protocol, &[accept, ("host", "a"), agent]);
        }
        let own = ("user-agent", "mine");
        check(own, Protocol::Http1, &[accept, host, own]);
        let own = ("accept", "text/plain");
        check(own, Protocol::Http1, &[own, host, agent]);
    }

    fn plain((name, value): (&str, &str)) -> PlainRequest {
        PlainRequest {
            method: "GET".to_owned(),
            path_and_query: "/".to_owned(),
            headers: vec![(name.to_owned(), value.to_owned())],
            body: Bytes::new(),
            expect: Expect::Success,
        }
    }
}
