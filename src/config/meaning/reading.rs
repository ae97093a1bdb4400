//! How the meaning of one key is looked up, and how a problem is tied to the keys that cause it.
//!
//! Promises: whoever returns [`Noted`] has added a problem, or step one has.
//! Knows nothing of: any particular key.

use core::time::Duration;

use super::{Found, Meaning, Noted};
use crate::config::kind::Value;
use crate::config::problem::{Origin, Problem};
use crate::config::raw::Said;
use crate::config::schema::Id;

impl Meaning<'_> {
    /// What was said about a key, or its default.
    pub(super) fn said(&self, id: Id) -> Found<Said> {
        self.raw.get(id).ok_or(Noted)
    }

    pub(super) fn text(&self, id: Id) -> Found<String> {
        match self.said(id)?.value {
            Value::Text(text) => Ok(text),
            Value::Whole(_) | Value::Flag(_) | Value::Servers(_) => mismatch(id, "a text"),
        }
    }

    pub(super) fn flag(&self, id: Id) -> Found<bool> {
        match self.said(id)?.value {
            Value::Flag(flag) => Ok(flag),
            Value::Text(_) | Value::Whole(_) | Value::Servers(_) => mismatch(id, "true or false"),
        }
    }

    pub(super) fn whole<T: TryFrom<i64>>(&self, id: Id) -> Found<T> {
        match self.said(id)?.value {
            Value::Whole(number) => T::try_from(number).or_else(|_| mismatch(id, "of this size")),
            Value::Text(_) | Value::Flag(_) | Value::Servers(_) => mismatch(id, "a whole number"),
        }
    }

    pub(super) fn word<T>(&self, id: Id, from_word: impl Fn(&str) -> Option<T>) -> Found<T> {
        let word = self.text(id)?;
        from_word(&word).map_or_else(|| mismatch(id, "one of these words"), Ok)
    }

    pub(super) fn millis(&self, id: Id) -> Found<Duration> {
        self.whole(id).map(Duration::from_millis)
    }

    /// The time between two of what a key counts a second.
    pub(super) fn period(&self, id: Id) -> Found<Duration> {
        self.whole(id).map(|hz: u32| Duration::from_secs(1) / hz)
    }

    /// A text that a function makes sense of.
    pub(super) fn parsed<T>(
        &mut self,
        id: Id,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Found<T> {
        let text = self.text(id)?;
        self.accept(id, parse(&text))
    }

    /// A text that means "none" where it is empty.
    pub(super) fn optional<T>(
        &mut self,
        id: Id,
        make: impl Fn(&mut Self, &str) -> Found<T>,
    ) -> Found<Option<T>> {
        match self.text(id)?.as_str() {
            "" => Ok(None),
            text => make(self, text).map(Some),
        }
    }

    /// Takes a verdict on one key, and notes a bad one.
    pub(super) fn accept<T>(&mut self, id: Id, verdict: Result<T, String>) -> Found<T> {
        verdict.map_err(|what| {
            if let Ok(Said { value, origin }) = self.said(id) {
                let path = id.key().path;
                self.problems
                    .push(Problem::of_value(origin, path, &value.to_string(), what));
            }
            Noted
        })
    }

    /// Notes that a key does not go together with another one.
    pub(super) fn clash(&mut self, id: Id, with: Id, what: &str) -> Noted {
        let (Ok(ours), Ok(theirs)) = (self.said(id), self.said(with)) else {
            return Noted;
        };
        // The complaint goes where a person said something, not to a default.
        let ((id, said), (other, its)) = if ours.origin == Origin::Default {
            ((with, theirs), (id, ours))
        } else {
            ((id, ours), (with, theirs))
        };
        let path = id.key().path;
        let what = match its.value {
            Value::Servers(_) => what.to_owned(),
            value @ (Value::Text(_) | Value::Whole(_) | Value::Flag(_)) => {
                format!("{what} ({} = {value}, {})", other.key().path, its.origin)
            }
        };
        self.problems.push(match said.value {
            Value::Servers(_) => Problem::of_key(said.origin, path, what),
            value @ (Value::Text(_) | Value::Whole(_) | Value::Flag(_)) => {
                Problem::of_value(said.origin, path, &value.to_string(), what)
            }
        });
        Noted
    }
}

/// A text, or nothing where it is empty.
pub(super) fn some_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn mismatch<T>(id: Id, wanted: &str) -> T {
    unreachable!(
        "{} is read as {wanted}, which is not what the schema says",
        id.key().path
    )
}
