//! What a search for the highest rate that a target carries tried and found.
//!
//! Owns how that stands in a record: as events, one at the start of each step and one at the end of the
//! search. Must not know how a rate was chosen or judged.

use serde::Serialize;

use crate::record::{Event, ScenarioRecord};

const STEP: &str = "step ";
const FOUND: &str = "search: ";

/// A search.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Saturation {
    /// What it found.
    pub outcome: Outcome,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One rate that was offered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Start, in seconds from the first intended send of the scenario.
    pub at_s: f64,
    /// Requests per second.
    pub rps: f64,
    /// Whether the target carried it.
    pub is_carried: bool,
    /// Why, in words.
    pub reason: String,
}

/// Where a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// The highest rate that was carried, with one that was not a little above it.
    Knee {
        /// In requests per second.
        rps: f64,
    },
    /// Every rate was carried, up to the highest that the profile allows.
    NotReached {
        /// In requests per second.
        highest_rps: f64,
    },
    /// Not even the lowest rate was carried.
    Below {
        /// In requests per second.
        lowest_rps: f64,
    },
    /// The generator could not offer a rate, so nothing can be said from there on.
    GeneratorBound {
        /// The rate it could not offer, in requests per second.
        at_rps: f64,
        /// The highest rate that was carried.
        carried_rps: Option<f64>,
    },
    /// The search was ended early.
    EndedEarly {
        /// The highest rate that was carried until then, in requests per second.
        carried_rps: Option<f64>,
    },
}

impl Saturation {
    /// What the events of a scenario say, if they are those of a search.
    pub fn of(scenario: &ScenarioRecord) -> Option<Self> {
        Self::of_events(&scenario.events)
    }

    /// What events say, if they are those of a search.
    pub fn of_events(events: &[Event]) -> Option<Self> {
        let mut labels = events.iter();
        let outcome = labels.find_map(|event| Outcome::parse(&event.label))?;
        let steps = events.iter().filter_map(Step::parse).collect();
        Some(Self { outcome, steps })
    }

    /// The events that say it; `end_s` is when the search ended.
    pub fn events(&self, end_s: f64) -> Vec<Event> {
        let steps = self.steps.iter().map(|step| Event {
            at_s: step.at_s,
            label: step.label(),
        });
        let found = Event {
            at_s: end_s,
            label: format!("{FOUND}{}", self.outcome.text()),
        };
        steps.chain([found]).collect()
    }
}

/// Whether an event is that of a search.
pub fn is_of_search(event: &Event) -> bool {
    event.label.starts_with(FOUND) || Step::parse(event).is_some()
}

impl Step {
    fn label(&self) -> String {
        let verdict = if self.is_carried {
            "carried"
        } else {
            "not carried"
        };
        format!("{STEP}{}/s {verdict}: {}", self.rps, self.reason)
    }

    fn parse(event: &Event) -> Option<Self> {
        let rest = event.label.strip_prefix(STEP)?;
        let (rate, rest) = rest.split_once("/s ")?;
        let (verdict, reason) = rest.split_once(": ")?;
        Some(Self {
            at_s: event.at_s,
            rps: rate.parse().ok()?,
            is_carried: match verdict {
                "carried" => true,
                "not carried" => false,
                _ => return None,
            },
            reason: reason.to_owned(),
        })
    }
}

impl Outcome {
    /// The highest rate that was carried, in requests per second.
    pub fn carried_rps(&self) -> Option<f64> {
        match *self {
            Outcome::Knee { rps } => Some(rps),
            Outcome::NotReached { highest_rps } => Some(highest_rps),
            Outcome::Below { .. } => None,
            Outcome::GeneratorBound { carried_rps, .. } | Outcome::EndedEarly { carried_rps } => {
                carried_rps
            }
        }
    }

    /// The outcome in words, which [`Saturation::of`] reads back.
    pub fn text(&self) -> String {
        let carried =
            |rps: &Option<f64>| rps.map_or_else(|| "no rate".to_owned(), |r| format!("{r}/s"));
        match self {
            Outcome::Knee { rps } => format!("carries {rps}/s, no more"),
            Outcome::NotReached { highest_rps } => format!("carries all of {highest_rps}/s"),
            Outcome::Below { lowest_rps } => {
                format!("does not carry the lowest rate, {lowest_rps}/s")
            }
            Outcome::GeneratorBound {
                at_rps,
                carried_rps,
            } => format!(
                "carries {}; the generator is the bound at {at_rps}/s",
                carried(carried_rps)
            ),
            Outcome::EndedEarly { carried_rps } => {
                format!("carries {}; ended early", carried(carried_rps))
            }
        }
    }

    fn parse(label: &str) -> Option<Self> {
        let text = label.strip_prefix(FOUND)?;
        let number = |text: &str| text.strip_suffix("/s")?.parse().ok();
        if let Some(rate) = text.strip_prefix("does not carry the lowest rate, ") {
            let lowest_rps = number(rate)?;
            return Some(Outcome::Below { lowest_rps });
        }
        let text = text.strip_prefix("carries ")?;
        if let Some(rate) = text.strip_suffix(", no more") {
            return Some(Outcome::Knee { rps: number(rate)? });
        }
        if let Some(rate) = text.strip_prefix("all of ") {
            let highest_rps = number(rate)?;
            return Some(Outcome::NotReached { highest_rps });
        }
        let (carried, rest) = text.split_once("; ")?;
        let carried_rps = match carried {
            "no rate" => None,
            rate => Some(number(rate)?),
        };
        if rest == "ended early" {
            return Some(Outcome::EndedEarly { carried_rps });
        }
        let at_rps = number(rest.strip_prefix("the generator is the bound at ")?)?;
        Some(Outcome::GeneratorBound {
            at_rps,
            carried_rps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_events_say_is_read_back_as_it_was() {
        let outcomes = [
            Outcome::Knee { rps: 1_414.0 },
            Outcome::NotReached { highest_rps: 5e4 },
            Outcome::Below { lowest_rps: 0.5 },
            Outcome::GeneratorBound {
                at_rps: 800.0,
                carried_rps: Some(400.0),
            },
            Outcome::GeneratorBound {
                at_rps: 800.0,
                carried_rps: None,
            },
            Outcome::EndedEarly {
                carried_rps: Some(3.0),
            },
        ];
        let step = |at_s, rps, is_carried, reason: &str| Step {
            at_s,
            rps,
            is_carried,
            reason: reason.to_owned(),
        };
        for outcome in outcomes {
            let search = Saturation {
                outcome,
                steps: vec![
                    step(5.0, 500.0, true, "99.98 % answered, p99 1.2 ms"),
                    step(14.0, 1e3, false, "but: p99 123.0 ms"),
                ],
            };
            let events = search.events(23.0);
            assert_eq!(Saturation::of_events(&events), Some(search), "{events:?}");
            assert!(events.iter().all(is_of_search));
        }
        for other in ["measuring starts", "warm-up", "step by step", "search: no"] {
            let event = Event {
                at_s: 0.0,
                label: other.to_owned(),
            };
            assert_eq!(Step::parse(&event), None);
            assert_eq!(Outcome::parse(other), None);
        }
    }
}
