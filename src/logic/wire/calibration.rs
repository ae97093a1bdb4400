//! The messages of a calibration: one output at an exact pulse, and a whole set of pulses to keep.
//!
//! `calibrate` is a `drive` that names a pulse instead of a throttle, so it has the same sequence, the same clock and the
//! same deadman, and becomes the same [`DriveCommand`]. What it says without `wheels_up` is neutral. `calibration` carries
//! all eight pulses at once: the car keeps the newest message of a kind, so single fields could get lost one by one, and a
//! set that is half old and half new must never be judged.
//!
//! ```text
//!   in    {"calibrate":{"seq":12,"t_ms":123456,"lease":7,"wheels_up":1,"output":1,"us":1540}}     output: 0 none, 1, 2
//!         {"calibration":{"action":0}}                                                            tell me
//!         {"calibration":{"action":1,"seq":13,"t_ms":123460,"lease":7,"pulses":{...}}}            save these
//!         {"calibration":{"action":2,"seq":14,"t_ms":123470,"lease":7}}                           back to the file's
//!   out   {"calibration":{"v":1,"remote":1,"saved":1,...,"pulses":{"throttle_min_us":1000,...}}}
//! ```
//!
//! Promises: a [`Tune`] is a pulse that a servo understands; the pulses of a set are whatever was said, for the vehicle
//! answers with a reason.
//! Knows nothing of: which pulses make sense together, and who may save them.
//! Sources: PROTOCOL.md 4.6 (the fields), 5.2 q 17 and 5.3 (a group of our own).

use serde::{Deserialize, Serialize};

use super::{DriveCommand, Incoming, Reject, fields, integer, lease_id, sender_ms};
use crate::logic::json::Fields;
use crate::logic::units::{LeaseId, PulseWidth, Seq, Steering, Throttle};

/// One of the two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Axis {
    /// To the ESC.
    Throttle,
    /// To the steering servo.
    Steering,
}

impl Axis {
    /// Number on the wire; 0 is neither.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Throttle => 1,
            Self::Steering => 2,
        }
    }

    /// The output with this number on the wire.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Throttle),
            2 => Some(Self::Steering),
            _ => None,
        }
    }
}

/// One output at an exact pulse, the other one at neutral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tune {
    /// Which.
    pub axis: Axis,
    /// What it is to get.
    pub pulse: PulseWidth,
}

/// All pulses of a calibration, in microseconds, under the names that the configuration has for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pulses {
    /// Full reverse.
    pub throttle_min_us: u16,
    /// Standing still.
    pub throttle_zero_us: u16,
    /// The first pulse that moves the car forward.
    pub forward_zero_us: u16,
    /// Full forward.
    pub throttle_max_us: u16,
    /// The short end of the steering: full right, unless the servo is reversed.
    pub steering_min_us: u16,
    /// Straight ahead.
    pub steering_zero_us: u16,
    /// The long end of the steering: full left, unless the servo is reversed.
    pub steering_max_us: u16,
    /// What makes the ESC brake.
    pub brake_us: u16,
}

impl Pulses {
    /// All of them in the order in which they are declared.
    #[must_use]
    pub const fn in_order(&self) -> [u16; 8] {
        [
            self.throttle_min_us,
            self.throttle_zero_us,
            self.forward_zero_us,
            self.throttle_max_us,
            self.steering_min_us,
            self.steering_zero_us,
            self.steering_max_us,
            self.brake_us,
        ]
    }

    /// The pulses as words, for a slot that is shared between threads.
    #[must_use]
    pub fn to_words(&self) -> [u64; 2] {
        let word = |four: [u16; 4]| {
            four.into_iter()
                .fold(0, |word, micros| word << 16 | u64::from(micros))
        };
        [
            word([
                self.throttle_min_us,
                self.throttle_zero_us,
                self.forward_zero_us,
                self.throttle_max_us,
            ]),
            word([
                self.steering_min_us,
                self.steering_zero_us,
                self.steering_max_us,
                self.brake_us,
            ]),
        ]
    }

    /// The pulses that these words say: any are.
    #[must_use]
    pub fn from_words([first, second]: [u64; 2]) -> Self {
        // Masked: it fits.
        let micros =
            |word: u64, place: u32| u16::try_from(word >> (48 - 16 * place) & 0xFFFF).unwrap_or(0);
        Self {
            throttle_min_us: micros(first, 0),
            throttle_zero_us: micros(first, 1),
            forward_zero_us: micros(first, 2),
            throttle_max_us: micros(first, 3),
            steering_min_us: micros(second, 0),
            steering_zero_us: micros(second, 1),
            steering_max_us: micros(second, 2),
            brake_us: micros(second, 3),
        }
    }
}

