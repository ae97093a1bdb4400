//! The TLS side of the local Spider: a certificate, and a listener whose handshakes wait for nobody.
//!
//! Without files there is a self-signed certificate ([`super::identity`]), good for this machine's names; its SHA-256 fingerprint
//! is logged so that a client can pin it. A browser will warn, as it should.
//!
//! Promises: a client that stalls in its handshake delays no other. Knows nothing of: routes.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::doors::{Doors, Guest, next_guest};
use crate::config::{Certificate, Fingerprint};

/// Longest TLS handshake. choice: generous for LTE, short for a port scan.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes done but not yet taken. choice: more than a car will see at once.
const ACCEPTED_ROOM: usize = 16;

/// A certificate with its key, and its fingerprint.
pub(super) struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) sha256: String,
}

/// What is shown to whoever connects next. It can be another one than a moment ago.
#[derive(Debug)]
pub(super) struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    /// Shows this from now on.
    pub(super) fn new(identity: &Identity) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::clone(&identity.key))))
    }

    /// Shows this one instead. Who is connected stays so.
    pub(super) fn replace(&self, identity: &Identity) {
        // Whoever panicked in there has left one that is whole.
        let mut key = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *key = Arc::clone(&identity.key);
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&key))
    }
}

/// Why there is no certificate to serve with.
pub(super) type IdentityError = Box<dyn std::error::Error + Send + Sync>;

/// The identity in two PEM texts, whose files are named in errors.
pub(super) fn from_pem(given: &Certificate) -> Result<Identity, IdentityError> {
    let named = |path: &Path, err: &dyn std::fmt::Display| format!("{}: {err}", path.display());
    let chain = CertificateDer::pem_slice_iter(&given.chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|err| named(&given.chain_file, &err))?;
    let key = PrivateKeyDer::from_pem_slice(given.key_pem.expose().as_bytes())
        .map_err(|err| named(&given.key_file, &err))?;
    identity(chain, key).map_err(|err| named(&given.chain_file, &err).into())
}

/// The identity of a chain and the key of its first certificate.
pub(super) fn identity(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Identity, IdentityError> {
    let leaf = chain.first().ok_or("the file holds no certificate")?;
    let sha256 = Fingerprint::of(leaf).to_string();
    let provider = rustls::crypto::ring::default_provider();
    // Whether they belong together is looked at here, not when somebody connects.
    let key = CertifiedKey::from_der(chain, key, &provider)?;
    Ok(Identity {
        key: Arc::new(key),
        sha256,
    })
}

/// A server that shows that.
fn server(shown: Arc<Shown>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(shown))
}

/// A connection whose handshake is done, and where it comes from.
type Accepted = (Guest<TlsStream<TcpStream>>, SocketAddr);

/// A listener that hands out connections whose TLS handshake is done.
pub(super) struct TlsListener {
    accepted: mpsc::Receiver<Accepted>,
    local: SocketAddr,
    acceptor: JoinHandle<()>,
}

impl TlsListener {
    /// Starts accepting on a bound listener.
    pub(super) fn new(listener: TcpListener, shown: Arc<Shown>, doors: Doors) -> io::Result<Self> {
        let config = Arc::new(server(shown).map_err(io::Error::other)?);
        let local = listener.local_addr()?;
        let (tx, accepted) = mpsc::channel(ACCEPTED_ROOM);
        let acceptor = tokio::spawn(accept_all(listener, TlsAcceptor::from(config), doors, tx));
        Ok(Self {
            accepted,
            local,
            acceptor,
        })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept_all(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    doors: Doors,
    tx: mpsc::Sender<Accepted>,
) {
    loop {
        let (stream, from, place) = next_guest(&listener, &doors).await;
        let (acceptor, tx) = (acceptor.clone(), tx.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _ = tx.send((Guest::new(stream, place), from)).await; // fails only when the server stops
                }
                Ok(Err(err)) => tracing::debug!(%from, %err, "spider: TLS handshake"),
                Err(_) => tracing::debug!(%from, "spider: TLS handshake took too long"),
            }
        });
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = Guest<TlsStream<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The acceptor task ends only with this listener; wait to be dropped.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.local)
    }
}
