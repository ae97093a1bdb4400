//! Pulses to duty, on a line that writes down what it gets.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use embedded_hal::pwm::{ErrorKind, ErrorType};

use super::*;

/// What happened on the wires, in order: the name of a line or pin, and its new value.
pub(in crate::hal::pi) type Record = Arc<Mutex<Vec<(&'static str, u16)>>>;

/// A PWM line that writes down what it gets.
#[derive(Clone, Debug)]
pub(in crate::hal::pi) struct TestLine {
    pub(in crate::hal::pi) name: &'static str,
    pub(in crate::hal::pi) period: Duration,
    pub(in crate::hal::pi) record: Record,
    pub(in crate::hal::pi) fails: Arc<Mutex<bool>>,
}

/// The line does not work.
#[derive(Debug)]
pub(in crate::hal::pi) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

impl embedded_hal::pwm::Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl TestLine {
    pub(in crate::hal::pi) fn new(name: &'static str, hz: u32, record: &Record) -> Self {
        Self {
            name,
            period: Duration::from_secs(1) / hz,
            record: Arc::clone(record),
            fails: Arc::default(),
        }
    }
}

impl ErrorType for TestLine {
    type Error = Broken;
}

impl SetDutyCycle for TestLine {
    fn max_duty_cycle(&self) -> u16 {
        duty_parts(self.period).0
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Broken> {
        assert!(
            duty <= self.max_duty_cycle(),
            "the caller keeps duty <= max"
        );
        if *self.fails.lock().unwrap() {
            return Err(Broken);
        }
        self.record.lock().unwrap().push((self.name, duty));
        Ok(())
    }
}

impl Periodic for TestLine {
    fn period(&self) -> Duration {
        self.period
    }

    fn look(&self) -> Result<(), Broken> {
        if *self.fails.lock().unwrap() {
            return Err(Broken);
        }
        Ok(())
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// A pin that writes down what it gets.
#[derive(Clone, Debug)]
pub(in crate::hal::pi) struct TestPin(
    pub(in crate::hal::pi) &'static str,
    pub(in crate::hal::pi) Record,
);

impl embedded_hal::digital::ErrorType for TestPin {
    type Error = Infallible;
}

impl embedded_hal::digital::OutputPin for TestPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.1.lock().unwrap().push((self.0, 0));
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.1.lock().unwrap().push((self.0, 1));
        Ok(())
    }
}

pub(in crate::hal::pi) fn setpoint(throttle: u32, steering: u32) -> Setpoint {
    Setpoint {
        throttle: PulseWidth::saturating(throttle),
        steering: PulseWidth::saturating(steering),
    }
}

#[test]
fn every_pulse_is_exact_to_the_microsecond_at_every_rate() {
    for hz in [40, 50, 60, 100, 333] {
        let record = Record::default();
        let line = TestLine::new("a", hz, &record);
        let (parts, part) = duty_parts(line.period);
        assert!(u128::from(parts) * part.as_nanos() <= line.period.as_nanos());
        let mut servo = Servo::new(line);
        for pulse in PulseWidth::MIN.get()..=PulseWidth::MAX.get() {
            servo.put(PulseWidth::saturating(pulse.into())).unwrap();
            let (_, duty) = record.lock().unwrap().pop().unwrap();
            let nanos = u128::from(duty) * part.as_nanos();
            assert!(
                nanos.abs_diff(u128::from(pulse) * 1000) <= part.as_nanos() / 2,
                "{hz} Hz, {pulse} us: {nanos} ns"
            );
        }
    }
}

#[test]
fn parts_are_as_fine_as_sixteen_bits_allow() {
    let parts = |hz: u32| {
        let (parts, part) = duty_parts(Duration::from_secs(1) / hz);
        (parts, part.as_nanos())
    };
    assert_eq!(parts(50), (20_000, 1000));
    assert_eq!(parts(1000), (10_000, 100));
    assert_eq!(parts(20_000), (50_000, 1));
    assert_eq!(parts(25_000), (40_000, 1));
}

#[test]
fn a_failed_throttle_does_not_keep_the_steering_from_its_pulse() {
    let record = Record::default();
    let mut servos = Servos {
        throttle: Servo::new(TestLine::new("throttle", 50, &record)),
        steering: Servo::new(TestLine::new("steering", 50, &record)),
    };
    *servos.throttle.line.fails.lock().unwrap() = true;
    let err = servos.put(Uptime::ZERO, setpoint(1500, 1600)).unwrap_err();
    assert_eq!(err.to_string(), "broken");
    assert_eq!(*record.lock().unwrap(), [("steering", 1600)]);
    assert!(servos.look().is_err());
}
