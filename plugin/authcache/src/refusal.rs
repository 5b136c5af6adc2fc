//! What a definite refusal of the backend is about.
//!
//! Owns [`Refusal`]: the reading of denials and errors that do not come from limits. Must not know what
//! a client is told.

use serde::{Deserialize, Serialize};

use crate::protocol::response::DenialReason;
use crate::reply::DenialKind;

/// A definite refusal that no limit is the reason of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Refusal {
    /// There is no such application: the credential is wrong.
    Credential,
    /// The application's key is wrong or missing; says nothing about other keys.
    Key,
    /// The application or its service is not active.
    State,
    /// A metric does not exist; says nothing about other metrics.
    Metric,
    /// Something else, such as a token that the backend does not know.
    Other,
}

impl Refusal {
    /// The refusal in a denial; `None` when limits are the reason, which is no verdict about the
    /// application.
    pub fn of_denial(reason: DenialReason) -> Option<Self> {
        match reason {
            DenialReason::LimitsExceeded => None,
            DenialReason::ApplicationKeyInvalid => Some(Self::Key),
            DenialReason::ApplicationNotActive | DenialReason::ServiceNotActive => {
                Some(Self::State)
            }
            DenialReason::OauthNotEnabled
            | DenialReason::RedirectUrlInvalid
            | DenialReason::RedirectUriInvalid
            | DenialReason::ReferrerNotAllowed
            | DenialReason::Other => Some(Self::Other),
        }
    }

    /// The refusal in an error, by its code.
    pub fn of_error(code: &str) -> Self {
        match code {
            "application_not_found" | "user_key_invalid" | "authentication_error" => {
                Self::Credential
            }
            "metric_invalid" => Self::Metric,
            _ => Self::Other,
        }
    }

    /// Whether it may be remembered for a while. What may be wrong with the gateway's configuration
    /// is no verdict about a client.
    pub fn is_memorable(self) -> bool {
        matches!(self, Self::Credential | Self::State | Self::Key)
    }
}

impl From<Refusal> for DenialKind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Credential => Self::Credentials,
            Refusal::Key => Self::Key,
            Refusal::State => Self::State,
            Refusal::Metric | Refusal::Other => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_verdicts_about_a_client_are_remembered() {
        for (code, refusal, memorable) in [
            ("application_not_found", Refusal::Credential, true),
            ("user_key_invalid", Refusal::Credential, true),
            ("metric_invalid", Refusal::Metric, false),
            ("service_token_invalid", Refusal::Other, false),
            ("something_new", Refusal::Other, false),
        ] {
            assert_eq!(Refusal::of_error(code), refusal, "{code}");
            assert_eq!(refusal.is_memorable(), memorable, "{code}");
        }
        assert_eq!(Refusal::of_denial(DenialReason::LimitsExceeded), None);
        assert_eq!(
            Refusal::of_denial(DenialReason::ServiceNotActive),
            Some(Refusal::State)
        );
    }
}
