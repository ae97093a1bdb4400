//! The car's mind: one `step` that turns what is wanted, what is known and what time it is into two pulses.
//!
//! It joins the parts (who may drive, whether a command is news, what state the car is in, how it moves) and adds no rule
//! of its own but their order. The control thread calls it many times a second and writes what it says; nothing else in
//! the program touches the outputs.
//!
//! ```text
//!   intent ──▶ 1 what is new since the last step, is it fresh, is it the driver's        (freshness, lease)
//!   health ──▶ 2 facts ─▶ one change of state at most                                    (failsafe)
//!   now    ──▶ 3 state ─▶ obey, tune, coast or stand ─▶ setpoint                         (pace, drive, calibration)
//!              4 when to call again, at the latest
//! ```
//!
//! Of two new things in one intent the safer is judged first: stop, then arm, then drive.
//!
//! Promises: `step` is total, for any intent and any time; outside live and coasting the setpoint is exactly neutral;
//! every pulse is inside the calibration, or inside its window while the holder tunes; a stop is neutral in the step that
//! sees it; a late, replayed or foreign command changes no output and keeps no car alive; neutral itself changes only
//! while the car stands.
//! Knows nothing of: bytes, threads, pins.
//! Sources: README 3.2 rules 3 to 5, README, configuration.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::drive::{Calibration, Demand, Drive, DriveConfig, RAMP_TICK, Setpoint};
use super::failsafe::{
    Cause, Driver, Facts, Failsafe, FailsafeConfig, Refusals, State, Transition,
};
use super::freshness::{Heard, Senders};
use super::intent::Intent;
use super::lease::Lease;
use super::pace::{LINGER, PaceConfig, sees_until};
use super::units::{LeaseId, Seq, Steering, Throttle, Uptime};
use super::wire::{Tune, ViewReport};

pub use super::failsafe::Health;

mod calibration;
mod hear;
mod legacy;
mod status;
#[cfg(test)]
mod tests;

use calibration::Calibrations;
pub use calibration::{Answer, CalibrationStatus};
use hear::News;
use legacy::Legacy;
pub use status::{STATUS_WORDS, Status};

/// Most events of one step: one change of state and one echo, and room for later kinds.
///
/// choice: a step makes at most one of each kind.
pub const MAX_EVENTS: usize = 8;

/// The smallest step of [`Uptime`], by which "after" is told from "at".
const TICK: Duration = Duration::from_micros(1);

/// Something to tell: log it, send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The state changed, or was entered again for a new cause.
    State(Transition),
    /// A `maxSpeed` was taken: echo this tick count, which is now in force.
    MaxSpeed {
        /// Full forward now, in ticks of the old PWM chip.
        ticks: u16,
    },
    /// A wish to change the calibration was judged.
    Calibration(Answer),
}

/// What a step says.
#[derive(Clone, Debug)]
pub struct Step {
    /// Write this now.
    pub setpoint: Setpoint,
    /// What the car may do.
    pub state: State,
    /// Why the setpoint is what it is: the word for the actuator log.
    pub cause: Cause,
    /// What forbids arming.
    pub refusals: Refusals,
    /// Call again then, at the latest.
    pub next_at: Uptime,
    /// What happened.
    pub events: heapless::Vec<Event, MAX_EVENTS>,
    /// All that telemetry says of the vehicle.
    pub status: Status,
}

/// Commands since start, by what became of them. All wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    accepted: u32,
    late: u32,
    replayed: u32,
    foreign: u32,
}

/// An `arm` that waits for its sender's neutral, which may come on another channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wish {
    id: LeaseId,
    at: Uptime,
    /// When it was sent, on its sender's clock.
    t_ms: u64,
}

/// One car.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vehicle {
    drive: Drive,
    failsafe: Failsafe,
    senders: Senders,
    lease: Lease,
    legacy: Legacy,
    wish: Option<Wish>,
    pace: PaceConfig,
    /// What a driver last reported of his view, and when.
    view: Option<(Uptime, ViewReport)>,
    /// When a lease driver last armed the car.
    armed_at: Uptime,
    /// Whether drivers without a lease may drive at all.
    legacy_may_drive: bool,
    /// What the live car's lease driver asks for.
    command: Demand,
    /// Which output he tunes instead.
    tune: Option<Tune>,
    calibrations: Calibrations,
    /// The intent of the last step, to tell what is new.
    seen: Intent,
    counts: Counts,
    /// Sequence number and arrival of the last accepted command.
    accepted_seq: Seq,
    accepted_at: Option<Uptime>,
}

impl Vehicle {
    /// A disarmed car at neutral.
    #[must_use]
    pub fn new(now: Uptime, drive: DriveConfig, failsafe: FailsafeConfig) -> Self {
        Self {
            drive: Drive::new(now, drive),
            failsafe: Failsafe::new(failsafe),
            senders: Senders::default(),
            lease: Lease::default(),
            legacy: Legacy::default(),
            wish: None,
            pace: PaceConfig::FULL,
            view: None,
            armed_at: Uptime::ZERO,
            legacy_may_drive: true,
            command: Demand::default(),
            tune: None,
            calibrations: Calibrations::new(drive.calibration),
            seen: Intent::default(),
            counts: Counts::default(),
            accepted_seq: Seq::default(),
            accepted_at: None,
        }
    }

