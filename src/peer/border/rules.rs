//! The rules of the border, on a clock that is an argument: the time since the peer was made.
//!
//! ```text
//!   sent: a request      ─▶ asked[transaction, address]      (the newest ASKED)
//!         a check        ─▶ our names (both sides are in it)
//!         an allocation  ─▶ asked ... of a relay
//!         a sealed record ─▶ there are keys
//!   received: a response to what was asked there ─▶ known[address]   (the newest KNOWN)
//! ```
//!
//! Promises: tables of a fixed size, made once; no datagram of anybody makes one grow.
//! Knows nothing of: sockets, ICE. Sources: see `border.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use super::names::Names;
use super::{dtls, stun};
use crate::peer::bucket::Bucket;
use stun::{Class, Message, Transaction};

/// Requests that were sent and may be answered.
/// choice: at one check each 10 ms and four pairs, those of the last 1.3 s.
const ASKED: usize = 512;
/// Addresses that have answered. choice: a peer has at most 16 candidates, and so many may change.
const KNOWN: usize = 32;
/// Checks of unknown addresses in a second, and at once: each costs the stack an HMAC.
/// choice: a peer's own, at one each 20 ms; a new path is checked within that.
const NEW_CHECKS: Bucket = Bucket::of(50);
/// Sealed data of unknown addresses in a second, and at once: each costs the stack a decryption that fails.
/// choice: a driver's commands at 50 Hz, telemetry and the packets of a thin video, for the second until ICE has asked.
const NEW_SEALED: Bucket = Bucket::of(200);
/// Requests of a known address in a second, and at once. choice: ten times what checks of four pairs need.
const KNOWN_CHECKS: Bucket = Bucket::of(1_000);
/// Sealed records that may come before we have sealed one ourselves: the stack keeps them until it has keys.
/// choice: what a peer sends in a round trip that has finished its handshake first.
const MAX_EARLY: u32 = 64;

/// A request that was sent.
#[derive(Clone, Copy, Debug)]
struct Asked {
    transaction: Transaction,
    to: SocketAddr,
    /// It asked for an address at a relay.
    of_relay: bool,
}

/// An address that has answered.
#[derive(Clone, Copy, Debug)]
struct Known {
    address: SocketAddr,
    is_relay: bool,
    checks: Bucket,
}

/// What was seen of a socket's traffic, and what follows.
#[derive(Debug)]
pub(super) struct Rules {
    /// A ring: the next one replaces the oldest.
    asked: Vec<Option<Asked>>,
    next_asked: usize,
    known: Vec<Known>,
    names: Names,
    new_checks: Bucket,
    new_sealed: Bucket,
    has_keys: bool,
    early: u32,
    pieces: u32,
}

impl Rules {
    pub(super) fn new() -> Self {
        Self {
            asked: vec![None; ASKED],
            next_asked: 0,
            known: Vec::with_capacity(KNOWN),
            names: Names::default(),
            new_checks: NEW_CHECKS,
            new_sealed: NEW_SEALED,
            has_keys: false,
            early: 0,
            pieces: 0,
        }
    }

    /// Notes a datagram of ours, and what is in it for a relay to pass on.
    pub(super) fn sent(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(inner) = self.note(Some(to), datagram) {
            self.note(None, inner);
        }
    }

