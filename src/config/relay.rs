//! Where the Spider is, and which channel to use there.
//!
//! The texts of `[spider]` become types here, each parsed by one function that says in words what
//! is wrong. The old programs wrote whole URLs with path and query; the car builds those itself, so
//! an address here is scheme, host and port, and a pasted path gets an answer that says so.
//!
//! Promises: a [`Channel`] can stand in a URL as it is; an [`Endpoint`] prints as the URL it was.
//! Knows nothing of: sockets, TLS libraries.
//! Sources: PROTOCOL.md 1.1 (URLs), 1.2 (parameters), 1.4 (ports).

use core::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Where the Spider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpiderUrl {
    /// In this process.
    Local,
    /// On the network.
    Remote(Endpoint),
}

/// Scheme, host and port of a WebSocket server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    tls: bool,
    host: String,
    port: u16,
}

/// spec: PROTOCOL.md 1.4, "Spider WSS".
const TLS_PORT: u16 = 8267;
/// spec: PROTOCOL.md 1.4, "Spider plain HTTP/WS".
const PLAIN_PORT: u16 = 8266;

impl SpiderUrl {
    /// Reads `local`, `wss://HOST:PORT` or `ws://HOST:PORT`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "local" {
            return Ok(Self::Local);
        }
        Endpoint::parse(text).map(Self::Remote)
    }
}

impl Endpoint {
    /// Reads `wss://HOST:PORT` or `ws://HOST:PORT`; without a port, the Spider's usual one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("must be \"local\", wss://HOST:PORT or ws://HOST:PORT".to_owned());
        };
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "wss" => true,
            "ws" => false,
            "https" => return Err("the scheme must be wss:// (or ws://), not https://".to_owned()),
            "http" => return Err("the scheme must be ws:// (or wss://), not http://".to_owned()),
            _ => return Err("the scheme must be wss:// or ws://".to_owned()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(
                "no user or password may stand in the address: Spider knows none".to_owned(),
            );
        }
        if rest.contains(['/', '?', '#']) {
            return Err(
                "give scheme, host and port alone: the path /live/ws/… and the query are added"
                    .to_owned(),
            );
        }
        let default_port = if tls { TLS_PORT } else { PLAIN_PORT };
        let (host, port) = host_and_port(rest)?;
        Ok(Self {
            tls,
            host,
            port: port.unwrap_or(default_port),
        })
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Host name or address, an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether nobody but this computer can be there.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let is_loopback = |address: IpAddr| address.is_loopback();
        self.host == "localhost" || self.host.parse().is_ok_and(is_loopback)
    }

    /// Whether nobody is there: a name of documentation (RFC 2606).
    #[must_use]
    pub fn is_example(&self) -> bool {
        self.host == "example" || self.host.ends_with(".example")
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Splits `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`, and checks both.
pub(super) fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else {
            return Err("a '[' needs its ']' after the IPv6 address".to_owned());
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err("what stands in [] must be an IPv6 address".to_owned());
        }
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err("after [IPV6] may only come :PORT".to_owned()),
        }
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        if port.is_some_and(|port| port.contains(':')) {
            return Err(
                "an IPv6 address must stand in [], so that its port can be told from it".to_owned(),
            );
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        if !host.chars().all(plain) {
            return Err("a host name has letters, digits, '.', '-' and '_' only".to_owned());
        }
        (host, port)
    };
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && !port.starts_with('+') => Some(number),
            Ok(_) | Err(_) => return Err("the port must be a whole number, 1 to 65535".to_owned()),
        },
    };
    Ok((host.to_owned(), port))
}

/// The name of a stream at the Spider: an xid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Channel(String);

impl Channel {
    /// spec: PROTOCOL.md 1.2, "20 characters of [0-9a-v], the last one 0 or g".
    const LENGTH: usize = 20;

