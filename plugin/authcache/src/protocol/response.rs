//! Answers of the 3scale Service Management API.
//!
//! Owns [`parse`] and [`parse_report`]: which answers are definite, and what they say. Must not know
//! what a caller does about an answer. Whatever is not definite is a [`ResponseError`] and leads to
//! the failure policy.

use thiserror::Error;

use super::status;
use super::xml::Document;
use crate::ids::AppKey;
use crate::time::{Period, TimestampError, Window};

/// A definite answer to an authorization call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Yes or no, with the whole state of the application.
    Status(StatusAnswer),
    /// No, and the rest of the answer cannot be read: nothing else is known about the application.
    /// A backend that does not escape what a client sent answers like this.
    Denied {
        /// Why, as far as the header tells.
        reason: DenialReason,
    },
    /// The call itself was wrong: unknown application, service, metric or token.
    Error {
        /// The HTTP status.
        status: u16,
        /// The code of the protocol, like `application_not_found`.
        code: String,
    },
}

/// The state of an application, and whether the request is allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusAnswer {
    /// Whether the request is allowed.
    pub authorized: bool,
    /// Why not; `None` when it is allowed.
    pub reason: Option<DenialReason>,
    /// The name of the application's plan, perhaps empty.
    pub plan: String,
    /// Every limit of every period. Metrics without limits do not show up.
    pub reports: Vec<UsageReport>,
    /// Metrics with limits and their direct children; `None` when the backend did not say.
    pub hierarchy: Option<Vec<(String, Vec<String>)>>,
    /// The application's keys, perhaps none; `None` when the backend did not say.
    pub app_keys: Option<Vec<AppKey>>,
}

/// One limit and how much of it is used up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UsageReport {
    /// The metric.
    pub metric: String,
    /// The period.
    pub period: Period,
    /// The window that the counter belongs to.
    pub window: Window,
    /// The limit.
    pub max: u64,
    /// The counter, which may well be larger.
    pub current: u64,
}

/// Why a request is denied, in the order in which the backend checks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DenialReason {
    /// The service does not use OpenID Connect.
    OauthNotEnabled,
    /// The `app_key` is wrong or missing.
    ApplicationKeyInvalid,
    /// The redirect URL is not the application's.
    RedirectUrlInvalid,
    /// The same, under its other name.
    RedirectUriInvalid,
    /// No referrer filter matches.
    ReferrerNotAllowed,
    /// The application is suspended or waits for approval.
    ApplicationNotActive,
    /// The service is.
    ServiceNotActive,
    /// A limit would be passed.
    LimitsExceeded,
    /// A reason that this version does not know, or none.
    Other,
}

/// Why an answer could not be used. Every variant leads to the failure policy. No message carries
/// text of the answer other than metric names: an answer may quote a key.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The backend, or something in front of it, cannot answer now.
    #[error("the backend answered with status {status}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
    /// A status that the protocol does not have.
    #[error("status {status} is not one of the protocol")]
    UnexpectedStatus {
        /// The HTTP status.
        status: u16,
    },
    /// More than any plan needs.
    #[error("the answer has {bytes} bytes, at most {MAX_BODY_BYTES} are read")]
    TooLarge {
        /// The length of the body.
        bytes: usize,
    },
    /// Not text.
    #[error("the answer is not UTF-8")]
    NotUtf8,
    /// Not well-formed.
    #[error("the answer is not well-formed XML")]
    Xml,
    /// Well-formed, but not a document of the protocol.
    #[error("{element}: {problem}")]
    Document {
        /// The element that is wrong.
        element: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A limit that cannot be read. It must not get lost, so the answer is not used.
    #[error("the usage report for `{metric}` has a bad {field}")]
    UsageReport {
        /// The metric, as far as it is known.
        metric: String,
        /// The field.
        field: &'static str,
    },
    /// A time that cannot be read.
    #[error("the usage report for `{metric}` has a bad {field}")]
    Timestamp {
        /// The metric.
        metric: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        source: TimestampError,
    },
    /// The status says one thing and the document another.
    #[error("status {status} with a document that says authorized: {authorized}")]
    Contradiction {
        /// The HTTP status.
        status: u16,
        /// What the document says.
        authorized: bool,
    },
}

/// Longest body that is read.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// Reads the answer to an authorize or authrep call. `rejection_reason` is the value of the header
/// `3scale-rejection-reason`. A `409` is always definite, however broken its body is: a client must
/// not be able to turn its denial into an outage by what it sends.
pub fn parse(
    status: u16,
    rejection_reason: Option<&str>,
    body: &[u8],
) -> Result<Answer, ResponseError> {
    match status {
        200 => allowed(status, body).map(Answer::Status),
        409 => Ok(denied(rejection_reason, body)),
        _ => refusal(status, body).map(|code| Answer::Error { status, code }),
    }
}

