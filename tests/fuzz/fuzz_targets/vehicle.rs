//! Any schedule of messages, link changes and faults: the promises of the control path hold at each step.
//!
//! A schedule is text, one happening a line: `WAIT_MS MESSAGE`, `WAIT_MS link 0|1`, `WAIT_MS health BITS`. What is
//! neither is a message too, and a malformed one.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use spidercar::config::{Config, Machine, RawConfig, Source};
use spidercar::logic::failsafe::Health;
use spidercar::logic::intent::Intent;
use spidercar::logic::units::{LeaseId, Uptime};
use spidercar::logic::wire::{Axis, Incoming, decode};

thread_local! {
    static CONFIG: Config = {
        let raw = RawConfig::read(&Source::BuiltIn, &[], &Machine);
        Config::from_raw(&raw, &Machine).expect("the defaults are good")
    };
}

fn health(bits: u8) -> Health {
    Health {
        camera_ok: bits & 1 == 0,
        encoder_ok: bits & 2 == 0,
        actuator_ok: bits & 4 == 0,
        control_late: bits & 8 != 0,
        ..Health::GOOD
    }
}

fn run(text: &[u8], config: &Config) {
    let mut now = Uptime::from_micros(60_000_000);
    let mut vehicle = config.vehicle(now).with_remote_calibration();
    let mut stood_at = vehicle.neutral();
    let mut intent = Intent::default();
    intent.set_link(now, true);
    let mut good = Health::GOOD;
    let mut holder = LeaseId::NONE;
    let mut malformed = 0_u32;
    for line in text.split(|byte| *byte == b'\n').take(400) {
        let (wait, what) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(0));
        let wait_ms = std::str::from_utf8(wait).ok().and_then(|wait| wait.parse::<u16>().ok()).unwrap_or(1);
        now = now.after(Duration::from_millis(wait_ms.into()));
        let mut stop = false;
        match what.trim_ascii() {
            b"link 0" => intent.set_link(now, false),
            b"link 1" => intent.set_link(now, true),
            [b'h', b'e', b'a', b'l', b't', b'h', b' ', bits] => good = health(*bits),
            message => match decode(message) {
                Ok(incoming) => {
                    stop = incoming == Incoming::Stop;
                    intent.fold(now, &incoming, holder);
                }
                Err(reject) => {
                    malformed += 1;
                    intent.reject(reject);
                }
            },
        }
        let step = vehicle.step(now, &intent, good);
        holder = step.status.holder;
        let (setpoint, neutral) = (step.setpoint, vehicle.neutral());
        let calibration = *vehicle.calibration();
        let is_in_window = |axis, pulse| {
            let (shortest, _, longest) = calibration.window(axis);
            (shortest..=longest).contains(&pulse)
        };
        assert!(is_in_window(Axis::Throttle, setpoint.throttle) && is_in_window(Axis::Steering, setpoint.steering));
        assert!(!step.state.may_move() || stood_at == neutral, "neutral changed while the car may move");
        stood_at = neutral;
        let moves = setpoint.throttle != neutral.throttle;
        assert!(!moves || step.state.may_move(), "moves in {:?}", step.state);
        assert!(!moves || !stop, "a stop is neutral in its own step");
        assert!(!moves || (intent.link.value && good.actuator_ok && !good.control_late));
        assert!(step.state.may_move() || setpoint == vehicle.neutral());
        assert!(step.next_at > now);
        assert_eq!(step.status.malformed + step.status.unknown, malformed);
    }
    let longest = config.failsafe.legacy_age().max(config.failsafe.neutral());
    let step = vehicle.step(now.after(longest + Duration::from_millis(1)), &intent, good);
    assert_eq!(step.setpoint, vehicle.neutral(), "moves although nobody was heard");
}

fuzz_target!(|text: &[u8]| CONFIG.with(|config| run(text, config)));
