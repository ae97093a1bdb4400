//! What an old program's sliders say: no lease, no sequence number, no clock, perhaps nothing while they stand still.
//!
//! All that can be known of a legacy driver is when he was last heard and what he said last, so that is what is kept, and
//! a stop forgets all of it: after one, each slider counts as let go until it is heard again.
//!
//! Promises: right after arming and right after a stop the demand is neutral.
//! Knows nothing of: whether he may drive.
//! Sources: PROTOCOL.md 4.1, 4.3 (any `forward` makes the next reverse brake first), 5.2 q 16.

use core::time::Duration;

use crate::logic::drive::{Demand, Steps};
use crate::logic::intent::LegacyThrottle;
use crate::logic::units::Uptime;

/// The sliders of whoever sends `motion`.
#[derive(Clone, Debug, Default)]
pub(super) struct Legacy {
    throttle: LegacyThrottle,
    /// In thousandths of a step, left positive.
    steering: i32,
    /// A `forward` came since the last demand.
    forward: bool,
    heard_at: Option<Uptime>,
    /// Since when the throttle slider has stood at neutral, as far as was heard since the last change of state.
    neutral_at: Option<Uptime>,
}

impl Legacy {
    pub(super) fn hear_throttle(&mut self, at: Uptime, throttle: LegacyThrottle) {
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
        self.steering = milli_steps;
        self.heard_at = Some(at);
    }

    /// When any slider was last heard.
    pub(super) const fn heard_at(&self) -> Option<Uptime> {
        self.heard_at
    }

    /// Since when throttle has stood at neutral.
    pub(super) const fn neutral_at(&self) -> Option<Uptime> {
        self.neutral_at
    }

    /// Whether throttle stands at neutral, if it was heard within `age`.
    pub(super) fn stands_neutral(&self, now: Uptime, age: Duration) -> Option<bool> {
        let heard_at = self.heard_at.filter(|at| now.since(*at) <= age)?;
        match self.neutral_at {
            Some(_) => Some(true),
            None => (self.throttle.milli_steps != 0 && now.since(heard_at) <= age).then_some(false),
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

    /// His neutral armed the car; the next arming takes a new one.
    pub(super) const fn take_the_wheel(&mut self) {
        self.neutral_at = None;
    }

    /// A stop: the sliders count as let go, and he has to be heard again.
    pub(super) const fn forget(&mut self) {
        self.throttle.milli_steps = 0;
        self.steering = 0;
        self.heard_at = None;
        self.neutral_at = None;
    }
}
