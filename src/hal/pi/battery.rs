//! The battery through an INA219 or INA226 on the I2C bus: voltage, and current by the drop over a resistor.
//!
//! Their calibration register is left alone: it only makes the chip multiply, in a unit that depends on a guess of the
//! largest current. The current is the shunt voltage over the resistor, which is one division here.
//!
//! ```text
//!   first read, and the first one after an error        every further read, once a second
//!   INA219  configuration ◀ 0x3fff, read it back        bus voltage (ready?), shunt voltage
//!   INA226  maker, die: "TI" 2260; configuration ◀ 0x4727   mask/enable (ready?), bus voltage, shunt voltage
//! ```
//!
//! Both average over a seventh of a second, so that the ripple of a motor's PWM is not in the reading.
//!
//! By symptom: *not found*: the bus is off (`dtparam=i2c_arm=on`). *permission denied*: the group `i2c`. *failed*: nothing
//! answers at that address; wiring, power, `battery.address` (`i2cdetect -y 1` lists who is there). *answers, but ...*:
//! another chip has the address, or `battery.kind` names the other of the two.
//!
//! Promises: integers; no panic, whatever the bus says; after an error the chip is set up anew. Waits for the bus, so it
//! needs a thread that may.
//! Knows nothing of: what a voltage means (`logic::battery`).
//! Sources: datasheet: TI SBOS448G (INA219), 8.6; TI SBOS547B (INA226), 7.1.

use std::io::ErrorKind;

use embedded_hal::i2c::I2c;
use ina219::SyncIna219;
use ina219::address::Address;
use ina219::calibration::UnCalibrated;
use ina219::configuration::{Configuration, Resolution};
use ina219::errors::{BusVoltageReadError, ShuntVoltageReadError};
use ina226::{AVG, Config, INA226, MODE, MaskEnableFlags, VBUSCT, VSHCT};

use crate::hal::sensor::{BatteryMonitor, Power, SensorError};

#[cfg(test)]
mod tests;

/// What an INA226 says of its maker: "TI". datasheet: SBOS547B 7.1.9.
const INA226_MAKER: u16 = 0x5449;

/// What an INA226 says of itself; the lowest four bits are its revision. datasheet: SBOS547B 7.1.10.
const INA226_DIE: u16 = 0x2260;
const INA226_DIE_MASK: u16 = 0xfff0;

/// Which chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// TI INA219.
    Ina219,
    /// TI INA226.
    Ina226,
}

/// Where the chip is and what is soldered beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatterySettings {
    /// Which chip.
    pub chip: Chip,
    /// `/dev/i2c-N`.
    pub bus: u8,
    /// I2C address, 7 bits.
    pub address: u8,
    /// The resistor that the current flows through, in microohm.
    pub shunt_microohm: u32,
}

/// A chip on a bus.
pub struct Ina<B> {
    driver: Driver<B>,
    shunt_microohm: u32,
    name: String,
    /// Whether it was set up since the last error.
    is_set_up: bool,
}

enum Driver<B> {
    Ina219(SyncIna219<B, UnCalibrated>),
    Ina226(INA226<B>),
}

