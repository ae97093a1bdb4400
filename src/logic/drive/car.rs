//! What [`Drive`](super::Drive) has to know of one car: where its pulses are and how much of them may be used.
//!
//! It is checked once, when the configuration is read; the arithmetic of motion then needs no check of its own.
//!
//! A servo that is mounted the other way round turns left for a shorter pulse. That is no property of the pulses, whose
//! order everything else relies on (windows, `calibrate`, what is saved), but of the car: so `min` stays the short end and
//! `max` the long one, and [`DriveConfig::steering_ends`] alone says which of them is left. It is asked where a `Steering`
//! becomes a pulse and where a pulse becomes a picture or a word; what is below (outputs, actuator log, records) sees
//! pulses and need not know, what is above (commands, telemetry) has left as the positive side either way.
//!
//! ```text
//!   steering_reversed      steering_min         steering_zero         steering_max
//!   false                  right −1000                0                left +1000
//!   true                   left +1000                 0                right −1000
//! ```
//!
//! Promises: pulses of a [`Calibration`] are in order, so that a permille of the way between two of them is a pulse
//! between the two.
//! Knows nothing of: commands and time.
//! Sources: PROTOCOL.md 4.1 (steps), 4.6 (the fields and their order).

use core::num::NonZeroU16;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::logic::units::{PulseWidth, Steering, Throttle};
use crate::logic::wire::Pulses;

/// The pulses of one car as a person measured them; [`Calibration::new`] checks that they make sense together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationFields {
    /// Full reverse.
    pub throttle_min: PulseWidth,
    /// Standing still.
    pub throttle_zero: PulseWidth,
    /// The first pulse that moves the car forward; the dead band below it is skipped.
    pub forward_zero: PulseWidth,
    /// Full forward.
    pub throttle_max: PulseWidth,
    /// The short end of the servo's way: full right, or left if the servo is reversed.
    pub steering_min: PulseWidth,
    /// Straight ahead.
    pub steering_zero: PulseWidth,
    /// The long end of the servo's way: full left, or right if the servo is reversed.
    pub steering_max: PulseWidth,
    /// The brake pulse that the ESC wants to see between forward and reverse.
    pub brake: PulseWidth,
}

impl CalibrationFields {
    /// The pulses that a message or a file names, if a servo could understand each.
    #[must_use]
    pub fn from_pulses(pulses: &Pulses) -> Option<Self> {
        let fields = Self::saturating(pulses);
        (fields.to_pulses() == *pulses).then_some(fields)
    }

    /// The nearest pulses that a servo could understand.
    #[must_use]
    pub fn saturating(pulses: &Pulses) -> Self {
        let width = |micros: u16| PulseWidth::saturating(micros.into());
        Self {
            throttle_min: width(pulses.throttle_min_us),
            throttle_zero: width(pulses.throttle_zero_us),
            forward_zero: width(pulses.forward_zero_us),
            throttle_max: width(pulses.throttle_max_us),
            steering_min: width(pulses.steering_min_us),
            steering_zero: width(pulses.steering_zero_us),
            steering_max: width(pulses.steering_max_us),
            brake: width(pulses.brake_us),
        }
    }

    /// The same as numbers.
    #[must_use]
    pub const fn to_pulses(&self) -> Pulses {
        Pulses {
            throttle_min_us: self.throttle_min.get(),
            throttle_zero_us: self.throttle_zero.get(),
            forward_zero_us: self.forward_zero.get(),
            throttle_max_us: self.throttle_max.get(),
            steering_min_us: self.steering_min.get(),
            steering_zero_us: self.steering_zero.get(),
            steering_max_us: self.steering_max.get(),
            brake_us: self.brake.get(),
        }
    }
}

/// Why a calibration cannot be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalibrationError {
    /// `throttle_min` must be shorter than `throttle_zero`: swap them, or the ESC is reversed.
    ThrottleMinNotBelowZero,
    /// `forward_zero` must not be shorter than `throttle_zero`: it is where forward begins.
    ForwardZeroBelowZero,
    /// `forward_zero` must be shorter than `throttle_max`: else there is no room to drive forward.
    ForwardZeroNotBelowMax,
    /// `brake` must lie between `throttle_min` and `throttle_zero`: braking is on the reverse side.
    BrakeNotInReverse,
    /// `steering_min` must be shorter than `steering_zero`: which of the ends is left is said by `steering_reversed`.
    SteeringMinNotBelowZero,
    /// `steering_zero` must be shorter than `steering_max`: which of the ends is left is said by `steering_reversed`.
    SteeringZeroNotBelowMax,
}

impl core::fmt::Display for CalibrationError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::ThrottleMinNotBelowZero => "throttle_min must be less than throttle_zero",
            Self::ForwardZeroBelowZero => "forward_zero must not be less than throttle_zero",
            Self::ForwardZeroNotBelowMax => "forward_zero must be less than throttle_max",
            Self::BrakeNotInReverse => "brake must be from throttle_min to throttle_zero",
            Self::SteeringMinNotBelowZero => "steering_min must be less than steering_zero",
            Self::SteeringZeroNotBelowMax => "steering_zero must be less than steering_max",
        })
    }
}

impl core::error::Error for CalibrationError {}

/// A calibration whose pulses are in order: min < zero <= forward < max, min <= brake <= zero; steering min < zero < max.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CalibrationFields")]
pub struct Calibration(CalibrationFields);

impl TryFrom<CalibrationFields> for Calibration {
    type Error = CalibrationError;

    fn try_from(fields: CalibrationFields) -> Result<Self, Self::Error> {
        Self::new(fields)
    }
}

