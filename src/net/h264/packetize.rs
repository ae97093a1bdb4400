//! One access unit to the payloads of its RTP packets.
//!
//! ```text
//!   buffer, written once:  24 00 07 SPS 00 05 PPS │ 28+start 1/3 │ 28 2/3 │ 28+end 3/3 │ slice │
//!   payloads:              └──── STAP-A ────────┘ └─── FU-A ───┘ └─ FU-A ┘ └─ FU-A ───┘ └single┘  slices of the buffer
//! ```
//!
//! Promises: payloads are in order, none is empty or longer than the limit, the last one is marked; each byte is copied
//! once; the buffer is used again as soon as all payloads of a unit are gone.
//! Knows nothing of: RTP headers.
//! Sources: RFC 6184 5.6, 5.7.1, 5.8.

use bytes::{BufMut, Bytes, BytesMut};

use super::{FU_A, FU_END, FU_START, STAP_A, nal, nal_type, nal_units};

/// choice: what WebRTC stacks agree on; leaves room for headers, SRTP and TURN in the least MTU seen (1280).
const MAX_PAYLOAD: usize = 1200;
/// choice: less would be more header than picture.
const LEAST_MAX_PAYLOAD: usize = 64;
/// spec: a UDP datagram, less 1 kB for all headers.
const MOST_MAX_PAYLOAD: usize = 64_000;
/// choice: a frame of 5 Mb/s at 30 a second, so that a steady stream never grows the buffer.
const BUFFER: usize = 20_000;

/// The payload of one RTP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// What follows the RTP header.
    pub bytes: Bytes,
    /// Set the marker: this ends the access unit.
    pub is_last: bool,
}

/// Cuts access units into payloads.
#[derive(Debug)]
pub struct Packetizer {
    max_payload: usize,
    buffer: BytesMut,
    payloads: Vec<Payload>,
}

impl Default for Packetizer {
    /// Payloads of up to 1200 bytes.
    fn default() -> Self {
        Self {
            max_payload: MAX_PAYLOAD,
            buffer: BytesMut::with_capacity(BUFFER),
            payloads: Vec::new(),
        }
    }
}

impl Packetizer {
    /// Payloads of up to `max_payload` bytes; `None` unless that is 64 to 64,000.
    #[must_use]
    pub fn new(max_payload: usize) -> Option<Self> {
        (LEAST_MAX_PAYLOAD..=MOST_MAX_PAYLOAD)
            .contains(&max_payload)
            .then(|| Self {
                max_payload,
                ..Self::default()
            })
    }

    /// The payloads of an access unit with start codes (Annex B). Each call stands alone.
    pub fn packetize(&mut self, unit: &[u8]) -> std::vec::Drain<'_, Payload> {
        self.payloads.clear();
        // Each NAL unit loses a start code of three bytes and gets two or three of header; parts get two each.
        let parts = unit.len() / (self.max_payload - 2) + 1;
        self.buffer.reserve(unit.len() + 4 * parts + 16);
        let mut units = nal_units(unit).peekable();
        while let Some(nal) = units.next() {
            if !is_parameter_set(nal) {
                self.single_or_fragments(nal);
                continue;
            }
            // Written as if more followed; if none does, the header is cut off again.
            self.buffer.put_u8(STAP_A);
            self.append(nal);
            let mut count = 1;
            while let Some(next) = units.next_if(|next| self.has_room_for(next)) {
                self.append(next);
                count += 1;
            }
            let bytes = self.buffer.split().freeze();
            match count {
                1 => self.single_or_fragments(nal),
                _ => self.push(bytes),
            }
        }
        if let Some(last) = self.payloads.last_mut() {
            last.is_last = true;
        }
        self.payloads.drain(..)
    }

    /// Whether this unit may join the aggregate that is being written.
    fn has_room_for(&self, nal: &[u8]) -> bool {
        is_parameter_set(nal) && self.buffer.len() + 2 + nal.len() <= self.max_payload
    }

    /// Adds a unit to the aggregate that is being written.
    fn append(&mut self, nal: &[u8]) {
        let (Ok(length), Some(header)) = (u16::try_from(nal.len()), nal.first()) else {
            return;
        };
        if let Some(aggregate) = self.buffer.first_mut() {
            // spec: RFC 6184 5.7: F is the OR of all, NRI the greatest of all.
            let forbidden = (*aggregate | header) & 0x80;
            let importance = (*aggregate & 0x60).max(header & 0x60);
            *aggregate = forbidden | importance | STAP_A;
        }
        self.buffer.put_u16(length);
        self.buffer.extend_from_slice(nal);
    }

    fn single_or_fragments(&mut self, nal: &[u8]) {
        if nal.len() <= self.max_payload {
            self.buffer.extend_from_slice(nal);
            let bytes = self.buffer.split().freeze();
            self.push(bytes);
            return;
        }
        let Some((header, body)) = nal.split_first() else {
            return;
        };
        let parts = body.len().div_ceil(self.max_payload - 2);
        let part = body.len().div_ceil(parts);
        let last = parts - 1;
        for (number, fragment) in body.chunks(part).enumerate() {
            let start = if number == 0 { FU_START } else { 0 };
            let end = if number == last { FU_END } else { 0 };
            self.buffer.put_u8(header & 0xE0 | FU_A);
            self.buffer.put_u8(start | end | nal_type(*header));
            self.buffer.extend_from_slice(fragment);
            let bytes = self.buffer.split().freeze();
            self.push(bytes);
        }
    }

    fn push(&mut self, bytes: Bytes) {
        self.payloads.push(Payload {
            bytes,
            is_last: false,
        });
    }
}

