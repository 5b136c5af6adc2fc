//! What a denied client is told.
//!
//! Owns [`LocalReply`] and how a [`Denial`] becomes one. Must not know why a request was denied, only
//! what kind of denial it is.

use crate::config::{CacheSettings, RateLimitHeaders};
use crate::protocol::response::DenialReason;

/// An answer that the gateway gives itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalReply {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body: one line of text.
    pub body: &'static str,
}

/// Why a request is denied, and what a client may know about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Denial {
    /// The kind.
    pub kind: DenialKind,
    /// In how many seconds the same request may pass, if that is known.
    pub retry_after_s: Option<u64>,
    /// The limit that was reached.
    pub rate_limit: Option<RateLimit>,
}

/// The kinds of denials. Metrics count them by [`DenialKind::as_str`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DenialKind {
    /// A limit is reached.
    Limits,
    /// What was sent is no credential of an application.
    Credentials,
    /// No credential was sent.
    NoCredentials,
    /// No mapping rule matches.
    NoMatch,
    /// No service has this authority.
    UnknownService,
    /// The `app_key` is wrong or missing.
    Key,
    /// The application or its service is not active.
    State,
    /// The backend cannot be asked.
    Backend,
    /// Anything else that the backend denies for.
    Other,
}

/// A limit as the draft of the IETF's rate limit headers tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateLimit {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// In how many seconds it starts anew; `None` when it never does.
    pub reset_s: Option<u64>,
}

impl DenialKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Limits,
        Self::Credentials,
        Self::NoCredentials,
        Self::NoMatch,
        Self::UnknownService,
        Self::Key,
        Self::State,
        Self::Backend,
        Self::Other,
    ];

    /// A word for metrics and for the header that tells the reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Credentials => "credentials",
            Self::NoCredentials => "no_credentials",
            Self::NoMatch => "no_match",
            Self::UnknownService => "unknown_service",
            Self::Key => "key",
            Self::State => "state",
            Self::Backend => "backend",
            Self::Other => "other",
        }
    }

    const fn body(self) -> &'static str {
        match self {
            Self::Limits => "usage limits are exceeded\n",
            Self::Credentials | Self::Key => "the credentials are not valid\n",
            Self::NoCredentials => "credentials are missing\n",
            Self::NoMatch => "nothing is offered here\n",
            Self::UnknownService => "no service has this name\n",
            Self::State => "the application is not active\n",
            Self::Backend => "authorization is not available\n",
            Self::Other => "the request is not allowed\n",
        }
    }

    const fn status(self, settings: &CacheSettings) -> u16 {
        match self {
            Self::Limits => 429,
            Self::NoCredentials => 401,
            Self::NoMatch => settings.no_match_status,
            Self::Backend => settings.outage.status,
            Self::Credentials | Self::UnknownService | Self::Key | Self::State | Self::Other => 403,
        }
    }
}

impl From<DenialReason> for DenialKind {
    fn from(reason: DenialReason) -> Self {
        match reason {
            DenialReason::LimitsExceeded => Self::Limits,
            DenialReason::ApplicationKeyInvalid => Self::Key,
            DenialReason::ApplicationNotActive | DenialReason::ServiceNotActive => Self::State,
            DenialReason::OauthNotEnabled
            | DenialReason::RedirectUrlInvalid
            | DenialReason::RedirectUriInvalid
            | DenialReason::ReferrerNotAllowed
            | DenialReason::Other => Self::Other,
        }
    }
}

impl From<DenialKind> for Denial {
    fn from(kind: DenialKind) -> Self {
        Self {
            kind,
            retry_after_s: None,
            rate_limit: None,
        }
    }
}

/// The header that tells the reason of a denial, named like the backend's own.
pub const REASON_HEADER: &str = "3scale-rejection-reason";

impl LocalReply {
    /// The reply to a denied request, telling no more than `settings` allow.
    pub fn denial(denial: &Denial, settings: &CacheSettings) -> Self {
        let mut headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
        if denial.kind == DenialKind::NoCredentials {
            // RFC 9110 asks for a challenge with every 401; there is no scheme for keys of APIs.
            headers.push(("www-authenticate", "ApiKey".to_owned()));
        }
        if settings.headers.reason {
            headers.push((REASON_HEADER, denial.kind.as_str().to_owned()));
        }
        if let Some(seconds) = denial.retry_after_s
            && settings.headers.retry_after
        {
            headers.push(("retry-after", seconds.to_string()));
        }
        if let Some(rate_limit) = &denial.rate_limit
            && settings.headers.rate_limit == RateLimitHeaders::Draft
        {
            headers.extend(rate_limit.headers());
        }
        Self {
            status: denial.kind.status(settings),
            headers,
            body: denial.kind.body(),
        }
    }
}

