//! The two fields that a sealed message has besides its own: `car_ms` and `seal`.
//!
//! ```text
//!   {"drive":{…,"car_ms":4524832,"seal":"00112233445566778899aabbccddeeff"}}
//! ```
//!
//! A seal is written as 32 hexadecimal digits, small ones, so that it has one form.
//!
//! Invariants: total; allocates nothing. What is sealed, and by whom, is `logic::seal`'s.

use serde::Serializer;

use super::MAX_LENGTH;
use super::{fields, integer};
use crate::logic::json::{self, Value};
use crate::logic::seal::SEAL_BYTES;

/// What a message says of its seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealFields {
    /// The car's monotonic clock as the sender last heard it, in milliseconds.
    pub car_ms: u64,
    /// The seal.
    pub seal: [u8; SEAL_BYTES],
}

impl SealFields {
    /// Those of a message; `None` if it has none, or none that could be one.
    #[must_use]
    pub fn of(message: &[u8]) -> Option<Self> {
        if message.len() > MAX_LENGTH {
            return None;
        }
        let text = core::str::from_utf8(message).ok()?;
        let (_, value) = json::one_group(text).ok()?;
        let fields = fields(value).ok()?;
        let Value::Text(digits) = fields.get("seal").ok()? else {
            return None;
        };
        Some(Self {
            car_ms: integer(fields.get("car_ms").ok()?).ok()?,
            seal: read(digits)?,
        })
    }
}

/// The bytes of hexadecimal digits.
fn read(digits: &str) -> Option<[u8; SEAL_BYTES]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != SEAL_BYTES || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; SEAL_BYTES];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

/// The digits of a seal.
fn written(seal: &[u8; SEAL_BYTES]) -> heapless::String<{ 2 * SEAL_BYTES }> {
    let mut digits = heapless::String::new();
    for nibble in seal.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        let digit = char::from_digit(nibble.into(), 16).unwrap_or('0'); // below 16: it is one
        digits.push(digit).expect("two digits a byte");
    }
    digits
}

/// Serializes a seal that is there.
#[expect(clippy::ref_option, reason = "serde hands over a reference")]
pub(super) fn in_digits<S: Serializer>(
    seal: &Option<[u8; SEAL_BYTES]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match seal {
        Some(seal) => serializer.serialize_str(&written(seal)),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_read_as_it_is_written_and_in_no_other_form() {
        let seal: [u8; SEAL_BYTES] = core::array::from_fn(|at| u8::try_from(at * 17).unwrap());
        let digits = written(&seal);
        assert_eq!(digits, "00112233445566778899aabbccddeeff");
        assert_eq!(read(&digits), Some(seal));
        for wrong in [
            "",
            "0011",
            "00112233445566778899aabbccddeef",
            "00112233445566778899aabbccddeeff0",
            "00112233445566778899AABBCCDDEEFF",
            "0x112233445566778899aabbccddeeff",
            "+0112233445566778899aabbccddeeff",
            "é0112233445566778899aabbccddeef",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_fields_are_found_in_any_group_and_are_none_when_one_is_wrong() {
        let seal = r#""seal":"00112233445566778899aabbccddeeff""#;
        for (text, is_sealed) in [
            (format!(r#"{{"drive":{{"car_ms":7,{seal}}}}}"#), true),
            (format!(r#"{{"arm":{{{seal},"car_ms":7}}}}"#), true),
            (format!(r#"{{"arm":{{{seal}}}}}"#), false),
            (r#"{"arm":{"car_ms":7}}"#.to_owned(), false),
            (format!(r#"{{"arm":{{{seal},"car_ms":-7}}}}"#), false),
            (format!(r#"{{"arm":{{{seal},"car_ms":"7"}}}}"#), false),
            (format!(r#"{{"arm":{{{seal},{seal},"car_ms":7}}}}"#), false),
            (r#"{"arm":{"seal":7,"car_ms":7}}"#.to_owned(), false),
            (r#"{"arm":7}"#.to_owned(), false),
            ("junk".to_owned(), false),
        ] {
            let found = SealFields::of(text.as_bytes());
            assert_eq!(found.is_some(), is_sealed, "{text}");
            if let Some(found) = found {
                assert_eq!((found.car_ms, found.seal[1]), (7, 0x11));
            }
        }
    }
}
