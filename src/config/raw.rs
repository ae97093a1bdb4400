//! What was said: every key that the file or the command line set, each judged alone.
//!
//! The first of the two steps (see the front page of [`super`]). It knows where each value stands,
//! so that any later complaint can point at a line or a flag. It never stops at the first problem:
//! a bad line is noted and the rest is read.
//!
//! ```text
//!  file text ──toml──▶ tables with spans ──walk──▶ ┌──────────────────────┐
//!                                                  │ said: Id → value, at │──▶ meaning.rs
//!  --set KEY=VALUE ──toml, or plain text─────────▶ │ bad:  Id             │──▶ show.rs
//!                                                  │ problems             │
//!                                                  └──────────────────────┘
//! ```
//!
//! Promises: a value that is kept is of its key's kind, in its range, one of its words; a later
//! `--set` wins over an earlier one and over the file; no value of an unknown key is ever shown,
//! for it may be a secret.
//! Knows nothing of: what values mean together.

mod place;
mod servers;
mod slip;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::{Kind, Value, either, quoted};
use super::nearest::{did_you_mean, nearest};
use super::outside::{Outside, cannot_read};
use super::problem::{Origin, Problem};
use super::schema::{self, Id};
use super::{Set, Source};
use place::{Place, named};

/// A value and where it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The value.
    pub value: Value,
    /// The line or the flag that said it, or the default.
    pub origin: Origin,
}

/// What the file and the command line said.
#[derive(Debug)]
pub struct RawConfig {
    source: Source,
    said: BTreeMap<Id, Said>,
    bad: BTreeSet<Id>,
    servers_at: Vec<Origin>,
    problems: Vec<Problem>,
}

impl RawConfig {
    /// Reads a source and puts what the command line sets on top of it.
    #[must_use]
    pub fn read(source: &Source, sets: &[Set], outside: &dyn Outside) -> Self {
        let mut raw = Self {
            source: source.clone(),
            said: BTreeMap::new(),
            bad: BTreeSet::new(),
            servers_at: Vec::new(),
            problems: Vec::new(),
        };
        if let Source::File(path) = source {
            let name = path.display().to_string();
            match outside.read(path) {
                Ok(bytes) => raw.take_file(&name, &bytes),
                Err(error) => {
                    raw.problems.push(Problem::of_file(
                        Origin::File(name),
                        cannot_read(path, &error),
                    ));
                }
            }
        }
        for set in sets {
            raw.take_set(set);
        }
        raw
    }

