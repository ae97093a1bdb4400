//! The doctor's look at the hands: which board, PWM chips and pins, what answers on the I2C bus, how good pulses are.
//!
//! ```text
//!   board    its model                                    pwm   chips, and whether the pins are switched to them
//!   i2c      every address that answers, with the names of chips that live there; the expected ones must
//!   outputs  (in `doctor`) opened as `run` would, and set to neutral
//! ```
//!
//! Promises: moves nothing; reads one byte from each I2C address, as `i2cdetect -r` does; a car without wires has no
//! lines here. Knows nothing of: what a driver would see.
//! Sources: Raspberry Pi documentation, "GPIO alternate functions" (BCM2835 datasheet 6.2, RP1 peripherals 3.1.1).

use rppal::gpio::{Gpio, Mode};

use super::Finding;
use crate::app::parts::chain;
use crate::config::Config;
use crate::config::hardware::{HbridgeSteering, Wiring};
use crate::config::words::PwmKind;
use crate::hal::pi::board::{Board, Chip};
use crate::hal::pi::{self, scan};

/// A line for each thing that these outputs stand on.
pub(super) fn checks(config: &Config) -> Vec<(&'static str, Finding)> {
    let wiring = &config.drive.output;
    let mut lines = Vec::new();
    let board = match wiring {
        Wiring::Sim => None,
        Wiring::Pwm(_) | Wiring::Pca9685(_) | Wiring::Hbridge(_) => {
            let board = pi::board();
            let line = match &board {
                Ok(board) => Ok(format!("{}, {}", board.model, board.chip)),
                Err(err) => Err(chain(err)),
            };
            lines.push(("pi", line));
            board.ok()
        }
    };
    let pins = hardware_pins(wiring);
    if let Some(board) = board
        && !pins.is_empty()
    {
        lines.push(("pwm", pwm(&board, &pins)));
    }
    lines.extend(buses(config).map(|(bus, expected)| ("i2c", i2c(bus, &expected))));
    lines
}

/// Pins that must have hardware PWM.
fn hardware_pins(wiring: &Wiring) -> Vec<u8> {
    match wiring {
        Wiring::Pwm(pwm) if pwm.kind == PwmKind::Hardware => {
            vec![pwm.throttle_pin, pwm.steering_pin]
        }
        Wiring::Hbridge(bridge) if bridge.pwm == PwmKind::Hardware => {
            let second = match bridge.steering {
                HbridgeSteering::Servo { pin, .. } => pin,
                HbridgeSteering::Skid(right) => right.speed_pin,
            };
            vec![bridge.motor.speed_pin, second]
        }
        Wiring::Sim | Wiring::Pwm(_) | Wiring::Pca9685(_) | Wiring::Hbridge(_) => Vec::new(),
    }
}

/// The PWM chip of the header, and whether each pin is switched to its channel: an overlay that names another pin looks
/// right everywhere else, and the wire stays dead.
fn pwm(board: &Board, pins: &[u8]) -> Finding {
    let chip = pi::pwm::Chip::of(board).map_err(|err| err.to_string())?;
    let gpio = Gpio::new().map_err(|err| format!("pins cannot be looked at: {err}"))?;
    for pin in pins {
        let mode = gpio
            .get(*pin)
            .map_err(|err| format!("BCM {pin}: {err}"))?
            .mode();
        if Some(mode) != pwm_mode(board.chip, *pin) {
            return Err(format!(
                "BCM {pin} is switched to {mode} and not to its PWM channel; the overlay in config.txt names other pins, \
                 or audio has taken the channel (dtparam=audio=off)"
            ));
        }
    }
    Ok(format!(
        "{}; BCM {pins:?} are switched to PWM",
        chip.folder().display()
    ))
}

/// The alternate function with which a pin is its PWM channel.
fn pwm_mode(chip: Chip, pin: u8) -> Option<Mode> {
    match (chip, pin) {
        (Chip::Bcm2712, 18 | 19) => Some(Mode::Alt3),
        (_, 12 | 13) => Some(Mode::Alt0),
        (_, 18 | 19) => Some(Mode::Alt5),
        _ => None,
    }
}

/// Buses in use, with the addresses that must answer and what they are.
fn buses(config: &Config) -> impl Iterator<Item = (u8, Vec<(u8, &'static str)>)> {
    let mut chips: Vec<(u8, u8, &'static str)> = Vec::new();
    if let Wiring::Pca9685(pca) = &config.drive.output {
        chips.push((pca.bus, pca.address, "PCA9685"));
    }
    if let Some(battery) = config.sensors.battery {
        chips.push((battery.bus, battery.address, "battery monitor"));
    }
    let mut buses: Vec<u8> = chips.iter().map(|(bus, ..)| *bus).collect();
    buses.dedup();
    buses.into_iter().map(move |bus| {
        let on_it = chips.iter().filter(move |(of, ..)| *of == bus);
        (
            bus,
            on_it.map(|(_, address, name)| (*address, *name)).collect(),
        )
    })
}

fn i2c(bus: u8, expected: &[(u8, &'static str)]) -> Finding {
    let mut i2c = pi::i2c_bus(bus).map_err(|err| chain(&err))?;
    let found = scan::answering(&mut i2c);
    let missing: Vec<String> = expected
        .iter()
        .filter(|(address, _)| !found.contains(address))
        .map(|(address, name)| format!("{name} at 0x{address:02x}"))
        .collect();
    let listed: Vec<String> = found
        .iter()
        .map(
            |address| match expected.iter().find(|(of, _)| of == address) {
                Some((_, name)) => format!("0x{address:02x} {name}"),
                None => format!("0x{address:02x} ({})", scan::lives_at(*address)),
            },
        )
        .collect();
    let listed = if listed.is_empty() {
        "nobody".to_owned()
    } else {
        listed.join(", ")
    };
    if missing.is_empty() {
        return Ok(format!("/dev/i2c-{bus}: {listed}"));
    }
    Err(format!(
        "/dev/i2c-{bus}: no {}; {listed} answers; check its supply, SDA (pin 3), SCL (pin 5) and solder bridges",
        missing.join(" and no ")
    ))
}
