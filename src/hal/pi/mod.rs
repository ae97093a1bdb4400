//! The hands and nerves of a Raspberry Pi: from the wiring that a configuration names to outputs that can be written and
//! sensors that can be read.
//!
//! ```text
//!   Wiring::Pwm      ─▶ two lines, hardware or software ─▶ servo::Servos ─┐
//!   Wiring::Pca9685  ─▶ I2C bus ─▶ pca9685::Pca ──────────────────────────┼─▶ Pulses ─▶ hal::car::Car ─▶ Actuators
//!   Wiring::Hbridge  ─▶ pins, one or two lines ─▶ hbridge::Bridge ────────┘
//!
//!   /dev/gpiochip* ─ gpiocdev ─▶ lap        I2C bus ─ ina219, ina226 ─▶ battery
//! ```
//!
//! The drivers ([`servo`], [`pca9685`], [`hbridge`], [`soft_pwm`]) are generic over the embedded-hal traits, so they are
//! tested without a board; only [`pins`], [`board`](mod@board) and this file know rppal, which is retired upstream (July
//! 2025, up to Pi 5), so that another crate can take its place here.
//!
//! By symptom:
//! - *this is no Raspberry Pi*: the program runs on something else, or the device tree is not mounted.
//! - *has no PWM chip of the header*: the PWM overlay is missing in `config.txt`; see `board/`.
//! - *permission denied*: the user is not in the group `gpio` (pins, PWM) or `i2c` (bus), or the udev rule is missing.
//! - */dev/i2c-1 is not there*: `dtparam=i2c_arm=on` is missing in `config.txt`, or the module `i2c-dev`.
//!
//! Promises: opening outputs moves nothing: the first thing on a wire is the setpoint of the first write, or what a
//! program before this one left there.
//! Knows nothing of: what a setpoint means, when to write.
//! Sources: rppal 0.22 documentation, Raspberry Pi documentation (`config.txt`, overlays README).

use std::error::Error;
use std::fmt;
use std::path::Path;

use rppal::i2c::I2c;

use super::car::{Car, Pulses};
use super::{Actuators, Source};
use crate::config::hardware::{Hbridge, HbridgeSteering, Motor, Pca9685, Pwm, Wiring};
use crate::config::rights;
use crate::config::words::PwmKind;

pub mod battery;
pub mod board;
pub mod capacity;
pub mod hbridge;
pub mod header;
pub mod lap;
pub mod line;
pub mod pca9685;
pub mod pins;
pub mod pwm;
pub mod scan;
pub mod servo;
pub mod shared;
pub mod soft_pwm;

pub use board::board;
use hbridge::{Bridge, HalfBridge, Steerer};
use line::Line;
use servo::{Servo, Servos};
use shared::Shared;

/// How long the kernel may wait for an I2C transaction, in milliseconds, which rppal turns into the kernel's 10 ms.
/// choice: a tick at 200 Hz is 5 ms, the guard bites at 200 ms. The kernel's own default is a second, in which a control
/// thread would stand still.
const I2C_TIMEOUT_MS: u32 = 20;

/// Why outputs could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Not on this computer: use another `drive.output`, or run it on the board.
    NoPi(String),
    /// The pin cannot do it: the text names one that can.
    WrongPin(String),
    /// A device did not open: the text says what is missing.
    Device {
        /// The device, and what is to be done.
        what: String,
        /// What the system said.
        source: Source,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPi(what) | Self::WrongPin(what) | Self::Device { what, .. } => {
                f.write_str(what)
            }
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Device { source, .. } => Some(source.as_ref()),
            Self::NoPi(_) | Self::WrongPin(_) => None,
        }
    }
}

/// Opens the outputs of a wiring.
///
/// # Errors
/// What is missing, and what to do about it; the simulated car, which has no wires.
pub fn outputs(wiring: &Wiring) -> Result<Box<dyn Actuators>, OpenError> {
    let (pulses, device): (Box<dyn Pulses>, String) = match wiring {
        Wiring::Sim => {
            let what = "the simulated car has no wires";
            return Err(OpenError::NoPi(what.to_owned()));
        }
        Wiring::Pwm(pwm) => (
            Box::new(servos(pwm)?),
            format!("pwm on BCM {} and {}", pwm.throttle_pin, pwm.steering_pin),
        ),
        Wiring::Pca9685(pca) => (
            Box::new(chip(pca)?),
            format!("pca9685 at 0x{:02x} on /dev/i2c-{}", pca.address, pca.bus),
        ),
        Wiring::Hbridge(bridge) => (
            Box::new(self::bridge(bridge)?),
            format!("h-bridge on BCM {}", bridge.motor.speed_pin),
        ),
    };
    Ok(Box::new(Car::new(pulses, device)))
}

fn servos(settings: &Pwm) -> Result<Servos<Line>, OpenError> {
    let mut lines = Lines::new(settings.kind)?;
    lines.prepare(&[settings.throttle_pin, settings.steering_pin]);
    Ok(Servos {
        throttle: Servo::new(lines.open(settings.throttle_pin, settings.period)?),
        steering: Servo::new(lines.open(settings.steering_pin, settings.period)?),
    })
}

