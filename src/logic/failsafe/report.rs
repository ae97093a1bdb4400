//! What the failsafe tells the outside: states, causes and refusals, with their words and numbers.
//!
//! They are a contract: the actuator log, telemetry, the viewer and the tests of other people read them. Numbers are
//! never given a new meaning; new ones are added at the end.
//!
//! Promises: words and numbers are unique and come from one table.
//! Knows nothing of: when a state is entered.
//! Sources: EXTENSION.md (states, refusals, causes, the actuator log).

use serde::{Deserialize, Serialize};

use crate::logic::units::Uptime;

/// What the car may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Stands, and waits for a driver to arm it.
    #[default]
    Disarmed,
    /// Obeys its driver.
    Live,
    /// Has not heard its driver for a moment: throttle on its way to neutral.
    Coasting,
    /// Stands, because something was wrong.
    Stopped,
}

impl State {
    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disarmed => "disarmed",
            Self::Live => "live",
            Self::Coasting => "coasting",
            Self::Stopped => "stopped",
        }
    }

    /// Number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Disarmed => 0,
            Self::Live => 1,
            Self::Coasting => 2,
            Self::Stopped => 3,
        }
    }

    /// The state with this number on the wire.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Disarmed),
            1 => Some(Self::Live),
            2 => Some(Self::Coasting),
            3 => Some(Self::Stopped),
            _ => None,
        }
    }

    /// Whether throttle may be anything but neutral.
    #[must_use]
    pub const fn may_move(self) -> bool {
        match self {
            Self::Live | Self::Coasting => true,
            Self::Disarmed | Self::Stopped => false,
        }
    }
}

/// Declares [`Cause`] with its word and number in one table, so that they cannot drift apart.
macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $word:literal),+ $(,)?) => {
        /// Why a state was entered or a pulse changed. Words are for the actuator log, numbers for telemetry.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Cause {
            $($(#[$doc])* $name,)+
        }

        impl Cause {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word in the actuator log.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// Number on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The cause with this number on the wire.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

causes! {
    /// The program started: neutral before anything else.
    #[default]
    Start = 0 "start",
    /// A driver armed the car, by `arm` or by a legacy neutral.
    Arm = 1 "arm",
    /// A command of the driver.
    Drive = 2 "drive",
    /// The ESC is led from forward to reverse: brake, then neutral.
    Brake = 3 "brake",
    /// No command for longer than `hold`.
    Coast = 4 "coast",
    /// No command for longer than `neutral`.
    Silence = 5 "silence",
    /// Somebody said stop. Latched until `arm`.
    Stop = 6 "stop",
    /// The link went down, if only for a moment.
    LinkLost = 7 "link_lost",
    /// A legacy driver was silent for longer than `legacy_age`.
    LegacyAge = 8 "legacy_age",
    /// The driver gave up his lease.
    Disarm = 9 "disarm",
    /// The driver no longer holds the lease.
    LeaseLost = 10 "lease_lost",
    /// The control thread missed its time.
    ControlLate = 11 "control_late",
    /// The outputs could not be written.
    ActuatorError = 12 "actuator_error",
    /// The camera gives no frames: nobody drives blind.
    CameraDown = 13 "camera_down",
    /// The encoder gives no frames: nobody drives blind.
    EncoderDown = 14 "encoder_down",
    /// All has been good for the recovery time.
    Recovered = 15 "recovered",
    /// The program ends in order.
    Exit = 16 "exit",
    /// The program ends because of a bug.
    Panic = 17 "panic",
    /// The control thread stood still, and the thread that watches it wrote neutral.
    ControlStalled = 18 "control_stalled",
    /// One output is tuned, or a calibration that was saved is in force from here on.
    Calibrate = 19 "calibrate",
    /// The driver reported a picture older than `blind`: it steers by what is no longer there.
    Blind = 20 "blind",
}

/// Reasons that forbid arming now, as a set. Empty while the car is live or coasting: it is armed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refusals(u16);

impl Refusals {
    /// Nothing forbids arming.
    pub const NONE: Self = Self(0);
    /// No link to a driver.
    pub const LINK_DOWN: Self = Self(1);
    /// The newest command is not neutral: let go first.
    pub const NOT_NEUTRAL: Self = Self(2);
    /// Somebody said stop: only `arm` drives on, a legacy neutral does not.
    pub const STOP_LATCHED: Self = Self(4);
    /// Not good for long enough yet.
    pub const RECOVERING: Self = Self(8);
    /// No camera frames.
    pub const CAMERA_DOWN: Self = Self(16);
    /// No encoded frames.
    pub const ENCODER_DOWN: Self = Self(32);
    /// The outputs cannot be written.
    pub const ACTUATOR_FAULT: Self = Self(64);
    /// The control thread is late.
    pub const CONTROL_LATE: Self = Self(128);
    /// Somebody holds the lease: nobody else can arm. (To the holder himself it says nothing.)
    pub const LEASE_HELD: Self = Self(256);
    /// No fresh command of anybody who could arm.
    pub const NO_COMMAND: Self = Self(512);

    /// The battery is too low to start a drive.
    pub const BATTERY_LOW: Self = Self(1024);
    /// The board is too hot to start a drive.
    pub const BOARD_HOT: Self = Self(2048);
    /// Nobody has said where this car's neutral is.
    pub const UNCALIBRATED: Self = Self(4096);
    /// The ESC is still counting neutral pulses after power-on.
    pub const ESC_ARMING: Self = Self(8192);

    /// The driver's last report says that its picture is too old.
    pub const NO_PICTURE: Self = Self(16384);

    /// Every reason there is.
    pub const ALL: Self = Self(32767);

    /// The set on the wire.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set with these bits; unknown ones are dropped.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set and, on the condition, the other.
    #[must_use]
    pub const fn with_if(self, condition: bool, other: Self) -> Self {
        if condition { self.with(other) } else { self }
    }

    /// This set without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing forbids arming.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Uptime,
    /// From what. The same as `to` when a stop was latched or a lease driver took over from a legacy one.
    pub from: State,
    /// To what.
    pub to: State,
    /// Why.
    pub cause: Cause,
}
