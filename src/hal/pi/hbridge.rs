//! A DC motor behind an H-bridge, or two of them: direction pins, a PWM line for the speed, time between directions.
//!
//! An H-bridge has no pulses, so 1500 us stand for standing still and each microsecond from there for two permille of
//! full speed; calibration, limits and the failsafe work as for any other car.
//!
//! ```text
//!            forward  reverse  speed                  order of the writes
//!   coast      0        0       0        to neutral:   speed 0, then the pins
//!   brake      1        1      full      to a motion:  speed 0, other pin low, this pin high, speed
//!   forward    1        0      duty      a brake kept:  all as they are, so that the motor is held without a gap
//!   reverse    0        1      duty      forward ─▶ off ──dead time──▶ reverse, never at once
//!
//!   skid:  left  = t * (1 - 2s) for a turn to the left (s > 0), right = t;  and mirrored
//! ```
//!
//! With skid steering both motors turn only as far as the throttle says: at neutral throttle nothing moves, however far
//! the stick is to the side, so all that is proved of the throttle holds for this car too. Full steering with throttle
//! turns it on the spot.
//!
//! What happens when this process dies: the pins stay as they are, and hardware PWM goes on. `ExecStopPost=spidercar
//! neutral` and the board's watchdog end it; a bridge with an enable pin has one more way.
//!
//! Promises: both inputs are never changed to the other direction in one step; on any error the rest is still written.
//! Knows nothing of: which bridge it is.
//! Sources: TI DRV8833, Toshiba TB6612FNG, ST L298 datasheets (truth tables agree on the four rows above).

use core::fmt::Debug;
use core::time::Duration;

use embedded_hal::digital::OutputPin;

use super::servo::{Periodic, Servo, worse};
use super::shared::Shared;
use crate::config::words::NeutralKind;
use crate::hal::Source;
use crate::hal::car::{Progress, Pulses};
use crate::logic::drive::Setpoint;
use crate::logic::spread::Figures;
use crate::logic::units::{PulseWidth, Steering, Throttle, Uptime};

/// The pulse that stands for standing still, and permille for each microsecond from there.
/// choice: the calibration's usual ends, 1000 and 2000 us, are full speed.
const ZERO_US: i32 = 1500;
const PERMILLE_PER_US: i32 = 2;

/// Which way a motor turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Reverse,
}

/// What a half of the car's power does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Turning, or told to.
    Driven(Direction),
    /// Let go or braked, since then; the direction it came from.
    Off(Uptime, Option<Direction>),
}

/// One motor.
#[derive(Debug)]
pub struct HalfBridge<O, P> {
    forward: O,
    reverse: O,
    speed: P,
    dead_time: Duration,
    state: State,
    /// Both pins are high and the speed is full, by writes of which none failed.
    is_braked: bool,
}

impl<O, P> HalfBridge<O, P>
where
    O: OutputPin<Error: Debug>,
    P: Periodic,
{
    /// A motor of which nothing was written yet.
    #[must_use]
    pub const fn new(forward: O, reverse: O, speed: P, dead_time: Duration) -> Self {
        Self {
            forward,
            reverse,
            speed,
            dead_time,
            state: State::Off(Uptime::ZERO, None),
            is_braked: false,
        }
    }

    /// Turns the motor, or lets it go.
    fn drive(
        &mut self,
        now: Uptime,
        speed: Throttle,
        neutral: NeutralKind,
    ) -> Result<Progress, Source> {
        let wanted = match speed.get() {
            0 => None,
            1.. => Some(Direction::Forward),
            _ => Some(Direction::Reverse),
        };
        let Some(direction) = wanted else {
            self.off(now, neutral)?;
            return Ok(Progress::Done);
        };
        let must_rest = match self.state {
            State::Driven(other) => other != direction,
            State::Off(since, from) => {
                from.is_some_and(|from| from != direction) && now.since(since) < self.dead_time
            }
        };
        if must_rest {
            self.off(now, NeutralKind::Coast)?;
            if !self.dead_time.is_zero() {
                return Ok(Progress::Pending);
            }
        }
        let permille = u32::from(speed.get().unsigned_abs());
        let duty = permille * u32::from(self.speed.max_duty_cycle()) / 1000;
        let duty = u16::try_from(duty).unwrap_or(u16::MAX); // at most max_duty_cycle
        let is_turned = self.state == State::Driven(direction);
        self.state = State::Driven(direction);
        self.is_braked = false;
        let stopped = if is_turned { Ok(()) } else { self.set_speed(0) };
        let (this, other) = match direction {
            Direction::Forward => (&mut self.forward, &mut self.reverse),
            Direction::Reverse => (&mut self.reverse, &mut self.forward),
        };
        let low = other.set_low().map_err(pin);
        let high = this.set_high().map_err(pin);
        // With a pin in doubt the speed stays where it is: nothing.
        stopped.and(low).and(high)?;
        self.set_speed(duty)?;
        Ok(Progress::Done)
    }

    /// Lets the motor go, or brakes it.
    fn off(&mut self, now: Uptime, neutral: NeutralKind) -> Result<(), Source> {
        if let State::Driven(direction) = self.state {
            self.state = State::Off(now, Some(direction));
        }
        // False while it is written: whoever panics or fails in here leaves pins in doubt.
        let is_kept = std::mem::take(&mut self.is_braked) && neutral == NeutralKind::Brake;
        let stopped = if is_kept { Ok(()) } else { self.set_speed(0) };
        let (forward, reverse, speed) = match neutral {
            NeutralKind::Coast => (self.forward.set_low(), self.reverse.set_low(), Ok(())),
            NeutralKind::Brake => {
                let pins = (self.forward.set_high(), self.reverse.set_high());
                (pins.0, pins.1, self.set_speed(self.speed.max_duty_cycle()))
            }
        };
        stopped
            .and(forward.map_err(pin))
            .and(reverse.map_err(pin))
            .and(speed)?;
        self.is_braked = neutral == NeutralKind::Brake;
        Ok(())
    }

    fn set_speed(&mut self, duty: u16) -> Result<(), Source> {
        self.speed.set_duty_cycle(duty).map_err(Source::from)
    }
}