/// The chip; its outputs are switched off, where that is wired, before anything is asked of the bus, which may be dead.
fn chip(settings: &Pca9685) -> Result<pca9685::Pca<I2c, rppal::gpio::OutputPin>, OpenError> {
    let off = settings
        .enable_pin
        .map(|pin| pins::output_high(&pins::gpio()?, pin))
        .transpose()?;
    let bus = settings.bus;
    Ok(pca9685::Pca::new(
        *settings,
        off,
        i2c_bus(bus)?,
        Box::new(move || i2c_bus(bus).map_err(Source::from)),
    ))
}

/// Opens an I2C bus for a thread that cannot wait.
///
/// # Errors
/// The bus is not there, or may not be used.
pub fn i2c_bus(bus: u8) -> Result<I2c, OpenError> {
    let device = |source: rppal::i2c::Error| OpenError::Device {
        what: match &source {
            rppal::i2c::Error::Io(err) if err.kind() == std::io::ErrorKind::NotFound => format!(
                "/dev/i2c-{bus} is not there; put dtparam=i2c_arm=on into config.txt, load i2c-dev, restart"
            ),
            rppal::i2c::Error::Io(err) if err.kind() == std::io::ErrorKind::PermissionDenied => {
                rights::denied(Path::new(&format!("/dev/i2c-{bus}")))
            }
            rppal::i2c::Error::Io(_)
            | rppal::i2c::Error::InvalidSlaveAddress(_)
            | rppal::i2c::Error::UnknownModel
            | rppal::i2c::Error::FeatureNotSupported => {
                format!("/dev/i2c-{bus} does not open")
            }
        },
        source: Box::new(source),
    };
    open_bus(bus).map_err(device)
}

/// The one way to a bus. The timeout is the adapter's, for whoever uses it: a sensor that left the kernel's default
/// standing would leave it to the control thread too.
///
/// kernel: drivers/i2c/i2c-dev.c, `I2C_TIMEOUT` sets `adapter->timeout`.
fn open_bus(bus: u8) -> Result<I2c, rppal::i2c::Error> {
    let i2c = I2c::with_bus(bus)?;
    i2c.set_timeout(I2C_TIMEOUT_MS)?;
    Ok(i2c)
}

fn bridge(settings: &Hbridge) -> Result<Shared<Bridge<rppal::gpio::OutputPin, Line>>, OpenError> {
    let gpio = pins::gpio()?;
    let mut lines = Lines::new(settings.pwm)?;
    let second = match settings.steering {
        HbridgeSteering::Skid(right) => right.speed_pin,
        HbridgeSteering::Servo { pin, .. } => pin,
    };
    lines.prepare(&[settings.motor.speed_pin, second]);
    let mut motor = |motor: Motor| -> Result<_, OpenError> {
        Ok(HalfBridge::new(
            pins::output(&gpio, motor.forward_pin)?,
            pins::output(&gpio, motor.reverse_pin)?,
            lines.open(motor.speed_pin, settings.speed_period)?,
            settings.dead_time,
        ))
    };
    let left = motor(settings.motor)?;
    let steerer = match settings.steering {
        HbridgeSteering::Skid(right) => Steerer::Skid(motor(right)?),
        HbridgeSteering::Servo { pin, period } => {
            Steerer::Servo(Servo::new(lines.open(pin, period)?))
        }
    };
    let enable = settings
        .enable_pin
        .map(|pin| pins::output(&gpio, pin))
        .transpose()?;
    Ok(Shared::new(Bridge::new(
        left,
        steerer,
        enable,
        settings.neutral,
    )))
}

/// Opens PWM lines of one kind, each channel once.
struct Lines {
    kind: LinesOf,
}

enum LinesOf {
    Hardware(pwm::Chip),
    Software(rppal::gpio::Gpio),
}

impl Lines {
    fn new(kind: PwmKind) -> Result<Self, OpenError> {
        let kind = match kind {
            PwmKind::Hardware => LinesOf::Hardware(pwm::Chip::of(&board()?)?),
            PwmKind::Software => LinesOf::Software(pins::gpio()?),
        };
        Ok(Self { kind })
    }

    /// Asks for all channels before the first one is waited for: udev gives rights to them at one time.
    fn prepare(&mut self, pins: &[u8]) {
        if let LinesOf::Hardware(chip) = &mut self.kind {
            chip.prepare(pins);
        }
    }

    fn open(&mut self, pin: u8, period: core::time::Duration) -> Result<Line, OpenError> {
        match &mut self.kind {
            LinesOf::Hardware(chip) => chip.open(pin, period).map(Line::Hardware),
            LinesOf::Software(gpio) => {
                let output = pins::output(gpio, pin)?;
                soft_pwm::SoftPwm::start(output, pin, period)
                    .map(Line::Software)
                    .map_err(|source| OpenError::Device {
                        what: format!("no thread for the pulses of BCM {pin}"),
                        source: Box::new(source),
                    })
            }
        }
    }
}
