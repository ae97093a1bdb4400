//! Where in its source a value stands, and how it was written there.
//!
//! Promises: a line is counted from 1; what is shown of a value is what the user wrote.
//! Knows nothing of: keys.

use core::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use crate::config::kind::quoted;
use crate::config::problem::Origin;

/// What is being read, to tell where in it a value stands.
pub(super) enum Place<'a> {
    /// A file, with its text.
    File { name: &'a str, text: &'a str },
    /// The value of a flag.
    Flag(&'a str),
}

impl Place<'_> {
    /// The line or the flag of a span.
    pub(super) fn origin(&self, span: &Range<usize>) -> Origin {
        match self {
            Self::File { name, text } => Origin::Line {
                file: (*name).to_owned(),
                line: 1 + text
                    .bytes()
                    .take(span.start)
                    .filter(|b| *b == b'\n')
                    .count(),
            },
            Self::Flag(flag) => Origin::Flag((*flag).to_owned()),
        }
    }

    /// A value as the user wrote it, if it can be shown.
    pub(super) fn shown(&self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match (self, value.get_ref()) {
            (_, DeValue::String(text)) => Some(quoted(text)),
            (Self::File { text, .. }, _) => text.get(value.span()).map(str::to_owned),
            (Self::Flag(_), DeValue::Integer(number)) => Some(number.to_string()),
            (Self::Flag(_), DeValue::Float(number)) => Some(number.to_string()),
            (Self::Flag(_), DeValue::Boolean(flag)) => Some(flag.to_string()),
            (Self::Flag(_), _) => None,
        }
    }
}

/// What kind of thing a value is, for messages.
pub(super) fn named(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
