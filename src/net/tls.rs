//! Whom the car trusts: the usual authorities, one authority, one certificate, or, said aloud, anybody.
//!
//! Old clients of Spider trusted everybody, since its certificate is often self-signed. A pin (SHA-256
//! of the certificate) is the safe answer to that: nothing to install, nothing to intercept.
//!
//! Promises: only [`Trust::Anything`] accepts what was not named, and making it into a configuration
//! logs a warning. Knows nothing of: WebSocket, Spider.
//! Sources: RFC 8446 4.4.2, RFC 5280; rustls' own verifier does the chain.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::{Fingerprint, Trust};

/// Why there is no trust to start from.
#[derive(Debug)]
pub enum TrustError {
    /// The file of authorities cannot be used.
    CaFile(PathBuf, String),
    /// The system has no authorities.
    NoSystemRoots(String),
    /// The TLS library refused its own settings.
    Library(rustls::Error),
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaFile(path, why) => write!(
                f,
                "spider.ca_file {}: {why}; it must hold one or more certificates in PEM",
                path.display()
            ),
            Self::NoSystemRoots(why) => write!(
                f,
                "this system has no certificate authorities ({why}); install ca-certificates, or set \
                 spider.ca_file or spider.pin_sha256"
            ),
            Self::Library(err) => write!(f, "TLS: {err}"),
        }
    }
}

impl std::error::Error for TrustError {}

/// A client configuration that trusts as said.
///
/// # Errors
/// A file of authorities without a certificate, or a system without authorities.
pub fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Library)?;
    let named = |pin| Arc::new(Named { pin, provider });
    let roots = match trust {
        Trust::System => system_roots()?,
        Trust::Ca { file, pem } => roots_in(file, pem)?,
        Trust::Pin(pin) => {
            let builder = builder.dangerous();
            let verifier = named(Some(*pin.bytes()));
            return Ok(Arc::new(
                builder
                    .with_custom_certificate_verifier(verifier)
                    .with_no_client_auth(),
            ));
        }
        Trust::Anything => {
            tracing::warn!(
                "spider.insecure = true: the Spider's certificate is NOT verified; anybody on the path \
                 can watch and drive this car"
            );
            let builder = builder.dangerous();
            let verifier = named(None);
            return Ok(Arc::new(
                builder
                    .with_custom_certificate_verifier(verifier)
                    .with_no_client_auth(),
            ));
        }
    };
    Ok(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

fn system_roots() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found
            .errors
            .first()
            .map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TrustError::NoSystemRoots(why));
    }
    Ok(roots)
}

fn roots_in(file: &Path, pem: &[u8]) -> Result<RootCertStore, TrustError> {
    let wrong = |why: String| TrustError::CaFile(file.to_owned(), why);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|err| wrong(err.to_string()))?;
        roots
            .add(certificate)
            .map_err(|err| wrong(err.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// Accepts one named certificate, or with no pin any; the handshake's signature is always checked.
#[derive(Debug)]
struct Named {
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(pin) = self.pin else {
            return Ok(ServerCertVerified::assertion());
        };
        if *Fingerprint::of(end_entity).bytes() == pin {
            return Ok(ServerCertVerified::assertion());
        }
        let hex = Fingerprint::of(end_entity);
        Err(rustls::Error::General(format!(
            "the certificate is not the pinned one: its SHA-256 is {hex}; if the server's certificate \
             was renewed on purpose, set spider.pin_sha256 to that"
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn a_file_without_authorities_is_named_with_what_to_do() {
        let trust = Trust::Ca {
            file: "/some/ca.pem".into(),
            pem: b"not a certificate".to_vec(),
        };
        let text = client_config(&trust)
            .expect_err("there is none in it")
            .to_string();
        assert!(
            text.contains("/some/ca.pem") && text.contains("PEM"),
            "{text}"
        );
    }

    #[test]
    fn only_the_pinned_certificate_is_accepted() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = CertificateDer::from(vec![1, 2, 3]);
        let verify = |pin| {
            let named = Named {
                pin,
                provider: Arc::clone(&provider),
            };
            let name = ServerName::try_from("localhost").expect("a name");
            named.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now())
        };
        assert!(verify(Some(Sha256::digest([1, 2, 3]).into())).is_ok());
        assert!(verify(None).is_ok());
        let text = verify(Some([0; 32]))
            .expect_err("another certificate")
            .to_string();
        assert!(text.contains("039058c6f2c0cb492c533b0a4d14ef77"), "{text}");
    }
}
