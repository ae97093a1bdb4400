//! What a key may hold, and the values themselves.
//!
//! Five kinds are enough for every key: text, whole number, flag, word (one of a few) and the list
//! of ICE servers. A kind knows its default, how to describe what it allows, and how to judge one
//! value alone; what values mean together is for `meaning.rs`.
//!
//! Promises: a kind's default is allowed by the kind; a [`Value`] prints as TOML that reads back
//! as the same value.
//! Knows nothing of: files, lines, flags.

use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::logic::camera::Dial;

/// What a key may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text; `allowed` describes it, `meaning.rs` judges it.
    Text {
        /// Said nothing, this holds.
        default: &'static str,
        /// What it may look like, in words.
        allowed: &'static str,
    },
    /// A whole number in a range.
    Whole {
        /// Said nothing, this holds.
        default: i64,
        /// The least allowed.
        min: i64,
        /// The most allowed.
        max: i64,
        /// Only multiples of this: 1 for any number.
        step: i64,
        /// Whether 0 is allowed besides the range.
        zero: bool,
        /// Its unit, as it is written after a number.
        unit: &'static str,
    },
    /// True or false.
    Flag {
        /// Said nothing, this holds.
        default: bool,
    },
    /// One of a few words.
    Word {
        /// Said nothing, this holds.
        default: &'static str,
        /// All of them.
        words: &'static [&'static str],
    },
    /// The list of ICE servers; none by default.
    Servers,
}

/// A text key.
pub(super) const fn text(default: &'static str, allowed: &'static str) -> Kind {
    Kind::Text { default, allowed }
}

/// A whole number key.
pub(super) const fn whole(default: i64, min: i64, max: i64, unit: &'static str) -> Kind {
    stepped(default, min, max, 1, unit)
}

/// A whole number key that takes only multiples of `step`.
pub(super) const fn stepped(
    default: i64,
    min: i64,
    max: i64,
    step: i64,
    unit: &'static str,
) -> Kind {
    Kind::Whole {
        default,
        min,
        max,
        step,
        zero: false,
        unit,
    }
}

/// A key that holds a time in milliseconds, in a range that `logic` gives.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a range of 292 million years would not get past its test"
)]
pub(super) const fn millis(default: i64, range: &RangeInclusive<Duration>) -> Kind {
    whole(
        default,
        range.start().as_millis() as i64,
        range.end().as_millis() as i64,
        "ms",
    )
}

/// A key that says where a dial of the camera stands at first.
pub(super) const fn dial(dial: Dial, unit: &'static str) -> Kind {
    let (least, most) = dial.range();
    let default = dial.default_value();
    // -1 stands beside a range that begins at 0, and 0 beside one that begins above it.
    let min = if default < 0 { default } else { least };
    let kind = whole(default as i64, min as i64, most as i64, unit);
    if default == 0 && least > 0 {
        or_zero(kind)
    } else {
        kind
    }
}

/// The same kind with 0 allowed besides its range.
pub(super) const fn or_zero(kind: Kind) -> Kind {
    match kind {
        Kind::Whole {
            default,
            min,
            max,
            step,
            unit,
            ..
        } => Kind::Whole {
            default,
            min,
            max,
            step,
            zero: true,
            unit,
        },
        Kind::Text { .. } | Kind::Flag { .. } | Kind::Word { .. } | Kind::Servers => kind,
    }
}

/// A true-or-false key.
pub(super) const fn flag(default: bool) -> Kind {
    Kind::Flag { default }
}

