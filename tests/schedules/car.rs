//! The car of the schedules: the numbers of the default configuration, without its slew rate.
//!
//! So that what is asked for is what must come out, in the same step. It needs nothing but `logic`, so that these tests also
//! run without the rest of the program (`--no-default-features`), which makes them quick enough for mutation testing.

use std::time::Duration;

use spidercar::logic::drive::{
    Calibration, CalibrationFields, DriveConfig, Limits, Reverse, Steps,
};
use spidercar::logic::failsafe::FailsafeConfig;
use spidercar::logic::units::{PulseWidth, Steering, Throttle, Uptime};
use spidercar::logic::vehicle::Vehicle;

#[derive(Clone, Copy)]
pub struct Car {
    pub drive: DriveConfig,
    pub failsafe: FailsafeConfig,
}

impl Car {
    pub fn new(reverse: Reverse, legacy_age_ms: u64) -> Self {
        let pulse = PulseWidth::saturating;
        let ms = Duration::from_millis;
        let calibration = Calibration::new(CalibrationFields {
            throttle_min: pulse(1000),
            throttle_zero: pulse(1500),
            forward_zero: pulse(1540),
            throttle_max: pulse(2000),
            steering_min: pulse(1000),
            steering_zero: pulse(1500),
            steering_max: pulse(2000),
            brake: pulse(1300),
        });
        Self {
            drive: DriveConfig {
                calibration: calibration.expect("in order"),
                limits: Limits {
                    max_forward: Throttle::MAX,
                    max_reverse: Throttle::MAX,
                    max_steering: Steering::MAX,
                    throttle_slew_per_s: 0,
                    steering_slew_per_s: 0,
                },
                reverse,
                steps: Steps::new(20, 20).expect("not zero"),
                steering_reversed: false,
            },
            failsafe: FailsafeConfig::new(ms(100), ms(200), ms(300), ms(legacy_age_ms), ms(150))
                .expect("in range"),
        }
    }

    pub fn vehicle(&self, at: Uptime) -> Vehicle {
        Vehicle::new(at, self.drive, self.failsafe).with_remote_calibration()
    }
}
