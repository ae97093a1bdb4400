//! The meaning of `[pwm]`, `[pca9685]`, `[hbridge]`, `[lap]`, `[battery]` and `[board]`: pins, buses, chips.
//!
//! Only what `drive.output` and the sensors' `kind` put to use is judged as a whole: a pin that nothing drives cannot
//! be used twice.
//!
//! ```text
//!   drive.output ─▶ pins of the outputs ─┐
//!   lap.kind     ─▶ pins of the sensor  ─┼─▶ used twice? ─▶ one problem for each pair
//!   I2C in use   ─▶ BCM 2 and 3 (bus 1) ─┘
//! ```
//!
//! Promises: each clash names both keys. Knows nothing of: which pins a board can use for what (`hal::pi`).

use core::time::Duration;
use std::path::PathBuf;

use super::{Found, Meaning, some_text};
use crate::config::hardware::{
    Battery, BatteryChip, Hbridge, HbridgeSteering, Lap, Motor, Pca9685, Pwm, Sensors, Wiring,
};
use crate::config::schema::Id;
use crate::config::words::{
    BatteryKind, LapKind, LapRule, NeutralKind, Output, PwmKind, SteeringKind,
};

/// BCM numbers of the header's I2C bus. spec: 40-pin header, pins 3 and 5.
const I2C_PINS: [u8; 2] = [2, 3];
const I2C_HEADER_BUS: u8 = 1;

/// The address at which all PCA9685 answer, whatever their own. datasheet: PCA9685 rev. 4 7.1.1.
const PCA_ALL_CALL: u8 = 0x70;

/// What an H-bridge takes for standing still; it has no pulses, so this is only a scale.
const HBRIDGE_ZERO_US: u16 = 1500;

