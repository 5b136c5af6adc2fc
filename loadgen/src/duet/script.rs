//! The requests of a scenario as bytes, and the order in which they are sent.
//!
//! Owns [`Script`]. Everything is put together beforehand, so that sending costs a copy. Must not know
//! connections or time.

use std::collections::HashMap;

use lab::scenario::{Request, Scenario};

use crate::experiment::traffic;
use crate::mix::{Caller, MixError};

/// Seed of the order.
const SEED: u64 = 1;
/// Length of the order, which then begins again; longer where there are more requests than this.
const LEAST_LENGTH: usize = 1 << 14;
const MOST_LENGTH: usize = 1 << 21;

/// Requests and their order.
#[derive(Debug, Default)]
pub struct Script {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    order: Vec<u32>,
}

/// One request: where its bytes end, and the status that a correct gateway answers with.
#[derive(Clone, Copy, Debug)]
struct Line {
    end: usize,
    status: u16,
}

impl Script {
    /// The script of a scenario.
    pub fn of(scenario: &Scenario) -> Result<Self, MixError> {
        let table = scenario.requests();
        let mix = traffic::mix(scenario, &table, SEED)?;
        let endpoints = table.endpoints().len();
        let requests = table.applications() * endpoints;
        let length = requests.clamp(LEAST_LENGTH, MOST_LENGTH);
        let mut script = Self::default();
        let mut known: HashMap<(usize, usize), u32> = HashMap::new();
        for n in 0..length as u64 {
            let choice = mix.choose(n);
            let line = match choice.caller {
                Caller::Application(application) => *known
                    .entry((application, choice.endpoint))
                    .or_insert_with(|| script.add(&table.request(application, choice.endpoint))),
                Caller::Unknown(n) => script.add(&table.unknown_request(n, choice.endpoint)),
            };
            script.order.push(line);
        }
        Ok(script)
    }

    /// How many different requests there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none, which no scenario allows.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The `n`-th different request and the status of its answer.
    pub fn each(&self, n: usize) -> (&[u8], u16) {
        let start = match n.checked_sub(1) {
            Some(before) => self.lines[before].end,
            None => 0,
        };
        let line = self.lines[n];
        (&self.bytes[start..line.end], line.status)
    }

    /// The `n`-th request to send; the order begins again at its end.
    pub fn next(&self, n: usize) -> (&[u8], u16) {
        self.each(self.order[n % self.order.len()] as usize)
    }

    fn add(&mut self, request: &Request) -> u32 {
        let line = format!("{} {} HTTP/1.1\r\n", request.method, request.path_and_query);
        self.bytes.extend_from_slice(line.as_bytes());
        let has_host = request.headers.iter().any(|(name, _)| name == "host");
        let host = (!has_host).then(|| ("host".to_owned(), "localhost".to_owned()));
        for (name, value) in host.iter().chain(&request.headers) {
            self.bytes
                .extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        // What has a method with a body says that it is empty.
        let may_be_silent = matches!(request.method.as_str(), "GET" | "HEAD");
        if !(may_be_silent && request.body.is_empty()) {
            let length = format!("content-length: {}\r\n", request.body.len());
            self.bytes.extend_from_slice(length.as_bytes());
        }
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(&request.body);
        self.lines.push(Line {
            end: self.bytes.len(),
            status: request.expected_status,
        });
        self.lines.len() as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lab::scenario::BodySettings;

    use super::*;

    fn script(change: impl FnOnce(&mut Scenario)) -> Script {
        let mut scenario = Scenario::find("cache").expect("built in");
        change(&mut scenario);
        Script::of(&scenario).expect("a mix")
    }

    #[test]
    fn every_request_of_a_population_is_in_the_order() {
        let script = script(|_| ());
        assert_eq!(script.len(), 100);
        let used: BTreeSet<u32> = script.order.iter().copied().collect();
        assert_eq!(used.len(), script.len());
        assert_eq!(script.next(3), script.next(3 + script.order.len()));
    }

    #[test]
    fn requests_are_whole_and_say_whom_they_are_for() {
        let plain = script(|_| ());
        let (bytes, status) = plain.each(0);
        let text = String::from_utf8_lossy(bytes).into_owned();
        assert!(text.starts_with("GET /"), "{text}");
        assert!(text.contains("?user_key="), "{text}");
        assert!(
            text.ends_with(" HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            "{text}"
        );
        assert_eq!(status, 200);
        let several = script(|scenario| scenario.population.services = 2);
        let text = String::from_utf8_lossy(several.each(1).0).into_owned();
        assert!(text.contains("\r\nhost: service-"), "{text}");
        assert_eq!(text.matches("host: ").count(), 1, "{text}");
    }

    #[test]
    fn a_body_follows_its_length() {
        let script = script(|scenario| {
            scenario.endpoints[0].body = Some(BodySettings {
                size: None,
                text: Some("{}".to_owned()),
                content_type: None,
            });
        });
        let text = String::from_utf8_lossy(script.each(0).0).into_owned();
        assert!(text.ends_with("\r\ncontent-length: 2\r\n\r\n{}"), "{text}");
    }

    #[test]
    fn strangers_are_expected_to_be_refused() {
        let script = script(|scenario| scenario.mix.unknown_keys = 1.0);
        assert_eq!(script.len(), script.order.len());
        assert_eq!(script.next(7).1, 403);
    }
}
