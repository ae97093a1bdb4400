//! Every throttle and steering on every calibration of the corners: order, range, ends, symmetry; and the limits.

use super::*;
use crate::logic::wire::{Axis, Tune};

/// Every throttle side that the corner pulses can make: those that `Calibration::new` accepts.
fn throttle_calibrations() -> Vec<CalibrationFields> {
    let mut all = Vec::new();
    for min in CORNERS {
        for zero in CORNERS {
            for forward_zero in CORNERS {
                for max in CORNERS {
                    for brake in CORNERS {
                        let fields = CalibrationFields {
                            throttle_min: pulse(min),
                            throttle_zero: pulse(zero),
                            forward_zero: pulse(forward_zero),
                            throttle_max: pulse(max),
                            brake: pulse(brake),
                            ..ordinary()
                        };
                        let in_order = min < zero
                            && zero <= forward_zero
                            && forward_zero < max
                            && min <= brake
                            && brake <= zero;
                        assert_eq!(Calibration::new(fields).is_ok(), in_order, "{fields:?}");
                        if in_order {
                            all.push(fields);
                        }
                    }
                }
            }
        }
    }
    all
}

fn steering_calibrations() -> Vec<CalibrationFields> {
    let mut all = Vec::new();
    for min in CORNERS {
        for zero in CORNERS {
            for max in CORNERS {
                let fields = CalibrationFields {
                    steering_min: pulse(min),
                    steering_zero: pulse(zero),
                    steering_max: pulse(max),
                    ..ordinary()
                };
                assert_eq!(
                    Calibration::new(fields).is_ok(),
                    min < zero && zero < max,
                    "{fields:?}"
                );
                if min < zero && zero < max {
                    all.push(fields);
                }
            }
        }
    }
    all
}

#[test]
fn every_throttle_of_every_calibration_is_in_order_and_in_range() {
    let calibrations = throttle_calibrations();
    // Counted by hand: of 7 pulses, for each zero those below it, the brakes between, and the pairs above.
    assert_eq!(calibrations.len(), 30 + 50 + 54 + 42 + 20);
    for fields in calibrations {
        let mut last = 0;
        for throttle in -1000..=1000 {
            let (micros, _) = pulses(fields, throttle, 0);
            assert!(micros >= last, "{throttle} of {fields:?} goes back");
            last = micros;
            let range = match throttle.signum() {
                -1 => fields.throttle_min..=fields.throttle_zero,
                0 => fields.throttle_zero..=fields.throttle_zero,
                _ => fields.forward_zero..=fields.throttle_max,
            };
            assert!(range.contains(&pulse(micros)), "{throttle} of {fields:?}");
        }
        assert_eq!(pulses(fields, -1000, 0).0, fields.throttle_min.get());
        assert_eq!(pulses(fields, 0, 0).0, fields.throttle_zero.get());
        assert_eq!(pulses(fields, 1000, 0).0, fields.throttle_max.get());
    }
}

#[test]
fn every_steering_of_every_calibration_is_in_order_and_in_range() {
    let calibrations = steering_calibrations();
    assert_eq!(calibrations.len(), 7 * 6 * 5 / 6, "three of seven pulses");
    for fields in calibrations {
        let mut last = 0;
        for steering in -1000..=1000 {
            let (_, micros) = pulses(fields, 0, steering);
            assert!(micros >= last, "{steering} of {fields:?} goes back");
            last = micros;
            let range = if steering < 0 {
                fields.steering_min..=fields.steering_zero
            } else {
                fields.steering_zero..=fields.steering_max
            };
            assert!(range.contains(&pulse(micros)), "{steering} of {fields:?}");
        }
        assert_eq!(pulses(fields, 0, -1000).1, fields.steering_min.get());
        assert_eq!(pulses(fields, 0, 0).1, fields.steering_zero.get());
        assert_eq!(pulses(fields, 0, 1000).1, fields.steering_max.get());
    }
}

#[test]
fn a_reversed_servo_gets_for_left_what_another_gets_for_right_and_nothing_else_changes() {
    for fields in steering_calibrations() {
        for steering in -1000..=1000 {
            let mut drive = car_reversed(fields);
            let setpoint = drive.step(at_ms(5), demand(700, steering));
            let (throttle, mirrored) = pulses(fields, 700, -steering);
            assert_eq!(
                (setpoint.throttle.get(), setpoint.steering.get()),
                (throttle, mirrored),
                "{steering} of {fields:?}"
            );
            // Whoever looks at the car, and not at its wires, sees left as left.
            assert_eq!(i32::from(drive.steering().get()), steering);
        }
        let mut drive = car_reversed(fields);
        let left = drive.step(at_ms(5), demand(0, 1000)).steering;
        assert_eq!(left, fields.steering_min, "full left of {fields:?}");
        assert_eq!(
            drive.neutral(),
            car(fields, NO_LIMITS, Reverse::Direct).neutral()
        );
        assert_eq!(drive.stop(at_ms(10)), drive.neutral());
    }
}

#[test]
fn a_pulse_that_is_tuned_is_itself_on_a_reversed_servo_too() {
    let mut drive = car_reversed(ordinary());
    let tune = Tune {
        axis: Axis::Steering,
        pulse: pulse(1530),
    };
    let mut setpoint = drive.neutral();
    for tick in 1..=10 {
        setpoint = drive.tune(at_ms(5 * tick), tune);
    }
    assert_eq!(setpoint.steering, pulse(1530));
}

fn car_reversed(fields: CalibrationFields) -> Drive {
    let config = DriveConfig {
        steering_reversed: true,
        ..config(fields, NO_LIMITS, Reverse::Direct)
    };
    Drive::new(at_ms(0), config)
}

