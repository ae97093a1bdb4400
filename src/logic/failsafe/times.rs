//! The times of the failsafe, with floors and ceilings that no configuration can pass.
//!
//! A person who edits a file on a car must not be able to switch the deadman off by a slip of a digit, so the ranges are
//! code, as in Betaflight, and the rest of the failsafe can rely on them.
//!
//! Promises: a [`FailsafeConfig`] that exists is within all ranges, and has room to coast between hold and neutral.
//! Knows nothing of: what happens when a time is over.
//! Sources: README 1.6 (floors in code), design 5 F1.

use core::ops::RangeInclusive;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Times of the failsafe, checked against floors and ceilings that no configuration can pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailsafeConfig {
    hold: Duration,
    neutral: Duration,
    recovery: Duration,
    legacy_age: Duration,
    command_age: Duration,
    blind: Duration,
}

/// Why a set of failsafe times is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailsafeError {
    /// `hold` must be within [`FailsafeConfig::HOLD`].
    HoldOutOfRange,
    /// `neutral` must be within [`FailsafeConfig::NEUTRAL`].
    NeutralOutOfRange,
    /// `neutral` must be at least [`FailsafeConfig::SHORTEST_COAST`] longer than `hold`.
    NeutralTooCloseToHold,
    /// `recovery` must be within [`FailsafeConfig::RECOVERY`].
    RecoveryOutOfRange,
    /// `legacy_age` must be 0 (until the link dies) or within [`FailsafeConfig::LEGACY_AGE`].
    LegacyAgeOutOfRange,
    /// `command_age` must be within [`FailsafeConfig::COMMAND_AGE`].
    CommandAgeOutOfRange,
    /// `blind` must be within [`FailsafeConfig::BLIND`].
    BlindOutOfRange,
}

impl core::fmt::Display for FailsafeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::HoldOutOfRange => "hold is out of range",
            Self::NeutralOutOfRange => "neutral is out of range",
            Self::NeutralTooCloseToHold => {
                "neutral must be longer than hold, with time to coast between"
            }
            Self::RecoveryOutOfRange => "recovery is out of range",
            Self::LegacyAgeOutOfRange => "legacy_age is out of range (0 means until the link dies)",
            Self::CommandAgeOutOfRange => "command_age is out of range",
            Self::BlindOutOfRange => "blind is out of range",
        })
    }
}

impl core::error::Error for FailsafeError {}

impl FailsafeConfig {
    /// choice: shorter would stop for one lost packet at 20 commands a second; longer is not a deadman.
    pub const HOLD: RangeInclusive<Duration> =
        Duration::from_millis(50)..=Duration::from_millis(500);
    /// choice: a car at 5 m/s has gone 5 m in the longest of these.
    pub const NEUTRAL: RangeInclusive<Duration> =
        Duration::from_millis(70)..=Duration::from_secs(1);
    /// choice: one frame of a 50 Hz servo; less is a cut, not a coast.
    pub const SHORTEST_COAST: Duration = Duration::from_millis(20);
    /// choice: the floor rides over a burst of queued packets, the ceiling is what a driver will wait.
    pub const RECOVERY: RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(10);
    /// choice: 200 ms still lets a slider be moved by hand; after ten seconds it is not a stop. 0 is allowed besides.
    pub const LEGACY_AGE: RangeInclusive<Duration> =
        Duration::from_millis(200)..=Duration::from_secs(10);
    /// choice: below 50 ms Wi-Fi jitter alone would drop commands; above a second they are history.
    pub const COMMAND_AGE: RangeInclusive<Duration> =
        Duration::from_millis(50)..=Duration::from_secs(1);

    /// choice: below 250 ms one report of a healthy viewer could stop the car, since a report is itself up to 200 ms old; a
    /// car at 5 m/s has gone 5 m in the longest.
    pub const BLIND: RangeInclusive<Duration> = Duration::from_millis(250)..=Duration::from_secs(1);
    /// choice: the reaction of a driver to a picture that stands.
    pub const DEFAULT_BLIND: Duration = Duration::from_millis(500);
    /// How long a picture is on its way where everything is well. choice: a frame of the camera, coding, half of a round
    /// trip of 80 ms, decoding.
    pub const PICTURE_WAY: Duration = Duration::from_millis(100);

    /// Checks the times. The picture's age is [`FailsafeConfig::DEFAULT_BLIND`] until [`FailsafeConfig::with_blind`].
    ///
    /// # Errors
    /// The first time that is out of its range, or `neutral` too close to `hold`.
    pub fn new(
        hold: Duration,
        neutral: Duration,
        recovery: Duration,
        legacy_age: Duration,
        command_age: Duration,
    ) -> Result<Self, FailsafeError> {
        if !Self::HOLD.contains(&hold) {
            Err(FailsafeError::HoldOutOfRange)
        } else if !Self::NEUTRAL.contains(&neutral) {
            Err(FailsafeError::NeutralOutOfRange)
        } else if neutral < hold.saturating_add(Self::SHORTEST_COAST) {
            Err(FailsafeError::NeutralTooCloseToHold)
        } else if !Self::RECOVERY.contains(&recovery) {
            Err(FailsafeError::RecoveryOutOfRange)
        } else if !legacy_age.is_zero() && !Self::LEGACY_AGE.contains(&legacy_age) {
            Err(FailsafeError::LegacyAgeOutOfRange)
        } else if !Self::COMMAND_AGE.contains(&command_age) {
            Err(FailsafeError::CommandAgeOutOfRange)
        } else {
            Ok(Self {
                hold,
                neutral,
                recovery,
                legacy_age,
                command_age,
                blind: Self::DEFAULT_BLIND,
            })
        }
    }

    /// The same times, with another age of the driver's picture at which the car stands.
    ///
    /// # Errors
    /// `blind` is out of its range.
    pub fn with_blind(self, blind: Duration) -> Result<Self, FailsafeError> {
        if Self::BLIND.contains(&blind) {
            Ok(Self { blind, ..self })
        } else {
            Err(FailsafeError::BlindOutOfRange)
        }
    }

    /// Age of the driver's picture at which the car stands.
    #[must_use]
    pub const fn blind(&self) -> Duration {
        self.blind
    }

    /// Longest time between two pictures with which this car can be driven: just before the next one comes, a healthy picture
    /// is as old as that time and its way together.
    #[must_use]
    pub const fn longest_picture(&self) -> Duration {
        self.blind.saturating_sub(Self::PICTURE_WAY)
    }

    /// Silence that changes nothing.
    #[must_use]
    pub const fn hold(&self) -> Duration {
        self.hold
    }

    /// Silence after which the car stands.
    #[must_use]
    pub const fn neutral(&self) -> Duration {
        self.neutral
    }

    /// How long all must have been good before the car may be armed.
    #[must_use]
    pub const fn recovery(&self) -> Duration {
        self.recovery
    }

    /// Silence after which a legacy driver's car stands; zero: only when the link dies.
    #[must_use]
    pub const fn legacy_age(&self) -> Duration {
        self.legacy_age
    }

    /// How much older than the freshest command a command may be when it arrives.
    #[must_use]
    pub const fn command_age(&self) -> Duration {
        self.command_age
    }
}