    /// The same car, slowed down by a bad view.
    #[must_use]
    pub const fn with_pace(mut self, pace: PaceConfig) -> Self {
        self.pace = pace;
        self
    }

    /// The same car, which obeys nobody without a lease.
    #[must_use]
    pub const fn without_legacy_drivers(mut self) -> Self {
        self.legacy_may_drive = false;
        self
    }

    /// The same car, whose lease holder may tune its outputs and save a calibration.
    #[must_use]
    pub const fn with_remote_calibration(mut self) -> Self {
        self.calibrations.may_be_remote();
        self
    }

    /// The same car, with a configuration whose pulses were measured on it, or were not.
    #[must_use]
    pub const fn with_measured(mut self, is_measured: bool) -> Self {
        self.calibrations.measured(is_measured);
        self
    }

    /// The same car with what it learned in an earlier life: a calibration that was saved, and a `maxSpeed` in ticks.
    #[must_use]
    pub fn with_learned(mut self, saved: Option<Calibration>, max_speed: Option<u16>) -> Self {
        self.calibrations.restore(saved);
        if let Some(calibration) = self.calibrations.take_pending() {
            self.drive.recalibrate(calibration);
        }
        self.drive.restore_limit(max_speed);
        self
    }

    /// Motor standing still, wheels straight. Changes nothing.
    #[must_use]
    pub const fn neutral(&self) -> Setpoint {
        self.drive.neutral()
    }

    /// The pulses in force.
    #[must_use]
    pub const fn calibration(&self) -> &Calibration {
        self.drive.calibration()
    }

    /// Whether somebody measured where this car's neutral is.
    #[must_use]
    pub const fn is_calibrated(&self) -> bool {
        self.calibrations.is_calibrated()
    }

    /// Decides what the car does now.
    pub fn step(&mut self, now: Uptime, intent: &Intent, health: Health) -> Step {
        let mut events = heapless::Vec::new();
        let news = self.hear(now, intent);
        if intent.max_speed.n != self.seen.max_speed.n {
            let ticks = self.drive.limit_forward(intent.max_speed.value);
            tell(&mut events, Event::MaxSpeed { ticks });
        }
        if let Some(answer) = news.answer {
            tell(&mut events, Event::Calibration(answer));
        }
        self.seen = *intent;

        let mut facts = self.facts(now, news, health);
        let change = self.failsafe.step(now, &facts);
        if let Some(transition) = change {
            tell(&mut events, Event::State(transition));
            self.follow(transition);
            facts = Facts {
                heard_at: self.heard_at(),
                ..facts
            };
        }

        // Not in the step that stopped it: that one is told as what it is.
        let recalibrated = change.is_none() && self.recalibrate();

        let setpoint = match (self.failsafe.state(), self.failsafe.driver()) {
            (State::Live, Some(Driver::Legacy)) => {
                self.drive.step(now, self.legacy.demand(self.drive.steps()))
            }
            (State::Live, Some(Driver::Lease) | None) => match self.tune {
                Some(tune) => self.drive.tune(now, tune),
                None => self.drive.step(now, self.command.within(self.limit(now))),
            },
            (State::Coasting, _) => self.drive.coast(now, self.failsafe.coast_left(now, &facts)),
            (State::Disarmed | State::Stopped, _) => self.drive.stop(now),
        };

        let lease_over_at = self.lease.expires_at().map(|at| at.after(TICK));
        let stands = !self.failsafe.state().may_move();
        let recalibrate_at =
            (stands && self.calibrations.is_pending()).then(|| now.after(RAMP_TICK));
        let deadlines = [self.drive.next_at(), lease_over_at, recalibrate_at];
        let next_at = deadlines
            .into_iter()
            .flatten()
            .fold(self.failsafe.next_at(now, &facts), Uptime::min);
        Step {
            setpoint,
            state: self.failsafe.state(),
            cause: if recalibrated {
                Cause::Calibrate
            } else {
                self.setpoint_cause(change)
            },
            refusals: self.failsafe.refusals(),
            next_at,
            events,
            status: self.status(now, setpoint),
        }
    }

