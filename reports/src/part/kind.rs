//! The kinds of parts.
//!
//! Owns what each is called and how its figures are to be read. Must not know any figure.

use serde::{Deserialize, Serialize};

/// What a part is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A recorded run.
    Run,
    /// What `loadgen quota --json` wrote.
    Quota,
    /// What the example `scale` wrote.
    Scale,
    /// What `loadgen duet --json` wrote.
    Duet,
}

impl Kind {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "Run",
            Self::Quota => "Quota accuracy",
            Self::Scale => "Many applications",
            Self::Duet => "Comparison in turns",
        }
    }

    /// How its figures are to be read, as sentences.
    pub fn notes(self) -> &'static [&'static str] {
        match self {
            Self::Run => &[],
            Self::Quota => &[
                "Each case starts real Envoys, loads one application with one limit during one calendar \
                     minute, and reads the backend's ledger afterwards. What the gateways believe does not \
                     count.",
                "Overshoot is what the ledger counted beyond the limit. Balanced promises half a percent \
                     of the limit, and two requests where that is less than two; strict promises none.",
                "Denied in vain is what an ideal counter, one that knows everything at once, would have let \
                     through of what was sent.",
                "Counts do not depend on how busy the machine was, but the moments at which requests met \
                     a limit do: another run gives other figures within the promises.",
            ],
            Self::Scale => &[
                "The core runs alone here, without Envoy, which adds tens of microseconds to every hit.",
                "CPU time depends on what else is in the processor's caches. Each number of applications is \
                     measured in turns with the smallest one, so compare the two lines and not their heights.",
                "Bytes come from a counting allocator and are exact for this build.",
            ],
            Self::Duet => &[
                "Both sides are loaded in turns of 100 ms on the same machine in the same minutes, so a busy \
                     neighbour falls on both alike.",
                "A difference is stated only if it is significant and the whole interval, which contains \
                     how blocks differ, is beyond the margin. \"Cannot tell\" is a result.",
                "The load is a closed loop that keeps both Envoys equally busy. It compares processor time; \
                     it says nothing about latency under a given rate.",
                "Ratios belong to this machine in that hour: neighbours that use the processor's caches \
                     move them.",
            ],
        }
    }
}
