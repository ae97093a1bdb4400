//! Doctor's line for the way to the Spider: name, port, certificate; or the ports of the one inside.
//!
//! ```text
//!   name ─▶ addresses ─▶ TCP, each in turn ─▶ TLS, as `spider.ca_file`, `pin_sha256`, `insecure` say ─▶ ok, and the channel
//! ```
//!
//! It ends before the WebSocket: on a Spider, asking for a channel could turn out the car that is on it.
//!
//! Promises: the first step that fails is named, with what to do. Knows nothing of: sessions.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::Finding;
use crate::app::{Role, address};
use crate::config::holder;
use crate::config::{Config, Endpoint, SpiderUrl};
use crate::net::signalling::SignallingError;

/// Longest wait for a host, and then for its certificate. choice: as for dialling, a half each.
const REACH_LIMIT: Duration = Duration::from_secs(5);

/// Goes the way as far as the certificate.
pub(super) fn spider(config: &Config) -> Finding {
    let SpiderUrl::Remote(endpoint) = &config.spider.url else {
        return inside(config);
    };
    let (host, port) = (endpoint.host(), endpoint.port());
    let stream = reach(endpoint)?;
    let ip = stream
        .peer_addr()
        .map_or_else(|err| err.to_string(), |addr| addr.ip().to_string());
    let whom = address(config, Role::Publisher, None).map_err(|fatal| fatal.text)?;
    let secured = match whom.tls {
        Some(tls) => {
            let failed = |err: std::io::Error| {
                SignallingError::Tls(format!("{host}:{port}"), err).to_string()
            };
            let name = ServerName::try_from(host.to_owned()).map_err(|err| err.to_string())?;
            let mut connection = ClientConnection::new(tls, name).map_err(|err| err.to_string())?;
            let mut stream = stream;
            while connection.is_handshaking() {
                connection.complete_io(&mut stream).map_err(failed)?;
            }
            " and shows a certificate that the car trusts"
        }
        None => ", without TLS",
    };
    Ok(format!(
        "{host}:{port} answers as {ip}{secured}; the car publishes to channel {}",
        config.spider.channel.as_str()
    ))
}

/// Whether the Spider inside would get its ports.
fn inside(config: &Config) -> Finding {
    let local = &config.local;
    for port in [local.port, local.tls_port] {
        TcpListener::bind((local.listen, port)).map_err(|err| {
            let who = match err.kind() {
                ErrorKind::AddrInUse => format!("; {}", holder::port_taken(port)),
                _ => String::new(),
            };
            format!(
                "{}:{port}: {err}{who}, or choose local.port and local.tls_port",
                local.listen
            )
        })?;
    }
    Ok(format!(
        "inside, on {} ports {} and {}",
        local.listen, local.port, local.tls_port
    ))
}

/// Connects to the first of its addresses that answers.
fn reach(endpoint: &Endpoint) -> Result<TcpStream, String> {
    let host = endpoint.host();
    let addrs = (host, endpoint.port())
        .to_socket_addrs()
        .map_err(|err| format!("{host}: {err}; check spider.url and the name server"))?;
    let mut last = format!("{host} has no address");
    for addr in addrs {
        match TcpStream::connect_timeout(&addr, REACH_LIMIT) {
            Ok(stream) => {
                let limit = Some(REACH_LIMIT);
                return stream
                    .set_read_timeout(limit)
                    .and_then(|()| stream.set_write_timeout(limit))
                    .map(|()| stream)
                    .map_err(|err| err.to_string());
            }
            Err(err) => {
                last = format!(
                    "{addr}: {err}; is there a network, is the Spider running, and is the port open?"
                );
            }
        }
    }
    Err(last)
}
