//! What the border reads of a DTLS datagram: whole records, and how many pieces of a handshake are in them.
//!
//! ```text
//!   record      | type | version | epoch | sequence (6) | length | ...        several in a datagram
//!   handshake   | type | length (3) | message | offset (3) | length (3) | ... several in a record of epoch 0
//! ```
//!
//! The stack keeps each piece of a handshake, puts a message together by a call for each, and keeps what comes ahead of
//! its keys. So pieces are counted; a peer has so many in its life ([`MAX_PIECES`]).
//!
//! Promises: reads inside the datagram only, a bounded number of records. Sources: RFC 6347 4.1, 4.2.2; RFC 5246.

/// Content types of DTLS 1.2 that are in use: change cipher spec, alert, handshake, data.
const TYPES: std::ops::RangeInclusive<u8> = 20..=23;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
const RECORD_HEADER: usize = 13;
const PIECE_HEADER: usize = 12;
/// Records of one datagram. choice: a whole flight of a handshake has six; twice that and some.
const MAX_RECORDS: usize = 16;
/// The longest handshake message, in bytes. choice: a chain of certificates for WebRTC has one, of 400 to 1,500 bytes.
const MAX_MESSAGE: u32 = 16_384;

/// Pieces of a handshake that a peer may send in its life.
/// choice: a handshake has at most 12 in one go, so 20 goes at least. Each is a call deep and a look at all others for the
/// stack, which makes some 30,000 looks of them (measured: 60,000 pieces keep a processor busy for 20 s and more).
pub(super) const MAX_PIECES: u32 = 256;

/// What is in a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Pieces of a handshake, as many as there can be.
    pub(super) pieces: u32,
    /// Records under encryption.
    pub(super) sealed: u32,
    /// All records are data under encryption.
    pub(super) is_data: bool,
}

/// Reads a datagram; `None` if a record is not whole, is of no known kind, or they are too many.
pub(super) fn read(mut datagram: &[u8]) -> Option<Contents> {
    let mut contents = Contents {
        is_data: true,
        ..Contents::default()
    };
    for _ in 0..MAX_RECORDS {
        let (header, rest) = datagram.split_at_checked(RECORD_HEADER)?;
        let [
            kind,
            major,
            _,
            epoch_and_number @ ..,
            length_high,
            length_low,
        ] = header
        else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let (payload, rest) = rest.split_at_checked(length)?;
        if !TYPES.contains(kind) || *major != 0xfe {
            return None;
        }
        let is_sealed = !epoch_and_number.starts_with(&[0, 0]);
        contents.is_data &= is_sealed && *kind == DATA;
        contents.sealed += u32::from(is_sealed);
        if *kind == HANDSHAKE {
            contents.pieces += if is_sealed {
                // Nobody but the peer and the stack can look inside.
                u32::try_from(length.div_ceil(PIECE_HEADER)).ok()?
            } else {
                pieces(payload)?
            };
        }
        if rest.is_empty() {
            return Some(contents);
        }
        datagram = rest;
    }
    None
}

/// How many pieces of handshake messages a record has; `None` if one is not whole or says what cannot be.
fn pieces(mut payload: &[u8]) -> Option<u32> {
    let mut count = 0;
    while !payload.is_empty() {
        let (header, rest) = payload.split_at_checked(PIECE_HEADER)?;
        let (message, offset, length) =
            (triple(header, 1)?, triple(header, 6)?, triple(header, 9)?);
        if message > MAX_MESSAGE || offset + length > message {
            return None;
        }
        payload = rest.get(usize::try_from(length).ok()?..)?;
        count += 1;
    }
    Some(count)
}

/// A number of three bytes.
fn triple(bytes: &[u8], at: usize) -> Option<u32> {
    let [high, middle, low] = bytes.get(at..at + 3)?.try_into().ok()?;
    Some(u32::from_be_bytes([0, high, middle, low]))
}
