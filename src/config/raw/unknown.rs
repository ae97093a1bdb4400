//! What is said about a key or a table that does not exist.
//!
//! Most are slips of the pen, and the answer is the nearest name there is. Some are secrets that
//! somebody was about to put into a file that gets copied and shared; they get told where secrets go.
//!
//! Promises: the value of the key is never part of the answer.
//! Knows nothing of: where the key stood.

use crate::config::nearest::{did_you_mean, nearest, nearest_path};
use crate::config::schema::{self, SERVER_KEYS, TABLES};

pub(super) fn table(path: &str) -> String {
    let names = || TABLES.iter().map(|table| table.name);
    match nearest_path(path, names()) {
        Some(near) => format!("no such table; did you mean [{near}]?"),
        None => format!(
            "no such table; there are {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    }
}

pub(super) fn key(path: &str) -> String {
    let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
    let near = nearest_path(path, schema::paths());
    if holds_a_secret(name) {
        return format!(
            "secrets are never in the configuration: it names a file that holds them{}",
            did_you_mean(near)
        );
    }
    if near.is_none() && schema::is_table(table) {
        let names: Vec<&str> = schema::names_in(table).collect();
        return format!("no such key; [{table}] has {}", names.join(", "));
    }
    if near.is_none() && table.is_empty() {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        return format!(
            "no such key; each stands in one of the tables {}",
            names.join(", ")
        );
    }
    format!("no such key{}", did_you_mean(near))
}

pub(super) fn server_key(name: &str) -> String {
    if holds_a_secret(name) {
        return "secrets are never in the configuration: put it in a file and name that with credential_file = \"PATH\", \
                or in an environment variable and name that with credential_env = \"NAME\""
            .to_owned();
    }
    let names = || SERVER_KEYS.iter().map(|(name, _)| *name);
    match nearest(name, names()) {
        Some(near) => format!("no such key; did you mean {near}?"),
        None => format!(
            "no such key; an ICE server has {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    }
}

fn holds_a_secret(name: &str) -> bool {
    // choice: the names under which people have put passwords into other programs' files.
    const NAMES: &[&str] = &[
        "calibrate_key",
        "credential",
        "driver_key",
        "pass",
        "passwd",
        "password",
        "publish_key",
        "seal_key",
        "secret",
        "token",
        "watch_key",
    ];
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}
