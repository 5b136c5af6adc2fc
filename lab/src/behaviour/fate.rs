//! What happens to one call.
//!
//! Owns how faults that are drawn at the same time go together. Must not know how they are carried
//! out.

use std::time::Duration;

use super::draws::{Aspect, CallDraws};
use super::{BackendBehaviour, Counting};
use crate::backend::statistics::Endpoint;

/// What happens to one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fate {
    /// What goes wrong, if anything.
    pub fault: Option<Fault>,
    /// How long the answer, or the fault in its place, is held back.
    pub delay: Duration,
    /// How long usage waits to be counted; none: it is counted before the answer.
    pub lag: Option<Duration>,
}

/// What goes wrong with a call. Of several drawn for one call, the first in this order happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The connection is reset without an answer. Nothing is decided or counted.
    Reset,
    /// There is never an answer. Nothing is decided or counted.
    Hang,
    /// The answer breaks off in its body. The call is decided and counted.
    Truncate,
    /// The answer is an error. Nothing is decided or counted.
    Fail,
}

impl BackendBehaviour {
    /// What happens to the call that has these numbers.
    pub fn fate(&self, draws: &CallDraws, endpoint: Endpoint) -> Fate {
        let lag = match &self.counting {
            Counting::Immediate => None,
            Counting::Deferred { lag } => Some(lag.draw(&mut draws.of(Aspect::Lag))),
        };
        if !self.applies_to(endpoint) {
            return Fate {
                fault: None,
                delay: Duration::ZERO,
                lag,
            };
        }
        let faults = [
            (Aspect::Reset, self.reset_rate, Fault::Reset),
            (Aspect::Hang, self.hang_rate, Fault::Hang),
            (Aspect::Truncate, self.truncate_rate, Fault::Truncate),
            (Aspect::Error, self.error_rate, Fault::Fail),
        ];
        let mut drawn = faults.into_iter();
        Fate {
            fault: drawn
                .find(|(aspect, rate, _)| draws.happens(*aspect, *rate))
                .map(|(_, _, fault)| fault),
            delay: self.delay_of(endpoint).draw(&mut draws.of(Aspect::Delay)),
            lag,
        }
    }
}
