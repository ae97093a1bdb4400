//! Payloads of RTP packets back to access units, whole ones only.
//!
//! Packets come late, twice, out of order and not at all. A few are held back to wait for a missing one (it may be on
//! its way again); after that it is lost, and with it every unit up to the next one that decoding can start at.
//!
//! ```text
//!              in order                                    unit whole, and decodable from what was delivered
//!   packet ─▶ [held: 64 at most] ─▶ unit being put together ──────────────────────────────────▶ delivered
//!                 │ a gap that 64 packets did not fill          │ lost or malformed part
//!                 ▼                                             ▼
//!             start over here                             dropped; wants_key_frame() until an IDR is whole
//! ```
//!
//! Promises: what is delivered is whole, and its first picture after any loss is an IDR (parameter sets may stand before
//! it); memory is bounded; no input panics.
//! Knows nothing of: time, RTCP; the caller limits how often it asks for a key frame.
//! Sources: RFC 6184 5.6 to 5.8 and 7.1, RFC 3550 (sequence numbers wrap).

use std::collections::VecDeque;

use bytes::Bytes;

use super::{FU_A, FU_END, FU_START, STAP_A, nal, nal_type};

/// choice: a quarter of a second at 2.5 Mb/s, longer than a retransmission takes.
const WINDOW: u16 = 64;
/// choice: four windows; no network delays a packet by as many, so a larger step is another stream.
const FAR: u16 = 4 * WINDOW;
/// choice: far above any IDR at 1080p; a sender that never ends a unit is cut off there.
const MOST_UNIT: usize = 4 << 20;
/// spec: H.264 Annex B.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// One whole access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// NAL units with start codes (Annex B).
    pub data: Vec<u8>,
    /// Its RTP time, 90 kHz.
    pub timestamp: u32,
    /// Decoding can start here.
    pub is_idr: bool,
}

/// A packet without what is not needed of it.
#[derive(Clone, Debug)]
struct Packet {
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

/// A set of kinds of NAL unit, one bit a type.
#[derive(Clone, Copy, Debug, Default)]
struct Kinds(u32);

/// The access unit that is being put together.
#[derive(Debug, Default)]
struct Draft {
    data: Vec<u8>,
    /// Its time, once a packet of it is there.
    timestamp: Option<u32>,
    /// A part is missing or makes no sense.
    damaged: bool,
    /// The kinds of unit in it.
    kinds: Kinds,
    /// Type of the unit whose fragments are coming.
    fragment: Option<u8>,
}

/// Puts access units together.
#[derive(Debug)]
pub struct Depacketizer {
    /// The number of the next packet in order, once there was a first.
    next: Option<u16>,
    /// Packets from `next` on; the first one is missing, or there is none.
    held: VecDeque<Option<Packet>>,
    draft: Draft,
    /// Packets are missing right before the next one.
    after_gap: bool,
    /// The time of the unit that the last gap broke.
    broken: Option<u32>,
    /// The kinds of unit that have come whole so far.
    known: Kinds,
    /// The sender puts them in front of each IDR, so an IDR without them is not whole.
    repeats_sps: bool,
    waits_for_idr: bool,
    ready: VecDeque<Unit>,
}

impl Default for Depacketizer {
    fn default() -> Self {
        Self {
            next: None,
            held: VecDeque::new(),
            draft: Draft::default(),
            after_gap: true,
            broken: None,
            known: Kinds::default(),
            repeats_sps: false,
            waits_for_idr: true,
            ready: VecDeque::new(),
        }
    }
}

impl Depacketizer {
    /// Takes one packet, in any order; gives the oldest unit that is whole, if there is one.
    ///
    /// A packet that fills a gap may complete several units: [`Depacketizer::poll`] gives the others.
    pub fn push(
        &mut self,
        sequence_number: u16,
        timestamp: u32,
        marker: bool,
        payload: &Bytes,
    ) -> Option<Unit> {
        let packet = Packet {
            timestamp,
            marker,
            payload: payload.clone(),
        };
        self.sort_in(sequence_number, packet);
        self.poll()
    }

    /// The oldest unit that is whole and was not given yet.
    pub fn poll(&mut self) -> Option<Unit> {
        self.ready.pop_front()
    }

    /// Whether nothing can be delivered until the sender codes an IDR.
    #[must_use]
    pub const fn wants_key_frame(&self) -> bool {
        self.waits_for_idr
    }

    fn sort_in(&mut self, number: u16, packet: Packet) {
        let ahead = number.wrapping_sub(*self.next.get_or_insert(number));
        let behind = ahead.wrapping_neg();
        if behind <= FAR {
            if behind > 0 {
                return; // late or twice
            }
        } else if ahead > FAR {
            // Neither late nor a gap: the sender began anew.
            while !self.held.is_empty() {
                self.take_first();
            }
            self.gap();
            self.next = Some(number);
        }
        // What the window leaves behind is lost.
        while self.ahead(number) >= WINDOW {
            self.take_first();
        }
        let place = usize::from(self.ahead(number));
        while self.held.len() <= place {
            self.held.push_back(None);
        }
        if let Some(slot) = self.held.get_mut(place) {
            slot.get_or_insert(packet);
        }
        while matches!(self.held.front(), Some(Some(_))) {
            self.take_first();
        }
    }

    /// How far a packet is ahead of the next one in order.
    fn ahead(&self, number: u16) -> u16 {
        number.wrapping_sub(self.next.unwrap_or(number))
    }

