//! Calls to the backend as values: what to send, and what came of it.
//!
//! Owns [`Callout`], [`CallOutcome`] and [`Reply`]. Must not know how a host sends anything.

use crate::protocol::request::Call;
use crate::protocol::response::{self, Answer, DenialReason, ReportAnswer, StatusAnswer};
use crate::refusal::Refusal;

/// Which endpoint is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallKind {
    /// Asks, and counts when the answer is yes.
    Authrep,
    /// Asks without counting.
    Authorize,
    /// Hands over usage.
    Report,
}

/// One HTTP call to the backend.
#[derive(Clone, Debug)]
pub struct Callout {
    /// Which endpoint.
    pub kind: CallKind,
    /// Envoy's cluster.
    pub cluster: String,
    /// The authority to name.
    pub authority: String,
    /// How long it may take.
    pub timeout_ms: u64,
    /// Path, method, headers and body.
    pub call: Call,
}

/// What came of a call.
#[derive(Clone, Eq, PartialEq)]
pub enum CallOutcome {
    /// Something answered; a proxy's own 503 and 504 arrive here too.
    Answered {
        /// The status.
        status: u16,
        /// The header that names the reason of a denial.
        reason: Option<String>,
        /// The body.
        body: Vec<u8>,
    },
    /// It could not be sent, or was reset.
    Failed,
}

/// What an answer to a question comes down to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// Yes, with the state of the application.
    Allowed(StatusAnswer),
    /// No, because of limits; the state, as far as it can be read.
    Exceeded(Option<StatusAnswer>),
    /// No, for a reason that is not a limit; the state too, if it can be read.
    Refused(Refusal, Option<StatusAnswer>),
    /// There is no answer to go by.
    Failed,
}

impl CallOutcome {
    /// The answer to an authorize or authrep.
    pub fn reply(&self) -> Reply {
        let Self::Answered {
            status,
            reason,
            body,
        } = self
        else {
            return Reply::Failed;
        };
        match response::parse(*status, reason.as_deref(), body) {
            Ok(Answer::Status(status)) if status.authorized => Reply::Allowed(status),
            Ok(Answer::Status(status)) => {
                let reason = status.reason.unwrap_or(DenialReason::Other);
                denied(reason, Some(status))
            }
            Ok(Answer::Denied { reason }) => denied(reason, None),
            Ok(Answer::Error { code, .. }) => Reply::Refused(Refusal::of_error(&code), None),
            Err(_) => Reply::Failed,
        }
    }

    /// The answer to a report; `None` when there is none to go by.
    pub fn report_reply(&self) -> Option<ReportAnswer> {
        match self {
            Self::Answered { status, body, .. } => response::parse_report(*status, body).ok(),
            Self::Failed => None,
        }
    }
}

/// The body may quote a key.
impl std::fmt::Debug for CallOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answered { status, body, .. } => {
                write!(f, "Answered({status}, {} bytes)", body.len())
            }
            Self::Failed => f.write_str("Failed"),
        }
    }
}

fn denied(reason: DenialReason, status: Option<StatusAnswer>) -> Reply {
    match Refusal::of_denial(reason) {
        None => Reply::Exceeded(status),
        Some(refusal) => Reply::Refused(refusal, status),
    }
}
