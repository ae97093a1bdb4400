//! Slew, coasting, and every sequence of sharp commands: never outside the calibration, never a jump upwards.

use super::*;

const SLEW: u32 = 2_000;

fn slewed() -> Limits {
    Limits {
        throttle_slew_per_s: SLEW,
        steering_slew_per_s: SLEW,
        ..NO_LIMITS
    }
}

#[test]
fn throttle_rises_by_the_slew_rate_and_falls_at_once() {
    let mut drive = car(ordinary(), slewed(), Reverse::Direct);
    for tick in 1..=100 {
        drive.step(at_ms(tick * 5), demand(1000, 0));
        assert_eq!(u64::from(drive.throttle().get().unsigned_abs()), tick * 10);
        assert_eq!(drive.next_at().is_some(), tick < 100);
    }
    drive.step(at_ms(505), demand(400, 0));
    assert_eq!(drive.throttle().get(), 400);
    drive.step(at_ms(510), demand(-1000, 0));
    assert_eq!(
        drive.throttle().get(),
        -10,
        "through neutral, then by the rate"
    );
    drive.step(at_ms(515), demand(0, 0));
    assert_eq!(drive.throttle().get(), 0);
}

#[test]
fn the_last_bit_of_a_ramp_is_not_overshot() {
    let mut drive = car(ordinary(), slewed(), Reverse::Direct);
    for (tick, wanted) in [(1, 10), (2, 15), (3, 15)] {
        drive.step(at_ms(tick * 5), demand(15, -15));
        assert_eq!(
            (drive.throttle().get(), drive.steering().get()),
            (wanted, -wanted)
        );
    }
}

#[test]
fn steering_leaves_the_centre_by_the_slew_rate_and_returns_at_once() {
    let mut drive = car(ordinary(), slewed(), Reverse::Direct);
    drive.step(at_ms(5), demand(0, -1000));
    assert_eq!(drive.steering().get(), -10);
    assert!(drive.next_at().is_some());
    drive.step(at_ms(10), demand(0, -5));
    assert_eq!(drive.steering().get(), -5);
    assert!(drive.next_at().is_none());
    drive.step(at_ms(15), demand(0, 1000));
    assert_eq!(drive.steering().get(), 10);
}

#[test]
fn a_slow_rate_loses_no_fraction() {
    let limits = Limits {
        throttle_slew_per_s: 1,
        ..NO_LIMITS
    };
    let mut drive = car(ordinary(), limits, Reverse::Direct);
    for tick in 1..=10_000 {
        drive.step(at_ms(tick), demand(1000, 0));
    }
    assert_eq!(
        drive.throttle().get(),
        10,
        "one permille a second, for ten seconds"
    );
}

#[test]
fn time_in_which_nobody_asked_saves_up_no_jump() {
    let mut drive = car(ordinary(), slewed(), Reverse::Direct);
    drive.step(at_ms(60_000), demand(1000, 0));
    assert_eq!(drive.throttle().get(), 40, "20 ms of slew, not a minute");
    drive.step(at_ms(50_000), demand(1000, 0));
    assert_eq!(
        drive.throttle().get(),
        40,
        "a clock that goes back gives nothing"
    );
}

#[test]
fn coasting_is_a_line_from_where_it_began_and_holds_the_wheels() {
    for start in [1000, 600, -600, -1000, 1] {
        let mut drive = car(ordinary(), NO_LIMITS, Reverse::Direct);
        drive.step(at_ms(5), demand(start, 700));
        let mut last = start.abs();
        for left in (0..=1000).rev() {
            drive.coast(at_ms(10), left);
            let throttle = i32::from(drive.throttle().get());
            assert_eq!(throttle, start * i32::from(left) / 1000, "{start} {left}");
            assert!(throttle.abs() <= last);
            last = throttle.abs();
            assert_eq!(drive.steering().get(), 700);
        }
        assert_eq!(drive.coast(at_ms(15), 0).throttle.get(), 1490);
        // Whatever the caller says of the way that is left: nothing rises until somebody drives again.
        drive.coast(at_ms(20), u16::MAX);
        assert_eq!(drive.throttle().get(), 0);
        drive.step(at_ms(25), demand(200, 0));
        drive.coast(at_ms(30), 500);
        assert_eq!(drive.throttle().get(), 100);
    }
}

