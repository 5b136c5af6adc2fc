//! Replaying all golden cases against a backend.

use std::collections::BTreeSet;

use serde_json::json;

use super::case::{self, Case, Step};
use super::client::Client;
use super::moment::Moment;
use super::{compare, state};

/// Cases that the backend does not answer yet, each with the reason. The test fails when one of
/// them starts to pass, and when any other fails.
const NOT_ANSWERED: [(&str, &str); 0] = [];

/// The time of cases that do not set their own: in no period close to its start or end.
const DEFAULT_MOMENT: i64 = 1_935_742_470;

/// Panics unless every recorded case that is not listed passes.
pub(crate) async fn replay_golden(client: &mut Client) {
    replay_all(client, "golden/cases", 144, &NOT_ANSWERED).await;
}

/// Replays the cases of a folder, of which there are at least so many, and panics unless every one
/// passes except those known to fail.
pub(crate) async fn replay_all(
    client: &mut Client,
    folder: &str,
    least: usize,
    not_answered: &[(&str, &str)],
) {
    let known: BTreeSet<&str> = not_answered.iter().map(|(id, _)| *id).collect();
    let cases = case::load_all(folder);
    assert!(
        cases.len() >= least,
        "only {} cases were found",
        cases.len()
    );
    let mut problems = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let case = case.numbered(1000 + number);
        let found = replay(client, &case).await;
        match (found.is_empty(), known.contains(case.id.as_str())) {
            (true, true) => problems.push(format!("{}: passes, take it off the list", case.id)),
            (false, false) => {
                problems.push(format!(
                    "{}: {}\n  {}",
                    case.id,
                    case.title,
                    found.join("\n  ")
                ));
            }
            (true, false) | (false, true) => {}
        }
    }
    assert!(
        problems.is_empty(),
        "{} of {} cases:\n{}",
        problems.len(),
        cases.len(),
        problems.join("\n")
    );
}

async fn replay(client: &mut Client, case: &Case) -> Vec<String> {
    client.control("GET", "/control/reset", None).await;
    let never = json!({
        "counting": { "kind": "deferred", "lag": { "kind": "constant", "ms": 600_000 } },
    });
    client
        .control("PUT", "/control/behaviour", Some(&never))
        .await;
    let mut moment = Moment(case.clock.unwrap_or(DEFAULT_MOMENT));
    freeze(client, moment).await;
    state::apply(client, &case.state).await;
    let mut problems = Vec::new();
    for (number, step) in case.steps.iter().enumerate() {
        let (found, call) = match step {
            Step::Settle { .. } => {
                client.control("GET", "/control/settle", None).await;
                continue;
            }
            Step::Clock { clock } => {
                moment = Moment(*clock);
                freeze(client, moment).await;
                continue;
            }
            Step::Public { request, expect } => {
                let answer = client.public(request).await;
                (
                    compare::differences(expect, &answer, moment),
                    request.describe(),
                )
            }
            Step::Internal { internal, expect } => {
                let answer = client.internal(internal).await;
                (
                    compare::differences(expect, &answer, moment),
                    internal.describe(),
                )
            }
        };
        if !found.is_empty() {
            problems.push(format!("step {}: {call}", number + 1));
            problems.extend(found);
        }
    }
    problems
}

async fn freeze(client: &mut Client, moment: Moment) {
    let target = format!("/control/clock?at={}", moment.0);
    client.control("GET", &target, None).await;
}
