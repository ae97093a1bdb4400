//! The list under `ice.servers`: the one key that holds tables.
//!
//! Promises: an entry has no key but those in [`SERVER_KEYS`]; each entry's place is remembered.
//! Knows nothing of: whether an address or a login is any good (`ice.rs`).

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{Place, named};
use super::{RawConfig, unknown};
use crate::config::kind::ServerSaid;
use crate::config::problem::Problem;
use crate::config::schema::{Id, SERVER_KEYS};

impl RawConfig {
    /// The entries of `ice.servers`, or `None` if any of them is not well formed.
    pub(super) fn servers(
        &mut self,
        place: &Place<'_>,
        list: &Spanned<DeValue<'_>>,
    ) -> Option<Vec<ServerSaid>> {
        let before = self.problems.len();
        let mut servers = Vec::new();
        self.servers_at.clear();
        for (i, entry) in list.get_ref().as_array()?.iter().enumerate() {
            let path = format!("{}[{i}]", Id::IceServers.key().path);
            self.servers_at.push(place.origin(&entry.span()));
            if let Some(table) = entry.get_ref().as_table() {
                servers.push(self.server(place, table, &path));
            } else {
                let what = format!(
                    "must be a table such as {{ urls = \"stun:HOST:3478\" }}, not {}",
                    named(entry.get_ref())
                );
                self.problems
                    .push(Problem::of_key(place.origin(&entry.span()), path, what));
            }
        }
        (self.problems.len() == before).then_some(servers)
    }

    fn server(&mut self, place: &Place<'_>, table: &DeTable<'_>, path: &str) -> ServerSaid {
        let mut server = ServerSaid::default();
        for (name, value) in table {
            let slot = match name.get_ref().as_ref() {
                "urls" => {
                    if let Some(urls) = one_or_more(value.get_ref()) {
                        server.urls = urls;
                        continue;
                    }
                    None
                }
                "username" => Some(&mut server.username),
                "credential_file" => Some(&mut server.credential_file),
                "credential_env" => Some(&mut server.credential_env),
                other => {
                    let what = unknown::server_key(other);
                    let origin = place.origin(&name.span());
                    self.problems
                        .push(Problem::of_key(origin, format!("{path}.{other}"), what));
                    continue;
                }
            };
            if let (Some(slot), Some(text)) = (slot, value.get_ref().as_str()) {
                text.clone_into(slot);
            } else {
                let holds = SERVER_KEYS.iter().find(|(key, _)| key == name.get_ref());
                let what = format!(
                    "must be {}, not {}",
                    holds.map_or("a text", |(_, holds)| holds),
                    named(value.get_ref())
                );
                let origin = place.origin(&name.span());
                self.problems.push(Problem::of_key(
                    origin,
                    format!("{path}.{}", name.get_ref()),
                    what,
                ));
            }
        }
        server
    }
}

fn one_or_more(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::String(one) => Some(vec![one.to_string()]),
        DeValue::Array(many) => many
            .iter()
            .map(|each| each.get_ref().as_str().map(str::to_owned))
            .collect(),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => None,
    }
}
