//! Makes a viewer's stream of RTP packets continuous, whoever publishes.
//!
//! A publisher that comes again has another stream number, other sequence numbers and another clock; a decoder that was
//! told of none of it would stop. Each leg has its own header extensions, so the header is made anew.
//!
//! *Invariants:* payload bytes unchanged; sequence numbers go on by one and time by what has passed.
//! *Source:* RFC 3550 5.1 (RTP header).

use std::time::{Duration, Instant};

use rtc::rtp;

use crate::peer::{NO_PLAYOUT_DELAY, VIDEO_CLOCK_HZ};

/// The numbering of one viewer's stream.
pub(super) struct Rewriter {
    ssrc: u32,
    payload_type: u8,
    low_delay_id: Option<u8>,
    source: Option<Source>,
}

struct Source {
    ssrc: u32,
    sequence_shift: u16,
    time_shift: u32,
    newest_sequence: u16,
    newest_time: u32,
    at: Instant,
}

impl Rewriter {
    /// A rewriter onto the stream number, payload type and, for the wish not to be buffered, the
    /// extension number that the viewer agreed to.
    pub(super) fn new(ssrc: u32, payload_type: u8, low_delay_id: Option<u8>) -> Self {
        Self {
            ssrc,
            payload_type,
            low_delay_id,
            source: None,
        }
    }

    /// Whether a packet comes from another publisher than the one before.
    pub(super) fn is_new_source(&self, packet: &rtp::Packet) -> bool {
        self.source
            .as_ref()
            .is_some_and(|source| source.ssrc != packet.header.ssrc)
    }

    /// The packet as this viewer gets it.
    pub(super) fn rewrite(&mut self, mut packet: rtp::Packet, now: Instant) -> rtp::Packet {
        let header = &mut packet.header;
        let source = match self.source.take() {
            Some(source) if source.ssrc == header.ssrc => source,
            Some(old) => {
                // Go on one sequence number and the real time later than the old source stopped.
                let pause = now
                    .saturating_duration_since(old.at)
                    .min(Duration::from_secs(3600));
                let ticks = pause.as_micros() * u128::from(VIDEO_CLOCK_HZ) / 1_000_000;
                let time = old
                    .newest_time
                    .wrapping_add(u32::try_from(ticks).unwrap_or(u32::MAX));
                let sequence = old.newest_sequence.wrapping_add(1);
                Source {
                    ssrc: header.ssrc,
                    sequence_shift: sequence.wrapping_sub(header.sequence_number),
                    time_shift: time.wrapping_sub(header.timestamp),
                    newest_sequence: sequence.wrapping_sub(1),
                    newest_time: time,
                    at: now,
                }
            }
            None => Source {
                ssrc: header.ssrc,
                sequence_shift: 0,
                time_shift: 0,
                newest_sequence: header.sequence_number.wrapping_sub(1),
                newest_time: header.timestamp.wrapping_sub(1),
                at: now,
            },
        };
        // A new header: the extension numbers of the two legs have nothing to do with each other.
        *header = rtp::header::Header {
            version: 2,
            marker: header.marker,
            payload_type: self.payload_type,
            sequence_number: header.sequence_number.wrapping_add(source.sequence_shift),
            timestamp: header.timestamp.wrapping_add(source.time_shift),
            ssrc: self.ssrc,
            ..Default::default()
        };
        let is_newer = header.sequence_number.wrapping_sub(source.newest_sequence) < 0x8000;
        if let Some(id) = self.low_delay_id
            && is_newer
            && header.timestamp != source.newest_time
            && let Err(err) = header.set_extension(id, bytes::Bytes::from_static(NO_PLAYOUT_DELAY))
        {
            tracing::debug!(%err, "spider: no playout delay on this packet");
        }
        self.source = Some(if is_newer {
            Source {
                newest_sequence: header.sequence_number,
                newest_time: header.timestamp,
                at: now,
                ..source
            }
        } else {
            source
        });
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence_number: u16, timestamp: u32) -> rtp::Packet {
        let mut packet = rtp::Packet::default();
        packet.header.ssrc = ssrc;
        packet.header.sequence_number = sequence_number;
        packet.header.timestamp = timestamp;
        packet
    }

    fn numbers(packet: &rtp::Packet) -> (u32, u16, u32) {
        (
            packet.header.ssrc,
            packet.header.sequence_number,
            packet.header.timestamp,
        )
    }

    #[test]
    fn a_new_publisher_continues_numbers_and_time() {
        let start = Instant::now();
        let mut rewriter = Rewriter::new(9, 102, None);
        assert_eq!(
            numbers(&rewriter.rewrite(packet(1, 65_535, 100), start)),
            (9, 65_535, 100)
        );
        let later = start + Duration::from_secs(1);
        assert!(rewriter.is_new_source(&packet(2, 7, 5)));
        assert_eq!(
            numbers(&rewriter.rewrite(packet(2, 7, 5), later)),
            (9, 0, 90_100)
        );
        assert_eq!(
            numbers(&rewriter.rewrite(packet(2, 8, 3005), later)),
            (9, 1, 93_100)
        );
    }

    #[test]
    fn a_late_packet_keeps_its_place_and_only_new_frames_ask_for_no_delay() {
        let now = Instant::now();
        let mut rewriter = Rewriter::new(9, 102, Some(3));
        for (sequence, started) in [(10, true), (12, false), (11, false)] {
            let out = rewriter.rewrite(packet(1, sequence, 100), now);
            assert_eq!(out.header.sequence_number, sequence);
            let extension = out.header.get_extension(3);
            assert_eq!(extension.is_some(), started, "packet {sequence}");
        }
    }
}
