//! From the bytes of a data channel to a setpoint: no heap, and how long it takes.
//!
//! The same steps as `app::pilot` and `app::control` take: decode, fold into the newest intent, hand over
//! as words, step the vehicle, write the outputs. The allocator of this test counts every call.

#[path = "harness/counting.rs"]
mod counting;

use std::sync::mpsc::sync_channel;
use std::time::Instant;

use counting::calls;
use spidercar::app::mailbox::Mailbox;
use spidercar::app::recorder::Recorder;
use spidercar::config::{Config, Machine, RawConfig, Source};
use spidercar::hal::Actuators;
use spidercar::hal::sim::SimActuators;
use spidercar::logic::failsafe::{Health, State};
use spidercar::logic::units::Uptime;
use spidercar::logic::vehicle::Vehicle;
use spidercar::logic::wire::decode;

/// Messages of a driver at 50 Hz: neutral, `arm`, then driving; each with its arrival.
fn drive(messages: u32) -> Vec<(Uptime, String)> {
    (0..messages)
        .map(|n| {
            let t_ms = 10_000 + u64::from(n) * 20;
            let throttle = if n < 40 { 0 } else { 300 + n % 200 };
            let text = if n == 30 {
                format!(r#"{{"arm":{{"seq":{n},"t_ms":{t_ms},"lease":7}}}}"#)
            } else {
                format!(r#"{{"drive":{{"seq":{n},"t_ms":{t_ms},"throttle":{throttle},"steering":-50,"lease":7}}}}"#)
            };
            (Uptime::from_micros(t_ms * 1000), text)
        })
        .collect()
}

fn vehicle() -> Vehicle {
    let raw = RawConfig::read(&Source::BuiltIn, &[], &Machine);
    let config = Config::from_raw(&raw, &Machine).expect("the defaults are good");
    config.vehicle(Uptime::from_micros(9_000_000))
}

/// Runs the whole path for each message; gives the nanoseconds of each, and whether the car was live at the end.
fn run(messages: &[(Uptime, String)], spent: &mut [u64]) -> (State, u64) {
    let mailbox = Mailbox::new();
    let mut reader = mailbox.reader();
    let mut vehicle = vehicle();
    let mut outputs = SimActuators::new();
    mailbox.update(|intent, _| intent.set_link(Uptime::from_micros(9_000_000), true));
    let (full, _records) = sync_channel(1);
    let (_empties, empty) = sync_channel(1);
    let mut recorder = Recorder::new(full, empty);
    let mut state = State::Disarmed;
    let before = calls();
    for ((now, text), spent) in messages.iter().zip(spent) {
        let started = Instant::now();
        let incoming = decode(text.as_bytes()).expect("a driver's message");
        mailbox.update(|intent, holder| intent.fold(*now, &incoming, holder));
        let intent = reader.read();
        recorder.before(*now, &vehicle);
        let step = vehicle.step(*now, intent, Health::GOOD);
        recorder.after(*now, intent, Health::GOOD, &step);
        outputs
            .write(*now, step.setpoint, step.cause)
            .expect("the simulated outputs work");
        *spent = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        state = step.state;
    }
    (state, calls() - before)
}

#[test]
fn nothing_is_allocated_from_bytes_to_setpoint() {
    let messages = drive(5_000);
    let mut spent = vec![0; messages.len()];
    let (state, allocations) = run(&messages, &mut spent);
    assert_eq!(
        state,
        State::Live,
        "the path under test must be the driving one"
    );
    assert_eq!(allocations, 0);
    assert!(calls() > 0, "the counter counts");
}

#[test]
#[ignore = "a figure: run it with --release -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "it is run for what it prints")]
fn figure_f10_bytes_to_setpoint() {
    let messages = drive(100_000);
    let mut spent = vec![0; messages.len()];
    let (_, allocations) = run(&messages, &mut spent);
    spent.sort_unstable();
    let at = |permille: usize| spent[(spent.len() - 1) * permille / 1000];
    println!(
        "F10 bytes to setpoint: n {}, p50 {} ns, p99 {} ns, max {} ns, allocations {allocations}",
        spent.len(),
        at(500),
        at(990),
        at(1000)
    );
}
