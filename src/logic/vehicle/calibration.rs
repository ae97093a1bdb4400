//! Which calibration the car has, and what becomes of a wish to change it.
//!
//! A calibration that is saved counts at once, but it is not used at once: its neutral is another pulse, and a car that is
//! driven must not feel it. It comes into force in the first step after that in which the car came to stand, disarmed or
//! stopped, so that the record shows why it stopped and, apart from it, that neutral is another pulse from then on.
//!
//! ```text
//!   save, reset ──▶ holder, fresh? pulses in their window and in order? ──no──▶ answered with the reason, nothing changes
//!                     │ yes
//!                     ▼
//!                  accepted: told, stored ──── the car is disarmed or stopped ───▶ in force
//! ```
//!
//! Promises: pulses in force are always a [`Calibration`]; a calibration never changes while the car may move.
//! Knows nothing of: who holds the lease, files.
//! Sources: PROTOCOL.md 4.6 (fields and their order), 6 defects 4 and 7.

use serde::{Deserialize, Serialize};

use crate::logic::drive::{BEYOND_US, Calibration, CalibrationError, CalibrationFields, Drive};
use crate::logic::units::{LeaseId, PulseWidth, Seq};
use crate::logic::wire::{Axis, CalibrationCommand, CalibrationReport, Change, Pulses};

/// Version of the `calibration` message.
const VERSION: u8 = 1;

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident = $code:literal $says:literal,)+) => {
        /// What became of the last wish to change the calibration.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Answer {
            $($(#[$doc])* $name,)+
        }

        impl Answer {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Number on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The answer with this number on the wire.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }

            /// The same in words.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)+ }
            }
        }
    };
}

answers! {
    /// Nobody asked yet.
    #[default]
    None = 0 "nothing was asked for",
    /// The pulses were taken.
    Saved = 1 "saved",
    /// The pulses of the configuration count again.
    Reset = 2 "back to the configuration's",
    /// This car is calibrated by who stands at it.
    NotRemote = 16 "this car is calibrated in its own terminal only (drive.remote_calibration)",
    /// A pulse that no servo understands.
    NoPulse = 17 "each pulse must be from 500 to 2500 us",
    /// A pulse further out than [`BEYOND_US`].
    OutOfWindow = 18 "a pulse is too far beyond the ends that the car has now; go there in two savings",
    /// [`CalibrationError::ThrottleMinNotBelowZero`].
    ThrottleMinNotBelowZero = 19 "full reverse must be shorter than standing still",
    /// [`CalibrationError::ForwardZeroBelowZero`].
    ForwardZeroBelowZero = 20 "the first forward pulse must not be shorter than standing still",
    /// [`CalibrationError::ForwardZeroNotBelowMax`].
    ForwardZeroNotBelowMax = 21 "the first forward pulse must be shorter than full forward",
    /// [`CalibrationError::BrakeNotInReverse`].
    BrakeNotInReverse = 22 "the brake pulse must be from full reverse to standing still",
    /// [`CalibrationError::SteeringMinNotBelowZero`].
    SteeringMinNotBelowZero = 23 "the short end of the steering must be shorter than straight ahead",
    /// [`CalibrationError::SteeringZeroNotBelowMax`].
    SteeringZeroNotBelowMax = 24 "straight ahead must be shorter than the long end of the steering",
}

impl Answer {
    /// Whether the wish was granted.
    #[must_use]
    pub const fn is_granted(self) -> bool {
        self.code() == Self::Saved.code() || self.code() == Self::Reset.code()
    }
}

impl From<CalibrationError> for Answer {
    fn from(error: CalibrationError) -> Self {
        match error {
            CalibrationError::ThrottleMinNotBelowZero => Self::ThrottleMinNotBelowZero,
            CalibrationError::ForwardZeroBelowZero => Self::ForwardZeroBelowZero,
            CalibrationError::ForwardZeroNotBelowMax => Self::ForwardZeroNotBelowMax,
            CalibrationError::BrakeNotInReverse => Self::BrakeNotInReverse,
            CalibrationError::SteeringMinNotBelowZero => Self::SteeringMinNotBelowZero,
            CalibrationError::SteeringZeroNotBelowMax => Self::SteeringZeroNotBelowMax,
        }
    }
}

/// The calibrations of a car.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Calibrations {
    /// That of the configuration.
    file: Calibration,
    /// Whether that one was measured on this car.
    is_measured: bool,
    /// The one that was saved, which counts more.
    saved: Option<Calibration>,
    /// The one that counts is not in force yet.
    is_pending: bool,
    /// Whether the lease holder may tune and save.
    is_remote: bool,
    answer: Answer,
    seq: Seq,
    lease: LeaseId,
    /// Wishes that were granted; wraps.
    changes: u32,
}

