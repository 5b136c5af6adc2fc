//! The requests that a scenario's clients send, by application and endpoint.
//!
//! Owns how credentials are put into a request. Which request comes next is not decided here.

use bytes::Bytes;

use crate::population::{Application, Credential, Population};
use crate::scenario::{CredentialKind, EndpointFile, Scenario};

/// Every request of a scenario.
#[derive(Clone, Debug)]
pub struct RequestTable {
    population: Population,
    kind: CredentialKind,
    endpoints: Vec<Endpoint>,
    /// What the upstream answers.
    allowed: u16,
    /// Whether the plugin decides who is let through.
    is_limited: bool,
}

/// One kind of request.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Share of requests, relative to the other endpoints' weights.
    pub weight: f64,
    /// The status of its answers to clients that are let through, instead of the upstream's.
    pub status: Option<u16>,
    /// What each request carries; empty for nothing. Copies share the bytes.
    pub body: Bytes,
    /// The header `content-type`.
    pub content_type: Option<String>,
}

/// A request as a client sends it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path with query.
    pub path_and_query: String,
    /// Headers beyond those every client sends.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Bytes,
    /// The status that a correct gateway answers with.
    pub expected_status: u16,
}

impl RequestTable {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            population: Population::new(&scenario.population),
            kind: scenario.population.credentials,
            endpoints: scenario.endpoints.iter().map(Endpoint::new).collect(),
            allowed: scenario.upstream.status,
            is_limited: scenario.plugin.enabled,
        }
    }

    /// How many applications send requests.
    pub fn applications(&self) -> usize {
        self.population.applications() as usize
    }

    /// The kinds of requests, in the scenario's order.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// A request that is let through.
    ///
    /// # Panics
    /// When either index is not below [`Self::applications`] or the number of [`Self::endpoints`].
    pub fn request(&self, application: usize, endpoint: usize) -> Request {
        assert!(
            application < self.applications(),
            "there is no such application"
        );
        self.request_of(&self.population.application(application as u32), endpoint)
    }

    /// A request of the application whose limit lets nothing through. Without a plugin nothing
    /// limits it either; its expected status is that of a limit exceeded, 429.
    ///
    /// # Panics
    /// When `endpoint` is not below the number of [`Self::endpoints`].
    pub fn exhausted_request(&self, endpoint: usize) -> Request {
        let request = self.request_of(&self.population.exhausted(), endpoint);
        self.refused(request, 429)
    }

    /// A request with a credential that nobody has; another one for each `n`.
    ///
    /// # Panics
    /// When `endpoint` is not below the number of [`Self::endpoints`].
    pub fn unknown_request(&self, n: u64, endpoint: usize) -> Request {
        let secret = self.population.unknown_secret(n);
        let stranger = Application {
            service: (n % self.population.services.len() as u64) as usize,
            id: secret[..16].to_owned(),
            credential: match self.kind {
                CredentialKind::UserKey | CredentialKind::UserKeyHeader => {
                    Credential::UserKey(secret)
                }
                CredentialKind::AppIdKey => Credential::AppKey(secret),
            },
        };
        let request = self.request_of(&stranger, endpoint);
        self.refused(request, 403)
    }

    fn refused(&self, mut request: Request, status: u16) -> Request {
        if self.is_limited {
            request.expected_status = status;
        }
        request
    }

    fn request_of(&self, application: &Application, endpoint: usize) -> Request {
        let endpoint = &self.endpoints[endpoint];
        let mut headers = Vec::new();
        if let Some(content_type) = &endpoint.content_type {
            headers.push(("content-type".to_owned(), content_type.clone()));
        }
        if self.population.services.len() > 1 {
            headers.push(("host".to_owned(), authority(application.service)));
        }
        let query = match &application.credential {
            Credential::UserKey(key) if self.kind == CredentialKind::UserKeyHeader => {
                headers.push(("x-user-key".to_owned(), key.clone()));
                String::new()
            }
            Credential::UserKey(key) => format!("?user_key={key}"),
            Credential::AppKey(key) => {
                headers.push(("x-app-id".to_owned(), application.id.clone()));
                headers.push(("x-app-key".to_owned(), key.clone()));
                String::new()
            }
        };
        Request {
            method: endpoint.method.clone(),
            path_and_query: format!("{}{query}", endpoint.path),
            headers,
            body: endpoint.body.clone(),
            expected_status: endpoint.status.unwrap_or(self.allowed),
        }
    }
}

