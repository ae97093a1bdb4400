//! Which certificates are good enough for the Spider.
//!
//! The old programs trusted any certificate, because the servers made their own. Here the default
//! is the system's authorities, and a server that makes its own is met by naming it: by its CA file
//! or by the SHA-256 of its certificate. Trusting anything stays possible, and is called what it is.
//!
//! Promises: exactly one of the four ways is chosen.
//! Knows nothing of: TLS libraries.
//! Sources: PROTOCOL.md 1.3, 5.2 question 21.

use core::fmt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

/// Which certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that an authority of this system vouches for.
    System,
    /// Those that an authority in this PEM file vouches for.
    Ca {
        /// The file, for messages.
        file: PathBuf,
        /// What is in it.
        pem: Vec<u8>,
    },
    /// The one with this SHA-256 of its DER form.
    Pin(Fingerprint),
    /// Any. Whoever is on the way can read and drive; the log says so at every start.
    Anything,
}

/// SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits; colons between them are skipped.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut digits = Vec::with_capacity(64);
        for c in text.chars().filter(|c| *c != ':') {
            match c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) {
                Some(digit) => digits.push(digit),
                None => return Err(format!("must be 64 hexadecimal digits, has {c:?}")),
            }
        }
        let mut bytes = [0; 32];
        let (pairs, odd) = digits.as_chunks::<2>();
        if pairs.len() != bytes.len() || !odd.is_empty() {
            return Err(format!(
                "must be 64 hexadecimal digits (SHA-256), has {}",
                digits.len()
            ));
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }

    /// The fingerprint of a certificate in DER form.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_with_and_without_colons() {
        let plain = "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100";
        let colons: Vec<&str> = (0..32)
            .filter_map(|i| plain.get(2 * i..2 * i + 2))
            .collect();
        let pin = Fingerprint::parse(plain).expect("64 digits");
        assert_eq!(Fingerprint::parse(&colons.join(":")), Ok(pin));
        assert_eq!(pin.bytes().first_chunk(), Some(&[0x00, 0x11, 0x22]));
        assert_eq!(pin.bytes().last_chunk(), Some(&[0x22, 0x11, 0x00]));
    }

    #[test]
    fn a_pin_of_another_length_or_alphabet_is_rejected() {
        for (bad, expected) in [
            ("", "has 0"),
            (&"a".repeat(63), "has 63"),
            (&"a".repeat(65), "has 65"),
            (&"a".repeat(40), "has 40"),
            (&"g".repeat(64), "has 'g'"),
        ] {
            let error = Fingerprint::parse(bad).expect_err(bad);
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }
}
