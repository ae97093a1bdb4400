//! The chip's bytes against the datasheet's, on an I2C bus of embedded-hal-mock; and a bus that fails at every place.
//!
//! Register numbers are written out here, not taken from the code: NXP PCA9685 rev. 4, table 4: `MODE1` 0x00,
//! `LED0_ON_L` 0x06 (four registers each, ON before OFF, low byte first), `PRE_SCALE` 0xFE. At power-up `MODE1` is 0x11.

use embedded_hal::i2c::{ErrorKind, ErrorType, NoAcknowledgeSource, Operation};
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

use std::sync::{Arc, Mutex};

use super::super::servo::tests::setpoint;
use super::*;

const ADDRESS: u8 = 0x40;

/// The original car: 60 Hz of 25 MHz is prescale 101, so a microsecond is 245098 counts a second.
const ORIGINAL: Settings = Settings {
    bus: 1,
    address: ADDRESS,
    throttle_channel: 0,
    steering_channel: 1,
    frequency_hz: 60,
    oscillator_hz: 25_000_000,
    enable_pin: None,
};

fn car(settings: Settings, expected: &[Transaction]) -> (Pca<Mock, Switch>, Mock) {
    let mock = Mock::new(expected);
    let pca = Pca::new(
        settings,
        None,
        mock.clone(),
        Box::new(|| Err("the test opens no bus".into())),
    );
    (pca, mock)
}

fn reads(register: u8, value: u8) -> Transaction {
    Transaction::write_read(ADDRESS, vec![register], vec![value])
}

fn writes(bytes: &[u8]) -> Transaction {
    Transaction::write(ADDRESS, bytes.to_vec())
}

/// 1500 us are 367.6 counts (0x170), 1600 us 392.2 (0x188).
const NEUTRAL: [u8; 9] = [0x06, 0, 0, 0x70, 0x01, 0, 0, 0x70, 0x01];
const MOVING: [u8; 9] = [0x06, 0, 0, 0x88, 0x01, 0, 0, 0x70, 0x01];

#[test]
fn a_chip_after_power_on_gets_rate_and_pulses_before_it_wakes() {
    let (mut pca, mut bus) = car(
        ORIGINAL,
        &[
            reads(0x00, 0x11),
            writes(&[0xFE, 101]),
            writes(&[0x00, 0x31]), // auto-increment, still asleep
            writes(&[0x06, 0, 0, 0x70, 0x01]),
            writes(&[0x0A, 0, 0, 0x70, 0x01]),
            writes(&[0x00, 0x21]), // awake
            writes(&NEUTRAL),
            writes(&MOVING),
        ],
    );
    pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    pca.put(Uptime::ZERO, setpoint(1600, 1500)).unwrap();
    bus.done();
}

#[test]
fn a_chip_that_runs_as_it_should_is_not_interrupted() {
    let (mut pca, mut bus) = car(
        ORIGINAL,
        &[reads(0x00, 0x21), reads(0xFE, 101), writes(&NEUTRAL)],
    );
    pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    bus.done();
}

#[test]
fn a_chip_that_the_old_program_left_is_put_to_sleep_for_the_new_rate() {
    let (mut pca, mut bus) = car(
        ORIGINAL,
        &[
            reads(0x00, 0x01), // the old program: awake, no auto-increment
            writes(&[0x00, 0x11]),
            writes(&[0xFE, 101]),
            writes(&[0x00, 0x31]),
            writes(&[0x06, 0, 0, 0x70, 0x01]),
            writes(&[0x0A, 0, 0, 0x70, 0x01]),
            writes(&[0x00, 0x21]),
            writes(&NEUTRAL),
        ],
    );
    pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    bus.done();
}