    /// Takes the next packet in order, or notes that it is lost.
    fn take_first(&mut self) {
        match self.held.pop_front().flatten() {
            Some(packet) => self.take(&packet),
            None => self.gap(),
        }
        self.next = self.next.map(|next| next.wrapping_add(1));
    }

    fn gap(&mut self) {
        let broken = std::mem::take(&mut self.draft).timestamp;
        self.broken = broken.or(self.broken);
        self.after_gap = true;
        self.waits_for_idr = true;
    }

    fn take(&mut self, packet: &Packet) {
        if packet.payload.is_empty() {
            return; // padding, which some senders probe with
        }
        if self
            .draft
            .timestamp
            .is_some_and(|timestamp| timestamp != packet.timestamp)
        {
            // The unit before had no marker; it is whole all the same, because nothing is missing in between.
            self.finish();
        }
        if self.draft.timestamp.is_none() {
            self.draft.timestamp = Some(packet.timestamp);
            let begins = begins_unit(&packet.payload, self.repeats_sps);
            let is_rest = self.broken == Some(packet.timestamp) || !begins;
            self.draft.damaged = self.after_gap && is_rest;
            self.after_gap = false;
        }
        if !self.draft.damaged && self.draft.add(&packet.payload).is_none() {
            self.draft.damaged = true;
            self.draft.data = Vec::new();
        }
        if packet.marker {
            self.finish();
        }
    }

    /// Delivers the draft, if it is whole and decoding can use it.
    fn finish(&mut self) {
        let draft = std::mem::take(&mut self.draft);
        if draft.damaged || draft.fragment.is_some() {
            self.waits_for_idr = true;
            return;
        }
        self.known.add_all(draft.kinds);
        let is_idr = draft.kinds.has(nal::IDR);
        let starts = is_idr && self.known.has(nal::SPS) && self.known.has(nal::PPS);
        let is_wanted = if draft.kinds.has_slice() {
            !self.waits_for_idr || starts
        } else {
            draft.kinds.has(nal::SPS) || draft.kinds.has(nal::PPS)
        };
        if is_wanted {
            self.waits_for_idr &= !starts;
            self.repeats_sps |= starts && draft.kinds.has(nal::SPS);
            self.ready.push_back(Unit {
                data: draft.data,
                timestamp: draft.timestamp.unwrap_or(0),
                is_idr,
            });
        }
    }
}

impl Kinds {
    const fn add(&mut self, kind: u8) {
        self.0 |= 1 << (kind & 31);
    }

    const fn add_all(&mut self, other: Self) {
        self.0 |= other.0;
    }

    const fn has(self, kind: u8) -> bool {
        self.0 & 1 << (kind & 31) != 0
    }

    /// Any part of a picture: whole, partitioned, or IDR.
    fn has_slice(self) -> bool {
        (nal::SLICE..=nal::IDR).any(|kind| self.has(kind))
    }
}

impl Draft {
    /// Adds a payload; `None` if it makes no sense.
    fn add(&mut self, payload: &[u8]) -> Option<()> {
        let (header, rest) = payload.split_first()?;
        match nal_type(*header) {
            1..=23 => self.add_unit(payload),
            STAP_A => {
                let mut rest = rest;
                while !rest.is_empty() {
                    let (length, after) = rest.split_first_chunk::<2>()?;
                    let (unit, after) =
                        after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                    // spec: RFC 6184 5.7.1: an aggregate holds single units only.
                    matches!(nal_type(*unit.first()?), 1..=23).then_some(())?;
                    self.add_unit(unit)?;
                    rest = after;
                }
                Some(())
            }
            FU_A => self.add_fragment(*header, rest),
            // Interleaved modes are not negotiated; 0, 30 and 31 are undefined.
            _ => None,
        }
    }

    fn add_unit(&mut self, unit: &[u8]) -> Option<()> {
        if self.fragment.is_some() {
            return None;
        }
        self.kinds.add(nal_type(*unit.first()?));
        self.extend(&START_CODE)?;
        self.extend(unit)
    }

    fn add_fragment(&mut self, indicator: u8, rest: &[u8]) -> Option<()> {
        let (header, fragment) = rest.split_first()?;
        let kind = nal_type(*header);
        if header & FU_START != 0 {
            // spec: RFC 6184 5.8: a whole unit in one fragment is not allowed.
            if self.fragment.is_some() || header & FU_END != 0 || !matches!(kind, 1..=23) {
                return None;
            }
            self.fragment = Some(kind);
            self.extend(&START_CODE)?;
            self.extend(&[indicator & 0xE0 | kind])?;
        } else if self.fragment != Some(kind) {
            return None;
        }
        self.extend(fragment)?;
        if header & FU_END != 0 {
            self.fragment = None;
            self.kinds.add(kind);
        }
        Some(())
    }

    fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        (self.data.len() + bytes.len() <= MOST_UNIT).then(|| self.data.extend_from_slice(bytes))
    }
}

/// Whether an access unit can begin with this payload.
///
/// What may stand first is listed in H.264 7.4.1.2.3. A delimiter always does. A sender that repeats its SPS puts one in
/// front of each IDR, so only a packet with that SPS is known to lack nothing; of another sender the first slice does, or
/// the SEI or PPS in front of it.
fn begins_unit(payload: &[u8], with_sps: bool) -> bool {
    let mut units = nal::begun(payload).peekable();
    match units.peek() {
        Some(first) if first.kind == nal::DELIMITER => true,
        Some(first)
            if !with_sps
                && (first.is_first_slice() || matches!(first.kind, nal::SEI | nal::PPS)) =>
        {
            true
        }
        _ => units.any(|unit| unit.kind == nal::SPS),
    }
}

#[cfg(test)]
mod tests;