#[test]
fn a_symmetric_car_is_driven_symmetrically() {
    for half in [1, 2, 3, 250, 499, 500] {
        let fields = CalibrationFields {
            throttle_min: pulse(1500 - half),
            throttle_zero: pulse(1500),
            forward_zero: pulse(1500),
            throttle_max: pulse(1500 + half),
            steering_min: pulse(1500 - half),
            steering_zero: pulse(1500),
            steering_max: pulse(1500 + half),
            brake: pulse(1500),
        };
        for permille in 0..=1000 {
            let (throttle, steering) = pulses(fields, permille, permille);
            let (back, right) = pulses(fields, -permille, -permille);
            assert_eq!(throttle - 1500, 1500 - back, "{permille} of {half}");
            assert_eq!(steering - 1500, 1500 - right, "{permille} of {half}");
            assert_eq!(throttle, steering);
            // The way is divided evenly: no permille is off by a microsecond or more.
            let exact = u32::from(half) * permille.unsigned_abs();
            assert_eq!(u32::from(throttle - 1500), exact / 1000);
        }
    }
}

#[test]
fn the_dead_band_is_skipped_by_the_smallest_throttle() {
    let fields = ordinary();
    assert_eq!(pulses(fields, 0, 0).0, fields.throttle_zero.get());
    assert_eq!(pulses(fields, 1, 0).0, fields.forward_zero.get());
    assert_eq!(pulses(fields, 2, 0).0, fields.forward_zero.get());
    assert_eq!(pulses(fields, 3, 0).0, fields.forward_zero.get() + 1);
    // Reverse has no dead band of its own: it begins at neutral.
    assert_eq!(pulses(fields, -1, 0).0, fields.throttle_zero.get());
    assert_eq!(pulses(fields, -3, 0).0, fields.throttle_zero.get() - 1);
}

#[test]
fn limits_cut_off_and_do_not_scale() {
    for limit in [0, 1, 499, 500, 1000] {
        let limits = Limits {
            max_forward: Throttle::new(limit).unwrap(),
            max_reverse: Throttle::new(limit / 2).unwrap(),
            max_steering: Steering::new(limit).unwrap(),
            ..NO_LIMITS
        };
        for permille in -1000..=1000 {
            let mut drive = car(ordinary(), limits, Reverse::Direct);
            let setpoint = drive.step(at_ms(5), demand(permille, permille));
            let throttle = permille.clamp(-(limit / 2), limit);
            let steering = permille.clamp(-limit, limit);
            assert_eq!(i32::from(drive.throttle().get()), throttle);
            assert_eq!(i32::from(drive.steering().get()), steering);
            let wanted = pulses(ordinary(), throttle, steering);
            assert_eq!(
                (setpoint.throttle.get(), setpoint.steering.get()),
                wanted,
                "{permille} under {limit}"
            );
        }
    }
}

#[test]
fn a_negative_limit_is_none_at_all() {
    let limits = Limits {
        max_forward: Throttle::MIN,
        max_reverse: Throttle::MIN,
        max_steering: Steering::MIN,
        ..NO_LIMITS
    };
    let mut drive = car(ordinary(), limits, Reverse::Direct);
    for permille in [-1000, -1, 1, 1000] {
        assert_eq!(
            drive.step(at_ms(5), demand(permille, permille)),
            drive.neutral()
        );
    }
}

#[test]
fn max_speed_makes_slower_and_never_faster() {
    let fields = ordinary();
    let mut drive = car(fields, NO_LIMITS, Reverse::Direct);
    let mut at = 5;
    for ticks in 0..=u16::MAX {
        let in_force = drive.limit_forward(ticks);
        at += 5;
        let full = drive.step(at_ms(at), demand(1000, 0)).throttle;
        assert!(
            full > fields.forward_zero && full <= fields.throttle_max,
            "{ticks}"
        );
        assert_eq!(in_force, full.to_ticks(), "the echo is what is in force");
        let asked = PulseWidth::saturating_from_ticks(ticks);
        if asked > fields.forward_zero && asked <= fields.throttle_max {
            assert_eq!(full, asked);
        }
        // Reverse is none of its business.
        assert_eq!(
            drive.step(at_ms(at), demand(-1000, 0)).throttle,
            fields.throttle_min
        );
    }
}

#[test]
fn legacy_steps_reach_full_scale_and_no_value_is_lost() {
    let steps = Steps::new(20, 7).unwrap();
    assert_eq!(steps.throttle(20_000), Throttle::MAX);
    assert_eq!(steps.throttle(-20_000), Throttle::MIN);
    assert_eq!(steps.throttle(i32::MAX), Throttle::MAX);
    assert_eq!(steps.throttle(i32::MIN), Throttle::MIN);
    assert_eq!(steps.throttle(0), Throttle::ZERO);
    assert_eq!(steps.throttle(1).get(), 1, "the smallest push still moves");
    assert_eq!(steps.throttle(-1).get(), -1);
    assert_eq!(steps.throttle(7_000).get(), 350);
    assert_eq!(steps.steering(7_000), Steering::MAX);
    assert_eq!(steps.steering(-3_500).get(), -500);
    let mut last = -1000;
    for milli_steps in -25_000..=25_000 {
        let permille = steps.throttle(milli_steps).get();
        assert!(permille >= last, "{milli_steps}");
        assert_eq!(i32::from(permille).signum(), milli_steps.signum());
        last = permille;
    }
    assert!(Steps::new(0, 20).is_none());
    assert!(Steps::new(20, 0).is_none());
}