/// What went wrong, before the chip's name is put to it.
enum Wrong {
    Bus(&'static str, String),
    Chip(String),
}

/// Opens the bus and names the chip on it; the chip itself is not touched yet.
///
/// # Errors
/// No such bus, no permission, or an address that this chip cannot have.
pub fn open(settings: BatterySettings) -> Result<Box<dyn BatteryMonitor>, SensorError> {
    let bus = super::open_bus(settings.bus).map_err(|err| bus_error(settings.bus, err))?;
    Ok(Box::new(Ina::new(bus, settings)?))
}

fn bus_error(bus: u8, err: rppal::i2c::Error) -> SensorError {
    let sensor = format!("battery: /dev/i2c-{bus}");
    match &err {
        rppal::i2c::Error::Io(io) if io.kind() == ErrorKind::NotFound => SensorError::Missing {
            sensor,
            todo: "add dtparam=i2c_arm=on to the boot configuration, or set battery.bus".to_owned(),
        },
        rppal::i2c::Error::Io(io) if io.kind() == ErrorKind::PermissionDenied => {
            let group = "i2c";
            SensorError::Denied { sensor, group }
        }
        _ => SensorError::Failed {
            sensor,
            step: "open the bus",
            source: Box::new(err),
        },
    }
}

impl<B: I2c> Ina<B> {
    /// A chip on this bus. Nothing is sent yet.
    ///
    /// # Errors
    /// An address that this chip cannot have.
    pub fn new(bus: B, settings: BatterySettings) -> Result<Self, SensorError> {
        let BatterySettings { address, chip, .. } = settings;
        let word = match chip {
            Chip::Ina219 => "INA219",
            Chip::Ina226 => "INA226",
        };
        let name = format!(
            "battery: {word} at 0x{address:02x} of /dev/i2c-{}",
            settings.bus
        );
        // Both have 16 addresses, set by two pins; the INA226's driver takes any.
        let Ok(checked) = Address::from_byte(address) else {
            let why = "this chip can only be at 0x40 to 0x4f; set battery.address".to_owned();
            return Err(SensorError::Strange { sensor: name, why });
        };
        let driver = match chip {
            Chip::Ina219 => Driver::Ina219(SyncIna219::new_unchecked(bus, checked, UnCalibrated)),
            Chip::Ina226 => Driver::Ina226(INA226::new(bus, address)),
        };
        Ok(Self {
            driver,
            shunt_microohm: settings.shunt_microohm,
            name,
            is_set_up: false,
        })
    }

    fn set_up(&mut self) -> Result<(), Wrong> {
        match &mut self.driver {
            Driver::Ina219(chip) => {
                let wanted = ina219_configuration();
                chip.set_configuration(wanted).map_err(on("configure it"))?;
                // It has no number of its own; a register that keeps what it is told is the best sign of it.
                let found = chip
                    .configuration()
                    .map_err(on("read its configuration back"))?;
                if found != wanted {
                    return Err(Wrong::Chip(format!(
                        "answers, but its configuration is 0x{:04x} where 0x{:04x} was written; is this an INA219? See \
                         battery.address and battery.kind",
                        found.as_bits(),
                        wanted.as_bits()
                    )));
                }
            }
            Driver::Ina226(chip) => {
                let maker = chip.manufacturer_id().map_err(on("ask its maker"))?;
                let die = chip.die_id().map_err(on("ask its number"))?;
                if maker != INA226_MAKER || die & INA226_DIE_MASK != INA226_DIE {
                    return Err(Wrong::Chip(format!(
                        "answers, but as 0x{maker:04x} 0x{die:04x} where an INA226 says 0x{INA226_MAKER:04x} \
                         0x{INA226_DIE:04x}; see battery.address and battery.kind"
                    )));
                }
                chip.set_configuration(&ina226_configuration())
                    .map_err(on("configure it"))?;
            }
        }
        Ok(())
    }

