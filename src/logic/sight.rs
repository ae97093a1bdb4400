//! Which of two cameras is shown: the one that looks where the car drives, or the one that somebody asked for.
//!
//! The old car showed the camera of the last throttle key, whatever its value. A slider or a stick that passes through
//! neutral would make that flicker, and each change costs a key frame; so going to the rear is at once, for the driver
//! needs it, and going to the front waits until the car has not driven backwards for a while.
//!
//! ```text
//!                 drives backwards, or the old app said `back`
//!    Front ───────────────────────────────────────────────────▶ Rear
//!      ▲                                                         │
//!      └── drives forward, or `forward`, or neutral: for `dwell` ┘
//!    a view that was asked for holds at once and as long as it is asked for
//! ```
//!
//! Promises: without a rear camera it is always the front; a change is never sooner than `dwell` after the last one, but
//! for one to the rear or one that was asked for.
//! Knows nothing of: cameras, pictures.
//! Sources: PROTOCOL.md 4.4.

use core::time::Duration;

use super::camera::View;
use super::units::{Throttle, Uptime};

/// One of two cameras.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eye {
    /// The one that looks ahead.
    #[default]
    Front,
    /// The one that looks back.
    Rear,
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Throttle in force.
    pub throttle: Throttle,
    /// The last throttle key of a driver without a lease, while he drives: `back` is true, whatever its value.
    pub legacy_back: Option<bool>,
    /// What was asked for.
    pub view: View,
}

/// The choice.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    dwell: Duration,
    eye: Eye,
    /// When something last spoke for the rear.
    rear_at: Uptime,
}

impl Sight {
    /// The front is shown; the rear is kept for `dwell` after the car stops going backwards.
    #[must_use]
    pub const fn new(dwell: Duration) -> Self {
        Self {
            dwell,
            eye: Eye::Front,
            rear_at: Uptime::ZERO,
        }
    }

    /// Which camera to show now.
    pub fn step(&mut self, now: Uptime, look: Look) -> Eye {
        let goes_back = look.legacy_back == Some(true)
            || (look.legacy_back.is_none() && look.throttle.get() < 0);
        if goes_back {
            self.rear_at = now;
        }
        self.eye = match (look.view, self.eye) {
            (View::Rear, _) => Eye::Rear,
            (View::Automatic, _) if goes_back => Eye::Rear,
            (View::Automatic, Eye::Rear) if now.since(self.rear_at) < self.dwell => Eye::Rear,
            (View::Front, _) | (View::Automatic, Eye::Front | Eye::Rear) => Eye::Front,
        };
        self.eye
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DWELL: Duration = Duration::from_millis(700);

    fn at(millis: u64) -> Uptime {
        Uptime::from_micros(1000 * millis)
    }

    fn drive(throttle: i32) -> Look {
        Look {
            throttle: Throttle::saturating(throttle),
            ..Look::default()
        }
    }

    #[test]
    fn driving_backwards_shows_the_rear_at_once_and_the_front_after_the_dwell() {
        let mut sight = Sight::new(DWELL);
        assert_eq!(sight.step(at(10_000), drive(300)), Eye::Front);
        assert_eq!(sight.step(at(10_005), drive(-1)), Eye::Rear);
        assert_eq!(sight.step(at(10_010), drive(0)), Eye::Rear);
        assert_eq!(sight.step(at(10_704), drive(500)), Eye::Rear);
        assert_eq!(sight.step(at(10_705), drive(500)), Eye::Front);
    }

    #[test]
    fn a_throttle_that_flickers_around_neutral_does_not_change_the_picture_back() {
        let mut sight = Sight::new(DWELL);
        let mut changes = 0;
        let mut last = Eye::Front;
        for tick in 0..2000 {
            let eye = sight.step(
                at(10_000 + 5 * tick),
                drive(if tick % 7 == 0 { -5 } else { 5 }),
            );
            changes += u32::from(eye != last);
            last = eye;
        }
        assert_eq!(changes, 1);
    }

    #[test]
    fn the_old_app_s_last_key_counts_whatever_its_value() {
        let mut sight = Sight::new(DWELL);
        let key = |back, throttle| Look {
            legacy_back: Some(back),
            ..drive(throttle)
        };
        assert_eq!(sight.step(at(10_000), key(true, 0)), Eye::Rear);
        assert_eq!(sight.step(at(60_000), key(true, 0)), Eye::Rear);
        // Still rolling backwards on its way through the brake: the key has already said forward.
        assert_eq!(sight.step(at(60_100), key(false, -20)), Eye::Rear);
        assert_eq!(sight.step(at(60_700), key(false, -20)), Eye::Front);
    }

    #[test]
    fn a_view_that_was_asked_for_holds_at_once() {
        let mut sight = Sight::new(DWELL);
        let view = |view, throttle| Look {
            view,
            ..drive(throttle)
        };
        assert_eq!(sight.step(at(10_000), view(View::Rear, 500)), Eye::Rear);
        assert_eq!(sight.step(at(10_001), view(View::Front, -500)), Eye::Front);
        assert_eq!(sight.step(at(10_002), view(View::Rear, 0)), Eye::Rear);
        assert_eq!(sight.step(at(20_000), view(View::Automatic, 0)), Eye::Front);
    }
}
