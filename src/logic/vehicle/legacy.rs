//! What an old program's sliders say: no lease, no sequence number, no clock, perhaps nothing while they stand still.
//!
//! All that can be known of a legacy driver is when he was last heard and what he said last, so that is what is kept, and
//! a stop forgets all of it: after one, each slider counts as let go until it is heard again.
//!
//! Some old programs send all the time, some only when a slider moves, and nobody can tell beforehand. One that has said
//! the same thing [`REPEATS`] times in a row, without a gap above [`LONGEST_GAP`], sends all the time: from then on its
//! silence is judged by its own pace. While the slider stands at neutral there is nothing to stop, so nothing changes.
//!
//! Promises: right after arming and right after a stop the demand is neutral.
//! Knows nothing of: whether he may drive.
//! Sources: PROTOCOL.md 4.1, 4.3 (any `forward` makes the next reverse brake first), 5.2 q 16.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::logic::drive::{Demand, Steps};
use crate::logic::intent::LegacyThrottle;
use crate::logic::units::Uptime;

/// How often the same has to be said again to prove that it is said all the time.
///
/// choice: half a second at the 20 a second of the old app's joystick loop.
const REPEATS: u8 = 10;

/// A longer gap than this between two messages proves nothing.
///
/// choice: a keyboard that repeats begins to after at most half a second; a hand on a slider is slower.
const LONGEST_GAP: Duration = Duration::from_millis(400);

/// How many of its own gaps a steady sender may be silent, and the least that this is.
///
/// choice: two lost packets in a row are no silence, three are; below 250 ms a lease driver is not stopped either.
const GAPS: u32 = 3;
const SHORTEST_AGE: Duration = Duration::from_millis(250);

/// Whether a sender repeats himself, and how fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Steady {
    last_at: Option<Uptime>,
    repeats: u8,
    longest: Duration,
}

impl Steady {
    fn hear(&mut self, at: Uptime, is_repeat: bool) {
        let gap = self.last_at.map(|last| at.since(last));
        self.last_at = Some(at);
        match gap {
            Some(gap) if gap <= LONGEST_GAP => {
                self.repeats = self.repeats.saturating_add(u8::from(is_repeat));
                self.longest = self.longest.max(gap);
            }
            Some(_) | None => (self.repeats, self.longest) = (0, Duration::ZERO),
        }
    }

    /// Silence that proves that he is gone, if he is steady.
    fn age(&self) -> Option<Duration> {
        (self.repeats >= REPEATS).then(|| self.longest.saturating_mul(GAPS).max(SHORTEST_AGE))
    }
}

/// The sliders of whoever sends `motion`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Legacy {
    throttle: LegacyThrottle,
    /// In thousandths of a step, left positive.
    steering: i32,
    /// A `forward` came since the last demand.
    forward: bool,
    heard_at: Option<Uptime>,
    /// Since when the throttle slider has stood at neutral, as far as was heard since the last change of state.
    neutral_at: Option<Uptime>,
    steady: Steady,
}

impl Legacy {
    pub(super) fn hear_throttle(&mut self, at: Uptime, throttle: LegacyThrottle) {
        let is_repeat = throttle.milli_steps == self.throttle.milli_steps;
        self.steady.hear(at, is_repeat);
        self.forward |= throttle.forwards != self.throttle.forwards;
        self.throttle = throttle;
        self.heard_at = Some(at);
        self.neutral_at = if throttle.milli_steps == 0 {
            self.neutral_at.or(Some(at))
        } else {
            None
        };
    }

    pub(super) fn hear_steering(&mut self, at: Uptime, milli_steps: i32) {
        self.steady.hear(at, milli_steps == self.steering);
        self.steering = milli_steps;
        self.heard_at = Some(at);
    }

    /// When any slider was last heard.
    pub(super) const fn heard_at(&self) -> Option<Uptime> {
        self.heard_at
    }

    /// Silence after which his car stands: `configured` or, if he proved to be faster and the car moves, less. Zero, which
    /// is "until the link dies", stays zero.
    pub(super) fn age(&self, configured: Duration) -> Duration {
        match self.steady.age() {
            Some(age) if self.throttle.milli_steps != 0 => configured.min(age),
            Some(_) | None => configured,
        }
    }

    /// Since when throttle has stood at neutral.
    pub(super) const fn neutral_at(&self) -> Option<Uptime> {
        self.neutral_at
    }

    /// Whether throttle stands at neutral, if it was heard within `age`.
    pub(super) fn stands_neutral(&self, now: Uptime, age: Duration) -> Option<bool> {
        self.heard_at.filter(|at| now.since(*at) <= age)?;
        match self.neutral_at {
            Some(_) => Some(true),
            None => (self.throttle.milli_steps != 0).then_some(false),
        }
    }

    /// What the sliders ask for. Takes the news of a `forward` with it.
    pub(super) fn demand(&mut self, steps: Steps) -> Demand {
        Demand {
            throttle: steps.throttle(self.throttle.milli_steps),
            steering: steps.steering(self.steering),
            forward: core::mem::take(&mut self.forward),
        }
    }

    /// A stop: the sliders count as let go, and he has to be heard again.
    pub(super) fn forget(&mut self) {
        self.throttle.milli_steps = 0;
        self.steering = 0;
        self.heard_at = None;
        self.neutral_at = None;
        self.steady = Steady::default();
    }
}
