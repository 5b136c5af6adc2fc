//! The ways of a load to its targets, and which of them the next request of a user takes.
//!
//! Owns [`Routes`]: for each target the connections of its protocol. Must not know when a request is due.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::DriveError;
use super::h2::Lines;
use super::http1::Pool;
use crate::connect::Connector;
use crate::latency::ErrorClass;
use crate::profile::{Profile, Protocol};
use crate::requests::Requests;
use crate::tls;

/// The connections of a load.
pub(super) struct Routes {
    timeout: Duration,
    ways: Vec<Way>,
}

/// The connections to one target.
enum Way {
    Http1(Pool),
    H2(Lines),
}

impl Routes {
    pub(super) fn new(profile: &Profile, requests: &Requests) -> Result<Self, DriveError> {
        let connection = profile.connection;
        let limit = connection.requests_per_connection;
        // Without TLS the certificates of the system need not be read.
        let config = match requests.trust() {
            Some(trust) => Some(Arc::new(tls::config(trust, connection.protocol)?)),
            None => None,
        };
        let ways = requests.targets().map(|target| {
            let config = config.clone().filter(|_| target.scheme() == "https");
            let connector = Connector::new(target, config);
            match connection.protocol {
                Protocol::Http1 => Way::Http1(Pool::new(connector, limit)),
                // A limit of h2 is 1: no line is there for a second request.
                Protocol::H2 { h2_connections } => Way::H2(match limit {
                    None => Lines::new(connector, h2_connections),
                    Some(_) => Lines::new(connector, 0),
                }),
            }
        });
        Ok(Self {
            timeout: profile.timeout,
            ways: ways.collect(),
        })
    }

    /// The route of the `index`-th user.
    pub(super) fn of_user(&self, index: usize) -> Route<'_> {
        Route {
            routes: self,
            index,
        }
    }
}

/// The way that the requests of one user take, one after the other.
pub(super) struct Route<'a> {
    routes: &'a Routes,
    index: usize,
}

impl Route<'_> {
    /// How long a request may take, from its connection to the end of its answer.
    pub(super) fn timeout(&self) -> Duration {
        self.routes.timeout
    }

    /// Sends a request and returns the status of its answer, which was read to the end.
    pub(super) async fn exchange(
        &self,
        target: usize,
        request: Request<Full<Bytes>>,
    ) -> Result<u16, ErrorClass> {
        match self.routes.ways.get(target) {
            Some(Way::Http1(pool)) => pool.exchange(request).await,
            Some(Way::H2(lines)) => lines.exchange(self.index, request).await,
            None => Err(ErrorClass::Invalid),
        }
    }
}