/// What steers.
#[derive(Debug)]
pub enum Steerer<O, P> {
    /// A servo.
    Servo(Servo<P>),
    /// A second motor, on the right.
    Skid(HalfBridge<O, P>),
}

/// A car with an H-bridge.
#[derive(Debug)]
pub struct Bridge<O, P> {
    /// The motor, or the left one.
    motor: HalfBridge<O, P>,
    steerer: Steerer<O, P>,
    enable: Option<O>,
    neutral: NeutralKind,
}

impl<O, P> Bridge<O, P>
where
    O: OutputPin<Error: Debug>,
    P: Periodic,
{
    /// A bridge of which nothing was written yet.
    #[must_use]
    pub const fn new(
        motor: HalfBridge<O, P>,
        steerer: Steerer<O, P>,
        enable: Option<O>,
        neutral: NeutralKind,
    ) -> Self {
        Self {
            motor,
            steerer,
            enable,
            neutral,
        }
    }

    fn put(&mut self, now: Uptime, setpoint: Setpoint) -> Result<Progress, Source> {
        let throttle = Throttle::saturating(scaled(setpoint.throttle));
        let steering = Steering::saturating(scaled(setpoint.steering));
        let (left, right) = match self.steerer {
            Steerer::Servo(_) => (throttle, throttle),
            Steerer::Skid(_) => mix(throttle, steering),
        };
        let is_on = !throttle.is_zero() || self.neutral == NeutralKind::Brake;
        let enabled = if is_on { self.enable(true) } else { Ok(()) };
        let first = self.motor.drive(now, left, self.neutral);
        let second = match &mut self.steerer {
            Steerer::Servo(servo) => servo
                .put(setpoint.steering)
                .map(|()| Progress::Done)
                .map_err(Source::from),
            Steerer::Skid(motor) => motor.drive(now, right, self.neutral),
        };
        let disabled = if is_on { Ok(()) } else { self.enable(false) };
        enabled.and(disabled)?;
        match (first?, second?) {
            (Progress::Done, Progress::Done) => Ok(Progress::Done),
            _ => Ok(Progress::Pending),
        }
    }

    fn enable(&mut self, is_on: bool) -> Result<(), Source> {
        match &mut self.enable {
            Some(output) if is_on => output.set_high().map_err(pin),
            Some(output) => output.set_low().map_err(pin),
            None => Ok(()),
        }
    }

    fn too_long(&self) -> Option<Figures> {
        let other = match &self.steerer {
            Steerer::Servo(servo) => servo.too_long(),
            Steerer::Skid(motor) => motor.speed.too_long(),
        };
        worse(self.motor.speed.too_long(), other)
    }

    fn look(&self) -> Result<(), Source> {
        self.motor.speed.look()?;
        match &self.steerer {
            Steerer::Servo(servo) => servo.look()?,
            Steerer::Skid(motor) => motor.speed.look()?,
        }
        Ok(())
    }
}

impl<O, P> Pulses for Shared<Bridge<O, P>>
where
    O: OutputPin<Error: Debug> + Send + 'static,
    P: Periodic + 'static,
{
    fn put(&mut self, now: Uptime, setpoint: Setpoint) -> Result<Progress, Source> {
        self.with(|bridge| bridge.put(now, setpoint))
    }

    fn look(&mut self) -> Result<(), Source> {
        self.with(|bridge| bridge.look())
    }

    fn too_long(&self) -> Option<Figures> {
        self.with(|bridge| Ok(bridge.too_long())).ok().flatten()
    }

    fn spare(&self) -> Option<Box<dyn Pulses>> {
        Some(Box::new(self.clone()))
    }
}

/// A pulse as permille of full scale, for a wire that has no pulses.
fn scaled(pulse: PulseWidth) -> i32 {
    (i32::from(pulse.get()) - ZERO_US) * PERMILLE_PER_US
}

/// Speeds of the left and the right motor.
fn mix(throttle: Throttle, steering: Steering) -> (Throttle, Throttle) {
    let (throttle, steering) = (i32::from(throttle.get()), i32::from(steering.get()));
    let inner = throttle * (1000 - 2 * steering.abs()) / 1000;
    let (left, right) = if steering > 0 {
        (inner, throttle)
    } else {
        (throttle, inner)
    };
    (Throttle::saturating(left), Throttle::saturating(right))
}

fn pin(err: impl Debug) -> Source {
    format!("switch a pin: {err:?}").into()
}

#[cfg(test)]
mod tests;
