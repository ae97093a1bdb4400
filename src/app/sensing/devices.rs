//! Which devices a configuration's `[lap]`, `[battery]` and `[board]` name, as parts to watch.
//!
//! `config` knows keys and `hal` knows chips; this is where one becomes the other.
//!
//! ```text
//!   config::hardware::{Lap, Battery} ─▶ hal::pi settings ─▶ how to open it, again and again
//!                                    └▶ logic settings   ─▶ LapConfig, BatteryConfig
//! ```
//!
//! Promises: nothing is opened here. Knows nothing of: threads.

use crate::app::Fatal;
use crate::config::hardware::{Battery, Lap, Sensors};
use crate::config::words::LapRule;
use crate::logic::battery::BatteryConfig;
use crate::logic::lap::{LapConfig, Pins};

use super::{BatteryPart, LapPart, Parts};

#[cfg(feature = "pi")]
mod pi;
#[cfg(feature = "pi")]
use pi as built;
#[cfg(not(feature = "pi"))]
mod none;
#[cfg(not(feature = "pi"))]
use none as built;

pub use built::{battery_monitor, lap_sensor};

/// What this configuration has to be watched.
///
/// # Errors
/// A sensor that this program was built without.
pub fn parts(sensors: &Sensors) -> Result<Parts, Fatal> {
    let lap = sensors.lap.as_ref().map(lap_part).transpose()?;
    let battery = sensors.battery.as_ref().map(battery_part).transpose()?;
    Ok(Parts {
        lap,
        battery,
        hot_celsius: sensors.hot_celsius,
        root: "/".into(),
        mmcli: "mmcli".into(),
    })
}

fn lap_part(lap: &Lap) -> Result<LapPart, Fatal> {
    Ok(LapPart {
        open: lap_sensor(lap)?,
        config: lap_config(lap),
    })
}

fn battery_part(battery: &Battery) -> Result<BatteryPart, Fatal> {
    Ok(BatteryPart {
        open: battery_monitor(battery)?,
        config: battery_config(battery),
    })
}

/// How passes of this sensor are told apart.
#[must_use]
pub fn lap_config(lap: &Lap) -> LapConfig {
    let pins = match (lap.second_pin, lap.rule) {
        (None, _) => Pins::One,
        (Some(_), LapRule::Any) => Pins::Any,
        (Some(_), LapRule::All) => Pins::All,
    };
    LapConfig {
        pins,
        debounce: lap.debounce,
        minimum: lap.minimum,
    }
}

/// Where the warnings of this battery begin.
#[must_use]
pub const fn battery_config(battery: &Battery) -> BatteryConfig {
    BatteryConfig {
        low_mv: battery.low_mv,
        critical_mv: battery.critical_mv,
    }
}
