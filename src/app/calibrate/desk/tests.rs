//! A person at the keys before a real vehicle, on a virtual clock.

use super::*;
use crate::app::calibrate::screen::{WIDTH, lines};
use crate::logic::failsafe::{Cause, Health};
use crate::logic::intent::Intent;
use crate::logic::vehicle::{Step, Vehicle};

struct Bench {
    desk: Desk,
    vehicle: Vehicle,
    intent: Intent,
    now_ms: u64,
    last: Step,
}

impl Bench {
    fn new() -> Self {
        Self::with(false)
    }

    fn with(steering_reversed: bool) -> Self {
        let mut config = crate::config::built_in();
        config.drive.config.steering_reversed = steering_reversed;
        let now = Uptime::from_micros(10_000_000);
        let mut vehicle = config.vehicle(now).with_remote_calibration();
        let mut intent = Intent::default();
        intent.set_link(now, true);
        let last = vehicle.step(now, &intent, Health::GOOD);
        let pulses = vehicle.calibration().fields().to_pulses();
        let mut bench = Self {
            desk: Desk::new(LeaseId::new(5), pulses),
            vehicle,
            intent,
            now_ms: 10_000,
            last,
        };
        bench.wait(500);
        bench
    }

    fn now(&self) -> Uptime {
        Uptime::from_micros(self.now_ms * 1000)
    }

    /// Time passes, the desk speaks each 20 ms, the car steps each 5 ms.
    fn wait(&mut self, ms: u64) -> &Step {
        for _ in 0..ms / 5 {
            self.now_ms += 5;
            if self.now_ms.is_multiple_of(20) {
                for incoming in self.desk.speak(self.now(), &self.last.status) {
                    let holder = self.last.status.holder;
                    self.intent.fold(self.now(), &incoming, holder);
                }
            }
            self.last = self.vehicle.step(self.now(), &self.intent, Health::GOOD);
        }
        &self.last
    }

    fn press(&mut self, key: Key) {
        self.desk.press(self.now(), key, &self.last.status);
    }

    /// A key is held: it repeats after half a second, then thirty times a second.
    fn hold(&mut self, key: Key, ms: u64) -> &Step {
        self.press(key);
        self.wait(500.min(ms));
        for _ in 0..ms.saturating_sub(500) / 30 {
            self.press(key);
            self.wait(30);
        }
        &self.last
    }

    fn throttle(&self) -> u16 {
        self.last.setpoint.throttle.get()
    }
}

#[test]
fn a_pulse_is_out_while_a_key_is_held_and_neutral_a_second_after_the_last() {
    let mut bench = Bench::new();
    assert_eq!(
        (bench.throttle(), bench.last.state),
        (1500, State::Disarmed)
    );
    bench.press(Key::Field(1));
    bench.hold(Key::Hold, 2_000);
    assert_eq!(
        (bench.throttle(), bench.last.cause),
        (1540, Cause::Calibrate)
    );
    // The last key was 30 ms before.
    bench.wait(960);
    assert_eq!(bench.throttle(), 1540);
    bench.wait(40);
    assert_eq!(bench.throttle(), 1500);
    assert_eq!(
        bench.last.state,
        State::Live,
        "he is there, and asks for nothing"
    );
    bench.hold(Key::Move(1), 800);
    assert_eq!(bench.throttle(), 1540 + 11);
    bench.press(Key::Neutral);
    bench.wait(20);
    assert_eq!(bench.throttle(), 1500);
}

#[test]
fn a_terminal_that_hangs_is_a_driver_who_fell_silent() {
    let mut bench = Bench::new();
    bench.press(Key::Field(2));
    bench.hold(Key::Hold, 3_000);
    assert_eq!(bench.throttle(), 2000);
    let since_he_spoke = bench.now_ms % 20;
    bench.wait(20 - since_he_spoke);
    for ms in (5..=105).step_by(5) {
        bench.now_ms += 5;
        bench.last = bench.vehicle.step(bench.now(), &bench.intent, Health::GOOD);
        assert_eq!(bench.throttle() == 1500, ms > 100, "{ms} ms");
    }
    bench.now_ms += 100;
    bench.last = bench.vehicle.step(bench.now(), &bench.intent, Health::GOOD);
    assert_eq!(bench.last.cause, Cause::Silence);
    // It comes back: by a key, from neutral.
    bench.desk.held_until = None;
    bench.wait(1_000);
    assert_eq!(
        (bench.throttle(), bench.last.state),
        (1500, State::Disarmed)
    );
    bench.hold(Key::Hold, 500);
    assert_eq!(bench.last.state, State::Live);
}

