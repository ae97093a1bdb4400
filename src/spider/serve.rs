//! The addresses of the local Spider: plain and TLS, signalling paths, viewer page.
//!
//! ```text
//!   GET /live/ws/pub?channel=ID[&instance=..]   key in a header     upgrade ─▶ session (publisher)
//!   GET /live/ws/sub?channel=ID[&drive=1]       key in a header     upgrade ─▶ session (viewer)
//!   GET /channels.json                     {"channels":[...]}: who is on air
//!   GET /, /NAME                           the page
//! ```
//!
//! Promises: both listeners serve the same routes; dropping [`Spider`] stops them; an address in use
//! or a bad certificate is an error that says what to do. Knows nothing of: WebRTC.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, RawQuery, Request as Asked, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::channel::Channels;
use super::doors::{Doors, PlainListener};
use super::fault::Fault;
use super::key::{self, Keys, Whence};
use super::offers::Offers;
use super::relay::lock;
use super::session::{self, Request, Role};
use super::tls::Shown;
use super::visitor::{self, Refusal};
use super::{SpiderOptions, identity, page, tls};
use crate::config::{Certificate, Secret, holder, query};
use crate::logic::rights::Right;
use crate::peer::{Codec, MAX_DESCRIPTION, Reach};

/// Largest signalling message: a description, and what JSON makes of its line ends.
const MESSAGE_LIMIT: usize = 2 * MAX_DESCRIPTION;

/// A Spider that is serving; stops when dropped.
#[derive(Debug)]
pub struct Spider {
    /// Address of the plain listener.
    pub plain: SocketAddr,
    /// Address of the TLS listener.
    pub tls: SocketAddr,
    /// SHA-256 of the certificate, in hexadecimal digits, for clients that pin it.
    pub certificate_sha256: String,
    keys: Keys,
    shown: Arc<Shown>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Spider {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Why a Spider cannot start.
#[derive(Debug)]
pub enum SpiderError {
    /// The address cannot be bound.
    Bind(SocketAddr, std::io::Error),
    /// There is no usable certificate.
    Certificate(Box<dyn std::error::Error + Send + Sync>),
    /// It would be open to the network without a driver key.
    KeyMissing(SocketAddr),
}

impl fmt::Display for SpiderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(addr, err) if err.kind() == std::io::ErrorKind::AddrInUse => write!(
                f,
                "local Spider: {addr} is in use; {}, or choose another port (local.port, local.tls_port, or --port and \
                 --tls-port)",
                holder::port_taken(addr.port())
            ),
            Self::Bind(addr, err) => write!(f, "local Spider: cannot listen on {addr}: {err}"),
            Self::Certificate(err) => write!(
                f,
                "local Spider: certificate: {err}; give both local.cert_file and local.key_file as PEM, \
                 or neither for a self-signed one"
            ),
            Self::KeyMissing(addr) => write!(
                f,
                "local Spider: {} is reachable from the network, so it needs a driver key: put a secret \
                 into a file and name it in local.driver_key_file (or --driver-key-file)",
                addr.ip()
            ),
        }
    }
}

impl std::error::Error for SpiderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(_, err) => Some(err),
            Self::Certificate(err) => Some(err.as_ref()),
            Self::KeyMissing(_) => None,
        }
    }
}

struct Shared {
    channels: Channels,
    offers: Mutex<Offers>,
    options: Arc<SpiderOptions>,
}

impl Spider {
    /// Binds both addresses and serves until dropped.
    ///
    /// # Errors
    /// An address in use or forbidden, no usable certificate, or an open address without a key.
    pub async fn start(options: SpiderOptions) -> Result<Self, SpiderError> {
        let addr = |port| SocketAddr::new(options.listen, port);
        if !options.listen.is_loopback() && options.keys.driver.is_none() {
            return Err(SpiderError::KeyMissing(addr(options.port)));
        }
        let identity = match &options.certificate {
            Some(given) => tls::from_pem(given),
            None => identity::own(options.identity_file.as_deref(), options.listen),
        }
        .map_err(SpiderError::Certificate)?;
        session::warn_of(&options.faults);
        for gap in options.keys.gaps() {
            tracing::info!("local Spider: {gap}");
        }
        let bind = |addr| async move {
            TcpListener::bind(addr)
                .await
                .map_err(|err| SpiderError::Bind(addr, err))
        };
        let plain = bind(addr(options.port)).await?;
        let secure = bind(addr(options.tls_port)).await?;
        let io = |err| SpiderError::Bind(addr(0), err);
        let plain_addr = plain.local_addr().map_err(io)?;
        let doors = Doors::default();
        let plain = PlainListener::new(plain, doors.clone());
        let shown = Shown::new(&identity);
        let secure = tls::TlsListener::new(secure, Arc::clone(&shown), doors).map_err(io)?;
        let tls_addr = axum::serve::Listener::local_addr(&secure).map_err(io)?;
        let keys = options.keys.clone();
        let shared = Arc::new(Shared {
            channels: Channels::default(),
            offers: Mutex::new(Offers::new(Instant::now())),
            options: Arc::new(options),
        });
        let app = Router::new()
            .route("/live/ws/pub", get(publish))
            .route("/live/ws/sub", get(subscribe))
            .route("/channels.json", get(channels))
            .fallback(|uri: Uri| async move { page::file(uri.path()) })
            .layer(middleware::from_fn_with_state(Arc::clone(&shared), welcome))
            .with_state(shared);
        let app = app.into_make_service_with_connect_info::<Whence>();
        let secure_app = app.clone();
        let tasks = vec![
            tokio::spawn(async move {
                if let Err(err) = axum::serve(plain, app).await {
                    tracing::error!(%err, "spider: plain listener");
                }
            }),
            tokio::spawn(async move {
                if let Err(err) = axum::serve(secure, secure_app).await {
                    tracing::error!(%err, "spider: TLS listener");
                }
            }),
        ];
        Ok(Self {
            plain: plain_addr,
            tls: tls_addr,
            certificate_sha256: identity.sha256,
            keys,
            shown,
            tasks,
        })
    }
}

