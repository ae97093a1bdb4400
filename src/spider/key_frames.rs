//! When the relay asks a publisher for a key frame.
//!
//! A key frame is ten times the size of another frame and takes its bits from the frames around it, so each request is
//! paid by the driver's picture. Requests of all viewers are one wish; how soon it is granted depends on who has it:
//!
//! ```text
//!   driver, gap ── 300 ms since their own last ──┐
//!   arrived ────── 100 ms since any, once ───────┤
//!   newcomer ───── 1 s since any ────────────────┼──▶ one request to the publisher, which answers every wish
//!   watcher ────── 4 s since any (500 ms ────────┘
//!                  while nobody drives)
//! ```
//!
//! A wish stays until it is granted, so a viewer that waits need not ask again. The driver's is measured against the
//! driver's own requests alone: a watcher's request never delays it.
//!
//! *Source:* libwebrtc asks for a key frame at most each 300 ms (`video_receive_stream2.cc`).

use std::time::{Duration, Instant};

/// Shortest time between two requests for the driver, or for a gap that nobody can repair.
/// spec: libwebrtc's own spacing; a request and its key frame take a round trip, which is shorter.
const DRIVER_SPACING: Duration = Duration::from_millis(300);
/// Shortest time from any request to one for a viewer that is connected just now, once for each.
/// choice: three frames, so that sixteen who come together cost one key frame.
const ARRIVED_SPACING: Duration = Duration::from_millis(100);
/// Shortest time from any request to one for a viewer that has had no picture yet.
/// choice: the key frame for its arrival was lost; longer than any round trip.
const NEWCOMER_SPACING: Duration = Duration::from_secs(1);
/// Shortest time from any request to one for a watcher, while somebody drives.
/// choice: a key frame of 30 kB each 4 s is 60 kbit/s, 2.4 percent of the default bitrate.
const WATCHER_SPACING: Duration = Duration::from_secs(4);
/// The same while nobody drives. choice: a lost picture comes back soon and costs no driver anything.
const IDLE_SPACING: Duration = Duration::from_millis(500);
/// A driver who was not heard for so long does not drive. choice: three times the page's renewal of its lease, and some.
pub(super) const DRIVES_FOR: Duration = Duration::from_secs(2);

/// Who needs a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// The viewer who drives.
    Driver,
    /// The relay itself: packets of the publisher are lost for good, for every viewer.
    Gap,
    /// A viewer that is connected just now; once for each.
    Arrived,
    /// A viewer that has had no picture yet.
    Newcomer,
    /// A viewer who does not drive.
    Watcher,
}

/// The wishes for a key frame and the requests that were made.
#[derive(Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "one wish for each kind of asker, any of them at a time"
)]
pub(super) struct KeyFrames {
    driver_wants: bool,
    arrived_wants: bool,
    newcomer_wants: bool,
    watcher_wants: bool,
    /// When the last request was made for a driver or a gap.
    for_driver_at: Option<Instant>,
    /// When the last request was made at all.
    asked_at: Option<Instant>,
    /// When a driver was last heard.
    driven_at: Option<Instant>,
}

impl KeyFrames {
    /// Notes that somebody drives.
    pub(super) fn driven(&mut self, now: Instant) {
        self.driven_at = Some(now);
    }

    /// Notes a wish; it stays until [`KeyFrames::take`] grants it.
    pub(super) fn want(&mut self, asker: Asker) {
        match asker {
            Asker::Driver | Asker::Gap => self.driver_wants = true,
            Asker::Arrived => self.arrived_wants = true,
            Asker::Newcomer => self.newcomer_wants = true,
            Asker::Watcher => self.watcher_wants = true,
        }
    }

