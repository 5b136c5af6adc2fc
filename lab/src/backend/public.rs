//! The public API: which path is which call, and from a request's bytes to its answer.
//!
//! Owns the routes of the public API and the steps between bytes and the ledger. Must not know
//! sockets, delays or the queue: a call's usage to count is handed back.

use super::answer::{self, Answer, CONTENT_TYPE};
use super::ledger::Ledger;
use super::ledger::calendar::UnixMillis;
use super::ledger::call::{Options, Purpose};
use super::ledger::error::CallError;
use super::ledger::reporting::Job;
use super::params::encoding::decode_path;
use super::params::{Params, ShapeError, multipart};
use super::reading::{self, Flavour};
use super::statistics::Endpoint;

/// What a path and method of the public API mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// An authorization call.
    Authorize(Flavour),
    /// A report.
    Report,
    /// `HEAD /available`.
    Available,
    /// `GET /status`.
    Status,
    /// `GET /check.txt`.
    Check,
    /// `OPTIONS` on any path.
    Preflight,
    /// Anything else.
    Unknown,
}

impl Route {
    /// Finds the route of a request.
    pub fn find(method: &str, path: &str) -> Self {
        match Self::exact(method, path) {
            // Only paths that are not clean already pay for being cleaned.
            Self::Unknown => Self::exact(method, &cleaned(path)),
            route => route,
        }
    }

    /// Whether usage may be accepted with it.
    pub(super) fn may_count(self) -> bool {
        match self {
            Self::Authorize(flavour) => flavour.purpose == Purpose::AskAndCount,
            Self::Report => true,
            _ => false,
        }
    }

    fn exact(method: &str, path: &str) -> Self {
        let call = |purpose, oauth| Self::Authorize(Flavour { purpose, oauth });
        match (method, path) {
            ("GET" | "HEAD", "/transactions/authorize.xml") => call(Purpose::Ask, false),
            ("GET" | "HEAD", "/transactions/authrep.xml") => call(Purpose::AskAndCount, false),
            ("GET" | "HEAD", "/transactions/oauth_authorize.xml") => call(Purpose::Ask, true),
            ("GET" | "HEAD", "/transactions/oauth_authrep.xml") => call(Purpose::AskAndCount, true),
            ("POST", "/transactions.xml") => Self::Report,
            ("HEAD", "/available") => Self::Available,
            ("GET" | "HEAD", "/status") => Self::Status,
            ("GET" | "HEAD", "/check.txt") => Self::Check,
            ("OPTIONS", _) => Self::Preflight,
            _ => Self::Unknown,
        }
    }

    /// The endpoint, as statistics and behaviours call it.
    pub(super) fn endpoint(self) -> Endpoint {
        match self {
            Self::Authorize(Flavour { purpose, oauth }) => match (purpose, oauth) {
                (Purpose::Ask, false) => Endpoint::Authorize,
                (Purpose::AskAndCount, false) => Endpoint::Authrep,
                (Purpose::Ask, true) => Endpoint::OauthAuthorize,
                (Purpose::AskAndCount, true) => Endpoint::OauthAuthrep,
            },
            Self::Report => Endpoint::Report,
            Self::Available | Self::Status | Self::Check | Self::Preflight | Self::Unknown => {
                Endpoint::Other
            }
        }
    }
}

/// A path as the reference's web framework takes it: `%2F` separates, empty and `.` segments are
/// dropped, `..` goes up, other escapes are decoded.
fn cleaned(path: &str) -> String {
    let decoded = decode_path(path).replace('\\', "/");
    let mut segments = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let slash = if decoded.ends_with('/') && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", segments.join("/"))
}

/// A request of the public API.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublicRequest<'a> {
    /// Query string, as sent.
    pub query: &'a [u8],
    /// Header `3scale-options`.
    pub options: Option<&'a [u8]>,
    /// Header `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// Body.
    pub body: &'a [u8],
}

/// Answers a call, and says what has to be counted because of it.
pub fn respond(
    ledger: &Ledger,
    route: Route,
    request: &PublicRequest<'_>,
    now: UnixMillis,
) -> (Answer, Option<Job>) {
    match route {
        Route::Authorize(flavour) => authorize(ledger, flavour, request, now),
        Route::Report => report(ledger, request),
        Route::Available => (Answer::empty(200), None),
        Route::Status => {
            let version = env!("CARGO_PKG_VERSION");
            let body = format!(r#"{{"status":"ok","version":{{"backend":"{version}"}}}}"#);
            (plain("application/json", body), None)
        }
        Route::Check => (plain("text/plain", "ok".to_owned()), None),
        Route::Preflight => (Answer::empty(204), None),
        Route::Unknown => (Answer::empty(404), None),
    }
}

fn plain(content_type: &'static str, body: String) -> Answer {
    Answer {
        content_type,
        body,
        ..Answer::empty(200)
    }
}

fn authorize(
    ledger: &Ledger,
    flavour: Flavour,
    request: &PublicRequest<'_>,
    now: UnixMillis,
) -> (Answer, Option<Job>) {
    let params = match Params::parse(request.query) {
        Ok(params) => params,
        Err(error) => return (answer::of_shape(&error), None),
    };
    let options = reading::options(request.options, &params);
    let decided = reading::authorize_call(params, options, flavour)
        .and_then(|call| ledger.authorize(&call, now));
    match decided {
        Ok((status, job)) => (answer::of_status(&status, options), job),
        Err(error) => (answer::of_error(&error, options), None),
    }
}

fn report(ledger: &Ledger, request: &PublicRequest<'_>) -> (Answer, Option<Job>) {
    let params = match report_params(request) {
        Ok(params) => params,
        Err(error) => return (answer::of_shape(&error), None),
    };
    let options = reading::options(request.options, &params);
    match accept(ledger, params, options, request) {
        Ok(job) => (Answer::empty(202), Some(job)),
        Err(error) => (answer::of_error(&error, options), None),
    }
}

fn accept(
    ledger: &Ledger,
    params: Params,
    options: Options,
    request: &PublicRequest<'_>,
) -> Result<Job, CallError> {
    if form(request) == Form::Other {
        let sent = String::from_utf8_lossy(request.content_type.unwrap_or_default());
        let media_type = sent.split(';').next().unwrap_or_default().trim();
        return Err(CallError::ContentType(media_type.to_owned()));
    }
    ledger.accept(reading::report_call(params, options))
}

/// What a body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    UrlEncoded,
    Multipart,
    Other,
}

