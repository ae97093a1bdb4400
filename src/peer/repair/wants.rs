//! Decides which lost packets of one stream a receiver asks for again, when, and when it gives up.
//!
//! A repair is worth its bytes while the picture can still use it, and only if the path has room. A path that is thinner
//! than the stream loses packets for want of room: asking for all of them again is more of what broke it.
//!
//! ```text
//!   gap ──5 ms──▶ asked ──round trip──▶ asked ──2 round trips──▶ … 5 times, 1 s ──▶ given up: a key frame is wanted
//!                   ▲ one request for each 4 packets that arrive                    nothing is asked for until it comes
//!   key frame: what is missing before it is forgotten
//! ```
//!
//! *Invariants:* no clock, no allocation beyond [`MOST_MISSING`] entries; every wait ends in a repair, a key frame, or a
//! wish for one that is repeated.
//! *Source:* RFC 4585 6.2.1 (NACK); libwebrtc `nack_requester.cc` (10 tries, one round trip apart, 1000 packets, given up
//! at a key frame).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a gap may be a packet that was overtaken. choice: more than a switch reorders, a sixth of a frame time.
const REORDERED: Duration = Duration::from_millis(5);
/// Requests for one packet. choice: at 10 percent loss each way five fail once in 4,000; libwebrtc has 10.
const MOST_TRIES: u32 = 5;
/// How long a packet is worth waiting for. choice: a driver who sees a picture of a second ago should stand.
const MOST_AGE: Duration = Duration::from_secs(1);
/// Missing packets at a time; more is an outage. choice: half a second at 2.5 Mb/s; a key frame costs a tenth of that.
const MOST_MISSING: usize = 128;
/// Packets that must arrive for each that is asked for again. choice: repairs stay below a quarter of the stream.
const SHARE: u32 = 4;
/// Requests that may be saved up, in quarters. choice: a burst of 32 lost packets is repaired at once.
const MOST_CREDIT: u32 = 32 * SHARE;
/// Round trip before the first was measured. spec: libwebrtc's `kDefaultRtt`.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Bounds of a measured round trip. choice: below, timers are no finer; above, [`MOST_AGE`] ends the wait anyway.
const ROUND_TRIPS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// First and longest wait before a key frame is asked for again. choice: libwebrtc's 300 ms, doubled each time: on a path
/// that loses each of them a key frame is the most expensive thing to send.
const AGAIN: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(2));

/// A packet that did not come.
#[derive(Clone, Copy, Debug)]
struct Missing {
    number: u64,
    since: Instant,
    /// When to look at it next.
    look_at: Instant,
    asked_at: Option<Instant>,
    tries: u32,
}

impl Missing {
    fn new(number: u64, now: Instant) -> Self {
        Self {
            number,
            since: now,
            look_at: now + REORDERED,
            asked_at: None,
            tries: 0,
        }
    }
}

