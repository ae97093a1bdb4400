//! What the car may do now, and until when: the one state machine between a command and the motor.
//!
//! It is quick to stop and slow to return, and it trusts nothing that it has not heard lately. ICE takes five seconds to
//! notice a dead link, so the deadman is here, on the age of commands. It holds no queue and no clock: each step looks at
//! the facts of now, makes at most one change, and says when it wants to be asked again.
//!
//! ```text
//!                 arm, or a legacy neutral          silent > hold               silent > neutral
//!   Disarmed ────────────────────────────▶ Live ◀──────────────────▶ Coasting ────────────────────▶ Stopped
//!     ▲   ▲                                 │  ▲   fresh command      │                               ▲ │ ▲
//!     │   └── the driver gives up his lease ┴──│──────────────────────┘                               │ │ │
//!     │                                        │  silent > neutral, a legacy driver silent > legacy_age│ │ │
//!     │                                        │  ─────────────────────────────────────────────────────┘ │ │
//!     │                                        └────────────────── arm, once good for `recovery` ────────┘ │
//!     └─────── good for `recovery` without a gap, unless latched or waiting for a legacy neutral ──────────┤
//!   Live, Coasting ── link lost, actuator, control, camera or encoder fault, lease lost, blind ────────────┤
//!   any state ── a stop command: the same, latched, so that only `arm` leaves it ──────────────────────────┘
//! ```
//!
//! - *Hold*: commands come 20 to 50 times a second; up to `hold` of silence changes nothing.
//! - *Coasting*: throttle falls in a line to neutral, reached at `neutral`; steering is held.
//! - *Good*: link up, nothing at fault, the driver not blind and, while somebody holds the lease, his commands without a gap above `hold`.
//! - *Neutral first*: only a driver whose newest command is neutral can arm. So a held key never moves a car by itself.
//! - *Blind*: the driver reported a picture older than `blind`. Stopped and not coasting, for what it holds now was decided
//!   by a picture that no longer holds: when the picture comes back it looks first, lets go and arms. A driver that never
//!   reports is not judged by this.
//! - *At fault*: outputs, control, camera, encoder. A low battery or a hot board forbids to arm; it stops no drive, for a
//!   reading that flickers must not stop a car in the middle of a road.
//! - After `legacy_age` the link was never down, so "good" means that a new legacy neutral has stood for `recovery`: a
//!   burst that was queued somewhere passes within that time and ends with whatever the slider says now.
//!
//! Promises: every change goes through one `enter` and yields one [`Transition`]; `step` is total.
//! Knows nothing of: who a driver is, what a pulse is, where facts come from.
//! Sources: README 3.7 and 1.6 (Betaflight's guard, procedure and recovery), design 5 F1, PROTOCOL.md 5.2 q 16.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::Uptime;

mod facts;
mod report;
#[cfg(test)]
mod tests;
mod times;

pub use facts::{Driver, Facts, Health};
use facts::{is_blind, silence, trouble};

pub use report::{Cause, Refusals, State, Transition};
pub use times::{FailsafeConfig, FailsafeError};

/// The smallest step of [`Uptime`], by which "longer than" is told from "as long as".
const TICK: Duration = Duration::from_micros(1);

/// How often the ramp to neutral wants to be continued.
///
/// choice: one 200 Hz tick, a quarter of a 50 Hz servo frame.
const RAMP_TICK: Duration = Duration::from_millis(5);

/// How long a fine car may go unasked.
///
/// choice: long enough to cost nothing, short enough that a forgotten caller is noticed.
const IDLE: Duration = Duration::from_secs(1);

/// A state with what it has to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Disarmed,
    Live {
        driver: Driver,
    },
    Coasting,
    Stopped {
        /// Somebody said stop: only `arm` leaves.
        latched: bool,
        /// A legacy driver fell silent at this time: his next neutral has to stand for a while.
        awaits_neutral: Option<Uptime>,
    },
}

impl Phase {
    /// Stopped, with no more to wait for than the recovery time.
    const STOPPED: Self = Self::Stopped {
        latched: false,
        awaits_neutral: None,
    };

    const fn state(self) -> State {
        match self {
            Self::Disarmed => State::Disarmed,
            Self::Live { .. } => State::Live,
            Self::Coasting => State::Coasting,
            Self::Stopped { .. } => State::Stopped,
        }
    }
}

/// The state machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failsafe {
    config: FailsafeConfig,
    phase: Phase,
    cause: Cause,
    refusals: Refusals,
    /// Since when nothing has been wrong, as far as steps saw.
    good_since: Option<Uptime>,
}

