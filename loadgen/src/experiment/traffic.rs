//! What a scenario's mix means for the generator: which requests, and in which proportion.
//!
//! Owns the way from the lab's requests to the generator's. Must not know when they are sent.

use lab::scenario::{ApplicationMix, Request, RequestTable, Scenario};

use crate::mix::{Caller, Choice, Mix, MixError, Popularity};
use crate::requests::{Expect, PlainRequest, RequestError, Requests};

/// How a scenario mixes its requests.
pub(crate) fn mix(scenario: &Scenario, table: &RequestTable, seed: u64) -> Result<Mix, MixError> {
    let popularity = match scenario.mix.applications {
        ApplicationMix::Uniform => Popularity::Uniform,
        ApplicationMix::Zipf { exponent } => Popularity::Zipf { exponent },
    };
    let weights: Vec<f64> = table
        .endpoints()
        .iter()
        .map(|endpoint| endpoint.weight)
        .collect();
    Mix::new(
        seed,
        table.applications(),
        popularity,
        &weights,
        scenario.mix.unknown_keys,
    )
}

/// Every request that the mix can ask for, sent to `target`.
pub(super) fn requests(target: &str, table: RequestTable) -> Result<Requests, RequestError> {
    let (applications, endpoints) = (table.applications(), table.endpoints().len());
    Requests::prepare(
        target,
        applications,
        endpoints,
        move |Choice { caller, endpoint }| {
            let request = match caller {
                Caller::Application(application) => table.request(application, endpoint),
                Caller::Unknown(n) => table.unknown_request(n, endpoint),
            };
            plain(request)
        },
    )
}

/// A request of the lab, which says itself how it is to be answered.
pub(crate) fn plain(request: Request) -> PlainRequest {
    PlainRequest {
        method: request.method,
        path_and_query: request.path_and_query,
        headers: request.headers,
        body: request.body,
        expect: Expect::Status(request.expected_status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Protocol;

    #[test]
    fn a_scenario_gives_a_request_for_every_choice_of_its_mix() {
        let scenario = Scenario::find("cache").expect("built in");
        let table = scenario.requests();
        let mix = mix(&scenario, &table, 1).expect("the scenario is valid");
        let requests = requests("http://127.0.0.1:1", table).expect("its requests are valid");
        for n in 0..1000 {
            let ready = requests.request(mix.choose(n), Protocol::Http1);
            let ready = ready.expect("every choice");
            let path = ready.request.uri().path();
            assert_eq!(ready.expect, Expect::Status(200), "{path}");
        }
    }
}
