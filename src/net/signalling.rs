//! The WebSocket to a Spider: frames in and out, as messages that `logic::session` understands.
//!
//! ```text
//!   text frame {"type":T,"data":STRING} ─▶ Message { kind, data }     "close"      ─▶ Message::close
//!   anything else (binary, no JSON, no type)                                        ─▶ junk, counted
//! ```
//!
//! Promises: an inbound frame never ends the socket by what it holds; `data` is always sent as a
//! string. Knows nothing of: peers, what a message means.
//! Sources: PROTOCOL.md 1.1 to 1.3, 2.1 to 2.3; RFC 6750 2.1 (`Bearer`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use super::eyeballs::{order, race};
use crate::config::{Secret, query};
use crate::peer::MAX_DESCRIPTION;

/// Ports of Spider, plain and TLS. spec: protocol 1.4.
const PLAIN_PORT: u16 = 8266;
const TLS_PORT: u16 = 8267;

/// Longest time for TCP, TLS and the upgrade together. choice: a slow LTE attach takes 3 to 5 s.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Longest time a write may wait before the socket counts as dead. choice: as for connecting.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Largest message taken from a server, and most that waits to be written: a description, and what JSON makes of its line ends.
const MESSAGE_LIMIT: usize = 2 * MAX_DESCRIPTION;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its `type`; `close` for the plain text, empty for junk.
    pub kind: String,
    /// Its `data`; empty where there is none.
    pub data: String,
}

/// Why there is no socket, or no longer one.
#[derive(Debug)]
pub enum SignallingError {
    /// The address is no `ws://` or `wss://` URL.
    Url(String),
    /// Nothing answered in time.
    TimedOut(String),
    /// The address could not be reached or resolved.
    Unreachable(String, std::io::Error),
    /// TLS failed, mostly because of the certificate.
    Tls(String, std::io::Error),
    /// The server answered, but not with a WebSocket.
    Refused(String, String),
    /// An established socket broke.
    Broken(String),
    /// The server closed the socket with "try again later": there is no place; its words.
    TryLater(String),
}

impl fmt::Display for SignallingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(
                f,
                "{url:?} is no Spider address; write wss://HOST:8267 or ws://HOST:8266"
            ),
            Self::TimedOut(host) => write!(
                f,
                "{host} did not answer within {} s",
                CONNECT_LIMIT.as_secs()
            ),
            Self::Unreachable(host, err) => write!(
                f,
                "cannot reach {host}: {err}; is the Spider running there?"
            ),
            Self::Tls(host, err) => f.write_str(&super::tls_words::words(host, err)),
            Self::Refused(host, why) => write!(
                f,
                "{host} refused: {why}; check the channel id and the driver key"
            ),
            Self::Broken(why) => write!(f, "signalling socket: {why}"),
            Self::TryLater(why) => write!(f, "the Spider has no place now: {why}"),
        }
    }
}

impl std::error::Error for SignallingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable(_, err) | Self::Tls(_, err) => Some(err),
            Self::Url(_)
            | Self::TimedOut(_)
            | Self::Refused(..)
            | Self::Broken(_)
            | Self::TryLater(_) => None,
        }
    }
}

impl SignallingError {
    /// Whether nothing left this machine: it has no network yet, or nobody who knows the name.
    #[must_use]
    pub fn is_near(&self) -> bool {
        match self {
            // A name that is not resolved is the one failure of connecting that is no system call's.
            Self::Unreachable(_, err) => {
                err.kind() == std::io::ErrorKind::NetworkUnreachable || err.raw_os_error().is_none()
            }
            Self::Url(_)
            | Self::TimedOut(_)
            | Self::Tls(..)
            | Self::Refused(..)
            | Self::Broken(_)
            | Self::TryLater(_) => false,
        }
    }
}

