//! Decides which of a receiver's requests for lost packets of one stream a sender answers.
//!
//! The receiver may be any browser, so nothing is taken for granted: it may ask for everything without end.
//!
//! ```text
//!   request ─▶ sent within a second? ─▶ after the last key frame? ─▶ a round trip since the last answer? ─▶ fewer than 4?
//!                                                                       ─▶ room in the budget? ─▶ sent again
//!   budget: a quarter of the media bytes, saved up for a second at most
//! ```
//!
//! *Invariants:* no clock; over any time longer than a second what is sent again is at most a quarter of the media in that
//! time, and a second's quarter.
//! *Source:* libwebrtc `rtp_packet_history.cc` (no answer within a round trip) and `rtp_rtcp_impl2.cc` (rate limit).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::rtp;

/// How long a packet is kept. choice: as long as our receiver waits for one.
const MOST_AGE: Duration = Duration::from_secs(1);
/// Packets that are kept. choice: a second at 10 Mb/s, the highest bitrate that can be configured, is 1,040.
const MOST_KEPT: usize = 1_024;
/// Answers for one packet. choice: at 10 percent loss four fail once in 10,000.
const MOST_ANSWERS: u32 = 4;
/// Media bytes for each byte that is sent again. choice: offered load stays below 1.25 times the video's.
const SHARE: u64 = 4;
/// Budget of a stream whose rate is not known yet or is very low, in bytes. choice: four packets.
const LEAST_BUDGET: u64 = 4_800;
/// Round trip before the first was measured. spec: libwebrtc's `kDefaultRtt`.
pub(super) const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Part of a round trip in which a second request is the same loss. choice: a round trip that was measured is often the
/// longest, so that a receiver which waits exactly one is not refused.
const WAIT_EIGHTHS: u32 = 6;

struct Kept {
    packet: rtp::Packet,
    sent_at: Instant,
    answered_at: Option<Instant>,
    answers: u32,
}

/// The packets of one stream that may be sent again, and what may still be spent on it.
pub(super) struct Answers {
    kept: VecDeque<Kept>,
    budget: u64,
    /// Media bytes of this second and of the one before.
    second: (u64, u64),
    second_ends: Option<Instant>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            budget: LEAST_BUDGET,
            second: (0, 0),
            second_ends: None,
        }
    }
}

impl Answers {
    /// Notes a packet of the stream that is sent for the first time.
    pub(super) fn sent(&mut self, packet: &rtp::Packet, starts_key_frame: bool, now: Instant) {
        if starts_key_frame && self.kept.len() > 1 {
            // The packet right before it may hold its parameter sets.
            self.kept.drain(..self.kept.len() - 1);
        }
        while self.kept.len() >= MOST_KEPT
            || self
                .kept
                .front()
                .is_some_and(|one| now.saturating_duration_since(one.sent_at) > MOST_AGE)
        {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept {
            packet: packet.clone(),
            sent_at: now,
            answered_at: None,
            answers: 0,
        });
        let bytes = size(packet);
        let ends = *self.second_ends.get_or_insert(now + Duration::from_secs(1));
        if now >= ends {
            let is_next = now < ends + Duration::from_secs(1);
            self.second = (0, if is_next { self.second.0 } else { 0 });
            self.second_ends = Some(now + Duration::from_secs(1));
        }
        self.second.0 += bytes;
        // In bytes times SHARE nothing would be lost to rounding; a packet's three bytes are not worth it.
        self.budget += bytes / SHARE;
        self.budget = self.budget.min(self.most());
    }

    fn most(&self) -> u64 {
        (self.second.0.max(self.second.1) / SHARE).max(LEAST_BUDGET)
    }

    /// The packet to send again for a request, if it is to be answered.
    pub(super) fn requested(
        &mut self,
        number: u16,
        round_trip: Duration,
        now: Instant,
    ) -> Option<rtp::Packet> {
        let kept = self
            .kept
            .iter_mut()
            .rev()
            .find(|one| one.packet.header.sequence_number == number)?;
        let is_old = now.saturating_duration_since(kept.sent_at) > MOST_AGE;
        let is_twice = kept
            .answered_at
            .is_some_and(|at| now.saturating_duration_since(at) < round_trip * WAIT_EIGHTHS / 8);
        if is_old || is_twice || kept.answers >= MOST_ANSWERS {
            return None;
        }
        self.budget = self.budget.checked_sub(size(&kept.packet))?;
        kept.answers += 1;
        kept.answered_at = Some(now);
        Some(kept.packet.clone())
    }
}

/// Bytes of a packet as far as the budget counts them: header without extensions, and payload.
fn size(packet: &rtp::Packet) -> u64 {
    packet.payload.len() as u64 + 12
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u16) -> rtp::Packet {
        let mut packet = rtp::Packet::default();
        packet.header.sequence_number = number;
        packet.payload = vec![0; 1_188].into();
        packet
    }

    const RTT: Duration = Duration::from_millis(60);

    #[test]
    fn a_packet_is_sent_again_once_a_round_trip_and_four_times_in_all() {
        let start = Instant::now();
        let mut answers = Answers::default();
        answers.sent(&packet(7), false, start);
        let times: Vec<_> = (0..2_000)
            .filter(|ms| {
                let now = start + Duration::from_millis(*ms);
                answers.requested(7, RTT, now).is_some()
            })
            .collect();
        assert_eq!(times, [0, 45, 90, 135]);
    }

    #[test]
    fn what_is_old_or_before_a_key_frame_or_unknown_is_not_sent_again() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut answers = Answers::default();
        answers.sent(&packet(1), false, start);
        assert!(answers.requested(2, RTT, start).is_none());
        assert!(answers.requested(1, RTT, ms(1_001)).is_none());
        answers.sent(&packet(2), false, ms(1_002));
        answers.sent(&packet(3), false, ms(1_003));
        answers.sent(&packet(4), true, ms(1_003));
        assert!(answers.requested(2, RTT, ms(1_004)).is_none());
        assert!(answers.requested(3, RTT, ms(1_004)).is_some());
    }

    #[test]
    fn a_receiver_that_asks_for_everything_gets_a_quarter_more() {
        let start = Instant::now();
        let mut answers = Answers::default();
        let (mut media, mut again) = (0, 0);
        // 2.4 Mb/s for ten seconds; each packet is asked for at once, and the last 64 every 4 ms.
        for number in 0..2_500_u16 {
            let now = start + Duration::from_millis(4) * u32::from(number);
            answers.sent(&packet(number), number % 250 == 0, now);
            media += 1;
            for back in 0..64 {
                again += u32::from(
                    answers
                        .requested(number.wrapping_sub(back), RTT, now)
                        .is_some(),
                );
            }
        }
        assert!(again * 100 <= media * 30, "{again} again for {media}");
        assert!(
            again * 100 >= media * 20,
            "{again} again for {media}: repair starves"
        );
    }

    #[test]
    fn a_pause_saves_up_no_more_than_a_second() {
        let start = Instant::now();
        let mut answers = Answers::default();
        for number in 0..1_000 {
            answers.sent(
                &packet(number),
                false,
                start + Duration::from_millis(4) * u32::from(number),
            );
        }
        let now = start + Duration::from_secs(4);
        let again = (0..1_000)
            .filter(|number| answers.requested(*number, RTT, now).is_some())
            .count();
        assert!(again <= 250 / 4, "{again}");
    }
}
