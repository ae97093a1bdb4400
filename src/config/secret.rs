//! A text that must not be shown: a TURN password, a driver's key.
//!
//! Logs, panics and `{:?}` of a whole configuration are where secrets leak, so the type itself
//! refuses to print. The one way to the text is [`Secret::expose`], easy to find with grep.
//!
//! Promises: neither `Debug` nor `Display` shows the text or its length; [`Secret::matches`] takes
//! the same time for every wrong guess of the same length.
//! Knows nothing of: where the text came from (`outside.rs`, `meaning.rs`).

use core::fmt;
use core::hint::black_box;

/// A text that prints as `<secret>`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that must send or compare it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `guess` is the secret, without telling through time how much of it was right.
    #[must_use]
    pub fn matches(&self, guess: &str) -> bool {
        let mut differences = u8::from(self.0.len() != guess.len());
        for (ours, theirs) in self.0.bytes().zip(guess.bytes()) {
            differences |= black_box(ours ^ theirs);
        }
        black_box(differences) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_the_text() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {secret:#?}"),
            "<secret> <secret> <secret>"
        );
        assert_eq!(format!("{:?}", Some(secret)), "Some(<secret>)");
    }

    #[test]
    fn only_the_whole_text_matches() {
        let secret = Secret::new("hunter2");
        assert!(secret.matches("hunter2"));
        for wrong in ["", "hunter", "hunter22", "Hunter2", "hunter3"] {
            assert!(!secret.matches(wrong), "{wrong:?} matched");
        }
    }

    #[test]
    fn the_text_is_there_for_who_asks() {
        assert_eq!(Secret::new("hunter2").expose(), "hunter2");
    }
}