impl Failsafe {
    /// Disarmed.
    #[must_use]
    pub const fn new(config: FailsafeConfig) -> Self {
        Self {
            config,
            phase: Phase::Disarmed,
            cause: Cause::Start,
            refusals: Refusals::NONE,
            good_since: None,
        }
    }

    /// Its times.
    #[must_use]
    pub const fn config(&self) -> &FailsafeConfig {
        &self.config
    }

    /// What the car may do.
    #[must_use]
    pub const fn state(&self) -> State {
        self.phase.state()
    }

    /// Why it is in this state.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// What forbade arming at the last step.
    #[must_use]
    pub const fn refusals(&self) -> Refusals {
        self.refusals
    }

    /// Whom a live car obeys.
    #[must_use]
    pub const fn driver(&self) -> Option<Driver> {
        match self.phase {
            Phase::Live { driver } => Some(driver),
            // Only a lease driver's silence is coasted over.
            Phase::Coasting => Some(Driver::Lease),
            Phase::Disarmed | Phase::Stopped { .. } => None,
        }
    }

    /// Looks at the facts and makes the one change that they call for, if any.
    pub fn step(&mut self, now: Uptime, facts: &Facts) -> Option<Transition> {
        self.watch_health(now, facts);
        let change = self
            .judge(now, facts)
            .map(|(phase, cause)| self.enter(now, phase, cause));
        self.refusals = if self.state().may_move() {
            Refusals::NONE
        } else {
            self.refuse(now, facts)
        };
        change
    }

    /// Permille of the way from hold to neutral that is still to go.
    #[must_use]
    pub fn coast_left(&self, now: Uptime, facts: &Facts) -> u16 {
        let window = self.config.neutral().saturating_sub(self.config.hold());
        let left = self
            .config
            .neutral()
            .saturating_sub(silence(now, facts))
            .min(window);
        // The window is never empty: see FailsafeConfig::SHORTEST_COAST.
        let permille = (left.as_micros() * 1000).checked_div(window.as_micros());
        permille
            .and_then(|permille| u16::try_from(permille).ok())
            .unwrap_or(0)
    }

    /// The latest time to call [`Failsafe::step`] again if no fact changes.
    #[must_use]
    pub fn next_at(&self, now: Uptime, facts: &Facts) -> Uptime {
        let silent_for = |limit: Duration| {
            facts
                .heard_at
                .map(|at| at.min(now).after(limit.saturating_add(TICK)))
        };
        let legacy_age = Some(facts.legacy_age).filter(|age| !age.is_zero());
        let deadline = match self.phase {
            Phase::Live {
                driver: Driver::Lease,
            } => {
                let blind = facts.sees_until.map(|until| until.after(TICK));
                [silent_for(self.config.hold()), blind]
                    .into_iter()
                    .flatten()
                    .min()
            }
            Phase::Live {
                driver: Driver::Legacy,
            } => legacy_age.and_then(silent_for),
            Phase::Coasting => Some(now.after(RAMP_TICK)),
            Phase::Disarmed | Phase::Stopped { .. } => {
                let recovered = self
                    .good_since
                    .map(|since| since.after(self.config.recovery()));
                let settled = facts
                    .legacy_neutral_at
                    .map(|since| since.after(self.config.recovery()));
                let gap = silent_for(self.config.hold()).filter(|_| facts.lease_held);
                [recovered, settled, gap]
                    .into_iter()
                    .flatten()
                    .filter(|at| *at > now)
                    .min()
            }
        };
        deadline
            .unwrap_or(Uptime::MAX)
            .clamp(now.after(TICK), now.after(IDLE))
    }

    /// Rules for any state first, then those of the state.
    fn judge(&self, now: Uptime, facts: &Facts) -> Option<(Phase, Cause)> {
        if facts.stop {
            let latched = Phase::Stopped {
                latched: true,
                awaits_neutral: None,
            };
            return (self.phase != latched).then_some((latched, Cause::Stop));
        }
        match self.phase {
            Phase::Disarmed => self
                .armed_by(now, facts, false)
                .map(|driver| (Phase::Live { driver }, Cause::Arm)),
            Phase::Live {
                driver: Driver::Lease,
            } => self.judge_lease_driver(now, facts).or_else(|| {
                (silence(now, facts) > self.config.hold())
                    .then_some((Phase::Coasting, Cause::Coast))
            }),
            Phase::Live {
                driver: Driver::Legacy,
            } => Self::judge_legacy_driver(now, facts),
            Phase::Coasting => self.judge_lease_driver(now, facts).or_else(|| {
                let heard = silence(now, facts) <= self.config.hold();
                heard.then_some((
                    Phase::Live {
                        driver: Driver::Lease,
                    },
                    Cause::Drive,
                ))
            }),
            Phase::Stopped { latched, .. } => {
                if let Some(driver) = self.armed_by(now, facts, latched) {
                    return Some((Phase::Live { driver }, Cause::Arm));
                }
                let recovered = self.gate(now, facts).is_none() && self.is_settled(now, facts);
                (recovered && !latched).then_some((Phase::Disarmed, Cause::Recovered))
            }
        }
    }