/// What is to become of the calibration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Back to the pulses of the configuration.
    #[default]
    Reset,
    /// These from now on.
    Save(Pulses),
}

/// A wish of the lease holder to change the calibration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationCommand {
    /// Counts this sender's changes; it may be the same count as that of `drive`.
    pub seq: Seq,
    /// When it was sent, on the sender's own monotonic clock, in milliseconds.
    pub t_ms: u64,
    /// Who.
    pub lease: LeaseId,
    /// What.
    pub change: Change,
}

/// What the car says of its calibration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CalibrationReport {
    /// Version of this message: 1.
    pub v: u8,
    /// The lease holder may calibrate: 1 yes, 0 only who stands at the car.
    pub remote: u8,
    /// These pulses were saved: 1; 0: they are those of the configuration.
    pub saved: u8,
    /// 1: they are in force; 0: they will be when the car is next disarmed or stopped.
    pub in_force: u8,
    /// Where they are: 0 nowhere but here, 1 on the way to the disk, 2 safe from a power cut, 3 they cannot be written.
    pub stored: u8,
    /// [`Answer::code`](crate::logic::vehicle::Answer::code): what became of the last change that was asked for.
    pub answer: u8,
    /// Sequence number of that wish.
    pub seq: u32,
    /// Who had it.
    pub lease: u32,
    /// How far beyond the calibrated ends an output may be tuned, and a pulse be saved, in microseconds.
    pub beyond_us: u16,
    /// The servo is mounted the other way round: 1, and `steering_min_us` is full left.
    pub reversed: u8,
    /// The pulses.
    pub pulses: Pulses,
}

pub(super) fn calibrate(message: &Fields<'_>) -> Result<DriveCommand, Reject> {
    let wheels_up: u8 = integer(message.get("wheels_up")?)?;
    let output: u8 = integer(message.get("output")?)?;
    let us: u16 = integer(message.get("us")?)?;
    let tune = match output {
        0 => None,
        code => Some(Tune {
            axis: Axis::from_code(code).ok_or(Reject::OutOfRange)?,
            pulse: PulseWidth::new(us).ok_or(Reject::OutOfRange)?,
        }),
    };
    if wheels_up > 1 {
        return Err(Reject::OutOfRange);
    }
    Ok(DriveCommand {
        seq: Seq::new(integer(message.get("seq")?)?),
        t_ms: sender_ms(message)?,
        throttle: Throttle::ZERO,
        steering: Steering::ZERO,
        lease: lease_id(message, "lease")?,
        tune: tune.filter(|_| wheels_up == 1),
    })
}

pub(super) fn calibration(message: &Fields<'_>) -> Result<Incoming, Reject> {
    // The old app may have a group of this name too; what it says in it is not known (PROTOCOL.md 4.1), and no error.
    let action = match message.get("action") {
        Err(Reject::Missing) => return Err(Reject::UnknownGroup),
        other => integer(other?)?,
    };
    let change = match action {
        0_u8 => return Ok(Incoming::TellCalibration),
        1 => Change::Save(pulses(&fields(message.get("pulses")?)?)?),
        2 => Change::Reset,
        _ => return Err(Reject::OutOfRange),
    };
    Ok(Incoming::Calibration(CalibrationCommand {
        seq: Seq::new(integer(message.get("seq")?)?),
        t_ms: sender_ms(message)?,
        lease: lease_id(message, "lease")?,
        change,
    }))
}

fn pulses(message: &Fields<'_>) -> Result<Pulses, Reject> {
    let micros = |name| integer(message.get(name)?);
    Ok(Pulses {
        throttle_min_us: micros("throttle_min_us")?,
        throttle_zero_us: micros("throttle_zero_us")?,
        forward_zero_us: micros("forward_zero_us")?,
        throttle_max_us: micros("throttle_max_us")?,
        steering_min_us: micros("steering_min_us")?,
        steering_zero_us: micros("steering_zero_us")?,
        steering_max_us: micros("steering_max_us")?,
        brake_us: micros("brake_us")?,
    })
}
