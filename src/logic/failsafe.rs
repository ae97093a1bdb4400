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
//!   Live, Coasting ── link lost, actuator, control, camera or encoder fault, lease lost ───────────────────┤
//!   any state ── a stop command: the same, latched, so that only `arm` leaves it ──────────────────────────┘
//! ```
//!
//! - *Hold*: commands come 20 to 50 times a second; up to `hold` of silence changes nothing.
//! - *Coasting*: throttle falls in a line to neutral, reached at `neutral`; steering is held.
//! - *Good*: link up, nothing at fault and, while somebody holds the lease, his commands without a gap above `hold`.
//! - *Neutral first*: only a driver whose newest command is neutral can arm. So a held key never moves a car by itself.
//! - After `legacy_age` the link was never down, so "good" means that a new legacy neutral has stood for `recovery`: a
//!   burst that was queued somewhere passes within that time and ends with whatever the slider says now.
//!
//! Promises: every change goes through one `enter` and yields one [`Transition`]; `step` is total.
//! Knows nothing of: who a driver is, what a pulse is, where facts come from.
//! Sources: README 3.7 and 1.6 (Betaflight's guard, procedure and recovery), design 5 F1, PROTOCOL.md 5.2 q 16.

use core::time::Duration;

use super::units::Uptime;

mod report;
mod times;

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

/// What the shell knows of the parts below the network.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, each named"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Camera frames arrive.
    pub camera_ok: bool,
    /// Encoded frames arrive.
    pub encoder_ok: bool,
    /// The last write to the outputs succeeded.
    pub actuator_ok: bool,
    /// The control thread missed its time.
    pub control_late: bool,
}

impl Health {
    /// Nothing is wrong.
    pub const GOOD: Self = Self {
        camera_ok: true,
        encoder_ok: true,
        actuator_ok: true,
        control_late: false,
    };

    const fn refusals(self) -> Refusals {
        Refusals::NONE
            .with_if(!self.camera_ok, Refusals::CAMERA_DOWN)
            .with_if(!self.encoder_ok, Refusals::ENCODER_DOWN)
            .with_if(!self.actuator_ok, Refusals::ACTUATOR_FAULT)
            .with_if(self.control_late, Refusals::CONTROL_LATE)
    }
}

/// The kind of driver that a live car obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Holds the lease and sends many commands a second.
    Lease,
    /// An old program: no lease, and perhaps a command only when a slider moves.
    Legacy,
}

/// All that one step looks at.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The parts below the network.
    pub health: Health,
    /// The link is up now.
    pub link_up: bool,
    /// The link was down at some time since the last step.
    pub link_dropped: bool,
    /// Somebody said stop since the last step.
    pub stop: bool,
    /// Somebody holds the lease.
    pub lease_held: bool,
    /// The holder gave up the lease since the last step.
    pub released: bool,
    /// Newest fresh command of the lease holder or, if nobody holds it, of a legacy driver.
    pub heard_at: Option<Uptime>,
    /// A driver who wants to arm, whose newest command is fresh and neutral, and whom no other driver's lease shuts out.
    pub request: Option<Driver>,
    /// When the standing legacy command became neutral, if it is.
    pub legacy_neutral_at: Option<Uptime>,
    /// Reasons against arming that only the caller can see: [`Refusals::NOT_NEUTRAL`] and its like.
    pub refusals: Refusals,
}

/// A state with what it has to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug)]
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
        let legacy_age = Some(self.config.legacy_age()).filter(|age| !age.is_zero());
        let deadline = match self.phase {
            Phase::Live {
                driver: Driver::Lease,
            } => silent_for(self.config.hold()),
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
            } => self.judge_legacy_driver(now, facts),
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
        } else {
            (silence(now, facts) > self.config.neutral())
                .then_some((Phase::STOPPED, Cause::Silence))
        }
    }

    fn judge_legacy_driver(&self, now: Uptime, facts: &Facts) -> Option<(Phase, Cause)> {
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
            let too_old = !self.config.legacy_age().is_zero()
                && silence(now, facts) > self.config.legacy_age();
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
        let good = trouble(facts).is_none() && flowing;
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

/// Whatever ends a drive at once, the gravest first.
const fn trouble(facts: &Facts) -> Option<Cause> {
    if !facts.health.actuator_ok {
        Some(Cause::ActuatorError)
    } else if facts.health.control_late {
        Some(Cause::ControlLate)
    } else if !facts.link_up || facts.link_dropped {
        Some(Cause::LinkLost)
    } else if !facts.health.camera_ok {
        Some(Cause::CameraDown)
    } else if !facts.health.encoder_ok {
        Some(Cause::EncoderDown)
    } else {
        None
    }
}

/// How long nothing fresh has been heard; for ever, if nothing ever was.
fn silence(now: Uptime, facts: &Facts) -> Duration {
    facts.heard_at.map_or(Duration::MAX, |at| now.since(at))
}
