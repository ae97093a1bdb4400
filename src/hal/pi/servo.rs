//! Pulses of a servo or an ESC on any embedded-hal PWM line.
//!
//! A servo understands the length of a pulse, a PWM line its share of the period. The share is counted in `max_duty`
//! parts, which [`duty_parts`] chooses so that a microsecond is a whole number of parts at servo rates: 1500 us are
//! 1500 us on the wire, to the nanosecond.
//!
//! ```text
//!     ┌──────┐ pulse (us)          ┌──────┐
//!   ──┘      └─────────────────────┘      └──    duty = pulse / period * max_duty, to the nearest part
//!     │◀──── period ──────────────▶│
//! ```
//!
//! Promises: the caller's half of embedded-hal's contract: no duty is above `max_duty_cycle`.
//! Knows nothing of: who makes the pulses.
//! Sources: embedded-hal 1.0 `pwm` ("the caller is responsible for keeping duty <= max").

use core::time::Duration;

use embedded_hal::pwm::SetDutyCycle;

use crate::hal::Source;
use crate::hal::car::{Progress, Pulses};
use crate::logic::drive::Setpoint;
use crate::logic::spread::Figures;
use crate::logic::units::{PulseWidth, Uptime};

/// A PWM line with a fixed period.
pub trait Periodic: SetDutyCycle<Error: std::error::Error + Send + Sync + 'static> + Send {
    /// Time from one rising edge to the next.
    fn period(&self) -> Duration;

    /// Whether the line still makes pulses.
    ///
    /// # Errors
    /// Somebody switched it off.
    fn look(&self) -> Result<(), Self::Error>;

    /// How much too long its pulses were so far; `None` where hardware makes them.
    fn too_long(&self) -> Option<Figures> {
        None
    }

    /// A second handle on the same line, if there can be one.
    fn twin(&self) -> Option<Self>
    where
        Self: Sized;
}

/// How many parts a period is divided into for `set_duty_cycle`, and how long one is: the finest of 1 ns, 10 ns, 100 ns
/// and 1 us with which the parts fit 16 bits.
#[must_use]
pub fn duty_parts(period: Duration) -> (u16, Duration) {
    let nanos = period.as_nanos();
    for unit in [1_u64, 10, 100] {
        if let Ok(parts) = u16::try_from(nanos / u128::from(unit)) {
            return (parts, Duration::from_nanos(unit));
        }
    }
    let parts = u16::try_from(nanos / 1000).unwrap_or(u16::MAX);
    (parts, Duration::from_micros(1))
}

/// One line with a servo or an ESC on it.
#[derive(Debug)]
pub struct Servo<P> {
    line: P,
}

impl<P: Periodic> Servo<P> {
    /// A servo on this line; nothing is written yet.
    #[must_use]
    pub const fn new(line: P) -> Self {
        Self { line }
    }

    /// Puts this pulse out.
    ///
    /// # Errors
    /// The line could not be written.
    pub fn put(&mut self, pulse: PulseWidth) -> Result<(), P::Error> {
        let max = u64::from(self.line.max_duty_cycle());
        let period_ns = u64::try_from(self.line.period().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        let pulse_ns = u64::from(pulse.get()) * 1000;
        let duty = ((pulse_ns * max + period_ns / 2) / period_ns).min(max);
        // No more than `max`, which came from 16 bits.
        self.line
            .set_duty_cycle(u16::try_from(duty).unwrap_or(u16::MAX))
    }

    /// As [`Periodic::look`].
    ///
    /// # Errors
    /// Somebody switched the line off.
    pub fn look(&self) -> Result<(), P::Error> {
        self.line.look()
    }

    /// As [`Periodic::too_long`].
    #[must_use]
    pub fn too_long(&self) -> Option<Figures> {
        self.line.too_long()
    }

    pub(super) fn twin(&self) -> Option<Self> {
        Some(Self::new(self.line.twin()?))
    }
}

/// The worse one of two lines that make pulses: a line that made none has nothing to tell.
pub(super) fn worse(one: Option<Figures>, other: Option<Figures>) -> Option<Figures> {
    let pulses = [one, other].into_iter().flatten();
    pulses.max_by_key(|told| (told.p99_us, told.max_us, told.n))
}

/// Throttle and steering, a line each.
#[derive(Debug)]
pub struct Servos<P> {
    /// The ESC.
    pub throttle: Servo<P>,
    /// The steering servo.
    pub steering: Servo<P>,
}

impl<P: Periodic + 'static> Pulses for Servos<P> {
    fn put(&mut self, _: Uptime, setpoint: Setpoint) -> Result<Progress, Source> {
        let throttle = self.throttle.put(setpoint.throttle);
        let steering = self.steering.put(setpoint.steering);
        throttle.and(steering)?;
        Ok(Progress::Done)
    }

    fn look(&mut self) -> Result<(), Source> {
        self.throttle.look()?;
        self.steering.look()?;
        Ok(())
    }

    fn too_long(&self) -> Option<Figures> {
        worse(self.throttle.too_long(), self.steering.too_long())
    }

    fn spare(&self) -> Option<Box<dyn Pulses>> {
        Some(Box::new(Self {
            throttle: self.throttle.twin()?,
            steering: self.steering.twin()?,
        }))
    }
}

#[cfg(test)]
pub(super) mod tests;