#[test]
fn a_stop_forgets_where_it_was() {
    let mut drive = car(ordinary(), slewed(), Reverse::Direct);
    for tick in 1..=50 {
        drive.step(at_ms(tick * 5), demand(1000, 1000));
    }
    assert_eq!(drive.stop(at_ms(255)), drive.neutral());
    assert_eq!((drive.throttle().get(), drive.steering().get()), (0, 0));
    drive.step(at_ms(260), demand(1000, 1000));
    assert_eq!((drive.throttle().get(), drive.steering().get()), (10, 10));
}

/// One thing that can be done to a drive.
#[derive(Clone, Copy, Debug)]
enum Act {
    Step(Demand),
    Coast(u16),
    Stop,
    Limit(u16),
}

fn acts() -> Vec<Act> {
    let forward_of_zero = Demand {
        forward: true,
        ..demand(0, 0)
    };
    vec![
        Act::Step(demand(1000, -1000)),
        Act::Step(demand(1, 1)),
        Act::Step(demand(0, 1000)),
        Act::Step(forward_of_zero),
        Act::Step(demand(-1000, 0)),
        Act::Coast(1000),
        Act::Coast(0),
        Act::Stop,
        Act::Limit(0),
        Act::Limit(u16::MAX),
    ]
}

/// Does one thing and checks what must be true after any.
fn act_and_check(drive: &mut Drive, now: Uptime, act: Act, fields: &CalibrationFields, slew: u32) {
    let before = drive.clone();
    let setpoint = match act {
        Act::Step(demand) => drive.step(now, demand),
        Act::Coast(left) => drive.coast(now, left),
        Act::Stop => drive.stop(now),
        Act::Limit(ticks) => {
            drive.limit_forward(ticks);
            drive.setpoint()
        }
    };
    assert!(setpoint.throttle >= fields.throttle_min && setpoint.throttle <= fields.throttle_max);
    assert!(setpoint.steering >= fields.steering_min && setpoint.steering <= fields.steering_max);
    match act {
        Act::Stop => assert_eq!(setpoint, drive.neutral()),
        Act::Coast(_) => assert!(drive.throttle.abs() <= before.throttle.abs()),
        Act::Step(demand) => {
            let rise = drive.throttle.abs() - before.throttle.abs();
            let longest = i64::try_from(LONGEST_TICK.as_micros()).unwrap() * i64::from(slew);
            assert!(slew == 0 || rise <= longest, "a jump of {rise} parts");
            assert!(drive.throttle.abs() <= parts(demand.throttle.get()).abs());
            if demand.throttle.get() >= 0 {
                assert!(
                    setpoint.throttle >= fields.throttle_zero,
                    "backwards by {demand:?}"
                );
            } else {
                assert!(
                    setpoint.throttle <= fields.throttle_zero,
                    "forwards by {demand:?}"
                );
            }
        }
        Act::Limit(_) => {}
    }
}

/// Every continuation of `depth` acts, each after each of the waits.
fn explore(drive: &Drive, now: Uptime, depth: u32, fields: &CalibrationFields, slew: u32) -> u64 {
    let mut count = 0;
    if depth == 0 {
        return 1;
    }
    for act in acts() {
        for wait_us in [0, 5_000, 1_000_000] {
            let mut next = drive.clone();
            let at = now.after(Duration::from_micros(wait_us));
            act_and_check(&mut next, at, act, fields, slew);
            count += explore(&next, at, depth - 1, fields, slew);
        }
    }
    count
}

#[test]
fn no_sequence_of_four_leaves_the_calibration() {
    let esc = Reverse::Esc {
        brake: Duration::from_millis(80),
        neutral: Duration::from_millis(60),
    };
    let tight = CalibrationFields {
        throttle_min: pulse(500),
        throttle_zero: pulse(501),
        forward_zero: pulse(2499),
        throttle_max: pulse(2500),
        steering_min: pulse(500),
        steering_zero: pulse(2499),
        steering_max: pulse(2500),
        brake: pulse(500),
    };
    for (fields, limits, reverse) in [
        (ordinary(), NO_LIMITS, Reverse::Direct),
        (ordinary(), slewed(), esc),
        (tight, slewed(), esc),
    ] {
        let drive = car(fields, limits, reverse);
        let slew = limits.throttle_slew_per_s;
        assert_eq!(explore(&drive, at_ms(0), 4, &fields, slew), 30_u64.pow(4));
    }
}
