//! One PWM line, whichever makes it: the board's PWM block or a thread.
//!
//! Promises: both kinds take the same duty for the same pulse. Knows nothing of: what hangs on the line.

use embedded_hal::pwm::{ErrorType, SetDutyCycle};

use super::pwm::{PwmFailed, PwmLine};
use super::servo::Periodic;
use super::soft_pwm::SoftPwm;
use crate::logic::spread::Figures;

/// A PWM line.
#[derive(Debug)]
pub enum Line {
    /// Of the board's PWM block.
    Hardware(PwmLine),
    /// Of a thread.
    Software(SoftPwm),
}

impl Line {
    /// Whether the line still makes pulses.
    ///
    /// # Errors
    /// Somebody switched it off.
    pub fn look(&self) -> Result<(), PwmFailed> {
        match self {
            Self::Hardware(line) => line.look(),
            Self::Software(line) => line.look(),
        }
    }
}

impl ErrorType for Line {
    type Error = PwmFailed;
}

impl SetDutyCycle for Line {
    fn max_duty_cycle(&self) -> u16 {
        match self {
            Self::Hardware(line) => line.max_duty_cycle(),
            Self::Software(line) => line.max_duty_cycle(),
        }
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Self::Error> {
        match self {
            Self::Hardware(line) => line.set_duty_cycle(duty),
            Self::Software(line) => line.set_duty_cycle(duty),
        }
    }
}

impl Periodic for Line {
    fn period(&self) -> core::time::Duration {
        match self {
            Self::Hardware(line) => line.period(),
            Self::Software(line) => line.period(),
        }
    }

    fn look(&self) -> Result<(), Self::Error> {
        Self::look(self)
    }

    fn too_long(&self) -> Option<Figures> {
        match self {
            Self::Hardware(line) => Periodic::too_long(line),
            Self::Software(line) => Some(line.too_long()),
        }
    }

    fn twin(&self) -> Option<Self> {
        match self {
            Self::Hardware(line) => line.twin().map(Self::Hardware),
            Self::Software(line) => Some(Self::Software(line.clone())),
        }
    }
}