#[test]
fn outputs_are_the_ones_that_were_configured_in_either_order() {
    let settings = Settings {
        throttle_channel: 15,
        steering_channel: 14,
        ..ORIGINAL
    };
    let (mut pca, mut bus) = car(
        settings,
        &[
            reads(0x00, 0x21),
            reads(0xFE, 101),
            // Output 14 begins at 0x06 + 56 = 0x3E and is the steering: first.
            writes(&[0x3E, 0, 0, 0x70, 0x01, 0, 0, 0x88, 0x01]),
        ],
    );
    pca.put(Uptime::ZERO, setpoint(1600, 1500)).unwrap();
    bus.done();
}

#[test]
fn a_chip_that_was_reset_is_told_and_set_up_again() {
    let (mut pca, mut bus) = car(
        ORIGINAL,
        &[
            reads(0x00, 0x21),
            reads(0xFE, 101),
            writes(&NEUTRAL),
            reads(0x00, 0x21), // a look: all is well
            reads(0x00, 0x11), // a look: it was without power
            reads(0x00, 0x11),
            writes(&[0xFE, 101]),
            writes(&[0x00, 0x31]),
            writes(&[0x06, 0, 0, 0x70, 0x01]),
            writes(&[0x0A, 0, 0, 0x70, 0x01]),
            writes(&[0x00, 0x21]),
            writes(&NEUTRAL),
        ],
    );
    pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    pca.look().unwrap();
    let err = pca.look().unwrap_err().to_string();
    assert!(err.contains("reset"), "{err}");
    pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    bus.done();
}

#[test]
fn the_rate_is_the_nearest_that_the_chip_can_and_pulses_follow_its_real_one() {
    // datasheet 7.3.5: 200 Hz of 25 MHz is prescale 30 (0x1E).
    assert_eq!(prescale(25_000_000, 200), 30);
    assert_eq!(prescale(25_000_000, 60), 101);
    assert_eq!(prescale(25_000_000, 50), 121);
    assert_eq!(prescale(25_000_000, 24), 253);
    let counts = |settings: Settings, pulse| {
        let (pca, mut bus) = car(settings, &[]);
        bus.done();
        pca.counts(PulseWidth::saturating(pulse))
    };
    assert_eq!(
        counts(ORIGINAL, 1530),
        375,
        "the old car's neutral, at its real rate"
    );
    let fast = Settings {
        oscillator_hz: 26_000_000,
        ..ORIGINAL
    };
    assert_eq!(prescale(26_000_000, 60), 105);
    assert_eq!(counts(fast, 1500), 368);
}

#[test]
fn the_old_car_gets_the_very_counts_of_its_calibration_file() {
    // board/original-pca9685: the old program took a count for 1/4096 of exactly 1/60 s.
    let settings = Settings {
        oscillator_hz: 60 * 4096 * 102,
        ..ORIGINAL
    };
    let (pca, mut bus) = car(settings, &[]);
    bus.done();
    assert_eq!(pca.prescale, 101);
    for ticks in 150..=600 {
        if let Some(pulse) = PulseWidth::from_ticks(ticks) {
            assert_eq!(pca.counts(pulse), ticks);
        }
    }
}

/// A chip with registers, on a bus that fails at one transaction.
#[derive(Clone)]
struct Chip(Arc<Mutex<State>>);

struct State {
    registers: [u8; 256],
    transactions: u32,
    fails_at: u32,
    /// Every pulse that came out: (output, counts), while awake and switched on.
    out: Vec<(u8, u16)>,
    /// OE is high.
    is_off: bool,
    /// What came over the bus and to OE, in order.
    events: Vec<String>,
}

impl Chip {
    fn new(fails_at: u32) -> Self {
        let mut registers = [0; 256];
        (registers[0x00], registers[0xFE]) = (0x11, 0x1E); // datasheet: power-up state
        Self(Arc::new(Mutex::new(State {
            registers,
            transactions: 0,
            fails_at,
            out: Vec::new(),
            is_off: false,
            events: Vec::new(),
        })))
    }

    /// A car with this chip, and with this pin at its OE.
    fn car(&self, off: Option<Switch>) -> Pca<Self, Switch> {
        let again = self.clone();
        Pca::new(
            ORIGINAL,
            off,
            self.clone(),
            Box::new(move || Ok(again.clone())),
        )
    }

