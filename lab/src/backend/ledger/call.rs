//! The calls of the public API as values: what a caller asks, already read and not yet judged.
//!
//! Owns the types between the reading of parameters and the ledger. Must not know HTTP, parameters
//! or any state.

use super::error::CallError;
use super::usage::SentEntry;

/// Who is calling. Blank values are absent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Caller {
    /// Key of a provider: it wins over the token.
    pub provider_key: Option<String>,
    /// Service token.
    pub service_token: Option<String>,
    /// Service id.
    pub service_id: Option<String>,
}

/// The `usage` of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SentUsage {
    /// Left out.
    Absent,
    /// Metric by metric, in the order sent.
    Entries(Vec<SentEntry>),
    /// Something else than a hash.
    NotAHash,
}

/// Whether a call asks, or asks and counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// authorize.
    Ask,
    /// authrep.
    AskAndCount,
}

/// The parameter that names a redirect URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RedirectParameter {
    /// `redirect_url`.
    Url,
    /// `redirect_uri`.
    Uri,
}

impl RedirectParameter {
    /// The parameter's name, which is the element's name as well.
    pub fn name(self) -> &'static str {
        match self {
            Self::Url => "redirect_url",
            Self::Uri => "redirect_uri",
        }
    }
}

/// What only oauth calls carry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OauthCall {
    /// Which parameter named the redirect URL.
    pub parameter: RedirectParameter,
    /// The URL to check, unless empty.
    pub redirect: Option<String>,
}

/// Options that change what is decided or answered. Each is on or off, and off by default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// The answer has no body.
    pub no_body: bool,
    /// A denial carries its code in a header.
    pub rejection_reason_header: bool,
    /// The answer says in headers how many such calls are left.
    pub limit_headers: bool,
    /// The answer lists the children of limited metrics.
    pub hierarchy: bool,
    /// Usage is taken as sent, without the metric tree.
    pub flat_usage: bool,
    /// The answer lists the application's keys.
    pub list_app_keys: bool,
}

/// An authorize or authrep call, oauth or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorizeCall {
    /// Who is calling.
    pub caller: Caller,
    /// Whether usage is counted.
    pub purpose: Purpose,
    /// Set on oauth calls.
    pub oauth: Option<OauthCall>,
    /// Application id, unless blank.
    pub app_id: Option<String>,
    /// User key, unless blank.
    pub user_key: Option<String>,
    /// Application key without white space around it; blank is not the same as absent.
    pub app_key: Option<String>,
    /// Referrer, as sent; a filter may let a blank one pass, but not an absent one.
    pub referrer: Option<String>,
    /// Whether the call names an end user.
    pub names_end_user: bool,
    /// What the call uses.
    pub usage: SentUsage,
    /// Options.
    pub options: Options,
}

impl AuthorizeCall {
    /// A call that names neither an application nor anything else; what it does is set by its fields.
    pub fn of(caller: Caller, purpose: Purpose) -> Self {
        Self {
            caller,
            purpose,
            oauth: None,
            app_id: None,
            user_key: None,
            app_key: None,
            referrer: None,
            names_end_user: false,
            usage: SentUsage::Absent,
            options: Options::default(),
        }
    }
}

/// One transaction of a report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transaction {
    /// Application id, unless empty.
    pub app_id: Option<String>,
    /// User key, unless empty.
    pub user_key: Option<String>,
    /// What was used.
    pub usage: SentUsage,
    /// When, as sent.
    pub timestamp: Option<String>,
}

/// A report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReportCall {
    /// Who is calling.
    pub caller: Caller,
    /// The transactions, or what is wrong with their shape.
    pub transactions: Result<Vec<Transaction>, CallError>,
    /// Whether usage is taken as sent, without the metric tree.
    pub flat_usage: bool,
}
