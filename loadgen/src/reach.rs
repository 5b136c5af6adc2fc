//! The first contact with a target: is it there, is it who it should be, does it speak the protocol?
//!
//! Owns the question, which sends no request, and the answers in words, so that a mistyped target is
//! one sentence instead of a run full of errors. Must not know what the load will be.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::AlertDescription;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::connect::{ConnectError, Connector, Stream};
use crate::profile::Protocol;
use crate::tls::{self, TlsError, Trust};

const REACH: Duration = Duration::from_secs(5);

/// How a client of h2 begins (RFC 9113, 3.4): the preface and its settings, here none.
const H2_GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Length of the head of a frame of h2 (4.1), and where its type is.
const FRAME_HEAD: usize = 9;
const FRAME_TYPE: usize = 3;
/// The type of the frame with which a server has to begin.
const SETTINGS: u8 = 4;

/// Why a target cannot be loaded. Each names scheme, host and port.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReachError {
    /// Nobody listens.
    #[error(
        "target `{target}` cannot be reached ({reason}); start it, or check scheme, host and port"
    )]
    Unreachable {
        /// Scheme, host and port.
        target: String,
        /// What the system says.
        reason: String,
    },
    /// Nobody vouches for it.
    #[error(
        "target `{target}` shows a certificate that is not accepted ({reason}); expected one for \
         this host from somebody trusted: name whom to trust with --cacert FILE, or give up \
         checking with --insecure"
    )]
    Certificate {
        /// Scheme, host and port.
        target: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What answers is no TLS.
    #[error("target `{target}` does not speak TLS ({reason}); expected that of an https:// URL")]
    NoTls {
        /// Scheme, host and port.
        target: String,
        /// What came instead.
        reason: String,
    },
    /// It does not speak the protocol.
    #[error("target `{target}` does not speak {protocol} ({reason}); {remedy}")]
    Protocol {
        /// Scheme, host and port.
        target: String,
        /// The protocol that the load is to use.
        protocol: &'static str,
        /// What came instead.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// TLS on this side.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Opens a connection, makes sure that requests of this protocol would be understood, and closes it.
pub async fn reach(target: &Url, protocol: Protocol, trust: &Trust) -> Result<(), ReachError> {
    let contact = Contact {
        target: target.origin().ascii_serialization(),
        protocol,
    };
    let config = match target.scheme() {
        "https" => Some(Arc::new(tls::config(trust, protocol)?)),
        _ => None,
    };
    let connector = Connector::new(target, config);
    match tokio::time::timeout(REACH, contact.make(&connector)).await {
        Ok(made) => made,
        Err(_) => Err(contact.unreachable(format!("no answer within {} s", REACH.as_secs()))),
    }
}

struct Contact {
    target: String,
    protocol: Protocol,
}

impl Contact {
    async fn make(&self, connector: &Connector) -> Result<(), ReachError> {
        let stream = match connector.connect().await {
            Ok(Stream::Plain(stream)) => return self.greet(stream).await,
            Ok(Stream::Secured(stream)) => stream,
            Err(ConnectError::Handshake(error)) => return Err(self.not_secured(&error)),
            Err(error) => return Err(self.unreachable(error.to_string())),
        };
        let chosen = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        match (self.protocol, chosen.as_deref()) {
            (Protocol::H2 { .. }, Some(b"h2")) => self.greet(stream).await,
            // Who knows nothing of ALPN speaks HTTP/1.1.
            (Protocol::H2 { .. }, _) => Err(self.misunderstood("it does not offer h2 by ALPN")),
            (Protocol::Http1, _) => Ok(()),
        }
    }

    /// With h2 each side begins with its settings, before any request. HTTP/1.1 has nothing of the
    /// kind.
    async fn greet(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<(), ReachError> {
        if self.protocol == Protocol::Http1 {
            return Ok(());
        }
        let mut head = [0; FRAME_HEAD];
        let answered = async {
            stream.write_all(H2_GREETING).await?;
            stream.flush().await?;
            stream.read_exact(&mut head).await
        };
        match answered.await {
            Ok(_) if head[FRAME_TYPE] == SETTINGS => Ok(()),
            Ok(_) if head.starts_with(b"HTTP/1") => {
                Err(self.misunderstood("it answers in HTTP/1.1"))
            }
            Ok(_) => Err(self.misunderstood("its answer has no settings of h2")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.misunderstood("it closed the connection"))
            }
            Err(error) => Err(self.misunderstood(&error.to_string())),
        }
    }

    fn not_secured(&self, error: &io::Error) -> ReachError {
        let target = self.target.clone();
        let cause = error.get_ref().and_then(|it| it.downcast_ref());
        match cause {
            Some(rustls::Error::InvalidCertificate(why)) => ReachError::Certificate {
                target,
                reason: why.to_string(),
            },
            Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
                self.misunderstood("it says so in its TLS handshake")
            }
            _ => ReachError::NoTls {
                target,
                reason: error.to_string(),
            },
        }
    }

    fn misunderstood(&self, reason: &str) -> ReachError {
        ReachError::Protocol {
            target: self.target.clone(),
            protocol: self.protocol.alpn(),
            reason: reason.to_owned(),
            remedy: match self.protocol {
                Protocol::H2 { .. } => {
                    "expected a server of h2: leave out --http2, or set `protocol = \"http/1.1\"` \
                     in the profile's [connection]"
                }
                Protocol::Http1 => {
                    "expected a server of HTTP/1.1: try --http2, or set `protocol = \"h2\"` in the \
                     profile's [connection]"
                }
            },
        }
    }

    fn unreachable(&self, reason: String) -> ReachError {
        ReachError::Unreachable {
            target: self.target.clone(),
            reason,
        }
    }
}