    /// The pin at OE, high as it is opened.
    fn switch(&self) -> Switch {
        self.0.lock().unwrap().is_off = true;
        Switch(self.clone())
    }

    /// What happened since the last time.
    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().events)
    }

    fn is_off(&self) -> bool {
        self.0.lock().unwrap().is_off
    }

    /// Lets the next transaction fail, and none after it.
    fn fail_next(&self) {
        let mut state = self.0.lock().unwrap();
        state.fails_at = state.transactions + 1;
    }
}

/// The pin that is wired to OE.
struct Switch(Chip);

impl Switch {
    fn set(&self, is_off: bool) {
        let mut state = self.0.0.lock().unwrap();
        if state.is_off != is_off {
            let level = if is_off { "OE high" } else { "OE low" };
            state.events.push(level.to_owned());
        }
        state.is_off = is_off;
    }
}

impl embedded_hal::digital::ErrorType for Switch {
    type Error = core::convert::Infallible;
}

impl OutputPin for Switch {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        self.set(true);
        Ok(())
    }
}

impl ErrorType for Chip {
    type Error = ErrorKind;
}

impl I2c for Chip {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), ErrorKind> {
        assert_eq!(address, ADDRESS);
        let mut state = self.0.lock().unwrap();
        state.transactions += 1;
        if state.transactions == state.fails_at {
            state.events.push("fails".to_owned());
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data));
        }
        let mut pointer = 0;
        for operation in operations {
            match operation {
                Operation::Write([register]) => pointer = *register,
                Operation::Write(bytes) => {
                    let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
                    state.events.push(hex.join(" "));
                    let (first, values) = bytes.split_first().expect("a register");
                    for (place, value) in values.iter().enumerate() {
                        state.registers[usize::from(*first) + place] = *value;
                    }
                }
                Operation::Read(into) => {
                    for value in into.iter_mut() {
                        *value = state.registers[usize::from(pointer)];
                    }
                }
            }
        }
        if state.registers[0x00] & 0x10 == 0 && !state.is_off {
            for output in [0, 1] {
                let at = usize::from(0x08 + 4 * output);
                let counts = u16::from_le_bytes([state.registers[at], state.registers[at + 1]]);
                state.out.push((output, counts));
            }
        }
        Ok(())
    }
}

#[test]
fn a_bus_that_fails_at_any_one_transaction_is_told_and_ends_at_neutral() {
    let mut failures = 0;
    for fails_at in 1..=9 {
        let chip = Chip::new(fails_at);
        let mut pca = chip.car(None);
        let mut is_well = true;
        for (throttle, tick) in [(1500, 0), (1600, 1), (1700, 2)] {
            let now = Uptime::from_micros(tick * 5000);
            // As the vehicle does it: after a failure nothing but neutral.
            let throttle = if is_well { throttle } else { 1500 };
            is_well &= pca.put(now, setpoint(throttle, 1500)).is_ok();
        }
        failures += u32::from(!is_well);
        pca.put(Uptime::ZERO, setpoint(1500, 1500))
            .unwrap_or_else(|err| panic!("{fails_at}: {err}"));
        let state = chip.0.lock().unwrap();
        assert_eq!(
            state.out.last_chunk(),
            Some(&[(0, 368), (1, 368)]),
            "{fails_at}"
        );
        let seen: Vec<u16> = state
            .out
            .iter()
            .filter(|(output, _)| *output == 0)
            .map(|(_, counts)| *counts)
            .collect();
        assert!(
            seen.iter().all(|counts| [368, 392, 417].contains(counts)),
            "{fails_at}: a pulse that nobody asked for: {seen:?}"
        );
    }
    assert_eq!(failures, 9, "six transactions of the set-up, three pulses");
}

#[test]
fn without_a_chip_the_error_says_which_step_failed() {
    let chip = Chip::new(1);
    let mut pca = chip.car(None);
    let err = pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap_err();
    assert!(err.to_string().contains("find the chip"), "{err}");
}

