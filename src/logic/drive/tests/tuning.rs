//! One output at an exact pulse: inside its window, never a jump away from neutral, and gone without a trace.

use super::*;
use crate::logic::wire::Tune;

const WINDOW: (u16, u16) = (810, 2180);

fn tune(axis: Axis, micros: u16) -> Tune {
    let pulse = pulse(micros);
    Tune { axis, pulse }
}

fn of(axis: Axis, setpoint: Setpoint) -> (u16, u16) {
    let (throttle, steering) = (setpoint.throttle.get(), setpoint.steering.get());
    match axis {
        Axis::Throttle => (throttle, steering),
        Axis::Steering => (steering, throttle),
    }
}

#[test]
fn the_window_is_the_calibration_and_a_little_more_but_always_a_pulse() {
    let window = |fields: CalibrationFields, axis| {
        let (shortest, neutral, longest) = Calibration::new(fields).unwrap().window(axis);
        (shortest.get(), neutral.get(), longest.get())
    };
    assert_eq!(window(ordinary(), Axis::Throttle), (810, 1490, 2180));
    assert_eq!(window(ordinary(), Axis::Steering), (900, 1520, 2100));
    let wide = CalibrationFields {
        throttle_min: pulse(600),
        throttle_max: pulse(2500),
        brake: pulse(600),
        ..ordinary()
    };
    assert_eq!(window(wide, Axis::Throttle), (500, 1490, 2500));
}

#[test]
fn it_leaves_neutral_by_the_rate_and_returns_at_once_or_through_it() {
    for (axis, neutral, per_tick) in [(Axis::Throttle, 1490, 125), (Axis::Steering, 1520, 500)] {
        // Parts of a hundredth of a microsecond: 250 and 1000 us a second in 5 ms.
        let mut drive = car(ordinary(), NO_LIMITS, Reverse::Direct);
        for tick in 1..=20_u16 {
            let setpoint = drive.tune(at_ms(u64::from(tick) * 5), tune(axis, neutral + 100));
            let wanted = (neutral + tick * per_tick / 100).min(neutral + 100);
            assert_eq!(of(axis, setpoint).0, wanted, "{axis:?} {tick}");
            assert_eq!(drive.next_at().is_some(), wanted < neutral + 100);
        }
        let setpoint = drive.tune(at_ms(105), tune(axis, neutral + 3));
        assert_eq!(of(axis, setpoint).0, neutral + 3, "back at once");
        let setpoint = drive.tune(at_ms(110), tune(axis, neutral - 100));
        let first = i32::from(neutral) - i32::from(per_tick) / 100;
        let got = i32::from(of(axis, setpoint).0);
        assert!((first..i32::from(neutral)).contains(&got), "{axis:?} {got}");
    }
}

#[test]
fn every_pulse_ends_where_it_was_asked_for_or_at_the_edge_of_the_window() {
    let mut drive = car(ordinary(), NO_LIMITS, Reverse::Direct);
    let mut now_ms = 0;
    for micros in (500..=2500).step_by(7) {
        let mut got = (0, 0);
        for _ in 0..700 {
            now_ms += 20;
            got = of(
                Axis::Throttle,
                drive.tune(at_ms(now_ms), tune(Axis::Throttle, micros)),
            );
            assert!((WINDOW.0..=WINDOW.1).contains(&got.0));
            assert_eq!(got.1, 1520, "the other one is at neutral");
            if drive.next_at().is_none() {
                break;
            }
        }
        assert_eq!(got.0, micros.clamp(WINDOW.0, WINDOW.1));
    }
}

#[test]
fn time_in_which_nobody_asked_saves_up_no_jump() {
    let mut drive = car(ordinary(), NO_LIMITS, Reverse::Direct);
    let setpoint = drive.tune(at_ms(100_000), tune(Axis::Throttle, 2000));
    assert_eq!(setpoint.throttle.get(), 1495, "one longest tick of 20 ms");
}

#[test]
fn whatever_comes_between_begins_at_neutral_again() {
    type Between = fn(&mut Drive, Uptime) -> Setpoint;
    let between: [(&str, Between); 4] = [
        ("a stop", |drive, now| drive.stop(now)),
        ("a coast", |drive, now| drive.coast(now, 900)),
        ("a command", |drive, now| drive.step(now, demand(0, 0))),
        ("the other output", |drive, now| {
            drive.tune(now, tune(Axis::Steering, 1520))
        }),
    ];
    for (name, act) in between {
        let mut drive = car(ordinary(), NO_LIMITS, Reverse::Direct);
        for tick in 1..200 {
            drive.tune(at_ms(tick * 20), tune(Axis::Throttle, 1600));
        }
        let setpoint = act(&mut drive, at_ms(4_000));
        assert_eq!(setpoint, drive.neutral(), "{name}");
        let setpoint = drive.tune(at_ms(4_005), tune(Axis::Throttle, 1600));
        assert_eq!(setpoint.throttle.get(), 1491, "{name}");
    }
}

#[test]
fn the_next_reverse_after_tuning_begins_with_the_brake() {
    let esc = Reverse::Esc {
        brake: Duration::from_millis(100),
        neutral: Duration::from_millis(50),
    };
    let mut drive = car(ordinary(), NO_LIMITS, esc);
    for ms in [0, 100, 150, 200] {
        drive.step(at_ms(ms), demand(-500, 0));
    }
    assert!(!drive.is_braking() && drive.throttle().get() == -500);
    drive.tune(at_ms(205), tune(Axis::Throttle, 1600));
    let setpoint = drive.step(at_ms(210), demand(-500, 0));
    assert!(drive.is_braking());
    assert_eq!(setpoint.throttle.get(), 1300);
}

#[test]
fn another_calibration_is_used_at_once_and_a_max_speed_stays_a_wish() {
    let mut drive = car(ordinary(), NO_LIMITS, Reverse::Direct);
    assert_eq!(drive.limit_forward(440), 440);
    assert_eq!(drive.max_speed(), Some(440));
    let full = |drive: &mut Drive, ms| drive.step(at_ms(ms), demand(1000, 0)).throttle.get();
    assert_eq!(full(&mut drive, 5), 1790);
    let slower = CalibrationFields {
        throttle_zero: pulse(1500),
        throttle_max: pulse(1700),
        ..ordinary()
    };
    drive.recalibrate(Calibration::new(slower).unwrap());
    assert_eq!(drive.neutral().throttle.get(), 1500);
    assert_eq!(full(&mut drive, 10), 1700);
    drive.recalibrate(Calibration::new(ordinary()).unwrap());
    assert_eq!(full(&mut drive, 15), 1790, "the wish is in force again");
    assert_eq!(drive.limit_forward(4095), 487);
    assert_eq!(
        drive.max_speed(),
        None,
        "at the calibrated maximum it is no limit"
    );
    drive.restore_limit(Some(440));
    assert_eq!(full(&mut drive, 20), 1790);
}
