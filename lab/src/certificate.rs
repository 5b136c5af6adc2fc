//! The certificate of a lab's gateways: signed by itself, made when the lab starts, gone with it.
//!
//! Owns [`Certificate`] and the names it is for. Must not know where its files are or who serves with it.

use std::fmt;

use rcgen::CertifiedKey;
use thiserror::Error;

/// A certificate cannot be made; nothing that a person did.
#[derive(Debug, Error)]
#[error("cannot make a certificate for the gateways")]
pub struct CertificateError(#[from] rcgen::Error);

/// A certificate with its private key.
#[derive(Clone, Eq, PartialEq)]
pub struct Certificate {
    pem: String,
    key_pem: String,
}

/// Shows nothing of the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Certificate")
    }
}

impl Certificate {
    /// A new one for loopback, and for these names.
    pub fn generate(names: impl IntoIterator<Item = String>) -> Result<Self, CertificateError> {
        let loopback = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let names: Vec<String> = loopback.into_iter().chain(names).collect();
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names)?;
        Ok(Self {
            pem: cert.pem(),
            key_pem: signing_key.serialize_pem(),
        })
    }

    /// The certificate, which clients have to trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its private key.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lab_has_a_key_of_its_own_and_shows_it_to_nobody() {
        let make = || Certificate::generate(["api.test".to_owned()]).expect("it can be made");
        let (one, other) = (make(), make());
        assert!(one.pem().starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(one.key_pem().contains("PRIVATE KEY"));
        assert_ne!(one, other);
        assert_eq!(format!("{one:?}"), "Certificate");
    }

    #[test]
    fn a_name_that_no_certificate_can_have_is_an_error() {
        assert!(Certificate::generate(["\u{fc}".to_owned()]).is_err());
    }
}
