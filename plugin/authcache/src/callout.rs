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
    /// It was sent, and what became of it is not known: a reset.
    Failed,
    /// It could not be sent.
    Unsent,
}

/// What Envoy says for a connection that ended, beside the status 503. It says the same, with other
/// reasons, for one that never began.
const ENDED: [&[u8]; 2] = [
    b"reset reason: connection termination",
    b"reset reason: remote reset",
];

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

    /// Whether the call may have been carried out although no answer says so. A proxy's 504 stands
    /// for a deadline that passed after the call was sent, its 503 mostly for one that was not.
    pub fn may_have_counted(&self) -> bool {
        match self {
            Self::Unsent => false,
            Self::Failed => true,
            Self::Answered { status, body, .. } => match status {
                502 | 504 => true,
                503 => ENDED
                    .iter()
                    .any(|text| body.windows(text.len()).any(|part| part == *text)),
                _ => false,
            },
        }
    }

    /// The answer to a report; `None` when there is none to go by.
    pub fn report_reply(&self) -> Option<ReportAnswer> {
        match self {
            Self::Answered { status, body, .. } => response::parse_report(*status, body).ok(),
            Self::Failed | Self::Unsent => None,
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
            Self::Unsent => f.write_str("Unsent"),
        }
    }
}

fn denied(reason: DenialReason, status: Option<StatusAnswer>) -> Reply {
    match Refusal::of_denial(reason) {
        None => Reply::Exceeded(status),
        Some(refusal) => Reply::Refused(refusal, status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_tells_nothing_is_told_apart_from_a_call_that_was_not_carried_out() {
        let answered = |status, body: &str| CallOutcome::Answered {
            status,
            reason: None,
            body: body.as_bytes().to_vec(),
        };
        let envoy = "upstream connect error or disconnect/reset before headers. reset reason: ";
        for (outcome, may_have_counted) in [
            (CallOutcome::Unsent, false),
            (CallOutcome::Failed, true),
            (answered(504, ""), true),
            (answered(502, ""), true),
            (answered(503, "no healthy upstream"), false),
            (answered(503, &format!("{envoy}connection timeout")), false),
            (answered(503, &format!("{envoy}overflow")), false),
            (
                answered(503, &format!("{envoy}connection termination")),
                true,
            ),
            (answered(503, &format!("{envoy}remote reset")), true),
            (answered(500, ""), false),
            (answered(202, ""), false),
        ] {
            assert_eq!(outcome.may_have_counted(), may_have_counted, "{outcome:?}");
        }
    }
}
