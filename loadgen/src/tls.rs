//! Whom to believe to be the target of a load, where it is reached over TLS.
//!
//! Owns [`Trust`] and the one TLS configuration made of it, for the first contact as for the load. Must
//! not know what is sent.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use thiserror::Error;

use crate::profile::Protocol;

/// Whose certificates are accepted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Trust {
    /// Those that the system trusts.
    #[default]
    System,
    /// Only those vouched for by a certificate of this PEM text.
    Only(String),
    /// Any, unchecked.
    Anybody,
}

/// Why there is no TLS.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Text without a usable certificate.
    #[error("no certificate to trust: expected PEM text with `-----BEGIN CERTIFICATE-----`")]
    Pem,
    /// The certificates of the system, or the configuration as a whole.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// A configuration that offers one protocol. Copies share the sessions that can be resumed.
pub fn config(trust: &Trust, protocol: Protocol) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::System => builder.with_platform_verifier()?,
        Trust::Only(pem) => builder.with_root_certificates(roots(pem)?),
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked(provider))),
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![protocol.alpn().as_bytes().to_vec()];
    Ok(config)
}

fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(|_| TlsError::Pem)?)?;
    }
    if roots.is_empty() {
        return Err(TlsError::Pem);
    }
    Ok(roots)
}

/// Accepts every certificate. Signatures are checked all the same: they cost what they cost.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_is_the_only_one_that_is_offered() {
        let offered = |protocol| {
            let config = config(&Trust::Anybody, protocol).expect("nothing to be wrong");
            config.alpn_protocols
        };
        assert_eq!(offered(Protocol::Http1), [b"http/1.1".to_vec()]);
        assert_eq!(offered(Protocol::H2), [b"h2".to_vec()]);
    }

    #[test]
    fn text_without_a_certificate_is_refused() {
        let trust = Trust::Only("nothing here".to_owned());
        let error = config(&trust, Protocol::Http1).expect_err("there is none");
        assert!(error.to_string().contains("BEGIN CERTIFICATE"), "{error}");
    }
}