    /// The datagram inside, if it is for a relay. A check that goes through one is answered through it.
    fn note<'a>(&mut self, to: Option<SocketAddr>, datagram: &'a [u8]) -> Option<&'a [u8]> {
        match datagram.first()? {
            0..=3 => {
                let message = Message::read(datagram)?;
                if message.class() == Class::Request {
                    if let Some(username) = message.username().filter(|_| message.is_binding()) {
                        self.names.learn(username);
                    }
                    if let Some(to) = to {
                        self.note_request(to, &message);
                    }
                }
                message.relayed()
            }
            20..=63 => {
                self.has_keys |= dtls::read(datagram).is_some_and(|contents| contents.sealed > 0);
                None
            }
            64..=79 => stun::channel_data(datagram),
            _ => None,
        }
    }

    fn note_request(&mut self, to: SocketAddr, message: &Message<'_>) {
        if let Some(oldest) = self.asked.get_mut(self.next_asked) {
            *oldest = Some(Asked {
                transaction: message.transaction(),
                to: canonical(to),
                of_relay: message.is_allocate_request(),
            });
        }
        self.next_asked = (self.next_asked + 1) % ASKED;
    }

    /// Whether a datagram may pass.
    pub(super) fn admits(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> bool {
        let from = canonical(from);
        let known = self.known.iter().position(|one| one.address == from);
        match datagram.first() {
            Some(0..=3) => Message::read(datagram)
                .is_some_and(|message| self.admits_stun(now, from, known, &message)),
            Some(64..=79) => {
                self.is_relay(known)
                    && stun::channel_data(datagram).is_some_and(|inner| self.admits_relayed(inner))
            }
            Some(_) => match known {
                Some(_) => self.admits_media(datagram),
                None => self.admits_sealed(now, datagram),
            },
            None => false,
        }
    }

    fn is_relay(&self, known: Option<usize>) -> bool {
        known
            .and_then(|at| self.known.get(at))
            .is_some_and(|one| one.is_relay)
    }

    fn admits_stun(
        &mut self,
        now: Duration,
        from: SocketAddr,
        known: Option<usize>,
        message: &Message<'_>,
    ) -> bool {
        match message.class() {
            Class::Response => self.is_answered(from, message.transaction()),
            Class::Indication => match message.relayed() {
                Some(inner) => self.is_relay(known) && self.admits_relayed(inner),
                None => known.is_some() && message.is_binding(),
            },
            Class::Request => {
                let bucket = known
                    .and_then(|at| self.known.get_mut(at))
                    .map_or(&mut self.new_checks, |one| &mut one.checks);
                message.is_binding() && self.names.are_in(message.username()) && bucket.takes(now)
            }
        }
    }

    /// Whether this is the response to what was asked there; then the address is known.
    fn is_answered(&mut self, from: SocketAddr, transaction: Transaction) -> bool {
        let asked = self.asked.iter().flatten();
        let Some(asked) = asked
            .filter(|one| one.transaction == transaction && one.to == from)
            .copied()
            .next()
        else {
            return false;
        };
        if let Some(at) = self.known.iter().position(|one| one.address == from) {
            // The newest is last.
            if let Some(tail) = self.known.get_mut(at..) {
                tail.rotate_left(1);
            }
            if let Some(one) = self.known.last_mut() {
                one.is_relay |= asked.of_relay;
            }
        } else {
            if self.known.len() == KNOWN {
                self.known.remove(0);
            }
            self.known.push(Known {
                address: from,
                is_relay: asked.of_relay,
                checks: KNOWN_CHECKS,
            });
        }
        true
    }

    /// What a relay passes on: whose it is cannot be known here, and the stack asks itself.
    fn admits_relayed(&mut self, inner: &[u8]) -> bool {
        match inner.first() {
            Some(0..=3) => Message::read(inner).is_some_and(|message| match message.class() {
                Class::Request => message.is_binding() && self.names.are_in(message.username()),
                Class::Indication | Class::Response => message.is_binding(),
            }),
            _ => self.admits_media(inner),
        }
    }

    /// DTLS and SRTP of who has answered.
    fn admits_media(&mut self, datagram: &[u8]) -> bool {
        match datagram.first() {
            Some(128..=191) => true,
            Some(20..=63) => dtls::read(datagram).is_some_and(|contents| self.has_room(contents)),
            _ => false,
        }
    }

    /// What the stack keeps of it is bounded.
    fn has_room(&mut self, contents: dtls::Contents) -> bool {
        let pieces = self.pieces.saturating_add(contents.pieces);
        let early = if self.has_keys {
            self.early
        } else {
            self.early.saturating_add(contents.sealed)
        };
        let has_room = pieces <= dtls::MAX_PIECES && early <= MAX_EARLY;
        if has_room {
            (self.pieces, self.early) = (pieces, early);
        }
        has_room
    }

    /// Data of a peer that may have got another address, which only its keys can show.
    fn admits_sealed(&mut self, now: Duration, datagram: &[u8]) -> bool {
        let is_sealed = match datagram.first() {
            Some(128..=191) => true,
            Some(20..=63) => dtls::read(datagram).is_some_and(|contents| contents.is_data),
            _ => false,
        };
        self.has_keys && is_sealed && self.new_sealed.takes(now)
    }
}

/// An address in the one form of it, without what a kernel adds to tell interfaces apart.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
