//! Whose page may use a Spider: its own, under a name that is its own.
//!
//! A browser lets any web page open a WebSocket to any address, 127.0.0.1 too, so a page that somebody reads in another
//! tab could arm and drive the car on his desk. And a name that an attacker owns can lead to the attacker first and to
//! 127.0.0.1 a second later (DNS rebinding): then his page has the right origin.
//!
//! ```text
//!   Origin    none (no browser), or the host that is asked                       else 403
//!   Host      without a driver key: an address or localhost, nothing that        else 421
//!             can be led elsewhere; with one any name, for no page knows the key
//! ```
//!
//! Promises: pure; compares, resolves nothing. Sources: RFC 6454 (origin), RFC 9110 7.2 (Host), RFC 6761 6.3 (localhost).

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::{HeaderMap, header, uri::Authority};

/// Why a request gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It comes from a page of somebody else.
    Foreign,
    /// It is under a name that others may own.
    Name,
}

impl Refusal {
    /// What the visitor reads.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Foreign => {
                "only a page of this Spider itself may use it; this request comes from another site's\n"
            }
            Self::Name => {
                "without a driver key this Spider answers to an address or localhost only: open http://127.0.0.1, or give it \
                 a key (local.driver_key_file, --driver-key-file)\n"
            }
        }
    }
}

/// Looks at a request's headers.
pub(super) fn look(headers: &HeaderMap, has_key: bool) -> Result<(), Refusal> {
    let host = headers.get(header::HOST).map(|host| host.to_str());
    let host = match host {
        Some(Ok(host)) => Some(host),
        Some(Err(_)) => return Err(Refusal::Name),
        None => None,
    };
    if !has_key && host.is_some_and(|host| !is_nobodys(host)) {
        return Err(Refusal::Name);
    }
    // A browser sends one, or the word null for a page without.
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) => {
            let is_own = origin
                .to_str()
                .ok()
                .and_then(|origin| {
                    origin
                        .strip_prefix("http://")
                        .or(origin.strip_prefix("https://"))
                })
                .zip(host)
                .is_some_and(|(asker, host)| asker.eq_ignore_ascii_case(host));
            is_own.then_some(()).ok_or(Refusal::Foreign)
        }
        (Some(_), Some(_)) => Err(Refusal::Foreign),
    }
}

/// Whether a host is an address, or the name of this computer that no name server is asked for.
fn is_nobodys(host: &str) -> bool {
    let Ok(authority) = Authority::from_str(host) else {
        return false;
    };
    let name = authority.host();
    let address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    !host.contains('@')
        && (IpAddr::from_str(address).is_ok()
            || name == "localhost"
            || name.ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn seen(host: &str, origins: &[&str], has_key: bool) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        look(&headers, has_key)
    }

    #[test]
    fn its_own_page_and_who_is_no_browser_may() {
        for (host, origin) in [
            ("127.0.0.1:8266", "http://127.0.0.1:8266"),
            ("localhost:8266", "http://localhost:8266"),
            ("LocalHost:8267", "https://localhost:8267"),
            ("car.localhost", "http://car.localhost"),
            ("[::1]:8266", "http://[::1]:8266"),
            ("192.0.2.7", "http://192.0.2.7"),
        ] {
            for has_key in [false, true] {
                assert_eq!(seen(host, &[origin], has_key), Ok(()), "{host}");
                assert_eq!(seen(host, &[], has_key), Ok(()), "{host}");
            }
        }
        assert_eq!(seen("", &[], false), Ok(()));
        assert_eq!(
            seen("car.example:8267", &["https://car.example:8267"], true),
            Ok(())
        );
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        for origin in [
            "http://evil.example",
            "http://127.0.0.1",
            "http://127.0.0.1:82660",
            "http://127.0.0.1:8266.evil.example",
            "http://localhost:8266",
            "null",
            "",
            "ftp://127.0.0.1:8266",
            "127.0.0.1:8266",
            "http://http://127.0.0.1:8266",
        ] {
            for has_key in [false, true] {
                assert_eq!(
                    seen("127.0.0.1:8266", &[origin], has_key),
                    Err(Refusal::Foreign),
                    "{origin}"
                );
            }
        }
        let twice = ["http://127.0.0.1:8266", "http://127.0.0.1:8266"];
        assert_eq!(seen("127.0.0.1:8266", &twice, true), Err(Refusal::Foreign));
        assert_eq!(
            seen("", &["http://127.0.0.1:8266"], true),
            Err(Refusal::Foreign)
        );
    }

    #[test]
    fn a_name_that_others_may_own_is_none_of_a_spider_without_a_key() {
        for host in [
            "evil.example:8266",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evillocalhost",
            "user@localhost",
            "0x7f000001:8266",
            "localhost:8266:8266",
            "a b",
        ] {
            assert_eq!(seen(host, &[], false), Err(Refusal::Name), "{host}");
            assert_eq!(
                seen(host, &[&format!("http://{host}")], false),
                Err(Refusal::Name),
                "{host}"
            );
        }
    }
}