fn form(request: &PublicRequest<'_>) -> Form {
    let content_type = request.content_type.unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next();
    let media_type = media_type
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    match media_type.as_slice() {
        b"" | b"application/x-www-form-urlencoded" => Form::UrlEncoded,
        b"multipart/form-data" => Form::Multipart,
        _ => Form::Other,
    }
}

/// Parameters of the query, with those of the body on top.
fn report_params(request: &PublicRequest<'_>) -> Result<Params, ShapeError> {
    let query = Params::parse(request.query)?;
    let body = match form(request) {
        Form::UrlEncoded => Params::parse(request.body)?,
        Form::Multipart => {
            let content_type = String::from_utf8_lossy(request.content_type.unwrap_or_default());
            match multipart::boundary(&content_type) {
                Some(boundary) => multipart::parse(boundary, request.body)?,
                None => Params::parse(request.body)?,
            }
        }
        Form::Other => Params::default(),
    };
    Ok(query.overlaid_with(body))
}

/// Headers of every answer of the public API.
pub(super) const COMMON_HEADERS: [(&str, &str); 2] = [
    ("access-control-allow-origin", "*"),
    (
        "access-control-expose-headers",
        "ETag, Link, 3scale-rejection-reason",
    ),
];

/// Further headers of the answer to `OPTIONS`.
pub(super) const PREFLIGHT_HEADERS: [(&str, &str); 3] = [
    ("access-control-max-age", "86400"),
    (
        "access-control-allow-methods",
        "GET, POST, PATCH, PUT, DELETE",
    ),
    (
        "access-control-allow-headers",
        "Authorization, Accept-Encoding, Content-Type, Cache-Control, Accept, If-Match, \
         If-Modified-Since, If-None-Match, If-Unmodified-Since, X-Requested-With, \
         X-HTTP-Method-Override, 3scale-options",
    ),
];

/// The answer to a body that is larger than any set of parameters may be.
pub(super) fn too_large() -> Answer {
    answer::of_shape(&ShapeError::Bounds)
}

/// The answer to a call that the backend's behaviour lets fail.
pub(super) fn failed(status: u16) -> Answer {
    Answer {
        content_type: CONTENT_TYPE,
        ..Answer::empty(status)
    }
}

/// The answer while what the backend knows cannot be relied on.
pub(super) fn unavailable(reason: &str) -> Answer {
    Answer {
        status: 503,
        ..plain("text/plain", reason.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_exact_but_cleaned_as_the_reference_does() {
        #[track_caller]
        fn check(method: &str, path: &str, endpoint: Endpoint) {
            assert_eq!(
                Route::find(method, path).endpoint(),
                endpoint,
                "{method} {path}"
            );
        }
        check("GET", "/transactions/authorize.xml", Endpoint::Authorize);
        check("HEAD", "/transactions/authrep.xml", Endpoint::Authrep);
        check("POST", "/transactions.xml", Endpoint::Report);
        check("GET", "//transactions/authorize.xml", Endpoint::Authorize);
        check(
            "GET",
            "/x/../transactions/authorize.xml",
            Endpoint::Authorize,
        );
        check("GET", "/transactions%2Fauthorize.xml", Endpoint::Authorize);
        check("GET", "/transactions/authorize.xml/", Endpoint::Other);
        check("GET", "/Transactions/authorize.xml", Endpoint::Other);
        check("POST", "/transactions/authorize.xml", Endpoint::Other);
        check("GET", "/transactions.xml", Endpoint::Other);
        check("GET", "/../../..", Endpoint::Other);
        assert_eq!(Route::find("GET", "/available"), Route::Unknown);
        assert_eq!(Route::find("HEAD", "/available"), Route::Available);
        assert_eq!(Route::find("OPTIONS", "/anything"), Route::Preflight);
    }

    #[test]
    fn reports_check_shape_then_content_type_then_credentials() {
        let ledger = Ledger::default();
        let ask = |content_type: &str, body: &str| {
            let request = PublicRequest {
                content_type: Some(content_type.as_bytes()),
                body: body.as_bytes(),
                ..PublicRequest::default()
            };
            let (answer, job) =
                respond(&ledger, Route::Report, &request, UnixMillis::from_millis(0));
            assert!(job.is_none());
            (answer.status, answer.body)
        };
        let (status, body) = ask("application/json; charset=utf-8", "{");
        assert_eq!(status, 400);
        assert!(
            body.contains("invalid Content-Type: application/json<"),
            "{body}"
        );
        let (_, body) = ask("Application/X-WWW-Form-URLEncoded; charset=utf-8", "a=%");
        assert!(body.contains("invalid %-encoding"), "{body}");
        let (status, body) = ask("", "transactions=%ff");
        assert_eq!(status, 403);
        assert!(
            body.contains("provider_key_or_service_token_required"),
            "{body}"
        );
    }
}