/// Where to dial.
#[derive(Clone, Debug)]
pub struct Address {
    /// `wss://HOST:8267` or `ws://HOST:8266`.
    pub url: String,
    /// Path and query, with the leading slash.
    pub path_and_query: String,
    /// What to show, if the Spider wants a key.
    pub key: Option<Secret>,
    /// Whom to trust; needed by `wss`, and by nothing else.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Address {
    /// A Spider that wants no key, without TLS.
    #[must_use]
    pub fn open(url: String, path_and_query: String) -> Self {
        Self {
            url,
            path_and_query,
            key: None,
            tls: None,
        }
    }
}

/// An open signalling socket.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

impl Socket {
    /// Connects to an address, and shows its key there in a header.
    ///
    /// # Errors
    /// Each step has its own variant, which says what to do.
    pub async fn connect(at: &Address) -> Result<Self, SignallingError> {
        let (url, path_and_query, tls) = (&at.url, &at.path_and_query, at.tls.as_ref());
        let bad = || SignallingError::Url(url.to_owned());
        let address: Uri = url.trim_end_matches('/').parse().map_err(|_| bad())?;
        let tls = match (address.scheme_str(), tls) {
            (Some("wss"), Some(tls)) => Some(tls),
            (Some("ws"), _) => None,
            _ => return Err(bad()),
        };
        let host = address.host().ok_or_else(bad)?.to_owned();
        let port = address
            .port_u16()
            .unwrap_or(if tls.is_some() { TLS_PORT } else { PLAIN_PORT });
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let full = format!("{scheme}://{host}:{port}{path_and_query}");
        let named = format!("{host}:{port}");
        let mut request = full.into_client_request().map_err(|_| bad())?;
        if let Some(key) = &at.key {
            let shown = format!("Bearer {}", query::written(key.expose()));
            let mut shown = HeaderValue::try_from(shown).map_err(|_| bad())?;
            shown.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, shown);
        }
        let plain_host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(plain_host.to_owned()).map_err(|_| bad())?;
        let unreachable = |err| SignallingError::Unreachable(named.clone(), err);
        let attempt = |addr| {
            let (request, named, tls) = (request.clone(), named.as_str(), tls.cloned());
            let name = name.clone();
            async move {
                let tcp = TcpStream::connect(addr)
                    .await
                    .map_err(|err| SignallingError::Unreachable(named.to_owned(), err))?;
                let _ = tcp.set_nodelay(true); // only slower without
                let stream: Box<dyn Stream> = if let Some(tls) = tls {
                    let secured = TlsConnector::from(tls).connect(name, tcp).await;
                    Box::new(secured.map_err(|err| SignallingError::Tls(named.to_owned(), err))?)
                } else {
                    Box::new(tcp)
                };
                let limits = WebSocketConfig::default()
                    .max_message_size(Some(MESSAGE_LIMIT))
                    .max_frame_size(Some(MESSAGE_LIMIT))
                    // What a server asks for and does not read ends the socket, and takes no memory.
                    .write_buffer_size(0)
                    .max_write_buffer_size(MESSAGE_LIMIT);
                tokio_tungstenite::client_async_with_config(request, stream, Some(limits))
                    .await
                    .map_err(|err| SignallingError::Refused(named.to_owned(), refusal(&err)))
            }
        };
        let mut failed = Vec::new();
        let connecting = async {
            let addrs = lookup_host((plain_host, port)).await.map_err(unreachable)?;
            Ok(race(order(addrs), &mut failed, attempt).await)
        };
        let won = match timeout(CONNECT_LIMIT, connecting).await {
            Ok(raced) => raced?,
            Err(_) => None,
        };
        let Some((stream, _)) = won else {
            // What an address said is worth more than that another said nothing, or cannot be reached from here.
            let told = failed.iter().position(|err| !err.is_near()).unwrap_or(0);
            return Err(if failed.is_empty() {
                SignallingError::TimedOut(named.clone())
            } else {
                failed.swap_remove(told)
            });
        };
        Ok(Self { stream })
    }

    /// Sends `{"type":kind,"data":data}`.
    ///
    /// # Errors
    /// The socket is closed or does not take the message.
    pub async fn send(&mut self, kind: &str, data: &str) -> Result<(), SignallingError> {
        let text = json!({"type": kind, "data": data}).to_string();
        timeout(WRITE_LIMIT, self.stream.send(Frame::text(text)))
            .await
            .map_err(|_| SignallingError::Broken("a write took too long".to_owned()))?
            .map_err(|err| SignallingError::Broken(err.to_string()))
    }

    /// Waits for the next message. Cancel-safe.
    ///
    /// # Errors
    /// The socket ended.
    pub async fn recv(&mut self) -> Result<Message, SignallingError> {
        loop {
            let frame = self
                .stream
                .next()
                .await
                .ok_or_else(|| SignallingError::Broken("closed by the server".to_owned()))?
                .map_err(|err| SignallingError::Broken(err.to_string()))?;
            match frame {
                Frame::Text(text) => return Ok(parse(&text)),
                Frame::Binary(_) => return Ok(junk()),
                Frame::Close(Some(close)) if close.code == CloseCode::Again => {
                    return Err(SignallingError::TryLater(close.reason.to_string()));
                }
                Frame::Close(_) => {
                    return Err(SignallingError::Broken("closed by the server".to_owned()));
                }
                Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => {} // the library answers pings
            }
        }
    }

    /// Says goodbye; failures do not matter any more.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_millis(200), self.stream.close(None)).await;
    }
}