    /// When the next request is due: a time that may have passed, or `None` while nobody wants one.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let after = |last: Option<Instant>, spacing| last.map_or(now, |last| last + spacing);
        let is_driven = self
            .driven_at
            .is_some_and(|at| now.saturating_duration_since(at) < DRIVES_FOR);
        let watcher_spacing = if is_driven {
            WATCHER_SPACING
        } else {
            IDLE_SPACING
        };
        [
            (self.driver_wants, self.for_driver_at, DRIVER_SPACING),
            (self.arrived_wants, self.asked_at, ARRIVED_SPACING),
            (self.newcomer_wants, self.asked_at, NEWCOMER_SPACING),
            (self.watcher_wants, self.asked_at, watcher_spacing),
        ]
        .into_iter()
        .filter(|(wanted, _, _)| *wanted)
        .map(|(_, last, spacing)| after(last, spacing))
        .min()
    }

    /// Whether to ask now. If so, every wish counts as granted: the key frame reaches all viewers.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if self.due(now).is_none_or(|due| due > now) {
            return false;
        }
        if self.driver_wants {
            self.for_driver_at = Some(now);
        }
        self.asked_at = Some(now);
        self.driver_wants = false;
        self.arrived_wants = false;
        self.newcomer_wants = false;
        self.watcher_wants = false;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests in `seconds`, when every `every` milliseconds those askers want one.
    fn asked(askers: &[(Asker, u64)], is_driven: bool, seconds: u64) -> Vec<u64> {
        let start = Instant::now();
        let mut frames = KeyFrames::default();
        let mut at = Vec::new();
        for ms in 0..seconds * 1000 {
            let now = start + Duration::from_millis(ms);
            if is_driven {
                frames.driven(now);
            }
            for (asker, every) in askers {
                if ms % every == 0 {
                    frames.want(*asker);
                }
            }
            if frames.take(now) {
                at.push(ms);
            }
        }
        at
    }

    #[test]
    fn the_first_wish_of_anybody_is_granted_at_once() {
        for asker in [
            Asker::Driver,
            Asker::Gap,
            Asker::Arrived,
            Asker::Newcomer,
            Asker::Watcher,
        ] {
            assert_eq!(asked(&[(asker, 10_000)], true, 1), [0], "{asker:?}");
        }
    }

    #[test]
    fn watchers_that_ask_without_end_cost_a_driver_a_key_frame_in_four_seconds() {
        let storm = [(Asker::Watcher, 1); 8];
        assert_eq!(asked(&storm, true, 12), [0, 4_000, 8_000]);
        assert_eq!(asked(&storm, false, 2), [0, 500, 1_000, 1_500]);
    }

    #[test]
    fn newcomers_wait_a_second_at_most() {
        let both = [(Asker::Newcomer, 1), (Asker::Watcher, 1)];
        assert_eq!(asked(&both, true, 3), [0, 1_000, 2_000]);
    }

    #[test]
    fn a_viewer_that_arrives_right_after_a_request_is_served_soon() {
        let start = Instant::now();
        let mut frames = KeyFrames::default();
        frames.driven(start);
        frames.want(Asker::Newcomer);
        assert!(frames.take(start));
        frames.want(Asker::Arrived);
        assert!(!frames.take(start + Duration::from_millis(99)));
        assert!(frames.take(start + Duration::from_millis(100)));
    }

    #[test]
    fn the_driver_is_not_delayed_by_watchers() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut frames = KeyFrames::default();
        frames.driven(start);
        frames.want(Asker::Watcher);
        assert!(frames.take(ms(0)));
        frames.want(Asker::Driver);
        assert!(
            frames.take(ms(1)),
            "a watcher's request delays the driver's"
        );
        frames.want(Asker::Driver);
        assert!(!frames.take(ms(300)));
        assert_eq!(frames.due(ms(300)), Some(ms(301)));
        assert!(frames.take(ms(301)), "a wait goes on asking");
        assert_eq!(frames.due(ms(302)), None);
    }

    #[test]
    fn one_request_grants_every_wish() {
        let start = Instant::now();
        let mut frames = KeyFrames::default();
        for asker in [Asker::Watcher, Asker::Newcomer, Asker::Driver] {
            frames.want(asker);
        }
        assert!(frames.take(start));
        assert!(!frames.take(start + Duration::from_secs(60)));
    }
}
