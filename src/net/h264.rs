//! H.264 between the encoder's byte stream and RTP payloads, both ways.
//!
//! The WebRTC stack has a payloader of its own. Ours knows that an access unit is whole, so it marks its last packet,
//! sends both parameter sets in one packet, cuts large units into equal parts (a last packet of a few bytes costs as
//! much as a full one), and copies each byte once. The way back is for `watch`: it has to notice every loss, because
//! a file with half a frame in it is worse than a file with a gap.
//!
//! ```text
//!   Annex B     00 00 00 01 SPS  00 00 00 01 PPS  00 00 00 01 slice  00 00 01 slice …
//!                     └────────┬─────────┘              │                  │
//!   RFC 6184             STAP-A (24)          FU-A (28) FU-A FU-A     single NAL unit, marker
//! ```
//!
//! Promises: no input makes it panic or allocate without bound.
//! Knows nothing of: sequence numbers it does not get, sockets, encoders.
//! Sources: RFC 6184 (packetization-mode 1: 5.6 single, 5.7.1 STAP-A, 5.8 FU-A), ITU-T H.264 Annex B.

mod depacketize;
mod packetize;

pub use depacketize::{Depacketizer, Unit};
pub use packetize::{Packetizer, Payload};

use crate::logic::units::Uptime;
use crate::peer::nal::{self, FU_A, FU_START, STAP_A, kind as nal_type};

/// spec: RFC 6184 5.8, the end bit of an FU header.
const FU_END: u8 = 0x40;

/// The time of a capture in RTP's 90 kHz; it wraps, as RTP's time does.
#[must_use]
pub fn rtp_timestamp(captured_at: Uptime) -> u32 {
    let ticks = u128::from(captured_at.as_micros()) * 9 / 100;
    u32::try_from(ticks & u128::from(u32::MAX)).unwrap_or(0)
}

/// The NAL units of an Annex B stream, without start codes and trailing zeros; empty ones are left out.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        loop {
            let from = rest?;
            let end = find_start_code(from).unwrap_or(from.len());
            let (unit, next) = from.split_at(end);
            rest = after_start_code(next);
            let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
            let (unit, _) = unit.split_at(unit.len() - zeros);
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// What follows the first start code.
fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    stream.get(find_start_code(stream)? + 3..)
}

/// Where the first `00 00 01` begins.
fn find_start_code(stream: &[u8]) -> Option<usize> {
    // The ones are rare: look for them, then at what is in front.
    let mut at = 2;
    loop {
        at += stream.get(at..)?.iter().position(|byte| *byte == 1)?;
        if stream.get(at - 2..at) == Some(&[0, 0]) {
            return Some(at - 2);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_count_90_a_millisecond_and_wrap() {
        for (micros, ticks) in [
            (0, 0),
            (11, 0),
            (12, 1),
            (1_000, 90),
            (1_000_000, 90_000),
            (47_721_858_844, 4_294_967_295),
            (47_721_858_845, 0),
        ] {
            assert_eq!(
                rtp_timestamp(Uptime::from_micros(micros)),
                ticks,
                "{micros} us"
            );
        }
        let _ = rtp_timestamp(Uptime::MAX);
    }

    #[test]
    fn nal_units_are_split_at_both_kinds_of_start_code() {
        let split = |stream| nal_units(stream).collect::<Vec<_>>();
        let none: [&[u8]; 0] = [];
        assert_eq!(split(&[]), none);
        assert_eq!(split(&[1, 2, 3]), none);
        assert_eq!(split(&[0, 0, 1]), none);
        assert_eq!(split(&[0, 0, 1, 0, 0, 1, 0, 0, 0, 1]), none);
        assert_eq!(
            split(&[
                9, 9, 0, 0, 0, 1, 7, 1, 1, 0, 0, 1, 8, 0, 0, 0, 1, 5, 0, 1, 0, 0
            ]),
            [&[7, 1, 1][..], &[8], &[5, 0, 1]]
        );
    }
}