/// The authority under which one of several services is reached.
pub(crate) fn authority(service: usize) -> String {
    format!("service-{service}.test")
}

impl Endpoint {
    fn new(endpoint: &EndpointFile) -> Self {
        let body = endpoint.body.as_ref();
        Self {
            method: endpoint.method.clone(),
            path: endpoint.path.clone(),
            weight: endpoint.weight,
            status: endpoint.status,
            // Checked when the scenario was read.
            body: body.and_then(|it| it.bytes().ok()).unwrap_or_default(),
            content_type: body.and_then(|it| it.content_type.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::BodySettings;

    fn table(change: impl FnOnce(&mut Scenario)) -> RequestTable {
        let mut scenario = Scenario::find("cache").expect("it is built in");
        change(&mut scenario);
        scenario.requests()
    }

    #[test]
    fn a_user_key_travels_in_the_query() {
        let table = table(|_| ());
        let request = table.request(0, 0);
        let (_, key) = request
            .path_and_query
            .split_once("?user_key=")
            .expect("a key");
        assert_eq!(key.len(), 32);
        assert!(request.headers.is_empty());
        assert_ne!(request, table.request(1, 0));
        assert_eq!(request.expected_status, 200);
    }

    #[test]
    fn a_body_is_the_same_bytes_for_everybody() {
        let table = table(|scenario| {
            scenario.endpoints[0].body = Some(BodySettings {
                size: Some("2KiB".to_owned()),
                text: None,
                content_type: Some("text/plain".to_owned()),
            });
        });
        let (one, other) = (table.request(0, 0), table.request(1, 0));
        assert_eq!(one.body.len(), 2048);
        assert_eq!(one.body.as_ptr(), other.body.as_ptr());
        assert_eq!(
            one.headers,
            [("content-type".to_owned(), "text/plain".to_owned())]
        );
        assert!(table.request(0, 1).body.is_empty());
    }

    #[test]
    fn a_user_key_can_travel_in_a_header() {
        let request =
            table(|it| it.population.credentials = CredentialKind::UserKeyHeader).request(0, 0);
        assert_eq!(request.headers.len(), 1);
        assert_eq!(request.headers[0].0, "x-user-key");
        assert!(!request.path_and_query.contains('?'));
    }

    #[test]
    fn an_id_and_a_key_travel_in_headers() {
        let request =
            table(|it| it.population.credentials = CredentialKind::AppIdKey).request(3, 0);
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["x-app-id", "x-app-key"]);
        assert!(!request.path_and_query.contains('?'));
    }

    #[test]
    fn strangers_are_refused_only_where_someone_checks() {
        let with = table(|_| ());
        assert_eq!(with.unknown_request(7, 0).expected_status, 403);
        assert_eq!(with.exhausted_request(0).expected_status, 429);
        assert_ne!(with.unknown_request(7, 0), with.unknown_request(8, 0));
        let without = table(|scenario| scenario.plugin.enabled = false);
        assert_eq!(without.unknown_request(7, 0).expected_status, 200);
        assert_eq!(without.exhausted_request(0).expected_status, 200);
    }

    #[test]
    fn an_endpoint_that_a_filter_answers_says_its_status() {
        let answered = |scenario: &mut Scenario| scenario.endpoints[1].status = Some(418);
        let with = table(answered);
        assert_eq!(with.request(0, 0).expected_status, 200);
        assert_eq!(with.request(0, 1).expected_status, 418);
        // The plugin decides before anybody answers.
        assert_eq!(with.unknown_request(7, 1).expected_status, 403);
        let without = table(|scenario| {
            answered(scenario);
            scenario.plugin.enabled = false;
        });
        assert_eq!(without.unknown_request(7, 1).expected_status, 418);
    }

    #[test]
    fn several_services_are_told_apart_by_authority() {
        let table = table(|scenario| scenario.population.services = 2);
        let host = |application: usize| table.request(application, 0).headers[0].1.clone();
        assert_eq!((host(0), host(1)), (authority(0), authority(1)));
    }
}