const BOTH_NEUTRAL: &str = "06 00 00 70 01 00 00 70 01";
const BOTH_MOVING: &str = "06 00 00 88 01 00 00 70 01";

#[test]
fn the_outputs_are_switched_on_when_the_pulses_are_in_the_chip_and_not_before() {
    let chip = Chip::new(0);
    let mut pca = chip.car(Some(chip.switch()));
    assert!(chip.is_off() && chip.events().is_empty(), "opening is off");
    pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    let events = chip.events();
    assert_eq!(
        events,
        [
            "fe 65",
            "00 31",
            "06 00 00 70 01",
            "0a 00 00 70 01",
            "00 21", // awake, and still off
            BOTH_NEUTRAL,
            "OE low",
        ]
    );
    pca.put(Uptime::ZERO, setpoint(1600, 1500)).unwrap();
    drop(pca);
    assert_eq!(chip.events(), [BOTH_MOVING], "an end leaves it as it is");
}

#[test]
fn a_chip_that_a_killed_program_left_at_speed_is_off_until_it_has_neutral() {
    let chip = Chip::new(0);
    let mut killed = chip.car(Some(chip.switch()));
    killed.put(Uptime::ZERO, setpoint(1600, 1500)).unwrap();
    drop(killed);
    assert!(!chip.is_off());
    chip.events();
    let mut next = chip.car(Some(chip.switch()));
    assert!(chip.is_off());
    next.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    assert_eq!(chip.events(), [BOTH_NEUTRAL, "OE low"]);
    next.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    let state = chip.0.lock().unwrap();
    assert_eq!(state.out, [(0, 368), (1, 368)], "nothing but neutral");
}

#[test]
fn a_chip_that_does_not_answer_is_switched_off_and_on_again_with_its_next_pulses() {
    let chip = Chip::new(0);
    let mut pca = chip.car(Some(chip.switch()));
    pca.put(Uptime::ZERO, setpoint(1600, 1500)).unwrap();
    chip.events();

    chip.fail_next();
    assert!(pca.put(Uptime::ZERO, setpoint(1600, 1500)).is_err());
    assert_eq!(chip.events(), ["fails", "OE high"]);
    pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    assert_eq!(chip.events(), [BOTH_NEUTRAL, "OE low"]);

    chip.fail_next();
    assert!(pca.look().is_err());
    assert_eq!(chip.events(), ["fails", "OE high"]);
    pca.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    assert!(!chip.is_off());
}

#[test]
fn a_chip_that_is_never_there_is_never_switched_on() {
    let chip = Chip::new(1);
    let mut pca = chip.car(Some(chip.switch()));
    for _ in 0..3 {
        assert!(pca.put(Uptime::ZERO, setpoint(1500, 1500)).is_err());
        assert!(chip.is_off());
        chip.fail_next();
    }
}

#[test]
fn the_guard_switches_the_same_pin_and_waits_for_nobody() {
    let chip = Chip::new(0);
    let mut control = chip.car(Some(chip.switch()));
    control.put(Uptime::ZERO, setpoint(1600, 1500)).unwrap();
    let mut guard = control.spare().unwrap();
    chip.events();
    guard.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    assert_eq!(chip.events(), [BOTH_NEUTRAL], "it runs: no gap");
    chip.fail_next();
    assert!(guard.put(Uptime::ZERO, setpoint(1500, 1500)).is_err());
    assert!(chip.is_off());

    // The control thread stands still in the middle of switching: the guard's pulses are out all the same.
    let off = control.off.clone().unwrap();
    off.with(|_| {
        let err = guard.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap_err();
        assert!(err.to_string().contains("the other thread"), "{err}");
        Ok(())
    })
    .unwrap();
    assert_eq!(chip.events(), ["fails", "OE high", BOTH_NEUTRAL]);
    guard.put(Uptime::ZERO, setpoint(1500, 1500)).unwrap();
    assert!(!chip.is_off());
}