impl Calibration {
    /// Checks the pulses against each other.
    ///
    /// # Errors
    /// The first pair that is out of order.
    pub fn new(fields: CalibrationFields) -> Result<Self, CalibrationError> {
        if fields.throttle_min >= fields.throttle_zero {
            Err(CalibrationError::ThrottleMinNotBelowZero)
        } else if fields.forward_zero < fields.throttle_zero {
            Err(CalibrationError::ForwardZeroBelowZero)
        } else if fields.forward_zero >= fields.throttle_max {
            Err(CalibrationError::ForwardZeroNotBelowMax)
        } else if fields.brake < fields.throttle_min || fields.brake > fields.throttle_zero {
            Err(CalibrationError::BrakeNotInReverse)
        } else if fields.steering_min >= fields.steering_zero {
            Err(CalibrationError::SteeringMinNotBelowZero)
        } else if fields.steering_zero >= fields.steering_max {
            Err(CalibrationError::SteeringZeroNotBelowMax)
        } else {
            Ok(Self(fields))
        }
    }

    /// The checked pulses.
    #[must_use]
    pub const fn fields(&self) -> &CalibrationFields {
        &self.0
    }

    /// Motor standing still, wheels straight.
    #[must_use]
    pub const fn neutral(&self) -> Setpoint {
        Setpoint {
            throttle: self.0.throttle_zero,
            steering: self.0.steering_zero,
        }
    }
}

/// How much of full scale a driver may use, and how fast he may get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most forward throttle; more is cut off, not scaled. Negative counts as zero.
    pub max_forward: Throttle,
    /// Most reverse throttle, as a positive number. Negative counts as zero: no reverse.
    pub max_reverse: Throttle,
    /// Most steering to either side. Negative counts as zero.
    pub max_steering: Steering,
    /// How fast throttle may rise, in permille a second; 0 = at once. It may always fall at once.
    pub throttle_slew_per_s: u32,
    /// How fast steering may leave the centre, in permille a second; 0 = at once. It may always return at once.
    pub steering_slew_per_s: u32,
}

/// What the motor driver needs before it turns backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reverse {
    /// Nothing: an H-bridge, or an ESC in crawler mode.
    Direct,
    /// The usual car ESC: brake, let go, then reverse.
    Esc {
        /// How long the brake pulse lasts.
        brake: Duration,
        /// How long the neutral pulse after it lasts.
        neutral: Duration,
    },
}

/// Full scale of the legacy sliders, in steps. Zero steps would be no slider, hence the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// `THROTTLE_STEP` of the old configuration.
    pub throttle: NonZeroU16,
    /// `STEERING_STEP` of the old configuration.
    pub steering: NonZeroU16,
}

impl Steps {
    /// Both sliders; none if either has no steps.
    #[must_use]
    pub fn new(throttle: u16, steering: u16) -> Option<Self> {
        Some(Self {
            throttle: NonZeroU16::new(throttle)?,
            steering: NonZeroU16::new(steering)?,
        })
    }

    /// A throttle slider's thousandths of a step as permille, cut off at full scale.
    ///
    /// Rounds away from zero: the old car skipped its dead band at any value above zero, however small.
    #[must_use]
    pub fn throttle(self, milli_steps: i32) -> Throttle {
        Throttle::saturating(Self::scale(milli_steps, self.throttle))
    }

    /// A steering slider's thousandths of a step as permille, cut off at full scale.
    #[must_use]
    pub fn steering(self, milli_steps: i32) -> Steering {
        Steering::saturating(Self::scale(milli_steps, self.steering))
    }

    fn scale(milli_steps: i32, steps: NonZeroU16) -> i32 {
        // thousandths of a step / steps = thousandths of full scale
        let permille = milli_steps.unsigned_abs().div_ceil(u32::from(steps.get()));
        i32::try_from(permille).unwrap_or(i32::MAX) * milli_steps.signum()
    }
}

/// All that `Drive` has to know of one car.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveConfig {
    /// Where its pulses are.
    pub calibration: Calibration,
    /// How much of them a driver may use.
    pub limits: Limits,
    /// How it gets into reverse.
    pub reverse: Reverse,
    /// How long the legacy sliders are.
    pub steps: Steps,
    /// The servo is mounted the other way round: the shorter pulse is left. (Records of older versions do not say it.)
    #[serde(default)]
    pub steering_reversed: bool,
}

/// The pulses at the ends of the steering, by what the car does at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteeringEnds {
    /// Full left.
    pub left: PulseWidth,
    /// Full right.
    pub right: PulseWidth,
}

impl DriveConfig {
    /// Which end of the calibrated steering is left, and which right.
    #[must_use]
    pub const fn steering_ends(&self) -> SteeringEnds {
        let fields = self.calibration.fields();
        let (left, right) = if self.steering_reversed {
            (fields.steering_min, fields.steering_max)
        } else {
            (fields.steering_max, fields.steering_min)
        };
        SteeringEnds { left, right }
    }
}

/// The two pulses to put on the wires now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setpoint {
    /// To the ESC.
    pub throttle: PulseWidth,
    /// To the steering servo.
    pub steering: PulseWidth,
}

impl Setpoint {
    /// Both pulses in one word, for what is shared without a lock: throttle in the upper half. Never 0, for no pulse is 0 us long.
    #[must_use]
    pub fn word(self) -> u32 {
        u32::from(self.throttle.get()) << 16 | u32::from(self.steering.get())
    }

    /// The pulses of a word; each that no pulse can have becomes the nearest one that is.
    #[must_use]
    pub fn from_word(word: u32) -> Self {
        Self {
            throttle: PulseWidth::saturating(word >> 16),
            steering: PulseWidth::saturating(word & 0xFFFF),
        }
    }
}