fn is_parameter_set(nal: &[u8]) -> bool {
    nal.first()
        .is_some_and(|header| matches!(nal_type(*header), nal::SPS | nal::PPS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
        let mut stream = Vec::new();
        for nal in nals {
            stream.extend([0, 0, 0, 1]);
            stream.extend(*nal);
        }
        stream
    }

    fn payloads(max_payload: usize, nals: &[&[u8]]) -> Vec<Payload> {
        let mut packetizer = Packetizer::new(max_payload).expect("a valid limit");
        packetizer.packetize(&annex_b(nals)).collect()
    }

    #[test]
    fn parameter_sets_share_a_packet_and_the_last_packet_is_marked() {
        let sps: &[u8] = &[0x67, 0x42, 0xC0, 0x1F];
        let pps: &[u8] = &[0x68, 0xCE];
        let got = payloads(100, &[sps, pps, &[0x65; 40]]);
        assert_eq!(got.len(), 2);
        assert_eq!(
            got[0].bytes[..],
            [0x78, 0, 4, 0x67, 0x42, 0xC0, 0x1F, 0, 2, 0x68, 0xCE]
        );
        assert_eq!(got[1].bytes[..], [0x65; 40]);
        assert_eq!((got[0].is_last, got[1].is_last), (false, true));
    }

    #[test]
    fn a_lone_parameter_set_is_a_single_unit() {
        let got = payloads(100, &[&[0x67, 1, 2], &[0x61, 3]]);
        assert_eq!(got[0].bytes[..], [0x67, 1, 2]);
        assert_eq!(got[1].bytes[..], [0x61, 3]);
    }

    #[test]
    fn a_unit_is_fragmented_one_byte_above_the_limit_and_into_equal_parts() {
        for (length, parts) in [(99, 1), (100, 1), (101, 2), (197, 2), (198, 3), (1000, 11)] {
            let nal = [&[0x65][..], &vec![7; length - 1]].concat();
            let got = payloads(100, &[&nal]);
            assert_eq!(got.len(), parts, "{length} bytes");
            assert!(got.iter().all(|payload| payload.bytes.len() <= 100));
            let lengths = got.iter().map(|payload| payload.bytes.len());
            let (least, most) = (lengths.clone().min(), lengths.max());
            assert!(
                most.zip(least)
                    .is_some_and(|(most, least)| most - least < parts.max(2))
            );
        }
    }

    #[test]
    fn fragments_carry_type_importance_and_their_place() {
        let got = payloads(64, &[&[0x65; 150]]);
        let headers: Vec<_> = got.iter().map(|p| [p.bytes[0], p.bytes[1]]).collect();
        assert_eq!(headers, [[0x7C, 0x85], [0x7C, 0x05], [0x7C, 0x45]]);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        let mut packetizer = Packetizer::default();
        for unit in [&[][..], &[0, 0, 1], &[1, 2, 3, 4], &[0; 50]] {
            assert_eq!(packetizer.packetize(unit).count(), 0);
        }
    }

    #[test]
    fn a_steady_stream_stays_in_one_buffer() {
        let mut packetizer = Packetizer::default();
        let start = packetizer.buffer.as_ptr().addr();
        for length in (1000..6000).step_by(7) {
            let unit = annex_b(&[&vec![0x61; length]]);
            for payload in packetizer.packetize(&unit) {
                let at = payload.bytes.as_ptr().addr();
                assert!((start..start + BUFFER).contains(&at), "{length} bytes");
            }
        }
    }

    #[test]
    fn limits_are_checked() {
        for (limit, valid) in [(63, false), (64, true), (64_000, true), (64_001, false)] {
            assert_eq!(Packetizer::new(limit).is_some(), valid, "{limit}");
        }
    }
}
