//! The devices of a build without the `pi` feature: none, and it says so.
//!
//! Promises: a sensor that is configured is never silently left out. Knows nothing of: threads.

use crate::app::Fatal;
use crate::app::sensing::Open;
use crate::cli::Exit;
use crate::config::hardware::{Battery, Lap};
use crate::hal::sensor::{BatteryMonitor, LapSensor};

/// Refuses.
///
/// # Errors
/// Always.
pub fn lap_sensor(_: &Lap) -> Result<Open<dyn LapSensor>, Fatal> {
    Err(not_built("lap.kind"))
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn battery_monitor(_: &Battery) -> Result<Open<dyn BatteryMonitor>, Fatal> {
    Err(not_built("battery.kind"))
}

fn not_built(key: &str) -> Fatal {
    Fatal::new(
        Exit::HardwareMissing,
        format!(
            "{key}: this program was built without support for it; set it to \"none\", or use a build for the board"
        ),
    )
}
