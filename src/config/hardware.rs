//! What `[pwm]`, `[pca9685]`, `[hbridge]`, `[lap]`, `[battery]` and `[board]` mean: pins, buses and chips of one board.
//!
//! Plain values, checked as a whole in `meaning/hardware.rs`; `app` hands each to the part of `hal` it is for.
//!
//! Promises: no pin is used twice; a level or a period is possible.
//! Knows nothing of: which board this is, and whether the chips are there.

use core::time::Duration;
use std::path::PathBuf;

use super::schema::Id;
use super::words::{LapRule, NeutralKind, Output, PwmKind};

/// What the setpoint is written to (`drive.output`), with what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// The simulated car.
    Sim,
    /// Pulses on two pins.
    Pwm(Pwm),
    /// Pulses from a PCA9685.
    Pca9685(Pca9685),
    /// A motor behind an H-bridge.
    Hbridge(Hbridge),
}

impl Wiring {
    /// The pins that the outputs use, with the key of each.
    #[must_use]
    pub fn pins(&self) -> Vec<(u8, Id)> {
        match self {
            Self::Sim => Vec::new(),
            Self::Pca9685(pca) => {
                let enable = pca.enable_pin.map(|pin| (pin, Id::PcaEnablePin));
                enable.into_iter().collect()
            }
            Self::Pwm(pwm) => vec![
                (pwm.throttle_pin, Id::PwmThrottlePin),
                (pwm.steering_pin, Id::PwmSteeringPin),
            ],
            Self::Hbridge(bridge) => {
                let mut pins = vec![
                    (bridge.motor.forward_pin, Id::HbridgeForwardPin),
                    (bridge.motor.reverse_pin, Id::HbridgeReversePin),
                    (bridge.motor.speed_pin, Id::HbridgeSpeedPin),
                ];
                pins.extend(bridge.enable_pin.map(|pin| (pin, Id::HbridgeEnablePin)));
                match bridge.steering {
                    HbridgeSteering::Servo { pin, .. } => pins.push((pin, Id::HbridgeServoPin)),
                    HbridgeSteering::Skid(right) => pins.extend([
                        (right.forward_pin, Id::HbridgeRightForwardPin),
                        (right.reverse_pin, Id::HbridgeRightReversePin),
                        (right.speed_pin, Id::HbridgeRightSpeedPin),
                    ]),
                }
                pins
            }
        }
    }

    /// The word of `drive.output`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Sim => Output::Sim.word(),
            Self::Pwm(_) => Output::Pwm.word(),
            Self::Pca9685(_) => Output::Pca9685.word(),
            Self::Hbridge(_) => Output::Hbridge.word(),
        }
    }
}

/// Pulses on two pins (`[pwm]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pwm {
    /// What makes them.
    pub kind: PwmKind,
    /// BCM number of the ESC's pin.
    pub throttle_pin: u8,
    /// BCM number of the servo's pin.
    pub steering_pin: u8,
    /// Time from one pulse to the next.
    pub period: Duration,
}

/// A PCA9685 board (`[pca9685]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pca9685 {
    /// `/dev/i2c-N`.
    pub bus: u8,
    /// I2C address, 7 bits.
    pub address: u8,
    /// Output of the ESC.
    pub throttle_channel: u8,
    /// Output of the servo: one more or one less.
    pub steering_channel: u8,
    /// Pulses a second that are asked for.
    pub frequency_hz: u32,
    /// What the chip counts with.
    pub oscillator_hz: u32,
    /// The pin at the chip's output-enable input (BCM number): high switches all outputs off.
    pub enable_pin: Option<u8>,
}

/// The three pins of one motor (BCM numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motor {
    /// High for forward.
    pub forward_pin: u8,
    /// High for reverse.
    pub reverse_pin: u8,
    /// PWM: how hard.
    pub speed_pin: u8,
}

/// How an H-bridge car steers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HbridgeSteering {
    /// A servo.
    Servo {
        /// BCM number of its pin.
        pin: u8,
        /// Time from one pulse to the next: `pwm.frequency_hz`.
        period: Duration,
    },
    /// A second motor, on the right side.
    Skid(Motor),
}

/// An H-bridge (`[hbridge]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hbridge {
    /// The motor, or the left one.
    pub motor: Motor,
    /// The enable or standby pin (BCM number).
    pub enable_pin: Option<u8>,
    /// How it steers.
    pub steering: HbridgeSteering,
    /// What the motors do at neutral.
    pub neutral: NeutralKind,
    /// Both inputs low for this long between two directions.
    pub dead_time: Duration,
    /// What makes speed and servo pulses.
    pub pwm: PwmKind,
    /// Period of the speed pins.
    pub speed_period: Duration,
}

/// A lap sensor (`[lap]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lap {
    /// Whether the pin is high over the mark; low otherwise. The other level is what a pull resistor gives.
    pub active_high: bool,
    /// BCM number of the first pin.
    pub pin: u8,
    /// BCM number of the second pin.
    pub second_pin: Option<u8>,
    /// How two pins make one pass.
    pub rule: LapRule,
    /// A level counts when it has held for this long.
    pub debounce: Duration,
    /// The shortest lap.
    pub minimum: Duration,
    /// The GPIO chip; `None` is the one of the board's header.
    pub chip: Option<PathBuf>,
}

/// Which chip measures the battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatteryChip {
    /// TI INA219.
    Ina219,
    /// TI INA226.
    Ina226,
}

/// A battery monitor (`[battery]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Battery {
    /// The chip.
    pub chip: BatteryChip,
    /// `/dev/i2c-N`.
    pub bus: u8,
    /// I2C address, 7 bits.
    pub address: u8,
    /// The resistor that the current flows through, in microohm.
    pub shunt_microohm: u32,
    /// Below this the driver is warned, in millivolts.
    pub low_mv: u16,
    /// Below this the car cannot be armed, in millivolts.
    pub critical_mv: u16,
}

/// What is connected besides the outputs.
#[derive(Clone, Debug)]
pub struct Sensors {
    /// The lap sensor.
    pub lap: Option<Lap>,
    /// The battery monitor.
    pub battery: Option<Battery>,
    /// From this temperature on the car cannot be armed.
    pub hot_celsius: u8,
}
