//! The clients of a load, and which of them a user sends its next request with.
//!
//! Owns how many clients there are and when a connection is given up. A client is a pool of
//! connections: of HTTP/1.1 it has as many as requests were ever in flight at once, of h2 exactly one.
//! Must not know when a request is due.

use std::time::Duration;

use reqwest::header::{CONNECTION, HeaderValue};
use reqwest::{Client, ClientBuilder, Request};
use rustls::ClientConfig;

use super::DriveError;
use crate::profile::{Connection, Profile, Protocol};
use crate::requests::Requests;
use crate::tls::{self, Trust};

/// What every client of a load is made of.
#[derive(Clone)]
struct Make {
    connection: Connection,
    timeout: Duration,
    tls: ClientConfig,
}

impl Make {
    fn client(&self) -> Result<Client, reqwest::Error> {
        let builder = Client::builder()
            .user_agent(concat!("tollgate-loadgen/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(self.tls.clone())
            // A proxy from the environment would be measured instead of the target.
            .no_proxy()
            // An answer is an answer: following it would be a second request.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.timeout);
        let builder = match self.connection.protocol {
            Protocol::Http1 => builder.http1_only(),
            Protocol::H2 { .. } => builder.http2_prior_knowledge(),
        };
        self.keeping(builder).build()
    }

    /// Without a place for idle connections every request makes its own.
    fn keeping(&self, builder: ClientBuilder) -> ClientBuilder {
        match self.connection.requests_per_connection {
            Some(1) => builder.pool_max_idle_per_host(0),
            _ => builder,
        }
    }
}

/// The clients of a load.
pub(super) struct Routes {
    make: Make,
    clients: Vec<Client>,
}

impl Routes {
    pub(super) fn new(profile: &Profile, requests: &Requests) -> Result<Self, DriveError> {
        // Without TLS the certificates of the system need not be read.
        let nobody = Trust::Anybody;
        let trust = requests.trust().unwrap_or(&nobody);
        let make = Make {
            connection: profile.connection,
            timeout: profile.timeout,
            tls: tls::config(trust, profile.connection.protocol)?,
        };
        let number = match profile.connection.protocol {
            Protocol::Http1 => 1,
            Protocol::H2 { h2_connections } => h2_connections.max(1),
        };
        let clients: Result<Vec<Client>, _> = (0..number).map(|_| make.client()).collect();
        Ok(Self {
            clients: clients.map_err(DriveError::Client)?,
            make,
        })
    }

    /// The route of the `index`-th user.
    pub(super) fn of_user(&self, index: usize) -> Route<'_> {
        let client = self.clients[index % self.clients.len()].clone();
        Route {
            make: &self.make,
            client,
            used: 0,
        }
    }
}

/// The way that the requests of one user take, one after the other.
pub(super) struct Route<'a> {
    make: &'a Make,
    client: Client,
    /// Requests of the present connection, where they are counted.
    used: u32,
}

impl Route<'_> {
    /// Makes a request fit the connection that it is going to take.
    pub(super) fn prepare(&mut self, request: &mut Request) -> Result<(), reqwest::Error> {
        let Some(limit) = self.make.connection.requests_per_connection else {
            return Ok(());
        };
        // A client of its own for so many requests: whatever its pool does, none of its connections
        // carries more. It ends with them.
        if limit > 1 && self.used.is_multiple_of(limit) {
            self.client = self.make.client()?;
            self.used = 0;
        }
        self.used += 1;
        if self.used == limit && self.make.connection.protocol == Protocol::Http1 {
            // Tells the server, so that it is the one to close, as it would in a browser's place.
            let close = HeaderValue::from_static("close");
            request.headers_mut().insert(CONNECTION, close);
        }
        if limit == 1 {
            self.used = 0;
        }
        Ok(())
    }

    /// What to send the prepared request with.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}
