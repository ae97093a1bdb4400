//! The arithmetic of motion over every throttle, every steering and the corners of every calibration.
//!
//! Nothing here is sampled where it can be counted: 2001 throttles and 2001 steerings on each calibration that seven
//! pulses can make, every tick and brake time that matters, and every sequence of four from a set of sharp commands.

use super::*;

mod corners;
mod gears;
mod sequences;
mod tuning;

/// Pulses at which a calibration may have a corner: both ends, both middles, and neighbours.
const CORNERS: [u16; 7] = [500, 501, 1000, 1500, 1501, 2499, 2500];

const NO_LIMITS: Limits = Limits {
    max_forward: Throttle::MAX,
    max_reverse: Throttle::MAX,
    max_steering: Steering::MAX,
    throttle_slew_per_s: 0,
    steering_slew_per_s: 0,
};

fn pulse(micros: u16) -> PulseWidth {
    PulseWidth::new(micros).unwrap()
}

/// The calibration of the default configuration, for the tests of whoever needs one.
pub(crate) fn default_calibration() -> Calibration {
    Calibration::new(CalibrationFields {
        throttle_min: pulse(1000),
        throttle_zero: pulse(1500),
        forward_zero: pulse(1540),
        throttle_max: pulse(2000),
        steering_min: pulse(1000),
        steering_zero: pulse(1500),
        steering_max: pulse(2000),
        brake: pulse(1300),
    })
    .unwrap()
}

/// A car of the default configuration without limits, for the tests of whoever needs one.
pub(crate) fn unlimited(reverse: Reverse) -> DriveConfig {
    config(*default_calibration().fields(), NO_LIMITS, reverse)
}

/// An ordinary car, off centre so that nothing is right by symmetry alone.
fn ordinary() -> CalibrationFields {
    CalibrationFields {
        throttle_min: pulse(1010),
        throttle_zero: pulse(1490),
        forward_zero: pulse(1530),
        throttle_max: pulse(1980),
        steering_min: pulse(1100),
        steering_zero: pulse(1520),
        steering_max: pulse(1900),
        brake: pulse(1300),
    }
}

fn car(fields: CalibrationFields, limits: Limits, reverse: Reverse) -> Drive {
    Drive::new(at_ms(0), config(fields, limits, reverse))
}

fn config(fields: CalibrationFields, limits: Limits, reverse: Reverse) -> DriveConfig {
    DriveConfig {
        calibration: Calibration::new(fields).unwrap(),
        limits,
        reverse,
        steps: Steps::new(20, 20).unwrap(),
        steering_reversed: false,
    }
}

fn at_ms(ms: u64) -> Uptime {
    Uptime::from_micros(ms * 1000)
}

fn demand(throttle: i32, steering: i32) -> Demand {
    Demand {
        throttle: Throttle::new(throttle).unwrap(),
        steering: Steering::new(steering).unwrap(),
        forward: false,
    }
}

/// The pulses that a fresh, unlimited car makes of one command.
fn pulses(fields: CalibrationFields, throttle: i32, steering: i32) -> (u16, u16) {
    let setpoint =
        car(fields, NO_LIMITS, Reverse::Direct).step(at_ms(5), demand(throttle, steering));
    (setpoint.throttle.get(), setpoint.steering.get())
}
