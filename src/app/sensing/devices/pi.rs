//! The devices of a build with the `pi` feature.
//!
//! Promises: nothing is opened here. Knows nothing of: threads.

use crate::app::Fatal;
use crate::app::sensing::Open;
use crate::config::hardware::{Battery, BatteryChip, Lap};
use crate::hal::pi::battery::{self, BatterySettings, Chip};
use crate::hal::pi::lap::{self, LapSettings};
use crate::hal::sensor::{BatteryMonitor, LapSensor};

/// How to open this lap sensor.
///
/// # Errors
/// None: a build without `pi` has some.
pub fn lap_sensor(lap: &Lap) -> Result<Open<dyn LapSensor>, Fatal> {
    let settings = lap_settings(lap);
    Ok(Box::new(move || Ok(Box::new(lap::open(&settings)?))))
}

/// How to open this battery's monitor.
///
/// # Errors
/// None: a build without `pi` has some.
pub fn battery_monitor(battery: &Battery) -> Result<Open<dyn BatteryMonitor>, Fatal> {
    let settings = BatterySettings {
        chip: match battery.chip {
            BatteryChip::Ina219 => Chip::Ina219,
            BatteryChip::Ina226 => Chip::Ina226,
        },
        bus: battery.bus,
        address: battery.address,
        shunt_microohm: battery.shunt_microohm,
    };
    Ok(Box::new(move || battery::open(settings)))
}

fn lap_settings(lap: &Lap) -> LapSettings {
    LapSettings {
        chip: lap.chip.clone(),
        pin: lap.pin,
        second_pin: lap.second_pin,
        active_high: lap.active_high,
    }
}
