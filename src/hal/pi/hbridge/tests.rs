//! The bridge on pins that write down what they get: which levels, in which order, and never two directions at once.

use std::sync::Arc;

use super::super::servo::tests::{Record, TestLine, TestPin, setpoint};
use super::*;

const DEAD_TIME: Duration = Duration::from_millis(10);

fn motor(names: [&'static str; 3], record: &Record) -> HalfBridge<TestPin, TestLine> {
    let pin = |name| TestPin(name, Arc::clone(record));
    HalfBridge::new(
        pin(names[0]),
        pin(names[1]),
        TestLine::new(names[2], 1000, record),
        DEAD_TIME,
    )
}

fn servo_car(neutral: NeutralKind, record: &Record) -> Bridge<TestPin, TestLine> {
    let servo = Servo::new(TestLine::new("servo", 50, record));
    let enable = TestPin("enable", Arc::clone(record));
    let motor = motor(["fwd", "rev", "speed"], record);
    Bridge::new(motor, Steerer::Servo(servo), Some(enable), neutral)
}

fn put(
    bridge: &mut Bridge<TestPin, TestLine>,
    millis: u64,
    throttle: u32,
    steering: u32,
) -> Progress {
    let now = Uptime::from_micros(millis * 1000);
    bridge.put(now, setpoint(throttle, steering)).unwrap()
}

fn taken(record: &Record) -> Vec<(&'static str, u16)> {
    std::mem::take(&mut record.lock().unwrap())
}

/// The level of each pin after what was written.
fn level(record: &Record, name: &str) -> Option<u16> {
    let record = record.lock().unwrap();
    record
        .iter()
        .rev()
        .find(|(of, _)| *of == name)
        .map(|(_, value)| *value)
}

#[test]
fn forward_turns_the_other_pin_off_first_and_the_speed_on_last() {
    let record = Record::default();
    let mut bridge = servo_car(NeutralKind::Coast, &record);
    assert_eq!(put(&mut bridge, 0, 1750, 1500), Progress::Done);
    assert_eq!(
        taken(&record),
        [
            ("enable", 1),
            ("speed", 0),
            ("rev", 0),
            ("fwd", 1),
            ("speed", 5000),
            ("servo", 1500)
        ]
    );
    put(&mut bridge, 5, 2000, 1500);
    assert_eq!(
        taken(&record),
        [
            ("enable", 1),
            ("rev", 0),
            ("fwd", 1),
            ("speed", 10_000),
            ("servo", 1500)
        ],
        "faster, without a gap"
    );
}

#[test]
fn neutral_takes_the_speed_away_first_and_lets_go_or_brakes() {
    for (kind, wanted) in [
        (
            NeutralKind::Coast,
            vec![
                ("speed", 0),
                ("fwd", 0),
                ("rev", 0),
                ("servo", 1500),
                ("enable", 0),
            ],
        ),
        (
            NeutralKind::Brake,
            vec![
                ("enable", 1),
                ("speed", 0),
                ("fwd", 1),
                ("rev", 1),
                ("speed", 10_000),
                ("servo", 1500),
            ],
        ),
    ] {
        let record = Record::default();
        let mut bridge = servo_car(kind, &record);
        put(&mut bridge, 0, 2000, 1500);
        taken(&record);
        assert_eq!(put(&mut bridge, 5, 1500, 1500), Progress::Done);
        assert_eq!(taken(&record), wanted, "{kind:?}");
    }
}

/// Neutral is written again and again. Measured on the emulated Pi: each time the speed pin of a braking car went low.
#[test]
fn a_brake_that_is_kept_never_lets_the_motor_go() {
    let record = Record::default();
    let left = motor(["lf", "lr", "ls"], &record);
    let right = motor(["rf", "rr", "rs"], &record);
    let broken = Arc::clone(&left.speed.fails);
    let mut bridge = Bridge::new(left, Steerer::Skid(right), None, NeutralKind::Brake);
    put(&mut bridge, 0, 1500, 1500);
    taken(&record);
    let pins = ["lf", "lr", "ls", "rf", "rr", "rs"];
    let kept = pins.map(|name| (name, if name.ends_with('s') { 10_000 } else { 1 }));
    put(&mut bridge, 100, 1500, 1500);
    assert_eq!(
        taken(&record),
        kept,
        "all of it is written, and nothing is taken away"
    );
    put(&mut bridge, 200, 2000, 1750);
    taken(&record);
    put(&mut bridge, 220, 2000, 1750);
    let inner = kept.first_chunk::<3>().unwrap();
    assert!(
        taken(&record).starts_with(inner),
        "the inner side of a turn brakes"
    );
    // With a line in doubt the next brake begins at the beginning.
    *broken.lock().unwrap() = true;
    bridge
        .put(Uptime::from_micros(300_000), setpoint(1500, 1500))
        .unwrap_err();
    *broken.lock().unwrap() = false;
    taken(&record);
    put(&mut bridge, 400, 1500, 1500);
    assert_eq!(taken(&record).first(), Some(&("ls", 0)));
}

#[test]
fn between_two_directions_both_pins_are_low_for_the_dead_time() {
    let record = Record::default();
    let mut bridge = servo_car(NeutralKind::Coast, &record);
    put(&mut bridge, 0, 2000, 1500);
    for millis in [100, 105, 109] {
        taken(&record);
        assert_eq!(
            put(&mut bridge, millis, 1000, 1500),
            Progress::Pending,
            "{millis}"
        );
        let levels = ["fwd", "rev", "speed"].map(|name| level(&record, name));
        assert_eq!(levels, [Some(0); 3], "{millis}");
    }
    assert_eq!(put(&mut bridge, 110, 1000, 1500), Progress::Done);
    let levels = ["fwd", "rev", "speed"].map(|name| level(&record, name));
    assert_eq!(levels, [Some(0), Some(1), Some(10_000)]);
}

#[test]
fn neutral_for_the_dead_time_is_rest_enough() {
    let record = Record::default();
    let mut bridge = servo_car(NeutralKind::Coast, &record);
    put(&mut bridge, 0, 2000, 1500);
    put(&mut bridge, 100, 1500, 1500);
    assert_eq!(put(&mut bridge, 109, 1000, 1500), Progress::Pending);
    assert_eq!(put(&mut bridge, 110, 1000, 1500), Progress::Done);
    put(&mut bridge, 200, 1500, 1500);
    assert_eq!(
        put(&mut bridge, 201, 1000, 1500),
        Progress::Done,
        "the same direction needs none"
    );
}

/// Random throttles and ticks: the bridge is never told both directions, and never turned round without the rest.
#[test]
fn no_sequence_shorts_the_bridge() {
    let record = Record::default();
    let mut bridge = servo_car(NeutralKind::Coast, &record);
    let mut pins = (0, 0);
    // The direction that was driven last, and since when both pins are low.
    let (mut last, mut low_since) = (pins, 0_u64);
    let (mut random, mut micros, mut turns) = (1_u32, 0, 0);
    for _ in 0..20_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let throttles = [1000, 1300, 1500, 1500, 1700, 2000];
        let throttle = throttles[usize::try_from(random >> 16).unwrap() % throttles.len()];
        micros += u64::from(random >> 8) % 9_000;
        let now = Uptime::from_micros(micros);
        bridge.put(now, setpoint(throttle, 1500)).unwrap();
        for (name, value) in taken(&record) {
            let before = pins;
            match name {
                "fwd" => pins.0 = value,
                "rev" => pins.1 = value,
                _ => {}
            }
            assert_ne!(pins, (1, 1), "both directions at {micros} us");
            if pins == (0, 0) {
                low_since = if before == (0, 0) { low_since } else { micros };
            } else if before == (0, 0) {
                let rest = micros - low_since;
                if last != pins && last != (0, 0) {
                    assert!(rest >= 10_000, "turned round after {rest} us");
                    turns += 1;
                }
                last = pins;
            }
        }
    }
    assert!(turns > 500, "only {turns} turns were seen");
}

