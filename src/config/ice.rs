//! STUN and TURN servers: addresses checked, the password fetched from where it is kept.
//!
//! A TURN password never stands in the configuration: an entry names a file or an environment
//! variable that holds it. Both are read here, once, so that a missing one is a configuration
//! error at start and not a car without a way out an hour later.
//!
//! Promises: the order of servers and of their addresses is kept; an entry with a `turn:` address
//! has a user name and a password; a password is a [`Secret`] from the moment it is read.
//! Knows nothing of: the WebRTC stack.
//! Sources: RFC 7064 (stun:), RFC 7065 (turn:), PROTOCOL.md 1.5 (the historic order).

use std::path::Path;

use super::kind::ServerSaid;
use super::outside::{Outside, cannot_read};
use super::relay::host_and_port;
use super::secret::Secret;

/// One entry of the ICE server list.
#[derive(Clone, Debug)]
pub struct IceServer {
    /// Addresses such as `turn:HOST:3478?transport=udp`, in the order to try them.
    pub urls: Vec<String>,
    /// The user and the password, for TURN.
    pub login: Option<Login>,
}

/// Who to be at a TURN server.
#[derive(Clone, Debug)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub credential: Secret,
}

impl IceServer {
    /// Whether it can relay.
    #[must_use]
    pub fn is_turn(&self) -> bool {
        self.urls.iter().any(|url| is_turn(url))
    }

    /// Makes sense of an entry, or says what is wrong with which of its keys.
    pub(super) fn from_said(
        said: &ServerSaid,
        outside: &dyn Outside,
    ) -> Result<Self, Vec<(&'static str, String)>> {
        let mut wrong = Vec::new();
        if said.urls.is_empty() {
            wrong.push((
                "urls",
                "is missing: give a stun: or turn: address".to_owned(),
            ));
        }
        for url in &said.urls {
            if let Err(what) = check_url(url) {
                // Before an '@' may stand a password.
                let shown = if url.contains('@') { "…" } else { url };
                wrong.push(("urls", format!("{shown:?}: {what}")));
            }
        }
        let turn = said.urls.iter().any(|url| is_turn(url));
        let mut login = None;
        if turn {
            if said.username.is_empty() {
                wrong.push(("username", "is missing: a TURN server wants one".to_owned()));
            }
            match credential(said, outside) {
                Ok(credential) => {
                    let username = said.username.clone();
                    login = Some(Login {
                        username,
                        credential,
                    });
                }
                Err(problem) => wrong.push(problem),
            }
        } else {
            for (key, text) in [
                ("username", &said.username),
                ("credential_file", &said.credential_file),
                ("credential_env", &said.credential_env),
            ] {
                if !text.is_empty() && !said.urls.is_empty() {
                    wrong.push((
                        key,
                        "is for turn: addresses, and there is none in this entry".to_owned(),
                    ));
                }
            }
        }
        if wrong.is_empty() {
            let urls = said.urls.clone();
            Ok(Self { urls, login })
        } else {
            Err(wrong)
        }
    }
}

fn credential(said: &ServerSaid, outside: &dyn Outside) -> Result<Secret, (&'static str, String)> {
    match (said.credential_file.as_str(), said.credential_env.as_str()) {
        ("", "") => Err((
            "credential_file",
            "is missing: name a file that holds the TURN password (or a variable, with credential_env)".to_owned(),
        )),
        (file, "") => secret_file(file, outside).map_err(|what| ("credential_file", what)),
        ("", name) => match outside.variable(name) {
            Some(value) if !value.is_empty() => Ok(Secret::new(value)),
            Some(_) => Err(("credential_env", format!("the environment variable {name} is empty"))),
            None => Err(("credential_env", format!("the environment variable {name} is not set"))),
        },
        (_, _) => Err(("credential_env", "give credential_file or credential_env, not both".to_owned())),
    }
}

/// The one line of a file that holds a secret.
///
/// # Errors
/// What is wrong, in words that do not show the content.
pub(super) fn secret_file(path: &str, outside: &dyn Outside) -> Result<Secret, String> {
    let bytes = outside
        .read(Path::new(path))
        .map_err(|error| format!("{path} {}", cannot_read(Path::new(path), &error)))?;
    let text = core::str::from_utf8(&bytes).map_err(|_| format!("{path} is not UTF-8 text"))?;
    // Editors put a byte order mark in front, which nobody sees and nobody types.
    let line = text.trim_start_matches('\u{feff}').trim();
    if line.is_empty() {
        return Err(format!("{path} is empty"));
    }
    if line.chars().any(char::is_control) {
        return Err(format!(
            "{path} must hold one line, and nothing but the secret"
        ));
    }
    Ok(Secret::new(line))
}

fn is_turn(url: &str) -> bool {
    url.starts_with("turn:") || url.starts_with("turns:")
}

