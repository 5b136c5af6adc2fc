//! The table `[connection]` of a profile: over which protocol requests travel, and how long a
//! connection is used.
//!
//! Owns [`Connection`] and which of its settings go together. Must not know how a connection is made.

use serde::{Deserialize, Serialize};

/// More requests than this on a connection are as good as no limit.
const MOST_REQUESTS: u32 = 1_000_000_000;
/// More connections of h2 than this are no sharing any more.
const MOST_H2_CONNECTIONS: u32 = 10_000;

/// How requests travel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Connection {
    /// The protocol and what belongs to it.
    #[serde(flatten)]
    pub protocol: Protocol,
    /// Requests after which a connection is closed; 1 is no keep-alive, absent is no limit. With h2
    /// absent or 1.
    pub requests_per_connection: Option<u32>,
}

/// The protocol of every request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(tag = "protocol")]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on each connection.
    #[default]
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2, with prior knowledge on plain text and by ALPN over TLS: many requests at once on each
    /// connection.
    #[serde(rename = "h2")]
    H2 {
        /// Connections that the requests are spread over, at least 1.
        h2_connections: u32,
    },
}

impl Protocol {
    /// HTTP/2 over one connection.
    pub const H2: Self = Self::H2 { h2_connections: 1 };

    /// Its name in ALPN.
    pub fn alpn(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::H2 { .. } => "h2",
        }
    }
}

/// The table as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConnection {
    #[serde(default)]
    protocol: RawProtocol,
    keep_alive: Option<bool>,
    requests_per_connection: Option<u32>,
    h2_connections: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum RawProtocol {
    #[default]
    #[serde(rename = "http/1.1")]
    Http1,
    #[serde(rename = "h2")]
    H2,
}

impl RawConnection {
    /// The settings, or the field that cannot be meant with what is expected of it.
    pub(super) fn validate(&self) -> Result<Connection, (&'static str, String)> {
        let requests_per_connection = self.requests_per_connection()?;
        let protocol = match (self.protocol, self.h2_connections) {
            (RawProtocol::Http1, None) => Protocol::Http1,
            (RawProtocol::Http1, Some(_)) => {
                let expected =
                    "belongs to `protocol = \"h2\"`; http/1.1 has the profile's `connections`";
                return Err(("connection.h2_connections", expected.to_owned()));
            }
            (RawProtocol::H2, None) => Protocol::H2,
            (RawProtocol::H2, Some(h2_connections @ 1..=MOST_H2_CONNECTIONS)) => {
                Protocol::H2 { h2_connections }
            }
            (RawProtocol::H2, Some(given)) => {
                let expected = format!("expected 1 to {MOST_H2_CONNECTIONS}, not {given}");
                return Err(("connection.h2_connections", expected));
            }
        };
        let connection = Connection {
            protocol,
            requests_per_connection,
        };
        match connection.misfit() {
            Some(misfit) => Err(("connection.requests_per_connection", misfit.to_owned())),
            None => Ok(connection),
        }
    }

    fn requests_per_connection(&self) -> Result<Option<u32>, (&'static str, String)> {
        const FIELD: &str = "connection.requests_per_connection";
        match (self.keep_alive, self.requests_per_connection) {
            (Some(false), None) => Ok(Some(1)),
            (Some(false), Some(_)) => {
                let expected = "there is one without keep-alive; leave it out, or `keep_alive`";
                Err((FIELD, expected.to_owned()))
            }
            (_, Some(given)) if !(1..=MOST_REQUESTS).contains(&given) => {
                Err((FIELD, format!("expected 1 to {MOST_REQUESTS}, not {given}")))
            }
            (_, given) => Ok(given),
        }
    }
}

impl Connection {
    /// What is wrong with the protocol and the number of requests together, if anything.
    pub(super) fn misfit(&self) -> Option<&'static str> {
        let is_counted = self.requests_per_connection.is_some_and(|n| n > 1);
        let is_h2 = matches!(self.protocol, Protocol::H2 { .. });
        (is_h2 && is_counted).then_some(
            "expected `protocol = \"http/1.1\"`, or 1: a connection of h2 carries many requests at \
             once, which have no order to count them by",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn parse(table: &str) -> Result<Connection, String> {
        let source = format!(
            "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 1\nrequests = 1\n{table}"
        );
        Profile::parse("mine.toml", &source)
            .map(|profile| profile.connection)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_table_says_is_what_a_profile_has() {
        #[track_caller]
        fn check(table: &str, protocol: Protocol, requests_per_connection: Option<u32>) {
            let expected = Connection {
                protocol,
                requests_per_connection,
            };
            assert_eq!(parse(table), Ok(expected), "{table}");
        }
        check("", Protocol::Http1, None);
        check("[connection]\nkeep_alive = true", Protocol::Http1, None);
        check("[connection]\nkeep_alive = false", Protocol::Http1, Some(1));
        check(
            "[connection]\nprotocol = 'http/1.1'\nrequests_per_connection = 100",
            Protocol::Http1,
            Some(100),
        );
        check("[connection]\nprotocol = 'h2'", Protocol::H2, None);
        check(
            "[connection]\nprotocol = 'h2'\nh2_connections = 4",
            Protocol::H2 { h2_connections: 4 },
            None,
        );
        check(
            "[connection]\nprotocol = 'h2'\nkeep_alive = false",
            Protocol::H2,
            Some(1),
        );
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused_with_their_place() {
        #[track_caller]
        fn check(table: &str, parts: &[&str]) {
            let message = parse(table).expect_err("broken on purpose");
            for part in parts.iter().chain(&["mine.toml"]) {
                assert!(message.contains(part), "`{part}` is missing in: {message}");
            }
        }
        check("[connection]\nprotocol = 'h3'", &["line 7", "h3", "h2"]);
        check("[connection]\nkeepalive = false", &["line 7", "keepalive"]);
        check(
            "[connection]\nrequests_per_connection = 0",
            &["`connection.requests_per_connection`", "not 0"],
        );
        check(
            "[connection]\nkeep_alive = false\nrequests_per_connection = 5",
            &["`connection.requests_per_connection`", "`keep_alive`"],
        );
        check(
            "[connection]\nprotocol = 'h2'\nrequests_per_connection = 5",
            &["`connection.requests_per_connection`", "http/1.1"],
        );
        check(
            "[connection]\nh2_connections = 2",
            &["`connection.h2_connections`", "h2"],
        );
        check(
            "[connection]\nprotocol = 'h2'\nh2_connections = 0",
            &["`connection.h2_connections`", "not 0"],
        );
    }

    #[test]
    fn a_record_of_a_profile_names_its_protocol() {
        let recorded = |table| serde_json::to_value(parse(table).expect("valid")).expect("JSON");
        assert_eq!(
            recorded("").to_string(),
            r#"{"protocol":"http/1.1","requests_per_connection":null}"#
        );
        assert_eq!(
            recorded("[connection]\nprotocol = 'h2'").to_string(),
            r#"{"h2_connections":1,"protocol":"h2","requests_per_connection":null}"#
        );
    }
}