/// The missing packets of one stream.
#[derive(Debug)]
pub(super) struct Wants {
    /// Number of the newest packet, counted on where the 16 bits of RTP wrap.
    newest: Option<u64>,
    missing: VecDeque<Missing>,
    round_trip: Duration,
    /// Saved-up requests, in quarters.
    credit: u32,
    /// Packets were given up, and no key frame has come since: when one is to be asked for (again).
    broken: Option<Broken>,
    is_wanted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Broken {
    ask_at: Instant,
    wait: Duration,
}

impl Default for Wants {
    fn default() -> Self {
        Self {
            newest: None,
            missing: VecDeque::new(),
            round_trip: FIRST_ROUND_TRIP,
            credit: MOST_CREDIT,
            broken: None,
            is_wanted: false,
        }
    }
}

impl Wants {
    /// Notes a packet; returns how many were found missing in front of it.
    pub(super) fn arrived(&mut self, number: u16, starts_key_frame: bool, now: Instant) -> u32 {
        self.credit = (self.credit + 1).min(MOST_CREDIT);
        let newest = *self.newest.get_or_insert(u64::from(number) + (1 << 16));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low 16 bits are the number on the wire"
        )]
        let ahead = number.wrapping_sub(newest as u16);
        let mut lost = 0;
        if ahead == 0 {
            // The first one, or the newest once more.
        } else if ahead < 0x8000 {
            let place = newest + u64::from(ahead);
            lost = u32::from(ahead) - 1;
            self.newest = Some(place);
            if starts_key_frame {
                self.recover(place, lost > 0, now);
            } else if self.broken.is_none() {
                self.miss(newest + 1, place, now);
            }
            return lost;
        } else {
            self.filled(newest - u64::from(ahead.wrapping_neg()), now);
        }
        if starts_key_frame {
            self.recover(newest - u64::from(ahead.wrapping_neg()), false, now);
        }
        lost
    }

    /// The packets from `from` to before `to` are missing.
    fn miss(&mut self, from: u64, to: u64, now: Instant) {
        let count = usize::try_from(to - from).unwrap_or(usize::MAX);
        if self.missing.len().saturating_add(count) > MOST_MISSING {
            self.give_up(now);
            return;
        }
        self.missing
            .extend((from..to).map(|number| Missing::new(number, now)));
    }

    /// A packet came that was missing, or came twice.
    fn filled(&mut self, number: u64, now: Instant) {
        let Ok(at) = self.missing.binary_search_by_key(&number, |one| one.number) else {
            return;
        };
        if let Some(found) = self.missing.remove(at)
            && found.tries == 1
            && let Some(asked_at) = found.asked_at
        {
            // Karn's rule: of a packet that was asked for twice nobody knows which request it answers.
            let sample = now.saturating_duration_since(asked_at);
            self.round_trip =
                ((self.round_trip * 7 + sample) / 8).clamp(ROUND_TRIPS.0, ROUND_TRIPS.1);
        }
    }

    /// A key frame starts there. The packet right before it may hold its parameter sets and is still wanted.
    fn recover(&mut self, place: u64, lost_before: bool, now: Instant) {
        self.broken = None;
        self.missing.retain(|one| one.number + 1 >= place);
        if lost_before {
            self.missing.push_back(Missing::new(place - 1, now));
        }
    }

    fn give_up(&mut self, now: Instant) {
        self.missing.clear();
        self.is_wanted = true;
        self.broken = Some(Broken {
            ask_at: now + AGAIN.0,
            wait: AGAIN.0,
        });
    }

    /// When [`Wants::ask`] has something to do next.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.broken {
            Some(broken) => Some(broken.ask_at),
            None => self.missing.iter().map(|one| one.look_at).min(),
        }
    }

    /// Puts the packets to ask for now into `numbers`, oldest first.
    pub(super) fn ask(&mut self, now: Instant, numbers: &mut Vec<u16>) {
        if let Some(broken) = &mut self.broken {
            if broken.ask_at <= now {
                self.is_wanted = true;
                broken.wait = (broken.wait * 2).min(AGAIN.1);
                broken.ask_at = now + broken.wait;
            }
            return;
        }
        let is_over = |one: &Missing| {
            now.saturating_duration_since(one.since) >= MOST_AGE || one.tries >= MOST_TRIES
        };
        if self
            .missing
            .iter()
            .any(|one| one.look_at <= now && is_over(one))
        {
            self.give_up(now);
            return;
        }
        for one in self.missing.iter_mut().filter(|one| one.look_at <= now) {
            if self.credit >= SHARE {
                self.credit -= SHARE;
                one.asked_at = Some(now);
                one.tries += 1;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the low 16 bits are the number on the wire"
                )]
                numbers.push(one.number as u16);
            }
            let wait = self.round_trip * one.tries.max(1);
            one.look_at = (now + wait).min(one.since + MOST_AGE);
        }
    }

    /// Whether a key frame is to be asked for, since packets were given up; once for each time.
    pub(super) fn take_key_frame_wish(&mut self) -> bool {
        std::mem::take(&mut self.is_wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Duration = Duration::from_millis(4);

    /// Runs the decisions at the times they ask for.
    struct Run {
        wants: Wants,
        start: Instant,
        now: Duration,
        asked: Vec<(u16, u128)>,
        wishes: Vec<u128>,
    }

    impl Run {
        fn new() -> Self {
            Self {
                wants: Wants::default(),
                start: Instant::now(),
                now: Duration::ZERO,
                asked: Vec::new(),
                wishes: Vec::new(),
            }
        }

        fn until(&mut self, end: Duration) {
            while let Some(due) = self.wants.due() {
                let at = due.saturating_duration_since(self.start).max(self.now);
                if at > end {
                    break;
                }
                self.now = at;
                self.look();
            }
            self.now = end;
        }

        fn look(&mut self) {
            let mut numbers = Vec::new();
            self.wants.ask(self.start + self.now, &mut numbers);
            let ms = self.now.as_millis();
            self.asked
                .extend(numbers.into_iter().map(|number| (number, ms)));
            if self.wants.take_key_frame_wish() {
                self.wishes.push(ms);
            }
        }

        fn packet(&mut self, number: u16, is_key: bool) -> u32 {
            let next = self.now + PACKET;
            self.until(next);
            let lost = self.wants.arrived(number, is_key, self.start + self.now);
            if self.wants.take_key_frame_wish() {
                self.wishes.push(self.now.as_millis());
            }
            lost
        }

        fn seconds(&mut self, seconds: u64) {
            self.until(self.now + Duration::from_secs(seconds));
        }
    }

    #[test]
    fn a_lost_packet_is_asked_for_a_few_times_further_and_further_apart_and_then_given_up() {
        let mut run = Run::new();
        run.packet(10, false);
        assert_eq!(run.packet(12, false), 1);
        run.seconds(5);
        let times: Vec<_> = run.asked.iter().map(|(_, ms)| *ms).collect();
        assert!(run.asked.iter().all(|(number, _)| *number == 11));
        assert_eq!(times, [13, 113, 313, 613]); // the fifth would be due when the packet is too old
        // Each wait for a key frame asks again.
        assert_eq!(run.wishes, [1_008, 1_308, 1_908, 3_108]);
    }

    #[test]
    fn an_overtaken_packet_is_not_asked_for() {
        let mut run = Run::new();
        for number in [65_534, 0, 65_535, 1, 2] {
            run.packet(number, false);
        }
        run.seconds(5);
        assert_eq!(run.asked, []);
        assert_eq!(run.wishes, [0; 0]);
    }

    #[test]
    fn the_wait_between_two_requests_follows_the_measured_round_trip() {
        let mut run = Run::new();
        run.packet(0, false);
        let mut number = 0;
        for _ in 0..40 {
            number += 2;
            run.packet(number, false);
            run.until(run.now + Duration::from_millis(5 + 16));
            run.packet(number - 1, false); // 20 ms after the request
        }
        run.asked.clear();
        run.packet(number + 2, false);
        run.seconds(1);
        let times = || run.asked.iter().map(|(_, ms)| *ms);
        let waits: Vec<_> = times()
            .zip(times().skip(1))
            .map(|(one, next)| next - one)
            .collect();
        let first = waits.first().copied().unwrap_or_default();
        assert!((20..30).contains(&first), "{waits:?}");
        assert!(waits.is_sorted(), "{waits:?}");
    }

    #[test]
    fn a_key_frame_ends_the_wait_for_what_was_before_it() {
        let mut run = Run::new();
        run.packet(1, false);
        run.packet(5, false);
        run.packet(6, true);
        run.asked.clear();
        run.seconds(5);
        assert_eq!(run.asked, []);
        assert_eq!(run.wishes, [0; 0]);
    }

    #[test]
    fn after_giving_up_nothing_is_asked_for_until_a_key_frame_and_then_again() {
        let mut run = Run::new();
        run.packet(0, false);
        run.packet(1 + 200, false); // an outage
        assert_eq!(run.wishes.len(), 1);
        run.packet(210, false);
        run.until(run.now + Duration::from_millis(100));
        assert_eq!(run.asked, []);
        run.packet(212, true);
        run.packet(214, false);
        run.until(run.now + Duration::from_millis(50));
        let numbers: Vec<_> = run.asked.iter().map(|(number, _)| *number).collect();
        assert_eq!(
            numbers,
            [211, 213],
            "what is right before it may be its SPS"
        );
    }

    #[test]
    fn requests_stay_below_a_quarter_of_what_arrives_on_a_path_that_is_too_thin() {
        let mut run = Run::new();
        let (mut arrived, mut number) = (0_usize, 0_u16);
        for step in 0..6_000_u32 {
            number = number.wrapping_add(1);
            // Two of five come through; each tenth is a key frame's first.
            if step * 2 % 5 < 2 {
                arrived += 1;
                run.packet(number, step % 100 == 0);
            }
        }
        let most = arrived / SHARE as usize + MOST_CREDIT as usize / SHARE as usize;
        assert!(run.asked.len() <= most, "{} of {arrived}", run.asked.len());
    }

    #[test]
    fn a_sender_that_begins_anew_costs_a_key_frame_and_no_storm() {
        let mut run = Run::new();
        run.packet(5, false);
        run.packet(20_000, false);
        run.packet(20_001, true);
        run.seconds(3);
        assert_eq!(run.asked, []);
        assert_eq!(run.wishes.len(), 1);
    }
}