fn refusal(err: &tungstenite::Error) -> String {
    match err {
        tungstenite::Error::Http(response) => {
            let body = response
                .body()
                .as_deref()
                .map(String::from_utf8_lossy)
                .unwrap_or_default();
            format!("HTTP {} {}", response.status().as_u16(), body.trim())
        }
        other => other.to_string(),
    }
}

fn junk() -> Message {
    Message {
        kind: String::new(),
        data: String::new(),
    }
}

/// Reads a text frame; `data` that is no string is taken as absent, and what is no envelope as a message without a kind.
#[must_use]
pub fn parse(text: &str) -> Message {
    if text.trim() == "close" {
        return Message {
            kind: "close".to_owned(),
            data: String::new(),
        };
    }
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else {
        return junk();
    };
    let field = |key| {
        object
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Message {
        kind: field("type"),
        data: field("data"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_network_or_name_nothing_has_left_this_machine() {
        let unreachable = |err| SignallingError::Unreachable("spider.example:8267".to_owned(), err);
        // kernel: errno.h. ENETUNREACH; then EHOSTUNREACH, ECONNREFUSED, ETIMEDOUT, which somebody on the way has said.
        let system = |errno| unreachable(std::io::Error::from_raw_os_error(errno));
        assert!(system(101).is_near());
        for errno in [113, 111, 110] {
            assert!(!system(errno).is_near(), "{errno}");
        }
        assert!(unreachable(std::io::Error::other("failed to look up address")).is_near());
        assert!(!SignallingError::TimedOut("spider.example:8267".to_owned()).is_near());
    }

    #[test]
    fn frames_become_messages_and_junk_stays_harmless() {
        let of = |text| {
            let message = parse(text);
            (message.kind, message.data)
        };
        let pair = |kind: &str, data: &str| (kind.to_owned(), data.to_owned());
        assert_eq!(
            of(r#"{"type":"answer","data":"v=0\r\n"}"#),
            pair("answer", "v=0\r\n")
        );
        assert_eq!(of(r#"{"type":"ping"}"#), pair("ping", ""));
        assert_eq!(of(r#"{"type":"joins","data":{"a":1}}"#), pair("joins", ""));
        assert_eq!(of("close"), pair("close", ""));
        for text in [
            "",
            "[]",
            "null",
            "{",
            "\"answer\"",
            r#"{"type":3}"#,
            "\u{0}",
        ] {
            assert_eq!(of(text), pair("", ""), "{text:?}");
        }
    }
}