    /// Voltage and current, or `None` if nothing has been measured since it was set up.
    fn measure(&mut self) -> Result<Option<Power>, Wrong> {
        let (millivolts, nanovolts) = match &mut self.driver {
            Driver::Ina219(chip) => {
                let bus = chip.bus_voltage().map_err(bus_voltage)?;
                let shunt = chip.shunt_voltage().map_err(shunt_voltage)?;
                if !bus.is_conversion_ready() {
                    return Ok(None);
                }
                (bus.voltage_mv(), i64::from(shunt.shunt_voltage_uv()) * 1000)
            }
            Driver::Ina226(chip) => {
                let flags = chip.mask_enable().map_err(on("ask if it has measured"))?;
                let bus = chip.bus_voltage_raw().map_err(on("read its bus voltage"))?;
                let shunt = chip
                    .shunt_voltage_raw()
                    .map_err(on("read its shunt voltage"))?;
                if !flags.contains(MaskEnableFlags::CVRF) {
                    return Ok(None);
                }
                // datasheet: SBOS547B 7.1.2 and 7.1.3, 2.5 µV and 1.25 mV a step; the highest bit of the latter is 0.
                let millivolts = u32::from(bus) * 5 / 4;
                let millivolts = u16::try_from(millivolts).unwrap_or(u16::MAX);
                (millivolts, i64::from(shunt) * 2_500)
            }
        };
        // Nanovolts over microohms are milliamperes.
        let milliamperes = nanovolts / i64::from(self.shunt_microohm.max(1));
        Ok(Some(Power {
            millivolts,
            milliamperes: i32::try_from(milliamperes).unwrap_or(i32::MAX),
        }))
    }

    fn try_read(&mut self) -> Result<Option<Power>, Wrong> {
        if !self.is_set_up {
            self.set_up()?;
            self.is_set_up = true;
            return Ok(None); // what it holds was measured under another configuration
        }
        // It measures seven times a second. With nothing new it has lost its configuration.
        let measured = self.measure()?.ok_or_else(|| {
            Wrong::Chip("answers, but measures nothing; its supply may dip".to_owned())
        })?;
        Ok(Some(measured))
    }
}

impl<B: I2c + Send> BatteryMonitor for Ina<B> {
    fn read(&mut self) -> Result<Option<Power>, SensorError> {
        self.try_read().map_err(|wrong| {
            self.is_set_up = false;
            let sensor = self.name.clone();
            match wrong {
                Wrong::Bus(step, said) => SensorError::Failed {
                    sensor,
                    step,
                    source: said.into(),
                },
                Wrong::Chip(why) => SensorError::Strange { sensor, why },
            }
        })
    }
}

/// 32 V, 320 mV, both averaged over 128 measurements of 532 µs, all the time: 0x3fff. datasheet: SBOS448G 8.6.2.1.
fn ina219_configuration() -> Configuration {
    Configuration {
        bus_resolution: Resolution::Avg128,
        shunt_resolution: Resolution::Avg128,
        ..Configuration::default()
    }
}

/// Both averaged over 64 measurements of 1.1 ms, all the time: 0x4727. datasheet: SBOS547B 7.1.1.
const fn ina226_configuration() -> Config {
    Config {
        avg: AVG::_64,
        vbusct: VBUSCT::_1100us,
        vshct: VSHCT::_1100us,
        mode: MODE::ShuntBusVoltageContinuous,
    }
}

/// The bus failed at this step. What it said is kept as text: an `embedded-hal` error need not be more than that.
fn on<E: core::fmt::Debug>(step: &'static str) -> impl Fn(E) -> Wrong {
    move |err| Wrong::Bus(step, format!("{err:?}"))
}

fn bus_voltage<E: core::fmt::Debug>(err: BusVoltageReadError<E>) -> Wrong {
    match err {
        BusVoltageReadError::I2cError(err) => on("read its bus voltage")(err),
        BusVoltageReadError::BusVoltageOutOfRange { is, .. } => Wrong::Chip(format!(
            "answers, but with {} mV, more than an INA219 can measure; see battery.kind",
            is.voltage_mv()
        )),
    }
}

fn shunt_voltage<E: core::fmt::Debug>(err: ShuntVoltageReadError<E>) -> Wrong {
    match err {
        ShuntVoltageReadError::I2cError(err) => on("read its shunt voltage")(err),
        ShuntVoltageReadError::ShuntVoltageOutOfRange { is, .. } => Wrong::Chip(format!(
            "answers, but with {} µV over the shunt, more than an INA219 can measure; see battery.kind",
            is.shunt_voltage_uv()
        )),
    }
}
