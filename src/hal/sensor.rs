//! What a sensor is to the rest of the program, and how it says that it does not work.
//!
//! Two traits, because two kinds of sensor are devices that may be missing: what sees the start line, and what measures the
//! battery. The board's own readings are files (`health`) and need none.
//!
//! | Trait | The device's duty | The caller's duty |
//! | --- | --- | --- |
//! | [`LapSensor`] | every edge with the kernel's time, in order; say when some were lost | read on; open it anew after an error |
//! | [`BatteryMonitor`] | one measurement a call, or that there is none yet | a thread that may wait for a bus; call again after an error |
//!
//! By symptom:
//!
//! - *not found*: the overlay or the chip is missing; `Missing` says which file or address was looked for.
//! - *permission denied*: the user lacks a group; `Denied` names it.
//! - *in use*: another program, or a kernel driver, has the line; `Busy` names it.
//! - *answers, but not like this chip*: another chip has that address; `Strange` says what it said.
//! - *works, then fails*: a wire, a plug; `Failed` says at which step. It is tried again.
//!
//! Promises: an error's text says what to do. Knows nothing of: retries, telemetry, laps.

use core::time::Duration;
use std::error::Error;
use std::fmt;

use super::Source;
use crate::logic::lap::Pin;
use crate::logic::units::Uptime;

/// What happened at the pins of a lap sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LapEvent {
    /// A pin came over the mark, or left it.
    Edge {
        /// Which.
        pin: Pin,
        /// Whether it is over the mark now.
        is_over: bool,
        /// When, by the kernel.
        at: Uptime,
    },
    /// Edges were lost. All that were left have been told before this.
    Lost {
        /// How many.
        edges: u32,
        /// What the pins are now; `true` is over the mark.
        levels: [bool; 2],
        /// When that was read.
        at: Uptime,
    },
}

/// Sees the car pass the start line.
pub trait LapSensor: Send {
    /// The device, for people.
    fn name(&self) -> &str;

    /// What the pins are now; `true` is over the mark. A second pin that is not there never is.
    ///
    /// # Errors
    /// The sensor must be opened anew.
    fn levels(&mut self) -> Result<[bool; 2], SensorError>;

    /// The next event. Waits for one no longer than `limit`; `None` if there was none, and none is left unread.
    ///
    /// # Errors
    /// The sensor must be opened anew.
    fn wait(&mut self, limit: Duration) -> Result<Option<LapEvent>, SensorError>;
}

/// What flows out of the battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// Voltage, in millivolts.
    pub millivolts: u16,
    /// Current, in milliamperes; negative while it is charged.
    pub milliamperes: i32,
}

/// Measures the battery.
pub trait BatteryMonitor: Send {
    /// The newest measurement; `None` while the first one is being made.
    ///
    /// # Errors
    /// The next call sets the chip up again.
    fn read(&mut self) -> Result<Option<Power>, SensorError>;
}

/// Why there is no reading.
#[derive(Debug)]
pub enum SensorError {
    /// It is not there: do what the text says.
    Missing {
        /// The sensor, and where it was looked for.
        sensor: String,
        /// What to do.
        todo: String,
    },
    /// It may not be opened: add the user to the group.
    Denied {
        /// The file.
        sensor: String,
        /// Who may open it.
        group: &'static str,
    },
    /// Somebody else uses it: stop that, or choose another pin.
    Busy {
        /// The pin.
        sensor: String,
        /// The other user.
        by: String,
    },
    /// What answers is not this sensor: check the configuration.
    Strange {
        /// The sensor.
        sensor: String,
        /// What it said, and what was expected.
        why: String,
    },
    /// It failed at a step: check wires and plugs. It is worth trying again.
    Failed {
        /// The sensor.
        sensor: String,
        /// What was being done.
        step: &'static str,
        /// What the system said.
        source: Source,
    },
}

impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { sensor, todo } => write!(f, "{sensor}: not found; {todo}"),
            Self::Denied { sensor, group } => write!(
                f,
                "{sensor}: permission denied; add the user to the group {group} (usermod -aG {group} NAME)"
            ),
            Self::Busy { sensor, by } => write!(
                f,
                "{sensor}: in use by {by}; stop that, or choose another pin"
            ),
            Self::Strange { sensor, why } => write!(f, "{sensor}: {why}"),
            Self::Failed { sensor, step, .. } => {
                write!(f, "{sensor}: {step}: failed; check its wires and power")
            }
        }
    }
}

impl Error for SensorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { source, .. } => Some(source.as_ref()),
            Self::Missing { .. }
            | Self::Denied { .. }
            | Self::Busy { .. }
            | Self::Strange { .. } => None,
        }
    }
}