impl Meaning<'_> {
    pub(super) fn wiring(&mut self) -> Found<Wiring> {
        Ok(match self.word(Id::DriveOutput, Output::from_word)? {
            Output::Sim => Wiring::Sim,
            Output::Pwm => Wiring::Pwm(self.pwm()?),
            Output::Pca9685 => Wiring::Pca9685(self.pca9685()?),
            Output::Hbridge => Wiring::Hbridge(self.hbridge()?),
        })
    }

    fn pwm(&mut self) -> Found<Pwm> {
        let pwm = Pwm {
            kind: self.word(Id::PwmKind, PwmKind::from_word)?,
            throttle_pin: self.whole(Id::PwmThrottlePin)?,
            steering_pin: self.whole(Id::PwmSteeringPin)?,
            period: self.period(Id::PwmFrequencyHz)?,
        };
        Ok(pwm)
    }

    fn pca9685(&mut self) -> Found<Pca9685> {
        let enable_pin: u8 = self.whole(Id::PcaEnablePin)?;
        let address = self.whole(Id::PcaAddress)?;
        if address == PCA_ALL_CALL {
            let what = "0x70 (112) is the call to all PCA9685 and no board's address; 0x40 is one without solder bridges";
            return Err(self.clash(Id::PcaAddress, Id::DriveOutput, what));
        }
        let pca = Pca9685 {
            bus: self.whole(Id::PcaBus)?,
            address,
            throttle_channel: self.whole(Id::PcaThrottleChannel)?,
            steering_channel: self.whole(Id::PcaSteeringChannel)?,
            frequency_hz: self.whole(Id::PcaFrequencyHz)?,
            oscillator_hz: self.whole(Id::PcaOscillatorHz)?,
            enable_pin: Some(enable_pin).filter(|pin| *pin != 0),
        };
        if pca.throttle_channel.abs_diff(pca.steering_channel) != 1 {
            let what = "the two outputs must be neighbours, so that both change in one transaction";
            self.clash(Id::PcaSteeringChannel, Id::PcaThrottleChannel, what);
        }
        Ok(pca)
    }

    fn hbridge(&mut self) -> Found<Hbridge> {
        let steering = match self.word(Id::HbridgeSteering, SteeringKind::from_word)? {
            SteeringKind::Servo => HbridgeSteering::Servo {
                pin: self.whole(Id::HbridgeServoPin)?,
                period: self.period(Id::PwmFrequencyHz)?,
            },
            SteeringKind::Skid => HbridgeSteering::Skid(Motor {
                forward_pin: self.whole(Id::HbridgeRightForwardPin)?,
                reverse_pin: self.whole(Id::HbridgeRightReversePin)?,
                speed_pin: self.whole(Id::HbridgeRightSpeedPin)?,
            }),
        };
        let zero: u16 = self.whole(Id::CalibrationThrottleZeroUs)?;
        let straight: u16 = self.whole(Id::CalibrationSteeringZeroUs)?;
        let is_skid = matches!(steering, HbridgeSteering::Skid(_));
        for (pulse, id, judged) in [
            (zero, Id::CalibrationThrottleZeroUs, true),
            (straight, Id::CalibrationSteeringZeroUs, is_skid),
        ] {
            if judged && pulse != HBRIDGE_ZERO_US {
                let what = "a motor behind an H-bridge stands still at 1500 us";
                self.clash(id, Id::DriveOutput, what);
            }
        }
        let enable_pin: u8 = self.whole(Id::HbridgeEnablePin)?;
        let dead_time_us = self.whole(Id::HbridgeDeadTimeUs)?;
        Ok(Hbridge {
            motor: Motor {
                forward_pin: self.whole(Id::HbridgeForwardPin)?,
                reverse_pin: self.whole(Id::HbridgeReversePin)?,
                speed_pin: self.whole(Id::HbridgeSpeedPin)?,
            },
            enable_pin: Some(enable_pin).filter(|pin| *pin != 0),
            steering,
            neutral: self.word(Id::HbridgeNeutral, NeutralKind::from_word)?,
            dead_time: Duration::from_micros(dead_time_us),
            pwm: self.word(Id::HbridgePwm, PwmKind::from_word)?,
            speed_period: self.period(Id::HbridgeSpeedHz)?,
        })
    }

    pub(super) fn sensors(&mut self) -> Found<Sensors> {
        let lap = self.lap();
        self.parts.lap = lap.clone().ok().flatten();
        let battery = self.battery();
        self.parts.battery = battery.ok().flatten();
        let hot_celsius = self.whole(Id::BoardHotCelsius);
        Ok(Sensors {
            lap: lap?,
            battery: battery?,
            hot_celsius: hot_celsius?,
        })
    }

    fn lap(&mut self) -> Found<Option<Lap>> {
        let active_high = match self.word(Id::LapKind, LapKind::from_word)? {
            LapKind::None => return Ok(None),
            LapKind::Magnetic => false,
            LapKind::Infrared => true,
        };
        let second_pin: u8 = self.whole(Id::LapSecondPin)?;
        let debounce_us = self.whole(Id::LapDebounceUs)?;
        Ok(Some(Lap {
            active_high,
            pin: self.whole(Id::LapPin)?,
            second_pin: Some(second_pin).filter(|pin| *pin != 0),
            rule: self.word(Id::LapRule, LapRule::from_word)?,
            debounce: Duration::from_micros(debounce_us),
            minimum: self.millis(Id::LapMinimumMs)?,
            chip: some_text(self.text(Id::LapChip)?).map(PathBuf::from),
        }))
    }

    fn battery(&mut self) -> Found<Option<Battery>> {
        let chip = match self.word(Id::BatteryKind, BatteryKind::from_word)? {
            BatteryKind::None => return Ok(None),
            BatteryKind::Ina219 => BatteryChip::Ina219,
            BatteryKind::Ina226 => BatteryChip::Ina226,
        };
        let battery = Battery {
            chip,
            bus: self.whole(Id::BatteryBus)?,
            address: self.whole(Id::BatteryAddress)?,
            shunt_microohm: self.whole(Id::BatteryShuntMicroohm)?,
            low_mv: self.whole(Id::BatteryLowMv)?,
            critical_mv: self.whole(Id::BatteryCriticalMv)?,
        };
        if battery.critical_mv >= battery.low_mv {
            let what = "critical_mv must be less than low_mv";
            self.clash(Id::BatteryCriticalMv, Id::BatteryLowMv, what);
        }
        Ok(Some(battery))
    }

    /// Tells every pin, and every address, that two parts in use want for themselves.
    pub(super) fn nothing_twice(&mut self) {
        let super::Parts {
            wiring,
            lap,
            battery,
        } = std::mem::take(&mut self.parts);
        let mut used = wiring.as_ref().map(Wiring::pins).unwrap_or_default();
        if let Some(lap) = lap.filter(|lap| lap.chip.is_none()) {
            used.push((lap.pin, Id::LapPin));
            used.extend(lap.second_pin.map(|pin| (pin, Id::LapSecondPin)));
        }
        let pca = match &wiring {
            Some(Wiring::Pca9685(pca)) => Some(pca),
            Some(Wiring::Sim | Wiring::Pwm(_) | Wiring::Hbridge(_)) | None => None,
        };
        let buses = [
            pca.map(|pca| (pca.bus, Id::PcaBus)),
            battery.map(|battery| (battery.bus, Id::BatteryBus)),
        ];
        for (bus, key) in buses.into_iter().flatten() {
            if bus == I2C_HEADER_BUS {
                let taken = used.iter().filter(|(pin, _)| I2C_PINS.contains(pin));
                for (_, other) in taken.copied().collect::<Vec<_>>() {
                    self.clash(other, key, "BCM 2 and 3 are the I2C bus");
                }
            }
        }
        for (place, (pin, key)) in used.iter().enumerate() {
            if let Some((_, earlier)) = used.iter().take(place).find(|(other, _)| other == pin) {
                self.clash(*key, *earlier, "one pin cannot do both");
            }
        }
        if let (Some(pca), Some(battery)) = (pca, battery)
            && (pca.bus, pca.address) == (battery.bus, battery.address)
        {
            let what = "two chips cannot have one address; solder a bridge on one of them";
            self.clash(Id::BatteryAddress, Id::PcaAddress, what);
        }
    }
}