/// A key that takes one of a few words.
pub(super) const fn word(default: &'static str, words: &'static [&'static str]) -> Kind {
    Kind::Word { default, words }
}

impl Kind {
    /// The value that holds where nothing is said.
    #[must_use]
    pub fn default_value(&self) -> Value {
        match *self {
            Self::Text { default, .. } | Self::Word { default, .. } => {
                Value::Text(default.to_owned())
            }
            Self::Whole { default, .. } => Value::Whole(default),
            Self::Flag { default } => Value::Flag(default),
            Self::Servers => Value::Servers(Vec::new()),
        }
    }

    /// What is allowed, in words that follow "must be" as well as they stand alone.
    #[must_use]
    pub fn allowed(&self) -> String {
        // choice: up to this many values are listed, more are given as a range.
        const LISTED: i64 = 6;
        match *self {
            Self::Text { allowed, .. } => allowed.to_owned(),
            Self::Whole {
                min,
                max,
                step,
                zero,
                unit,
                ..
            } => {
                let zero = if zero { "0, or " } else { "" };
                let unit = if unit.is_empty() {
                    String::new()
                } else {
                    format!(" {unit}")
                };
                if step > 1 && (max - min) / step < LISTED {
                    let values: Vec<String> = (min..=max)
                        .filter(|value| value % step == 0)
                        .map(|value| value.to_string())
                        .collect();
                    format!("{zero}{}{unit}", either(&values))
                } else if step == 2 {
                    format!("{zero}an even number, {min} to {max}{unit}")
                } else {
                    format!("{zero}a whole number, {min} to {max}{unit}")
                }
            }
            Self::Flag { .. } => "true or false".to_owned(),
            Self::Word { words, .. } => {
                either(&words.iter().map(|word| quoted(word)).collect::<Vec<_>>())
            }
            Self::Servers => {
                "a list of { urls = \"turn:HOST:3478\", username = \"…\", credential_file = \"…\" }"
                    .to_owned()
            }
        }
    }

    /// Whether the kind allows this number.
    #[must_use]
    pub fn allows_number(&self, number: i64) -> bool {
        match *self {
            Self::Whole {
                min,
                max,
                step,
                zero,
                ..
            } => ((min..=max).contains(&number) && number % step == 0) || (zero && number == 0),
            Self::Text { .. } | Self::Flag { .. } | Self::Word { .. } | Self::Servers => false,
        }
    }
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a text or a word.
    Text(String),
    /// Of a whole number.
    Whole(i64),
    /// Of a flag.
    Flag(bool),
    /// Of the ICE servers.
    Servers(Vec<ServerSaid>),
}

/// One ICE server as it was said; an empty text is one that was not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSaid {
    /// STUN and TURN addresses.
    pub urls: Vec<String>,
    /// User name for TURN.
    pub username: String,
    /// File that holds the password.
    pub credential_file: String,
    /// Environment variable that holds the password.
    pub credential_env: String,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Servers(servers) if servers.is_empty() => f.write_str("[]"),
            Self::Servers(servers) => {
                f.write_str("[\n")?;
                for server in servers {
                    writeln!(f, "    {server},")?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for ServerSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<String> = self.urls.iter().map(|url| quoted(url)).collect();
        write!(f, "{{ urls = [{}]", urls.join(", "))?;
        for (name, text) in [
            ("username", &self.username),
            ("credential_file", &self.credential_file),
            ("credential_env", &self.credential_env),
        ] {
            if !text.is_empty() {
                write!(f, ", {name} = {}", quoted(text))?;
            }
        }
        f.write_str(" }")
    }
}

/// A text as a TOML basic string on one line.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let code = format!("\\u{:04X}", u32::from(c));
                out.push_str(&code);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `a`, `a or b`, `a, b or c`.
#[must_use]
pub fn either(items: &[impl AsRef<str>]) -> String {
    let mut out = String::new();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(if i + 1 == items.len() { " or " } else { ", " });
        }
        out.push_str(item.as_ref());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_said_in_words() {
        let cases = [
            (
                whole(30, 1, 60, "frames/s"),
                "a whole number, 1 to 60 frames/s",
            ),
            (whole(20, 1, 1000, ""), "a whole number, 1 to 1000"),
            (
                stepped(1280, 160, 1920, 2, "pixels"),
                "an even number, 160 to 1920 pixels",
            ),
            (
                stepped(0, 0, 270, 90, "degrees"),
                "0, 90, 180 or 270 degrees",
            ),
            (
                or_zero(whole(5, 2, 9, "s")),
                "0, or a whole number, 2 to 9 s",
            ),
            (flag(true), "true or false"),
            (word("a", &["a", "b", "c"]), "\"a\", \"b\" or \"c\""),
            (text("", "a path"), "a path"),
        ];
        for (kind, expected) in cases {
            assert_eq!(kind.allowed(), expected);
        }
    }

    #[test]
    fn a_range_is_judged_below_at_and_above_its_limits() {
        let fps = whole(30, 1, 60, "frames/s");
        for (number, allowed) in [(0, false), (1, true), (60, true), (61, false), (-1, false)] {
            assert_eq!(fps.allows_number(number), allowed, "{number}");
        }
        let age = or_zero(millis(
            1500,
            &(Duration::from_millis(200)..=Duration::from_secs(10)),
        ));
        for (number, allowed) in [
            (-1, false),
            (0, true),
            (1, false),
            (199, false),
            (200, true),
            (10_000, true),
            (10_001, false),
        ] {
            assert_eq!(age.allows_number(number), allowed, "{number}");
        }
        let width = stepped(1280, 160, 1920, 2, "pixels");
        for (number, allowed) in [
            (158, false),
            (160, true),
            (161, false),
            (162, true),
            (1920, true),
            (1922, false),
        ] {
            assert_eq!(width.allows_number(number), allowed, "{number}");
        }
    }

    #[test]
    fn a_text_survives_being_written_as_toml_and_read_back() {
        for text in [
            "",
            "plain",
            "a\"b\\c",
            "two\nlines\r\n\ttabbed",
            "\u{0}\u{7f}\u{85}é…🚗",
        ] {
            let written = quoted(text);
            let read = toml::de::DeValue::parse(&written).expect("quoted text is TOML");
            assert_eq!(read.get_ref().as_str(), Some(text), "{written}");
        }
    }
}