    /// The value of a key: what was said, else its default. `None` if what was said is bad.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<Said> {
        if self.bad.contains(&id) {
            return None;
        }
        Some(self.said.get(&id).cloned().unwrap_or_else(|| Said {
            value: id.key().kind.default_value(),
            origin: Origin::Default,
        }))
    }

    /// The keys that something was said about, good or bad.
    #[must_use]
    pub fn keys_said(&self) -> BTreeSet<Id> {
        self.said.keys().chain(&self.bad).copied().collect()
    }

    /// Where each entry of `ice.servers` was said.
    #[must_use]
    pub fn servers_at(&self) -> &[Origin] {
        &self.servers_at
    }

    /// Where it was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What is wrong with what was said.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn take_file(&mut self, name: &str, bytes: &[u8]) {
        let text = match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = 1 + bytes
                    .iter()
                    .take(error.valid_up_to())
                    .filter(|b| **b == b'\n')
                    .count();
                let file = name.to_owned();
                self.problems.push(Problem::of_file(
                    Origin::Line { file, line },
                    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
                        "saved as UTF-16 (\"Unicode\"): save the file as UTF-8"
                    } else {
                        "not UTF-8 text: save the file as UTF-8"
                    },
                ));
                return;
            }
        };
        let place = Place::File { name, text };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut broken = BTreeSet::new();
        for error in errors {
            let span = error.span().unwrap_or_default();
            let origin = place.origin(&span);
            // One slip often confuses the parser more than once; one line is one problem.
            if broken.insert(origin.clone()) {
                let about = match text.get(span) {
                    Some(key) if error.message() == "duplicate key" => format!(" {}", quoted(key)),
                    Some(_) | None => String::new(),
                };
                let line = match &origin {
                    Origin::Line { line, .. } => line.checked_sub(1),
                    Origin::Default | Origin::Flag(_) | Origin::File(_) => None,
                };
                let slip = line.and_then(|line| slip::find(text, line));
                let problem = if let Some(slip) = slip {
                    slip.told(origin)
                } else {
                    let what = format!("not TOML: {}{about}", error.message());
                    Problem::of_file(origin, what)
                };
                self.problems.push(problem);
            }
        }
        let before = self.problems.len();
        self.walk(&place, table.get_ref(), "");
        // What the parser made of a broken line is not what the user meant: say nothing about it.
        let (meant, unclear): (BTreeMap<_, _>, BTreeMap<_, _>) = core::mem::take(&mut self.said)
            .into_iter()
            .partition(|(_, said)| !broken.contains(&said.origin));
        self.said = meant;
        self.bad.extend(unclear.into_keys());
        let of_values = self.problems.split_off(before);
        self.problems.extend(
            of_values
                .into_iter()
                .filter(|problem| !broken.contains(problem.origin())),
        );
    }

    fn walk(&mut self, place: &Place<'_>, table: &DeTable<'_>, prefix: &str) {
        for (name, value) in table {
            let origin = place.origin(&name.span());
            let path = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            if let Some(id) = schema::find(&path) {
                self.take(id, place, value, origin);
            } else if schema::is_table(&path) {
                if let Some(inner) = value.get_ref().as_table() {
                    self.walk(place, inner, &path);
                } else {
                    let what = format!(
                        "is a table: write [{path}] on a line of its own and its keys below"
                    );
                    self.problems.push(Problem::of_key(origin, path, what));
                }
            } else {
                let what = match value.get_ref().as_table() {
                    // [dirve.calibration] is also a table `dirve` with nothing else in it.
                    Some(inner)
                        if !inner.is_empty()
                            && inner.values().all(|value| value.get_ref().is_table()) =>
                    {
                        self.walk(place, inner, &path);
                        continue;
                    }
                    Some(_) => unknown::table(&path),
                    None => unknown::key(&path),
                };
                self.problems.push(Problem::of_key(origin, path, what));
            }
        }
    }

    fn take_set(&mut self, set: &Set) {
        let origin = Origin::Flag(set.flag.clone());
        let Some(id) = schema::find(&set.key) else {
            let what = if schema::is_table(&set.key) {
                let names: Vec<String> = schema::names_in(&set.key)
                    .map(|name| format!("{}.{name}", set.key))
                    .collect();
                format!("is a table: set one of its keys, {}", either(&names))
            } else {
                unknown::key(&set.key)
            };
            self.problems.push(Problem::of_key(origin, &set.key, what));
            return;
        };
        self.bad.remove(&id);
        let place = Place::Flag(&set.flag);
        let plain = || Spanned::new(0..0, DeValue::String(set.value.as_str().into()));
        match (id.key().kind, DeValue::parse(&set.value)) {
            (Kind::Servers, Err(error)) => {
                let what = format!(
                    "not TOML: {}; must be {}",
                    error.message(),
                    id.key().kind.allowed()
                );
                self.problems
                    .push(Problem::of_key(origin, id.key().path, what));
                self.bad.insert(id);
            }
            // Text needs no quotes here, even where it looks like a number: spider.ktime=100.
            (Kind::Text { .. } | Kind::Word { .. }, Ok(value)) if !value.get_ref().is_str() => {
                self.take(id, &place, &plain(), origin);
            }
            (_, Ok(value)) => self.take(id, &place, &value, origin),
            (_, Err(_)) => self.take(id, &place, &plain(), origin),
        }
    }

    /// Keeps a value if its key allows it, and says what is wrong if not.
    fn take(&mut self, id: Id, place: &Place<'_>, value: &Spanned<DeValue<'_>>, origin: Origin) {
        let kind = id.key().kind;
        let slip = match value.get_ref() {
            DeValue::String(text) => slip::in_text(text, &kind),
            _ => None,
        };
        let judged = match (kind, value.get_ref()) {
            _ if slip.is_some() => Err(format!(
                "{}; it must be {}",
                slip.unwrap_or_default(),
                kind.allowed()
            )),
            (Kind::Text { .. }, DeValue::String(text)) => Ok(Value::Text(text.to_string())),
            (Kind::Word { words, .. }, DeValue::String(text)) => {
                if words.contains(&text.as_ref()) {
                    Ok(Value::Text(text.to_string()))
                } else {
                    let near = nearest(text, words.iter().copied()).map(quoted);
                    Err(format!(
                        "must be {}{}",
                        kind.allowed(),
                        did_you_mean(near.as_deref())
                    ))
                }
            }
            (Kind::Flag { .. }, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Whole { .. }, DeValue::Integer(number)) => {
                i64::from_str_radix(number.as_str(), number.radix())
                    .ok()
                    .filter(|number| kind.allows_number(*number))
                    .map(Value::Whole)
                    .ok_or_else(|| format!("must be {}", kind.allowed()))
            }
            (Kind::Servers, DeValue::Array(_)) => {
                match self.servers(place, value) {
                    Some(servers) => {
                        self.said.insert(
                            id,
                            Said {
                                value: Value::Servers(servers),
                                origin,
                            },
                        );
                    }
                    None => {
                        self.bad.insert(id);
                    }
                }
                return;
            }
            (Kind::Text { .. }, DeValue::Integer(number)) => {
                Err(format!("must be a text: write \"{number}\""))
            }
            (_, other) => Err(format!("must be {}, not {}", kind.allowed(), named(other))),
        };
        match judged {
            Ok(value) => {
                self.said.insert(id, Said { value, origin });
            }
            Err(what) => {
                self.bad.insert(id);
                let shown = place.shown(value);
                self.problems.push(match shown {
                    Some(shown) if kind != Kind::Servers => {
                        Problem::of_value(origin, id.key().path, &shown, what)
                    }
                    Some(_) | None => Problem::of_key(origin, id.key().path, what),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