    fn judge_lease_driver(&self, now: Uptime, facts: &Facts) -> Option<(Phase, Cause)> {
        if let Some(cause) = trouble(facts) {
            Some((Phase::STOPPED, cause))
        } else if facts.released {
            Some((Phase::Disarmed, Cause::Disarm))
        } else if !facts.lease_held {
            Some((Phase::STOPPED, Cause::LeaseLost))
        } else if silence(now, facts) > self.config.neutral() {
            Some((Phase::STOPPED, Cause::Silence))
        } else {
            is_blind(now, facts).then_some((Phase::STOPPED, Cause::Blind))
        }
    }

    fn judge_legacy_driver(now: Uptime, facts: &Facts) -> Option<(Phase, Cause)> {
        if let Some(cause) = trouble(facts) {
            Some((Phase::STOPPED, cause))
        } else if facts.request == Some(Driver::Lease) {
            Some((
                Phase::Live {
                    driver: Driver::Lease,
                },
                Cause::Arm,
            ))
        } else {
            let too_old = !facts.legacy_age.is_zero() && silence(now, facts) > facts.legacy_age;
            let stopped = Phase::Stopped {
                latched: false,
                awaits_neutral: Some(now),
            };
            too_old.then_some((stopped, Cause::LegacyAge))
        }
    }

    /// The driver who may arm a standing car now.
    fn armed_by(&self, now: Uptime, facts: &Facts, latched: bool) -> Option<Driver> {
        facts.request.filter(|driver| {
            self.gate(now, facts).is_none()
                && match driver {
                    Driver::Lease => true,
                    Driver::Legacy => !latched && !facts.lease_held && self.is_settled(now, facts),
                }
        })
    }

    /// The one place where the state changes.
    fn enter(&mut self, now: Uptime, phase: Phase, cause: Cause) -> Transition {
        let from = self.phase.state();
        self.phase = phase;
        self.cause = cause;
        Transition {
            at: now,
            from,
            to: phase.state(),
            cause,
        }
    }

    fn watch_health(&mut self, now: Uptime, facts: &Facts) {
        let flowing = !facts.lease_held || silence(now, facts) <= self.config.hold();
        let good = trouble(facts).is_none() && flowing && !is_blind(now, facts);
        self.good_since = if good {
            self.good_since.or(Some(now))
        } else {
            None
        };
    }

    fn is_long(&self, now: Uptime, since: Option<Uptime>) -> bool {
        since.is_some_and(|since| now.since(since) >= self.config.recovery())
    }

    /// Whether no legacy neutral is awaited, or one has stood for long enough.
    fn is_settled(&self, now: Uptime, facts: &Facts) -> bool {
        match self.phase {
            Phase::Stopped {
                awaits_neutral: Some(stopped_at),
                ..
            } => self.is_long(now, facts.legacy_neutral_at.filter(|at| *at > stopped_at)),
            Phase::Stopped {
                awaits_neutral: None,
                ..
            }
            | Phase::Disarmed
            | Phase::Live { .. }
            | Phase::Coasting => true,
        }
    }

    /// What forbids arming to everybody.
    fn gate(&self, now: Uptime, facts: &Facts) -> Refusals {
        facts
            .health
            .refusals()
            .with_if(!facts.link_up, Refusals::LINK_DOWN)
            .with_if(!self.is_long(now, self.good_since), Refusals::RECOVERING)
            .with_if(is_blind(now, facts), Refusals::NO_PICTURE)
    }

    /// What forbids arming to somebody.
    fn refuse(&self, now: Uptime, facts: &Facts) -> Refusals {
        let latched = match self.phase {
            Phase::Stopped { latched, .. } => latched,
            Phase::Disarmed | Phase::Live { .. } | Phase::Coasting => false,
        };
        self.gate(now, facts)
            .with(facts.refusals)
            .with_if(latched, Refusals::STOP_LATCHED)
            .with_if(!self.is_settled(now, facts), Refusals::RECOVERING)
            .with_if(facts.lease_held, Refusals::LEASE_HELD)
    }
}