#[test]
fn skid_steering_moves_nothing_without_throttle_and_turns_the_inner_side_back() {
    let mixed = |throttle, steering| {
        let (left, right) = mix(
            Throttle::saturating(throttle),
            Steering::saturating(steering),
        );
        (left.get(), right.get())
    };
    for steering in -1000..=1000 {
        assert_eq!(mixed(0, steering), (0, 0));
        for throttle in [-1000, -301, 1, 700, 1000] {
            let (left, right) = mixed(throttle, steering);
            let (mirrored_right, mirrored_left) = mixed(throttle, -steering);
            assert_eq!((left, right), (mirrored_left, mirrored_right));
            assert!(left.abs().max(right.abs()) == i16::try_from(throttle.abs()).unwrap());
        }
    }
    assert_eq!(mixed(1000, 0), (1000, 1000));
    assert_eq!(mixed(1000, 500), (0, 1000), "left: the left side stands");
    assert_eq!(mixed(800, 1000), (-800, 800), "on the spot");
    assert_eq!(mixed(-800, -1000), (-800, 800));
}

#[test]
fn a_skid_car_drives_both_motors() {
    let record = Record::default();
    let left = motor(["lf", "lr", "ls"], &record);
    let right = motor(["rf", "rr", "rs"], &record);
    let mut bridge = Bridge::new(left, Steerer::Skid(right), None, NeutralKind::Coast);
    put(&mut bridge, 0, 2000, 1750);
    let levels = ["lf", "lr", "ls", "rf", "rr", "rs"].map(|name| level(&record, name));
    assert_eq!(levels, [0, 0, 0, 1, 0, 10_000].map(Some));
}

#[test]
fn a_line_that_fails_is_told_and_the_other_motor_is_stopped_all_the_same() {
    let record = Record::default();
    let left = motor(["lf", "lr", "ls"], &record);
    let right = motor(["rf", "rr", "rs"], &record);
    let broken = Arc::clone(&left.speed.fails);
    let mut bridge = Bridge::new(left, Steerer::Skid(right), None, NeutralKind::Coast);
    put(&mut bridge, 0, 2000, 1500);
    *broken.lock().unwrap() = true;
    let err = bridge
        .put(Uptime::from_micros(5000), setpoint(1500, 1500))
        .unwrap_err();
    assert_eq!(err.to_string(), "broken");
    let levels = ["lf", "lr", "rf", "rr", "rs"].map(|name| level(&record, name));
    assert_eq!(levels, [Some(0); 5], "pins of the broken one too");
    assert!(bridge.look().is_err());
}

#[test]
fn the_guard_never_waits_for_the_control_thread() {
    let record = Record::default();
    let mut control = Shared::new(servo_car(NeutralKind::Coast, &record));
    let mut guard = control.spare().unwrap();
    let writing = control.with(|_| {
        let err = guard.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap_err();
        assert!(err.to_string().contains("right now"), "{err}");
        Ok(())
    });
    writing.unwrap();
    guard.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    control.put(Uptime::ZERO, setpoint(1600, 1500)).unwrap();
}

#[test]
fn a_panic_between_two_pins_does_not_lock_the_pins() {
    let record = Record::default();
    let mut guard = Shared::new(servo_car(NeutralKind::Coast, &record));
    let held = guard.clone();
    let panicked =
        std::thread::spawn(move || held.with(|_| -> Result<(), Source> { panic!("on purpose") }));
    assert!(panicked.join().is_err());
    guard.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    assert_eq!(level(&record, "speed"), Some(0));
}
