//! The meaning of `[drive]`, `[failsafe]` and `[sim]`: the car itself.
//!
//! What makes a calibration or a set of safety times right is decided in `logic`, which knows why.
//! Here its objections are turned into the keys and the lines that caused them.
//!
//! Promises: a calibration mistake in the throttle does not hide one in the steering.
//! Knows nothing of: pins, devices.

use std::path::PathBuf;

use super::{Found, Meaning, Noted, some_text};
use crate::config::fault;
use crate::config::hardware::Wiring;
use crate::config::kind::Value;
use crate::config::schema::Id;
use crate::config::settings::{Drive, Safety, Sim};
use crate::config::words::{RemoteCalibration, ReverseKind};
use crate::logic::drive::{
    Calibration, CalibrationError, CalibrationFields, DriveConfig, Limits, Reverse, Steps,
};
use crate::logic::failsafe::{FailsafeConfig, FailsafeError};
use crate::logic::pace::{PaceConfig, PaceError};
use crate::logic::units::{PulseWidth, Steering, Throttle};

impl Meaning<'_> {
    pub(super) fn drive(&mut self) -> Found<Drive> {
        let output = self.wiring();
        self.parts.wiring = output.ok();
        let tick = self.period(Id::DriveTickHz);
        let calibration = self.calibration();
        let limits = self.limits();
        let reverse = self.reverse();
        let steps = self.steps();
        let steering_reversed = self.flag(Id::DriveSteeringReversed);
        let esc_arming = self.millis(Id::DriveEscArmingMs);
        let calibrated = self.flag(Id::DriveCalibrated);
        let state_file = self.text(Id::DriveStateFile).map(some_text);
        let remote = self.word(Id::DriveRemoteCalibration, RemoteCalibration::from_word);
        let output = output?;
        Ok(Drive {
            remote_calibration: match remote? {
                RemoteCalibration::Sim => output == Wiring::Sim,
                RemoteCalibration::On => true,
                RemoteCalibration::Off => false,
            },
            output,
            tick: tick?,
            esc_arming: esc_arming?,
            calibrated: calibrated?,
            state_file: state_file?.map(PathBuf::from),
            config: DriveConfig {
                calibration: calibration?,
                limits: limits?,
                reverse: reverse?,
                steps: steps?,
                steering_reversed: steering_reversed?,
            },
        })
    }

    fn limits(&self) -> Found<Limits> {
        Ok(Limits {
            max_forward: Throttle::saturating(self.whole(Id::DriveMaxForwardPermille)?),
            max_reverse: Throttle::saturating(self.whole(Id::DriveMaxReversePermille)?),
            max_steering: Steering::saturating(self.whole(Id::DriveMaxSteeringPermille)?),
            throttle_slew_per_s: self.whole(Id::DriveThrottleSlewPermillePerS)?,
            steering_slew_per_s: self.whole(Id::DriveSteeringSlewPermillePerS)?,
        })
    }

    fn reverse(&self) -> Found<Reverse> {
        Ok(match self.word(Id::DriveReverse, ReverseKind::from_word)? {
            ReverseKind::Direct => Reverse::Direct,
            ReverseKind::Esc => Reverse::Esc {
                brake: self.millis(Id::DriveBrakeMs)?,
                neutral: self.millis(Id::DriveBrakeNeutralMs)?,
            },
        })
    }

    fn steps(&self) -> Found<Steps> {
        let (throttle, steering) = (
            self.whole(Id::DriveThrottleStep)?,
            self.whole(Id::DriveSteeringStep)?,
        );
        Ok(Steps::new(throttle, steering)
            .unwrap_or_else(|| unreachable!("the schema allows no slider without steps")))
    }

    fn calibration(&mut self) -> Found<Calibration> {
        let fields = pulses(|id| self.whole(id))?;
        let known_good = pulses(default_pulse)?;
        // Throttle and steering are judged apart, so that a mistake in one does not hide one in the other.
        let throttle = CalibrationFields {
            steering_min: known_good.steering_min,
            steering_zero: known_good.steering_zero,
            steering_max: known_good.steering_max,
            ..fields
        };
        let steering = CalibrationFields {
            steering_min: fields.steering_min,
            steering_zero: fields.steering_zero,
            steering_max: fields.steering_max,
            ..known_good
        };
        for part in [throttle, steering] {
            if let Err(error) = Calibration::new(part) {
                self.out_of_order(error);
            }
        }
        Calibration::new(fields).map_err(|_| Noted)
    }

    fn out_of_order(&mut self, error: CalibrationError) {
        let (key, with, what) = match error {
            CalibrationError::ThrottleMinNotBelowZero => (
                Id::CalibrationThrottleMinUs,
                Id::CalibrationThrottleZeroUs,
                "full reverse must be shorter than standing still",
            ),
            CalibrationError::ForwardZeroBelowZero => (
                Id::CalibrationForwardZeroUs,
                Id::CalibrationThrottleZeroUs,
                "the first forward pulse must not be shorter than standing still",
            ),
            CalibrationError::ForwardZeroNotBelowMax => (
                Id::CalibrationForwardZeroUs,
                Id::CalibrationThrottleMaxUs,
                "the first forward pulse must be shorter than full forward",
            ),
            CalibrationError::BrakeNotInReverse => (
                Id::CalibrationBrakeUs,
                Id::CalibrationThrottleZeroUs,
                "the brake pulse must be from throttle_min_us to throttle_zero_us",
            ),
            CalibrationError::SteeringMinNotBelowZero => (
                Id::CalibrationSteeringMinUs,
                Id::CalibrationSteeringZeroUs,
                "straight ahead must be longer than the short end; drive.steering_reversed turns the servo round",
            ),
            CalibrationError::SteeringZeroNotBelowMax => (
                Id::CalibrationSteeringZeroUs,
                Id::CalibrationSteeringMaxUs,
                "straight ahead must be shorter than the long end; drive.steering_reversed turns the servo round",
            ),
        };
        self.clash(key, with, what);
    }

    pub(super) fn failsafe(&mut self) -> Found<FailsafeConfig> {
        let hold = self.millis(Id::FailsafeHoldMs)?;
        let neutral = self.millis(Id::FailsafeNeutralMs)?;
        let recovery = self.millis(Id::FailsafeRecoveryMs)?;
        let legacy_age = self.millis(Id::FailsafeLegacyAgeMs)?;
        let command_age = self.millis(Id::FailsafeCommandAgeMs)?;
        let blind = self.millis(Id::FailsafeBlindMs)?;
        let times = FailsafeConfig::new(hold, neutral, recovery, legacy_age, command_age);
        times
            .and_then(|times| times.with_blind(blind))
            .map_err(|error| match error {
                FailsafeError::NeutralTooCloseToHold => {
                    let coast = FailsafeConfig::SHORTEST_COAST.as_millis();
                    let what = format!("neutral_ms must be at least {coast} ms more than hold_ms");
                    self.clash(Id::FailsafeHoldMs, Id::FailsafeNeutralMs, &what)
                }
                FailsafeError::HoldOutOfRange
                | FailsafeError::NeutralOutOfRange
                | FailsafeError::RecoveryOutOfRange
                | FailsafeError::LegacyAgeOutOfRange
                | FailsafeError::CommandAgeOutOfRange
                | FailsafeError::BlindOutOfRange => {
                    unreachable!("the schema takes these ranges from FailsafeConfig")
                }
            })
    }

    pub(super) fn safety(&mut self) -> Found<Safety> {
        let link_silence = self.millis(Id::FailsafeLinkSilenceMs)?;
        let slow_permille: i32 = self.whole(Id::FailsafeSlowPermille)?;
        let pace = PaceConfig::new(
            self.millis(Id::FailsafeSlowFromMs)?,
            self.millis(Id::FailsafeSlowToMs)?,
            Throttle::saturating(slow_permille),
        )
        .map_err(|error| match error {
            PaceError::NoRoom => {
                let what = "slow_to_ms must be more than slow_from_ms";
                self.clash(Id::FailsafeSlowToMs, Id::FailsafeSlowFromMs, what)
            }
            PaceError::Negative => unreachable!("the schema allows no negative permille"),
        });
        let path = |text| some_text(text).map(PathBuf::from);
        Ok(Safety {
            legacy: self.flag(Id::FailsafeLegacy)?,
            pace: pace?,
            link_silence: Some(link_silence).filter(|silence| !silence.is_zero()),
            watchdog_device: self.text(Id::FailsafeWatchdogDevice).map(path)?,
            black_box: self.text(Id::FailsafeBlackBox).map(path)?,
        })
    }

    pub(super) fn sim(&mut self) -> Found<Sim> {
        let actuator_log = self.text(Id::SimActuatorLog).map(some_text);
        let faults = self.parsed(Id::SimFaults, fault::parse);
        Ok(Sim {
            actuator_log: actuator_log?.map(PathBuf::from),
            faults: faults?,
        })
    }
}

fn pulses(pulse: impl Fn(Id) -> Found<u16>) -> Found<CalibrationFields> {
    // The schema allows what PulseWidth allows, so nothing is changed here.
    let width = |id| pulse(id).map(|micros| PulseWidth::saturating(u32::from(micros)));
    Ok(CalibrationFields {
        throttle_min: width(Id::CalibrationThrottleMinUs)?,
        throttle_zero: width(Id::CalibrationThrottleZeroUs)?,
        forward_zero: width(Id::CalibrationForwardZeroUs)?,
        throttle_max: width(Id::CalibrationThrottleMaxUs)?,
        steering_min: width(Id::CalibrationSteeringMinUs)?,
        steering_zero: width(Id::CalibrationSteeringZeroUs)?,
        steering_max: width(Id::CalibrationSteeringMaxUs)?,
        brake: width(Id::CalibrationBrakeUs)?,
    })
}

fn default_pulse(id: Id) -> Found<u16> {
    match id.key().kind.default_value() {
        Value::Whole(micros) => u16::try_from(micros).map_err(|_| Noted),
        Value::Text(_) | Value::Flag(_) | Value::Servers(_) => Err(Noted),
    }
}