impl RateLimit {
    fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let reset = self.reset_s.map(|seconds| ("ratelimit-reset", seconds));
        [
            ("ratelimit-limit", self.limit),
            ("ratelimit-remaining", self.remaining),
        ]
        .into_iter()
        .chain(reset)
        .map(|(name, value)| (name, value.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(reply: &'a LocalReply, name: &str) -> Option<&'a str> {
        let found = reply.headers.iter().find(|(known, _)| *known == name)?;
        Some(found.1.as_str())
    }

    #[test]
    fn every_kind_has_its_status_and_its_reason() {
        let mut settings = CacheSettings {
            no_match_status: 410,
            ..CacheSettings::default()
        };
        settings.outage.status = 504;
        let statuses = DenialKind::ALL.map(|kind| {
            let reply = LocalReply::denial(&Denial::from(kind), &settings);
            assert_eq!(header(&reply, REASON_HEADER), Some(kind.as_str()));
            assert!(reply.body.ends_with('\n'), "{kind:?}");
            (kind.as_str(), reply.status)
        });
        let expected = [
            ("limits", 429),
            ("credentials", 403),
            ("no_credentials", 401),
            ("no_match", 410),
            ("unknown_service", 403),
            ("key", 403),
            ("state", 403),
            ("backend", 504),
            ("other", 403),
        ];
        assert_eq!(statuses, expected);
    }

    /// A denial for a limit of 10 whose window ends in so many seconds.
    fn over_a_limit(reset_s: Option<u64>) -> Denial {
        Denial {
            kind: DenialKind::Limits,
            retry_after_s: reset_s,
            rate_limit: Some(RateLimit {
                limit: 10,
                remaining: 0,
                reset_s,
            }),
        }
    }

    #[test]
    fn a_denial_for_limits_says_when_to_come_back() {
        let denial = over_a_limit(Some(17));
        let reply = LocalReply::denial(&denial, &CacheSettings::default());
        assert_eq!(header(&reply, "retry-after"), Some("17"));
        assert_eq!(header(&reply, "ratelimit-limit"), Some("10"));
        assert_eq!(header(&reply, "ratelimit-remaining"), Some("0"));
        assert_eq!(header(&reply, "ratelimit-reset"), Some("17"));
    }

    #[test]
    fn a_limit_for_ever_has_no_reset() {
        let denial = over_a_limit(None);
        let reply = LocalReply::denial(&denial, &CacheSettings::default());
        assert_eq!(header(&reply, "retry-after"), None);
        assert_eq!(header(&reply, "ratelimit-reset"), None);
        assert_eq!(header(&reply, "ratelimit-limit"), Some("10"));
    }

    #[test]
    fn no_more_is_told_than_the_settings_allow() {
        let mut settings = CacheSettings::default();
        settings.headers.rate_limit = RateLimitHeaders::Off;
        settings.headers.retry_after = false;
        settings.headers.reason = false;
        let denial = over_a_limit(Some(17));
        let reply = LocalReply::denial(&denial, &settings);
        let names: Vec<_> = reply.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["content-type"]);
    }

    #[test]
    fn a_client_without_credentials_is_challenged() {
        let denial = Denial::from(DenialKind::NoCredentials);
        let reply = LocalReply::denial(&denial, &CacheSettings::default());
        assert_eq!(header(&reply, "www-authenticate"), Some("ApiKey"));
    }

    #[test]
    fn reasons_of_the_backend_become_kinds() {
        use DenialReason::*;
        for (reason, kind) in [
            (LimitsExceeded, DenialKind::Limits),
            (ApplicationKeyInvalid, DenialKind::Key),
            (ApplicationNotActive, DenialKind::State),
            (ServiceNotActive, DenialKind::State),
            (ReferrerNotAllowed, DenialKind::Other),
            (Other, DenialKind::Other),
        ] {
            assert_eq!(DenialKind::from(reason), kind);
        }
    }
}