fn check_url(url: &str) -> Result<(), String> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err("must begin with stun:, turn: or turns:".to_owned());
    };
    if !matches!(scheme, "stun" | "stuns" | "turn" | "turns") {
        return Err("must begin with stun:, turn: or turns:".to_owned());
    }
    if rest.starts_with("//") {
        return Err(format!("no // after {scheme}:"));
    }
    let (address, query) = match rest.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (rest, None),
    };
    if address.contains('@') {
        return Err(
            "no user or password may stand in the address: use username and credential_file"
                .to_owned(),
        );
    }
    host_and_port(address)?;
    match query {
        None => Ok(()),
        Some("transport=udp" | "transport=tcp") if is_turn(url) => Ok(()),
        Some(_) if is_turn(url) => {
            Err("after ? may only come transport=udp or transport=tcp".to_owned())
        }
        Some(_) => Err("only turn: addresses may have a ?transport=".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::outside::Shelf;
    use super::*;

    fn shelf() -> Shelf {
        Shelf::default()
            .file("/secret", "  hunter2\r\n")
            .file("/empty", " \n")
            .file("/two", "one\ntwo\n")
            .file("/binary", [0xff])
            .set_variable("WORD", "hunter3")
            .set_variable("EMPTY", "")
    }

    fn said(urls: &[&str], username: &str, file: &str, env: &str) -> ServerSaid {
        ServerSaid {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            username: username.into(),
            credential_file: file.into(),
            credential_env: env.into(),
        }
    }

    #[test]
    fn the_historic_three_entries_are_understood() {
        let stun =
            IceServer::from_said(&said(&["stun:host:3478"], "", "", ""), &shelf()).expect("stun");
        assert!(stun.login.is_none() && !stun.is_turn());
        for transport in ["udp", "tcp"] {
            let url = format!("turn:host:3478?transport={transport}");
            let turn = IceServer::from_said(&said(&[&url], "user", "/secret", ""), &shelf())
                .expect("turn");
            assert!(turn.is_turn());
            let login = turn.login.expect("a login");
            assert_eq!(
                (login.username.as_str(), login.credential.expose()),
                ("user", "hunter2")
            );
        }
    }

    #[test]
    fn a_password_comes_from_a_variable_too() {
        let turn = IceServer::from_said(&said(&["turns:[::1]"], "user", "", "WORD"), &shelf())
            .expect("turn");
        assert_eq!(turn.login.expect("a login").credential.expose(), "hunter3");
    }

    #[test]
    fn a_password_is_not_in_the_debug_output() {
        let turn = IceServer::from_said(&said(&["turn:host"], "user", "/secret", ""), &shelf())
            .expect("turn");
        assert!(!format!("{turn:?}").contains("hunter"), "{turn:?}");
    }

    #[test]
    fn what_is_wrong_is_said_of_the_key_that_is_wrong() {
        let turn: &[&str] = &["turn:host"];
        for (server, key, expected) in [
            (said(&[], "", "", ""), "urls", "is missing"),
            (said(&["host:3478"], "", "", ""), "urls", "must begin with"),
            (said(&["stun"], "", "", ""), "urls", "must begin with"),
            (said(&["stun://host"], "", "", ""), "urls", "no //"),
            (said(&["stun:"], "", "", ""), "urls", "host is missing"),
            (said(&["stun:host:0"], "", "", ""), "urls", "1 to 65535"),
            (
                said(&["stun:host?transport=udp"], "", "", ""),
                "urls",
                "only turn:",
            ),
            (
                said(&["turn:host?transport=sctp"], "u", "/secret", ""),
                "urls",
                "transport=udp",
            ),
            (
                said(&["turn:u:p@host"], "u", "/secret", ""),
                "urls",
                "no user or password",
            ),
            (said(turn, "", "/secret", ""), "username", "is missing"),
            (said(turn, "u", "", ""), "credential_file", "is missing"),
            (
                said(turn, "u", "/gone", ""),
                "credential_file",
                "/gone cannot be read",
            ),
            (
                said(turn, "u", "/empty", ""),
                "credential_file",
                "/empty is empty",
            ),
            (said(turn, "u", "/two", ""), "credential_file", "one line"),
            (
                said(turn, "u", "/binary", ""),
                "credential_file",
                "not UTF-8",
            ),
            (
                said(turn, "u", "", "NONE"),
                "credential_env",
                "NONE is not set",
            ),
            (
                said(turn, "u", "", "EMPTY"),
                "credential_env",
                "EMPTY is empty",
            ),
            (
                said(turn, "u", "/secret", "WORD"),
                "credential_env",
                "not both",
            ),
            (
                said(&["stun:host"], "u", "", ""),
                "username",
                "is for turn:",
            ),
            (
                said(&["stun:host"], "", "/secret", ""),
                "credential_file",
                "is for turn:",
            ),
        ] {
            let wrong = IceServer::from_said(&server, &shelf()).expect_err(expected);
            let found = wrong
                .iter()
                .any(|(k, what)| *k == key && what.contains(expected));
            assert!(found, "{server}: {wrong:?}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let wrong = IceServer::from_said(&said(&["turn:user:hunter2@host"], "", "", ""), &shelf())
            .expect_err("wrong");
        assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
    }
}