impl Spider {
    /// Shows another certificate to whoever connects from now on, and gives its fingerprint.
    ///
    /// # Errors
    /// It is none, or its key is another one's; the old one stays then.
    pub fn renew(&self, given: &Certificate) -> Result<String, SpiderError> {
        let identity = tls::from_pem(given).map_err(SpiderError::Certificate)?;
        self.shown.replace(&identity);
        Ok(identity.sha256)
    }

    /// What somebody shows who publishes here; `None` if nobody asks for it.
    #[must_use]
    pub fn publish_key(&self) -> Option<&Secret> {
        self.keys.publish.as_ref().or(self.keys.driver.as_ref())
    }
}

/// Turns away whom [`visitor::look`] turns away, before anything else is done for him.
async fn welcome(State(shared): State<Arc<Shared>>, asked: Asked, next: Next) -> Response {
    match visitor::look(asked.headers(), shared.options.keys.driver.is_some()) {
        Ok(()) => next.run(asked).await,
        Err(refusal) => {
            let status = match refusal {
                Refusal::Foreign => StatusCode::FORBIDDEN,
                Refusal::Name => StatusCode::MISDIRECTED_REQUEST,
            };
            tracing::debug!(?refusal, "spider: a visitor was turned away");
            (status, refusal.words()).into_response()
        }
    }
}

async fn channels(State(shared): State<Arc<Shared>>) -> Response {
    let body = json!({ "channels": shared.channels.published() }).to_string();
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}

async fn publish(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(whence): ConnectInfo<Whence>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let said = query.as_deref().unwrap_or_default();
    join(&shared, whence, (&headers, said), upgrade, Role::Publisher).await
}

async fn subscribe(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(whence): ConnectInfo<Whence>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let said = query.as_deref().unwrap_or_default();
    join(&shared, whence, (&headers, said), upgrade, Role::Subscriber).await
}

async fn join(
    shared: &Shared,
    whence: Whence,
    (headers, said): (&HeaderMap, &str),
    upgrade: WebSocketUpgrade,
    role: Role,
) -> Response {
    let parameter = |name| query::value(said, name);
    let options = Arc::clone(&shared.options);
    let rights = match key::look(&options.keys, headers, said, role.right(), whence).await {
        Ok(rights) => rights,
        Err(refusal) => return refusal,
    };
    // Who has shown his key: a stranger is turned away before he costs anything.
    let from = whence.0.ip();
    let may = lock(&shared.offers).take(Instant::now(), from);
    if !may {
        tracing::debug!(%from, "spider: too many sessions asked for");
        let words = "too many sessions from one address; wait a moment\n";
        return (StatusCode::TOO_MANY_REQUESTS, words).into_response();
    }
    let upgrade = upgrade
        .protocols([key::PROTOCOL])
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT)
        // What the other side asks for and does not read ends its socket, and takes no memory.
        .write_buffer_size(0)
        .max_write_buffer_size(MESSAGE_LIMIT);
    let Some(channel_id) = parameter("channel").filter(|id| is_channel_id(id)) else {
        if options.faults.has(Fault::BadChannelDrops) {
            return upgrade.on_upgrade(|socket| async { drop(socket) });
        }
        return (
            StatusCode::BAD_REQUEST,
            "channel= is missing or no channel id: 20 characters of 0-9 and a-v, the last one 0 or g\n",
        )
            .into_response();
    };
    let request = Request {
        role,
        vcodec: parameter("vcodec").and_then(|name| Codec::from_name(&name)),
        brate_kbps: parameter("brate").and_then(|text| text.parse().ok()),
        ktime: parameter("ktime").and_then(|text| text.parse().ok()),
        instance: parameter("instance")
            .filter(|text| is_instance(text))
            .map(Secret::new),
        drives: rights.has(Right::Drive) && parameter("drive").as_deref() == Some("1"),
        rights,
        reach: Reach::of(from),
        asks_rights: parameter("rights").as_deref() == Some("1"),
        channel_id,
    };
    let channel = shared.channels.get(&request.channel_id);
    upgrade.on_upgrade(move |socket| session::serve(socket, request, channel, options))
}

/// Whether an id has the form that Spider uses. Source: PROTOCOL.md 1.2 (rs/xid).
fn is_channel_id(id: &str) -> bool {
    id.len() == 20
        && id
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'))
        && id.ends_with(['0', 'g'])
}

/// Whether a publisher's instance cannot be guessed: 128 bits or more, in hexadecimal digits (rule 18).
fn is_instance(text: &str) -> bool {
    (32..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_2_channel_ids_have_the_form_of_an_xid() {
        assert!(is_channel_id("c9abcdefghijklmnopq0"));
        for bad in [
            "",
            "c9abcdefghijklmnopq1",
            "c9abcdefghijklmnopqw",
            "C9abcdefghijklmnopq0",
            "c9abcdefghijklmnopqq0",
        ] {
            assert!(!is_channel_id(bad), "{bad}");
        }
    }
}