/// What the backend says about a report. It checks little before it answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReportAnswer {
    /// It will be counted, unless it names something unknown.
    Accepted,
    /// Nothing of it is counted, now or later.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The code of the protocol, like `service_token_invalid`.
        code: String,
    },
}

/// Reads the answer to a report.
pub fn parse_report(status: u16, body: &[u8]) -> Result<ReportAnswer, ResponseError> {
    match status {
        // Nothing else: a page that a proxy answers with 200 has counted nothing.
        202 => Ok(ReportAnswer::Accepted),
        _ => refusal(status, body).map(|code| ReportAnswer::Refused { status, code }),
    }
}

fn allowed(status: u16, body: &[u8]) -> Result<StatusAnswer, ResponseError> {
    let answer = status::read(text(body)?)?;
    if answer.authorized {
        Ok(answer)
    } else {
        Err(ResponseError::Contradiction {
            status,
            authorized: false,
        })
    }
}

fn denied(rejection_reason: Option<&str>, body: &[u8]) -> Answer {
    let by_header = rejection_reason.map(DenialReason::of_code);
    match text(body).and_then(status::read) {
        Ok(answer) if !answer.authorized => Answer::Status(StatusAnswer {
            reason: by_header.or(answer.reason).or(Some(DenialReason::Other)),
            ..answer
        }),
        _ => Answer::Denied {
            reason: by_header.unwrap_or(DenialReason::Other),
        },
    }
}

/// The code of an error document. Only its start is looked at: what follows quotes the client.
fn refusal(status: u16, body: &[u8]) -> Result<String, ResponseError> {
    match status {
        408 | 429 | 500..=599 => return Err(ResponseError::Unavailable { status }),
        400..=499 => {}
        _ => return Err(ResponseError::UnexpectedStatus { status }),
    }
    let mut document = Document::of(text(body)?);
    let problem = |problem| ResponseError::Document {
        element: "error",
        problem,
    };
    let tag = document.root("error")?;
    let code = tag.attribute("code")?.ok_or(problem("has no code"))?;
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if code.is_empty() || code.len() > MAX_CODE_BYTES || !code.bytes().all(is_code) {
        return Err(problem("has a bad code"));
    }
    Ok(code)
}

const MAX_CODE_BYTES: usize = 64;

fn text(body: &[u8]) -> Result<&str, ResponseError> {
    let bytes = body.len();
    if bytes > MAX_BODY_BYTES {
        return Err(ResponseError::TooLarge { bytes });
    }
    std::str::from_utf8(body).map_err(|_| ResponseError::NotUtf8)
}

impl DenialReason {
    const CODES: [(Self, &'static str); 8] = [
        (Self::OauthNotEnabled, "oauth_not_enabled"),
        (Self::ApplicationKeyInvalid, "application_key_invalid"),
        (Self::RedirectUrlInvalid, "redirect_url_invalid"),
        (Self::RedirectUriInvalid, "redirect_uri_invalid"),
        (Self::ReferrerNotAllowed, "referrer_not_allowed"),
        (Self::ApplicationNotActive, "application_not_active"),
        (Self::ServiceNotActive, "service_not_active"),
        (Self::LimitsExceeded, "limits_exceeded"),
    ];

    /// How the texts of reasons begin. The rest may quote what a client sent.
    const TEXTS: [(Self, &'static str); 8] = [
        (Self::OauthNotEnabled, "oauth is not enabled"),
        (Self::ApplicationKeyInvalid, "application key "),
        (Self::RedirectUrlInvalid, "redirect_url "),
        (Self::RedirectUriInvalid, "redirect_uri "),
        (Self::ReferrerNotAllowed, "referrer "),
        (Self::ApplicationNotActive, "application is not active"),
        (Self::ServiceNotActive, "service is not active"),
        (Self::LimitsExceeded, "usage limits are exceeded"),
    ];

    /// The code of the protocol.
    pub fn as_str(self) -> &'static str {
        let known = Self::CODES.iter().find(|(reason, _)| *reason == self);
        known.map_or("other", |(_, code)| code)
    }

    fn of_code(code: &str) -> Self {
        let known = Self::CODES.iter().find(|(_, known)| *known == code.trim());
        known.map_or(Self::Other, |(reason, _)| *reason)
    }

    pub(super) fn of_text(text: &str) -> Self {
        let known = Self::TEXTS
            .iter()
            .find(|(_, start)| text.starts_with(start));
        known.map_or(Self::Other, |(reason, _)| *reason)
    }
}
