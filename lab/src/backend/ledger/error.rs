//! What can be wrong with a call: the protocol's error codes and their texts.
//!
//! Owns codes, texts and HTTP status classes of errors. Must not know how an error is rendered.

use thiserror::Error;

/// A call that is answered with an error, or a report that is dropped with one.
///
/// The texts are those of the protocol, which repeats what the caller sent, credentials included:
/// they go to the caller and to the service's list of errors, and never to a log.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum CallError {
    /// Neither a provider key nor a service token was given.
    #[error("Provider key or service token are required")]
    CredentialsMissing,
    /// The provider key is unknown.
    #[error("provider key \"{0}\" is invalid")]
    ProviderKey(String),
    /// The provider key has no default service.
    #[error("provider key \"{0}\" invalid and/or service ID missing")]
    ProviderKeyOrServiceMissing(String),
    /// A service token without a service id.
    #[error("Service ID is missing")]
    ServiceIdMissing,
    /// No such service, or one of another provider.
    #[error("service id \"{0}\" is invalid")]
    ServiceId(String),
    /// Token and service are not a pair.
    #[error("service token \"{token}\" or service id \"{service}\" is invalid")]
    ServiceToken {
        /// As sent.
        token: String,
        /// As sent.
        service: String,
    },
    /// Both an application id and a user key.
    #[error("either app_id or user_key is allowed, not both")]
    Authentication,
    /// Unknown user key.
    #[error("user key \"{0}\" is invalid")]
    UserKey(String),
    /// No user key where one is needed.
    #[error("user key is missing")]
    UserKeyMissing,
    /// Unknown application.
    #[error("application with id=\"{0}\" was not found")]
    Application(String),
    /// No application id where one is needed.
    #[error("application id is missing")]
    ApplicationMissing,
    /// Unknown metric.
    #[error("metric \"{0}\" is invalid")]
    Metric(String),
    /// A usage value that is not a number.
    #[error("usage value \"{value}\" for metric \"{metric}\" is invalid")]
    UsageValue {
        /// As sent.
        value: String,
        /// As sent.
        metric: String,
    },
    /// A usage value that is blank, missing or not a text.
    #[error("usage value for metric \"{0}\" can not be empty")]
    UsageValueEmpty(String),
    /// `usage` is not a hash: the one error whose answer has no body.
    #[error("usage is not a hash")]
    UsageShape,
    /// End users are gone.
    #[error("End-users are no longer supported, do not specify the user_id parameter")]
    EndUsers,
    /// Bytes that are not UTF-8.
    #[error("all data must be valid UTF8")]
    NotUtf8,
    /// Reports are forms.
    #[error("invalid Content-Type: {0}")]
    ContentType(String),
    /// A report without transactions.
    #[error("transactions parameter is blank")]
    TransactionsBlank,
    /// Transactions that are not a hash of hashes.
    #[error("transactions format is invalid")]
    TransactionsFormat,
    /// A transaction without a value.
    #[error("transactions has a nil transaction")]
    NilTransaction,
    /// Parameters of impossible shape, or too many of them.
    #[error("request contains syntax errors, should not be repeated without modification")]
    BadRequest,
    /// Broken percent encoding.
    #[error("Invalid query parameters: invalid %-encoding")]
    PercentEncoding,
    /// Reported more than a day late.
    #[error("reporting transactions older than 86400 seconds is not allowed")]
    TimestampTooOld,
    /// Reported more than an hour ahead.
    #[error("reporting transactions more than 3600 seconds in the future is not allowed")]
    TimestampTooNew,
}

impl CallError {
    /// The code in the `error` element.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CredentialsMissing => "provider_key_or_service_token_required",
            Self::ProviderKey(_) => "provider_key_invalid",
            Self::ProviderKeyOrServiceMissing(_) => "provider_key_invalid_or_service_missing",
            Self::ServiceIdMissing => "service_id_missing",
            Self::ServiceId(_) => "service_id_invalid",
            Self::ServiceToken { .. } => "service_token_invalid",
            Self::Authentication => "authentication_error",
            Self::UserKey(_) | Self::UserKeyMissing => "user_key_invalid",
            Self::Application(_) | Self::ApplicationMissing => "application_not_found",
            Self::Metric(_) => "metric_invalid",
            Self::UsageValue { .. } | Self::UsageValueEmpty(_) => "usage_value_invalid",
            Self::UsageShape => "usage_not_a_hash",
            Self::EndUsers => "end_users_no_longer_supported",
            Self::NotUtf8 => "not_valid_data",
            Self::ContentType(_) => "content_type_invalid",
            Self::TransactionsBlank => "transactions_is_blank",
            Self::TransactionsFormat => "transactions_format_invalid",
            Self::NilTransaction => "transactions_has_nil_transaction",
            Self::BadRequest | Self::PercentEncoding => "bad_request",
            Self::TimestampTooOld => "transaction_timestamp_too_old",
            Self::TimestampTooNew => "transaction_timestamp_too_new",
        }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::EndUsers
            | Self::ContentType(_)
            | Self::TransactionsBlank
            | Self::TransactionsFormat
            | Self::NilTransaction
            | Self::BadRequest
            | Self::PercentEncoding
            | Self::TimestampTooOld
            | Self::TimestampTooNew => 400,
            Self::CredentialsMissing
            | Self::ProviderKey(_)
            | Self::ProviderKeyOrServiceMissing(_)
            | Self::ServiceId(_)
            | Self::ServiceToken { .. }
            | Self::Authentication
            | Self::UserKey(_)
            | Self::UserKeyMissing
            | Self::UsageValue { .. }
            | Self::UsageValueEmpty(_)
            | Self::UsageShape => 403,
            Self::Application(_) | Self::ApplicationMissing | Self::Metric(_) => 404,
            Self::ServiceIdMissing | Self::NotUtf8 => 422,
        }
    }

    /// Whether the request itself is malformed, which `no_body` does not silence.
    pub fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::BadRequest | Self::PercentEncoding | Self::NotUtf8
        )
    }
}