    fn facts(&self, now: Uptime, news: News, health: Health) -> Facts {
        let times = self.failsafe.config();
        let is_recent = |heard: &Heard| now.since(heard.at) <= times.hold();
        let of_sender = |id| self.senders.heard(id).filter(is_recent);

        // The neutral that it waited for may have shown that the wish itself was old.
        let age = times.command_age();
        let is_fresh = |wish: &Wish| {
            self.senders
                .is_still_fresh(wish.id, wish.at, wish.t_ms, age)
        };
        let wishes = self
            .wish
            .filter(is_fresh)
            .and_then(|wish| of_sender(wish.id));
        let lease = wishes.or_else(|| {
            if self.lease.is_held() {
                of_sender(self.lease.holder())
            } else {
                self.senders.newest().filter(is_recent)
            }
        });
        let lease_neutral = lease.map(|heard| heard.command.is_neutral());
        let legacy_neutral = if self.lease.is_held() {
            None
        } else {
            self.legacy
                .stands_neutral(now, times.recovery().saturating_add(times.hold()))
        };

        let request = if wishes.is_some_and(|heard| heard.command.is_neutral()) {
            Some(Driver::Lease)
        } else {
            (legacy_neutral == Some(true)).then_some(Driver::Legacy)
        };
        let refusals = match (lease_neutral, legacy_neutral) {
            (Some(true), _) | (None, Some(true)) => Refusals::NONE,
            (Some(false), _) | (None, Some(false)) => Refusals::NOT_NEUTRAL,
            (None, None) => Refusals::NO_COMMAND,
        };
        Facts {
            health,
            link_up: news.link_up,
            link_dropped: news.link_dropped,
            stop: news.stop,
            lease_held: self.lease.is_held(),
            released: news.released,
            heard_at: self.heard_at(),
            sees_until: self.sees_until(now),
            request,
            legacy_age: self.legacy.age(times.legacy_age()),
            legacy_neutral_at: self.legacy.neutral_at(),
            refusals,
        }
    }

    /// When whoever drives, or would drive, was last heard with something fresh.
    fn heard_at(&self) -> Option<Uptime> {
        if self.lease.is_held() {
            let heard = self.senders.heard(self.lease.holder());
            heard.map(|heard| heard.at)
        } else {
            self.legacy.heard_at()
        }
    }

    /// How long the holder's last report of its picture lets it drive. A viewer reports while it drives, so a report from
    /// before it armed counts only while it is new.
    fn sees_until(&self, now: Uptime) -> Option<Uptime> {
        let (at, report) = self
            .view
            .filter(|(_, report)| self.lease.is_held_by(report.lease))?;
        let counts =
            now.since(at) <= LINGER || (self.failsafe.state().may_move() && at >= self.armed_at);
        counts.then(|| sees_until(at, &report, self.failsafe.config().blind()))
    }

    /// Brings the rest of the car in line with a new state.
    fn follow(&mut self, transition: Transition) {
        let wish = self.wish.take();
        if transition.cause == Cause::Drive {
            // Heard again while coasting: the same driver, and he says what he wants.
            return;
        }
        (self.command, self.tune) = (Demand::default(), None);
        if self.failsafe.driver() == Some(Driver::Legacy) {
            return;
        }
        if transition.to == State::Live
            && let Some(Wish { id, at, .. }) = wish
        {
            self.lease.grant(id, at);
            self.armed_at = transition.at;
            self.command.steering = self
                .senders
                .heard(id)
                .map_or(Steering::ZERO, |heard| heard.command.steering);
        }
        self.legacy.forget();
    }

    /// Takes a calibration that was accepted, if the car stands; whether it did.
    fn recalibrate(&mut self) -> bool {
        if self.failsafe.state().may_move() {
            return false;
        }
        let pending = self.calibrations.take_pending();
        if let Some(calibration) = pending {
            self.drive.recalibrate(calibration);
        }
        pending.is_some()
    }

    /// The most throttle that the driver's view allows now.
    fn limit(&self, now: Uptime) -> Throttle {
        let is_his = |(_, report): &(Uptime, ViewReport)| self.lease.is_held_by(report.lease);
        self.pace.ceiling(now, self.view.filter(is_his))
    }

    /// Why the setpoint is what it is.
    fn setpoint_cause(&self, change: Option<Transition>) -> Cause {
        match self.failsafe.state() {
            State::Live if change.is_some() => self.failsafe.cause(),
            State::Live if self.tune.is_some() => Cause::Calibrate,
            State::Live if self.drive.is_braking() => Cause::Brake,
            State::Live => Cause::Drive,
            State::Disarmed | State::Coasting | State::Stopped => self.failsafe.cause(),
        }
    }

    fn status(&self, now: Uptime, setpoint: Setpoint) -> Status {
        Status {
            state: self.failsafe.state(),
            cause: self.failsafe.cause(),
            refusals: self.failsafe.refusals(),
            setpoint,
            throttle: self.drive.throttle(),
            steering: self.drive.steering(),
            holder: self.lease.holder(),
            seq: self.accepted_seq,
            accepted_at: self.accepted_at,
            link_up: self.seen.link.value,
            limit: self.limit(now),
            asker: self.lease.asker(now),
            accepted: self.counts.accepted,
            late: self.counts.late,
            replayed: self.counts.replayed,
            foreign: self.counts.foreign.wrapping_add(self.seen.foreign),
            malformed: self.seen.malformed,
            unknown: self.seen.unknown,
            calibration: self
                .calibrations
                .status(&self.drive, self.seen.tell_calibration),
        }
    }
}

fn tell(events: &mut heapless::Vec<Event, MAX_EVENTS>, event: Event) {
    // Cannot be full: a step tells each kind once at most.
    let _ = events.push(event);
}
