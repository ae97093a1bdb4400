//! What somebody may do with a car, and what each message takes.
//!
//! Whoever lets somebody in (a Spider by his key, later by a ticket) says so with a set of rights, and holds every message
//! of his against it. Rights are about who somebody is; the lease, about who drives now, comes after.
//!
//! ```text
//!             ping, tell me the calibration   drive, arm, stop, lease, view, camera,   calibrate,        video, metrics
//!             receive                          motion, maxSpeed, groups not known       save, reset
//!   watch                  ×
//!   drive                                                  ×
//!   calibrate                                                                                ×
//!   publish                                                                                                    ×
//! ```
//!
//! `stop` takes the right to drive: a car that any watcher can stop is a car that nobody can race. What is not understood
//! takes it, too, for it may be an old app's command.
//!
//! Invariants: total; a right never implies another one.
//! Sources: EXTENSION.md.

use super::wire::{Incoming, Reject};

/// One thing that somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See the picture and what the car tells.
    Watch,
    /// Take the wheel.
    Drive,
    /// Tune the outputs and save a calibration.
    Calibrate,
    /// Be the car.
    Publish,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Watch, Self::Drive, Self::Calibrate, Self::Publish];

    /// Its name in signalling and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Drive => "drive",
            Self::Calibrate => "calibrate",
            Self::Publish => "publish",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Watch => 1,
            Self::Drive => 2,
            Self::Calibrate => 4,
            Self::Publish => 8,
        }
    }

    /// What a message to the car takes.
    #[must_use]
    pub const fn needed(message: &Result<Incoming, Reject>) -> Self {
        match message {
            Ok(Incoming::Ping(_) | Incoming::TellCalibration) => Self::Watch,
            Ok(Incoming::Calibration(_)) => Self::Calibrate,
            Ok(Incoming::Drive(drive)) if drive.tune.is_some() => Self::Calibrate,
            Ok(
                Incoming::Drive(_)
                | Incoming::Arm(_)
                | Incoming::Stop
                | Incoming::Lease(_)
                | Incoming::View(_)
                | Incoming::Camera(_)
                | Incoming::Motion(_)
                | Incoming::MaxSpeed { .. },
            )
            | Err(_) => Self::Drive,
        }
    }
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Every one.
    pub const ALL: Self = Self(15);

    /// The same and this one.
    #[must_use]
    pub const fn and(self, right: Right) -> Self {
        Self(self.0 | right.bit())
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }
}

impl core::fmt::Display for Rights {
    /// Their words with a blank between two.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut is_first = true;
        for right in Right::ALL.into_iter().filter(|right| self.has(*right)) {
            if !is_first {
                f.write_str(" ")?;
            }
            f.write_str(right.word())?;
            is_first = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::wire::decode;

    #[test]
    fn each_message_takes_one_right() {
        for (text, right) in [
            (r#"{"ping":{"id":1,"t_ms":2}}"#, Right::Watch),
            (r#"{"calibration":{"action":0}}"#, Right::Watch),
            (r#"{"motion":{"key":"forward","value":0}}"#, Right::Drive),
            (r#"{"speed":{"key":"maxSpeed","value":420}}"#, Right::Drive),
            (
                r#"{"drive":{"seq":1,"t_ms":2,"throttle":0,"steering":0,"lease":7}}"#,
                Right::Drive,
            ),
            (r#"{"arm":{"seq":1,"t_ms":2,"lease":7}}"#, Right::Drive),
            (r#"{"stop":{}}"#, Right::Drive),
            (r#"{"lease":{"id":7,"want":2}}"#, Right::Drive),
            (
                r#"{"view":{"lease":7,"rtt_ms":1,"age_ms":2}}"#,
                Right::Drive,
            ),
            (
                r#"{"camera":{"lease":7,"key":"view","value":2}}"#,
                Right::Drive,
            ),
            (
                r#"{"calibrate":{"seq":1,"t_ms":2,"lease":7,"wheels_up":1,"output":1,"us":1540}}"#,
                Right::Calibrate,
            ),
            (
                r#"{"calibration":{"action":2,"seq":1,"t_ms":2,"lease":7}}"#,
                Right::Calibrate,
            ),
            // An old app's command, a broken one, and none at all: as much as any command.
            (r#"{"horn":{"key":"on"}}"#, Right::Drive),
            (r#"{"drive":{}}"#, Right::Drive),
            ("", Right::Drive),
        ] {
            assert_eq!(Right::needed(&decode(text.as_bytes())), right, "{text}");
        }
    }

    #[test]
    fn a_set_has_what_was_put_into_it_and_no_more() {
        for right in Right::ALL {
            let only = Rights::NONE.and(right);
            let others = Right::ALL.into_iter().filter(|other| *other != right);
            let all_but = others.fold(Rights::NONE, Rights::and);
            for other in Right::ALL {
                assert_eq!(only.has(other), other == right);
                assert_eq!(all_but.has(other), other != right);
            }
            assert_eq!(only.to_string(), right.word());
        }
        assert_eq!(Rights::ALL.to_string(), "watch drive calibrate publish");
        assert_eq!(Rights::NONE.to_string(), "");
    }
}