#[test]
fn what_was_measured_is_saved_and_in_force_when_the_car_was_let_go() {
    let mut bench = Bench::new();
    bench.press(Key::Move(10));
    assert!(bench.desk.is_new(&bench.last.status));
    bench.press(Key::Field(5));
    bench.press(Key::Move(-10));
    bench.press(Key::Save);
    bench.wait(1_000);
    assert_eq!(bench.desk.says, "saved");
    assert_eq!(bench.vehicle.neutral().throttle.get(), 1510);
    assert_eq!(bench.vehicle.neutral().steering.get(), 1490);
    assert!(!bench.desk.is_new(&bench.last.status));
    assert_eq!(bench.last.state, State::Disarmed);
    bench.press(Key::Reset);
    bench.wait(500);
    assert_eq!(bench.vehicle.neutral().throttle.get(), 1510, "not yet sure");
    bench.press(Key::Reset);
    bench.wait(1_000);
    assert_eq!(bench.vehicle.neutral().throttle.get(), 1500);
    assert_eq!(get(&bench.desk.pulses, 0), 1500);
}

#[test]
fn nonsense_is_answered_and_a_window_is_told() {
    let mut bench = Bench::new();
    bench.press(Key::Field(1));
    for _ in 0..10 {
        bench.press(Key::Move(-10));
    }
    bench.press(Key::Save);
    bench.wait(1_000);
    assert!(
        bench.desk.says.contains("must not be shorter"),
        "{}",
        bench.desk.says
    );
    bench.press(Key::Revert);
    assert_eq!(get(&bench.desk.pulses, 1), 1540);
    bench.press(Key::Field(2));
    for _ in 0..30 {
        bench.press(Key::Move(10));
    }
    assert_eq!(get(&bench.desk.pulses, 2), 2200);
    assert!(bench.desk.says.contains("200 us"), "{}", bench.desk.says);
}

#[test]
fn who_goes_with_something_new_is_asked_once() {
    let mut bench = Bench::new();
    bench.press(Key::Quit);
    assert!(bench.desk.is_over);
    let mut bench = Bench::new();
    bench.press(Key::Move(1));
    bench.press(Key::Quit);
    assert!(!bench.desk.is_over && bench.desk.says.contains("not saved"));
    bench.press(Key::Quit);
    assert!(bench.desk.is_over);
}

#[test]
fn every_field_has_its_place_and_name() {
    let mut pulses = Pulses::default();
    for (place, field) in FIELDS.iter().enumerate() {
        *slot(&mut pulses, place) = 1000 + u16::try_from(place).unwrap();
        assert_eq!(place_of(field.name), Some(place));
    }
    let text = serde_json::to_string(&pulses).unwrap();
    for (place, field) in FIELDS.iter().enumerate() {
        let pair = format!("\"{}\":{}", field.name, 1000 + place);
        assert!(text.contains(&pair), "{pair} in {text}");
    }
}

#[test]
fn the_ends_of_the_steering_are_called_what_this_car_does_at_them() {
    for (is_reversed, short, long) in [
        (false, "full right", "full left"),
        (true, "full left", "full right"),
    ] {
        let bench = Bench::with(is_reversed);
        let lines = lines(&bench.desk, bench.now(), &bench.last.status, 0, "");
        for (name, says) in [
            ("steering_min_us", short),
            ("steering_zero_us", "straight ahead"),
            ("steering_max_us", long),
        ] {
            let line = lines.iter().find(|line| line.contains(name)).unwrap();
            assert!(line.ends_with(says), "{line}");
        }
    }
}

#[test]
fn a_screen_fits_the_smallest_terminal_whatever_there_is_to_say() {
    let mut bench = Bench::new();
    bench.press(Key::Field(7));
    bench.press(Key::Move(10));
    bench.desk.says = "x".repeat(300);
    let about = "a".repeat(200);
    for stored in 0..4 {
        let lines = lines(&bench.desk, bench.now(), &bench.last.status, stored, &about);
        assert!(lines.len() < 24, "{}", lines.len());
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }
}
