//! The driver against wires that are made up: what is written when, and what a failure leaves.

use std::sync::{Arc, Mutex};

use super::*;
use crate::logic::units::PulseWidth;

/// What the wires saw, and what they do next.
#[derive(Default)]
struct Book {
    puts: Vec<(u16, u16)>,
    looks: u32,
    fail_put: bool,
    fail_look: bool,
    pending: bool,
}

#[derive(Clone, Default)]
struct Wires(Arc<Mutex<Book>>);

impl Pulses for Wires {
    fn put(&mut self, _: Uptime, setpoint: Setpoint) -> Result<Progress, Source> {
        let mut book = self.0.lock().unwrap();
        book.puts
            .push((setpoint.throttle.get(), setpoint.steering.get()));
        if book.fail_put {
            return Err("no".into());
        }
        Ok(if book.pending {
            Progress::Pending
        } else {
            Progress::Done
        })
    }

    fn look(&mut self) -> Result<(), Source> {
        let mut book = self.0.lock().unwrap();
        book.looks += 1;
        if book.fail_look {
            return Err("it was reset".into());
        }
        Ok(())
    }

    fn spare(&self) -> Option<Box<dyn Pulses>> {
        Some(Box::new(self.clone()))
    }
}

fn pulses(throttle: u32, steering: u32) -> Setpoint {
    Setpoint {
        throttle: PulseWidth::saturating(throttle),
        steering: PulseWidth::saturating(steering),
    }
}

const NEUTRAL: (u32, u32) = (1500, 1500);

struct Bench {
    wires: Wires,
    car: Car,
}

impl Bench {
    fn new() -> Self {
        let wires = Wires::default();
        let car = Car::new(Box::new(wires.clone()), "test wires".to_owned());
        Self { wires, car }
    }

    fn write(&mut self, millis: u64, (throttle, steering): (u32, u32)) -> Result<(), String> {
        let now = Uptime::from_micros(millis * 1000);
        self.car
            .write(now, pulses(throttle, steering), Cause::Drive)
            .map_err(|err| err.to_string())
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.wires.0.lock().unwrap()
    }
}

#[test]
fn a_value_that_does_not_change_is_written_once_and_again_at_the_refresh() {
    let mut bench = Bench::new();
    for millis in (1000..1100).step_by(5) {
        bench.write(millis, NEUTRAL).unwrap();
    }
    assert_eq!(bench.book().puts.len(), 1);
    bench.write(1100, NEUTRAL).unwrap();
    assert_eq!(bench.book().puts.len(), 2, "one refresh");
    bench.write(1105, (1500, 1501)).unwrap();
    assert_eq!(bench.book().puts.last(), Some(&(1500, 1501)));
}

#[test]
fn a_failure_is_told_and_the_same_value_is_tried_on_every_tick() {
    let mut bench = Bench::new();
    bench.write(0, (1600, 1500)).unwrap();
    bench.book().fail_put = true;
    for tick in 1..=3 {
        let err = bench.write(5 * tick, NEUTRAL).unwrap_err();
        assert!(err.contains("test wires"), "{err}");
    }
    assert_eq!(bench.book().puts.len(), 4, "tried each time");
    bench.book().fail_put = false;
    bench.write(20, NEUTRAL).unwrap();
    assert_eq!(bench.book().puts.last(), Some(&(1500, 1500)));
}

#[test]
fn after_a_failed_move_the_value_before_it_is_written_again() {
    let mut bench = Bench::new();
    bench.write(0, NEUTRAL).unwrap();
    bench.book().fail_put = true;
    bench.write(5, (1600, 1500)).unwrap_err();
    bench.book().fail_put = false;
    bench.write(10, NEUTRAL).unwrap();
    assert_eq!(
        bench.book().puts,
        [(1500, 1500), (1600, 1500), (1500, 1500)],
        "half of the failed write may be on the wires"
    );
}

#[test]
fn what_is_pending_is_put_again_on_each_tick_until_it_is_done() {
    let mut bench = Bench::new();
    bench.book().pending = true;
    bench.write(0, (1400, 1500)).unwrap();
    bench.write(5, (1400, 1500)).unwrap();
    bench.book().pending = false;
    bench.write(10, (1400, 1500)).unwrap();
    bench.write(15, (1400, 1500)).unwrap();
    assert_eq!(bench.book().puts.len(), 3);
}

#[test]
fn a_device_that_was_reset_fails_the_write_that_looks_at_it() {
    let mut bench = Bench::new();
    bench.write(1000, NEUTRAL).unwrap();
    bench.book().fail_look = true;
    let err = bench.write(1300, NEUTRAL).unwrap_err();
    assert!(err.contains("test wires"), "{err}");
    assert_eq!(bench.book().puts.len(), 1, "not written over");
    bench.write(1305, NEUTRAL).unwrap();
    assert_eq!(bench.book().puts.len(), 2, "set up again by the next one");
    assert_eq!(bench.book().looks, 1);
}

#[test]
fn the_spare_writes_every_time_it_is_asked_to() {
    let bench = Bench::new();
    let mut spare = bench.car.spare().unwrap();
    for millis in [0_u64, 20, 40] {
        let now = Uptime::from_micros(millis * 1000);
        spare
            .write(now, pulses(1500, 1500), Cause::ControlStalled)
            .unwrap();
    }
    assert_eq!(bench.book().puts.len(), 3);
}
