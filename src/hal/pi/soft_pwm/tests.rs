//! The pulse thread on a pin that notes when it was switched.
//!
//! What is asserted holds on a machine of any load: order, ends, and that no pulse is shorter than asked. How much longer
//! pulses get is a figure (`scripts/bench.sh`), not a test.

use std::sync::Mutex;

use super::super::servo::Servo;
use super::*;
use crate::logic::units::PulseWidth;

#[derive(Clone, Default)]
struct Scope(Arc<Mutex<Vec<(u64, bool)>>>);

impl embedded_hal::digital::ErrorType for Scope {
    type Error = std::convert::Infallible;
}

impl OutputPin for Scope {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        self.0.lock().unwrap().push((now_ns(), false));
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        self.0.lock().unwrap().push((now_ns(), true));
        Ok(())
    }
}

impl Scope {
    /// Waits until this is true of the edges so far.
    fn until(&self, what: &str, is_true: impl Fn(&[(u64, bool)]) -> bool) {
        let began = now_ns();
        while !is_true(&self.0.lock().unwrap()) {
            assert!(now_ns() - began < 10_000_000_000, "never: {what}");
            thread::yield_now();
        }
    }

    /// Lengths of the pulses so far.
    fn pulses(edges: &[(u64, bool)]) -> Vec<u64> {
        edges
            .windows(2)
            .filter_map(|pair| match pair {
                [(rise, true), (fall, false)] => Some(fall - rise),
                _ => None,
            })
            .collect()
    }
}

fn line(scope: &Scope) -> SoftPwm {
    SoftPwm::start(scope.clone(), 17, Duration::from_millis(5)).unwrap()
}

#[test]
fn it_is_low_until_a_pulse_is_set_and_no_pulse_is_shorter_than_asked() {
    let scope = Scope::default();
    let pwm = line(&scope);
    scope.until("low at first", |edges| edges.len() > 3);
    assert!(scope.0.lock().unwrap().iter().all(|(_, high)| !high));
    let mut servo = Servo::new(pwm.clone());
    scope.until("ten pulses", |edges| {
        servo_put(&pwm, 1500);
        Scope::pulses(edges).len() >= 10
    });
    servo.put(PulseWidth::saturating(1500)).unwrap();
    let pulses = Scope::pulses(&scope.0.lock().unwrap());
    assert!(pulses.iter().all(|pulse| *pulse >= 1_500_000), "{pulses:?}");
    let told = pwm.too_long();
    assert!(
        told.n >= 9 && told.p50_us <= told.p99_us && told.p99_us <= told.max_us,
        "{told:?}"
    );
}

fn servo_put(pwm: &SoftPwm, pulse: u32) {
    Servo::new(pwm.clone())
        .put(PulseWidth::saturating(pulse))
        .unwrap();
}

#[test]
fn a_second_handle_sets_the_next_pulse() {
    let scope = Scope::default();
    let pwm = line(&scope);
    let guard = pwm.twin().unwrap();
    servo_put(&pwm, 2000);
    scope.until("a long pulse", |edges| {
        Scope::pulses(edges).iter().any(|pulse| *pulse >= 2_000_000)
    });
    servo_put(&guard, 1000);
    scope.until("a short pulse", |edges| {
        Scope::pulses(edges)
            .last()
            .is_some_and(|pulse| *pulse < 2_000_000)
    });
}

#[test]
fn a_pulse_that_nobody_renews_ends() {
    let scope = Scope::default();
    let pwm = line(&scope);
    servo_put(&pwm, 1500);
    scope.until("pulses, then none for six periods", |edges| {
        let tail = edges.iter().rev().take(6);
        !Scope::pulses(edges).is_empty()
            && tail.clone().count() == 6
            && tail.clone().all(|(_, high)| !high)
    });
    let edges = scope.0.lock().unwrap().clone();
    let (first, last) = (
        edges.iter().find(|(_, high)| *high),
        edges.iter().rfind(|(_, high)| *high),
    );
    let lasted = last.unwrap().0 - first.unwrap().0;
    assert!(
        u128::from(lasted) <= STALE.as_nanos() + 5_000_000,
        "{lasted} ns"
    );
}

#[test]
fn the_last_handle_leaves_the_line_low() {
    let scope = Scope::default();
    let pwm = line(&scope);
    let other = pwm.clone();
    servo_put(&pwm, 1500);
    scope.until("a pulse", |edges| edges.iter().any(|(_, high)| *high));
    drop(pwm);
    servo_put(&other, 1600);
    drop(other);
    let edges = scope.0.lock().unwrap().clone();
    assert_eq!(edges.last().map(|(_, high)| *high), Some(false));
}

#[test]
fn full_scale_is_high_without_a_gap_and_zero_is_low() {
    let scope = Scope::default();
    let mut pwm = line(&scope);
    pwm.set_duty_cycle_fully_on().unwrap();
    scope.until("high", |edges| edges.last().is_some_and(|(_, high)| *high));
    let from = scope.0.lock().unwrap().len();
    scope.until("three periods of it", |edges| edges.len() >= from + 3);
    let edges = scope.0.lock().unwrap().clone();
    assert!(edges.iter().skip(from).take(3).all(|(_, high)| *high));
    pwm.set_duty_cycle_fully_off().unwrap();
    scope.until("low", |edges| edges.last().is_some_and(|(_, high)| !*high));
}
