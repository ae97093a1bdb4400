//! Reads which H.264 NAL units begin in an RTP payload.
//!
//! The relay starts a viewer at a key frame, the depacketizer starts again at one after a loss, and repair ends at one.
//! All three ask here. A publisher may put parameter sets anywhere in an aggregation packet: behind an access unit
//! delimiter or SEI (as x264 and `GStreamer` do), in several packets, or in fragments.
//!
//! ```text
//!   67 …                         single NAL unit   ──▶ SPS
//!   78 | 2 09 f0 | 8 67 … | 68   STAP-A            ──▶ delimiter, SPS, PPS
//!   7c 85 …                      FU-A, start bit   ──▶ IDR;   without start bit: nothing begins
//! ```
//!
//! *Invariants:* total over all input, allocates nothing.
//! *Source:* RFC 6184 5.6 to 5.8 (packets of mode 1), H.264 7.4.1 and Table 7-1 (types), 7.3.3 and 9.1 (first slice).

use super::Codec;

/// spec: H.264 Table 7-1.
pub const SLICE: u8 = 1;
/// spec: H.264 Table 7-1.
pub const IDR: u8 = 5;
/// spec: H.264 Table 7-1.
pub const SEI: u8 = 6;
/// spec: H.264 Table 7-1.
pub const SPS: u8 = 7;
/// spec: H.264 Table 7-1.
pub const PPS: u8 = 8;
/// spec: H.264 Table 7-1.
pub const DELIMITER: u8 = 9;
/// spec: RFC 6184 Table 1.
pub const STAP_A: u8 = 24;
/// spec: RFC 6184 Table 1.
pub const FU_A: u8 = 28;
/// spec: RFC 6184 5.8, the start bit of an FU header.
pub const FU_START: u8 = 0x80;

/// The type of a NAL unit, from its first byte.
#[must_use]
pub const fn kind(header: u8) -> u8 {
    header & 0x1F
}

/// A NAL unit that begins in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun<'a> {
    /// Its type.
    pub kind: u8,
    /// Its bytes behind the header, as far as they are in this payload.
    pub body: &'a [u8],
}

impl Begun<'_> {
    /// Whether a picture begins here: a slice whose `first_mb_in_slice` is 0, which is a set first bit.
    #[must_use]
    pub fn is_first_slice(&self) -> bool {
        matches!(self.kind, SLICE | IDR) && self.body.first().is_some_and(|byte| byte & 0x80 != 0)
    }
}

/// The NAL units that begin in a payload, in order. An aggregate that is cut ends the list.
pub fn begun(payload: &[u8]) -> impl Iterator<Item = Begun<'_>> {
    let (mut single, mut aggregate) = (None, [].as_slice());
    if let Some((header, rest)) = payload.split_first() {
        match kind(*header) {
            1..=23 => single = unit(payload),
            STAP_A => aggregate = rest,
            FU_A => {
                single = rest
                    .split_first()
                    .filter(|(fu, _)| *fu & FU_START != 0)
                    .map(|(fu, body)| Begun {
                        kind: kind(*fu),
                        body,
                    });
            }
            _ => {} // interleaved modes are not negotiated; 0, 30 and 31 are undefined
        }
    }
    let mut next_of_aggregate = move || {
        let (length, after) = aggregate.split_first_chunk::<2>()?;
        let (bytes, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        aggregate = after;
        unit(bytes)
    };
    std::iter::from_fn(move || single.take().or_else(&mut next_of_aggregate))
}

fn unit(bytes: &[u8]) -> Option<Begun<'_>> {
    let (header, body) = bytes.split_first()?;
    Some(Begun {
        kind: kind(*header),
        body,
    })
}

/// Whether decoding can start at this payload: an SPS begins in it, or the first slice of an IDR.
///
/// For codecs other than H.264 the answer is yes: their decoders ask for a key frame by themselves.
#[must_use]
pub fn starts_key_frame(codec: Codec, payload: &[u8]) -> bool {
    codec != Codec::H264
        || begun(payload).any(|unit| unit.kind == SPS || unit.kind == IDR && unit.is_first_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(payload: &[u8]) -> Vec<u8> {
        begun(payload).map(|unit| unit.kind).collect()
    }

    #[test]
    fn units_are_found_wherever_they_are_in_a_packet() {
        for (payload, found) in [
            (&[0x67, 1, 2][..], &[SPS][..]),
            (
                &[0x78, 0, 2, 9, 0xf0, 0, 3, 0x67, 1, 2, 0, 1, 0x68],
                &[DELIMITER, SPS, PPS],
            ),
            (
                &[
                    0x78, 0, 2, 6, 5, 0, 2, 0x67, 1, 0, 2, 0x68, 1, 0, 2, 0x65, 0x88,
                ],
                &[SEI, SPS, PPS, IDR],
            ),
            (&[0x7c, 0x87, 1], &[SPS]),
            (&[0x7c, 0x07, 1], &[]),
            (&[0x7c], &[]),
            (&[0x78], &[]),
            (&[0x78, 0, 9, 0x67], &[]),
            (&[0x78, 0, 0, 0, 1, 0x67], &[]),
            (&[0x79, 0, 1, 0x67], &[]),
            (&[], &[]),
        ] {
            assert_eq!(kinds(payload), found, "{payload:x?}");
        }
    }

    #[test]
    fn a_viewer_can_start_at_parameter_sets_and_at_the_first_slice_of_an_idr() {
        for (payload, starts) in [
            (&[0x65, 0x88][..], true),
            (&[0x65, 0x40], false),
            (&[0x67], true),
            (&[0x78, 0, 3, 0x67, 1, 2], true),
            (&[0x78, 0, 2, 9, 0xf0, 0, 3, 0x67, 1, 2], true),
            (&[0x78, 0, 2, 6, 5, 0, 2, 0x65, 0x88], true),
            (&[0x78, 0, 2, 9, 0xf0, 0, 2, 0x61, 0x88], false),
            (&[0x7c, 0x85, 0x88], true),
            (&[0x7c, 0x85, 0x08], false),
            (&[0x7c, 0x87, 0x42], true),
            (&[0x7c, 0x05, 0x88], false),
            (&[0x09, 0xf0], false),
            (&[0x61, 0x88], false),
            (&[], false),
        ] {
            assert_eq!(
                starts_key_frame(Codec::H264, payload),
                starts,
                "{payload:x?}"
            );
        }
        assert!(starts_key_frame(Codec::Vp8, &[]));
    }
}