impl Calibrations {
    pub(super) const fn new(file: Calibration) -> Self {
        Self {
            file,
            is_measured: true,
            saved: None,
            is_pending: false,
            is_remote: false,
            answer: Answer::None,
            seq: Seq::new(0),
            lease: LeaseId::NONE,
            changes: 0,
        }
    }

    pub(super) const fn may_be_remote(&mut self) {
        self.is_remote = true;
    }

    pub(super) const fn is_remote(&self) -> bool {
        self.is_remote
    }

    pub(super) const fn measured(&mut self, is_measured: bool) {
        self.is_measured = is_measured;
    }

    /// Whether somebody measured the pulses that count.
    pub(super) const fn is_calibrated(&self) -> bool {
        self.is_measured || self.saved.is_some()
    }

    /// Takes what was saved in an earlier life.
    pub(super) const fn restore(&mut self, saved: Option<Calibration>) {
        self.saved = saved;
        self.is_pending = true;
    }

    /// Judges a wish of whoever may have it.
    pub(super) fn judge(&mut self, command: &CalibrationCommand) -> Answer {
        self.answer = match command.change {
            _ if !self.is_remote => Answer::NotRemote,
            Change::Reset => {
                self.restore(None);
                Answer::Reset
            }
            Change::Save(pulses) => match self.check(&pulses) {
                Ok(calibration) => {
                    self.restore(Some(calibration));
                    Answer::Saved
                }
                Err(why) => why,
            },
        };
        (self.seq, self.lease) = (command.seq, command.lease);
        self.changes = self
            .changes
            .wrapping_add(u32::from(self.answer.is_granted()));
        self.answer
    }

    fn check(&self, pulses: &Pulses) -> Result<Calibration, Answer> {
        let fields = CalibrationFields::from_pulses(pulses).ok_or(Answer::NoPulse)?;
        let calibration = Calibration::new(fields)?;
        let counts = self.counts();
        let is_in_window = |axis, pulses: &[PulseWidth]| {
            let (shortest, _, longest) = counts.window(axis);
            pulses
                .iter()
                .all(|pulse| (shortest..=longest).contains(pulse))
        };
        // The others lie between these, or Calibration::new had refused.
        let throttle = [fields.throttle_min, fields.throttle_max];
        let steering = [fields.steering_min, fields.steering_max];
        if is_in_window(Axis::Throttle, &throttle) && is_in_window(Axis::Steering, &steering) {
            Ok(calibration)
        } else {
            Err(Answer::OutOfWindow)
        }
    }

    fn counts(&self) -> Calibration {
        self.saved.unwrap_or(self.file)
    }

    /// Whether the one that counts is not in force yet.
    pub(super) const fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// The calibration to use from now on, if it is another one. Ask only while the car stands.
    pub(super) fn take_pending(&mut self) -> Option<Calibration> {
        core::mem::take(&mut self.is_pending).then(|| self.counts())
    }

    /// What is to be told of it, and of the car that it is for.
    pub(super) fn status(&self, drive: &Drive, tell: u32) -> CalibrationStatus {
        CalibrationStatus {
            counts: *self.counts().fields(),
            steering_reversed: drive.is_steering_reversed(),
            is_saved: self.saved.is_some(),
            in_force: !self.is_pending,
            is_remote: self.is_remote,
            answer: self.answer,
            seq: self.seq,
            lease: self.lease,
            max_speed: drive.max_speed(),
            tell,
            changes: self.changes,
        }
    }
}

/// What the rest of the program has to know of the calibration.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, in any combination"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalibrationStatus {
    /// The pulses that count.
    pub counts: CalibrationFields,
    /// The short end of the steering is left, the long one right.
    pub steering_reversed: bool,
    /// They were saved, and are not those of the configuration.
    pub is_saved: bool,
    /// They are in force.
    pub in_force: bool,
    /// The lease holder may tune and save.
    pub is_remote: bool,
    /// What became of the last wish.
    pub answer: Answer,
    /// Its sequence number.
    pub seq: Seq,
    /// Who had it.
    pub lease: LeaseId,
    /// Full forward in ticks of the old car, if a `maxSpeed` made it less than the calibrated one.
    pub max_speed: Option<u16>,
    /// How often somebody asked to be told; wraps.
    pub tell: u32,
    /// Wishes that were granted; wraps.
    pub changes: u32,
}

impl CalibrationStatus {
    /// The message that says so; `stored` is for the shell to say.
    #[must_use]
    pub fn report(&self, stored: u8) -> CalibrationReport {
        CalibrationReport {
            v: VERSION,
            remote: u8::from(self.is_remote),
            saved: u8::from(self.is_saved),
            in_force: u8::from(self.in_force),
            stored,
            answer: self.answer.code(),
            seq: self.seq.get(),
            lease: self.lease.get(),
            beyond_us: BEYOND_US,
            reversed: u8::from(self.steering_reversed),
            pulses: self.counts.to_pulses(),
        }
    }
}
