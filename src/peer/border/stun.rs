//! What the border reads of a STUN message: its kind, its transaction, whom it names, and what a relay has put into it.
//!
//! ```text
//!   0        2        4                 8                                20
//!   | type   | length | cookie 2112a442 | transaction, 96 bits           | attributes: type, length, value, padding
//! ```
//!
//! Promises: reads inside the datagram only, a bounded number of attributes. Sources: RFC 8489 5, 14; RFC 8656 18.

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;
const DATA: u16 = 0x0013;
/// What is to be passed on by a relay, and what it passes on.
const SEND_INDICATION: u16 = 0x0016;
const DATA_INDICATION: u16 = 0x0017;
const BINDING: u16 = 0x0001;
const ALLOCATE: u16 = 0x0003;
/// The two bits of the type that tell the class.
const CLASS: u16 = 0x0110;
/// Attributes that are looked at. choice: twice what the largest message in use has (ICE: 8, TURN: 9).
const MAX_ATTRIBUTES: usize = 20;

/// 96 bits that tell which request a response is to.
pub(super) type Transaction = [u8; 12];

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It wants a response.
    Request,
    /// It wants none.
    Indication,
    /// Success or error.
    Response,
}

/// A message whose header and length are right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    kind: u16,
    transaction: Transaction,
    attributes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a datagram; `None` if it is no STUN message, or is not whole.
    pub(super) fn read(datagram: &'a [u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_at_checked(HEADER)?;
        let (kind, length) = (word(header, 0)?, word(header, 2)?);
        let is_whole = usize::from(length) == attributes.len() && length % 4 == 0;
        (kind < 0x4000 && header.get(4..8)? == COOKIE && is_whole).then_some(Self {
            kind,
            transaction: header.get(8..)?.try_into().ok()?,
            attributes,
        })
    }

    pub(super) fn class(&self) -> Class {
        match self.kind & CLASS {
            0 => Class::Request,
            0x0010 => Class::Indication,
            _ => Class::Response,
        }
    }

    pub(super) fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// Asks whether there is a path, as ICE and its keepalives do.
    pub(super) fn is_binding(&self) -> bool {
        self.kind & !CLASS == BINDING
    }

    /// Asks a relay for an address.
    pub(super) fn is_allocate_request(&self) -> bool {
        self.kind == ALLOCATE
    }

    /// The name of both sides of a check: `receiver:sender`.
    pub(super) fn username(&self) -> Option<&'a [u8]> {
        self.attribute(USERNAME)
    }

    /// The datagram that a relay passes on, or is to.
    pub(super) fn relayed(&self) -> Option<&'a [u8]> {
        matches!(self.kind, SEND_INDICATION | DATA_INDICATION)
            .then(|| self.attribute(DATA))
            .flatten()
    }

    fn attribute(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = self.attributes;
        for _ in 0..MAX_ATTRIBUTES {
            let (kind, length) = (word(rest, 0)?, usize::from(word(rest, 2)?));
            let value = rest.get(4..4 + length)?;
            if kind == wanted {
                return Some(value);
            }
            rest = rest.get(4 + length.next_multiple_of(4)..)?;
        }
        None
    }
}

/// What a relay passes on in the short form: a channel's number, a length, the datagram.
pub(super) fn channel_data(datagram: &[u8]) -> Option<&[u8]> {
    let length = usize::from(word(datagram, 2)?);
    datagram.get(4..4 + length)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
