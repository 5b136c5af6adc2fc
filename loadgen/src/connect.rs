//! Connections to a target, with TLS where its URL says so.
//!
//! Owns [`Connector`], by which the first contact is made as well as the connections of a load. Must not
//! know what is spoken over them.

use std::io;
use std::sync::Arc;

use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum ConnectError {
    /// Nobody answers, or the name is not known.
    #[error(transparent)]
    Tcp(io::Error),
    /// A host that no certificate could be for.
    #[error(transparent)]
    Name(InvalidDnsNameError),
    /// TLS failed.
    #[error(transparent)]
    Handshake(io::Error),
}

impl ConnectError {
    /// Whether the system gave up waiting.
    pub(crate) fn is_timed_out(&self) -> bool {
        match self {
            Self::Tcp(error) | Self::Handshake(error) => error.kind() == io::ErrorKind::TimedOut,
            Self::Name(_) => false,
        }
    }
}

/// An open connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

/// Makes connections to one target.
pub(crate) struct Connector {
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Connector {
    /// Connections are secured if there is a configuration of TLS.
    pub(crate) fn new(target: &Url, tls: Option<Arc<ClientConfig>>) -> Self {
        let host = target.host_str().unwrap_or_default();
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: target.port_or_known_default().unwrap_or(80),
            tls: tls.map(TlsConnector::from),
        }
    }

    pub(crate) async fn connect(&self) -> Result<Stream, ConnectError> {
        let stream = TcpStream::connect((&*self.host, self.port)).await;
        let stream = stream.map_err(ConnectError::Tcp)?;
        // A request leaves when it is written, not when the one before it is acknowledged.
        stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(stream));
        };
        let name = ServerName::try_from(self.host.clone()).map_err(ConnectError::Name)?;
        let secured = tls.connect(name, stream).await;
        let secured = secured.map_err(ConnectError::Handshake)?;
        Ok(Stream::Secured(Box::new(secured)))
    }
}