    /// Reads a channel id.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if length != Self::LENGTH {
            return Err(format!("must have 20 characters, has {length}"));
        }
        if let Some(bad) = text.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='v')) {
            return Err(format!(
                "must have characters 0-9 and a-v only, has {bad:?}"
            ));
        }
        if !text.ends_with(['0', 'g']) {
            return Err("must end in 0 or g; is the id copied whole?".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A word that is put into the query of the URL as it is; empty if it is to be left out.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn query_word(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match text.chars().find(|c| !plain(*c)) {
        None => Ok(text.to_owned()),
        Some(bad) => Err(format!(
            "must have letters, digits, '-', '_' and '.' only, has {bad:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<String, String> {
        Endpoint::parse(text).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn addresses_are_scheme_host_and_port() {
        for (text, expected) in [
            ("wss://spider.example:8267", "wss://spider.example:8267"),
            ("wss://spider.example", "wss://spider.example:8267"),
            ("ws://127.0.0.1", "ws://127.0.0.1:8266"),
            ("WSS://10.0.0.1:443/", "wss://10.0.0.1:443"),
            ("wss://[::1]:1", "wss://[::1]:1"),
            ("ws://[fe80::1]", "ws://[fe80::1]:8266"),
            ("ws://car_1-a.local:65535", "ws://car_1-a.local:65535"),
        ] {
            assert_eq!(endpoint(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_wrong_address_is_told_what_is_wrong() {
        for (text, expected) in [
            ("", "must be \"local\""),
            ("Local", "must be \"local\""),
            ("spider.example:8267", "must be \"local\""),
            ("https://spider.example", "wss://"),
            ("http://spider.example", "ws://"),
            ("ftp://spider.example", "the scheme"),
            ("wss://", "host is missing"),
            ("wss://:8267", "host is missing"),
            ("wss://user:word@host", "no user or password"),
            ("wss://host:8267/live/ws/pub?channel=x", "path /live/ws/"),
            ("wss://host?channel=x", "path /live/ws/"),
            ("wss://host:0", "1 to 65535"),
            ("wss://host:65536", "1 to 65535"),
            ("wss://host:+1", "1 to 65535"),
            ("wss://host:", "1 to 65535"),
            ("wss://::1", "must stand in []"),
            ("wss://[::1", "needs its ']'"),
            ("wss://[host]", "must be an IPv6 address"),
            ("wss://[::1]8267", "only come :PORT"),
            ("wss://ho st", "a host name has"),
            ("wss://höst", "a host name has"),
        ] {
            let error = endpoint(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn local_is_not_an_address() {
        assert_eq!(SpiderUrl::parse("local"), Ok(SpiderUrl::Local));
        assert!(matches!(
            SpiderUrl::parse("ws://a"),
            Ok(SpiderUrl::Remote(_))
        ));
        assert!(Endpoint::parse("local").is_err());
    }

    #[test]
    fn a_channel_is_an_xid() {
        for good in ["c9abcdefghijklmnopq0", "0123456789abcdefghvg"] {
            assert_eq!(
                Channel::parse(good).map(|c| c.to_string()),
                Ok(good.to_owned())
            );
        }
        for (bad, expected) in [
            ("", "has 0"),
            ("c9abcdefghijklmnopq", "has 19"),
            ("c9abcdefghijklmnopq00", "has 21"),
            ("c9abcdefghijklmnowq0", "has 'w'"),
            ("C9abcdefghijklmnopq0", "has 'C'"),
            ("c9abcdefghij/lmnopq0", "has '/'"),
            ("c9abcdefghijklmnopq1", "end in 0 or g"),
        ] {
            let error = Channel::parse(bad).expect_err(bad);
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }

    #[test]
    fn query_words_need_no_escaping() {
        assert_eq!(query_word("100"), Ok("100".to_owned()));
        assert_eq!(query_word(""), Ok(String::new()));
        for bad in ["a b", "a&b", "a=b", "%20", "ü"] {
            assert!(query_word(bad).is_err(), "{bad}");
        }
    }
}
