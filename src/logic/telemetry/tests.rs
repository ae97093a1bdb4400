//! When a `car` is due, and that what it says is what is so.

use super::*;
use crate::logic::drive::Setpoint;
use crate::logic::drive::tests::default_calibration;
use crate::logic::units::{LeaseId, PulseWidth, Seq, Steering, Throttle};
use crate::logic::vehicle::{Answer, CalibrationStatus};

fn at_ms(ms: u64) -> Uptime {
    Uptime::from_micros(ms * 1000)
}

fn status(state: State, cause: Cause) -> Status {
    Status {
        state,
        cause,
        refusals: Refusals::NOT_NEUTRAL,
        setpoint: Setpoint {
            throttle: PulseWidth::new(1601).unwrap(),
            steering: PulseWidth::new(1402).unwrap(),
        },
        throttle: Throttle::new(203).unwrap(),
        steering: Steering::new(-204).unwrap(),
        holder: LeaseId::new(5),
        seq: Seq::new(6),
        accepted_at: Some(at_ms(900)),
        link_up: true,
        limit: Throttle::new(640).unwrap(),
        asker: LeaseId::new(88),
        accepted: 7,
        late: 8,
        replayed: 9,
        foreign: 10,
        malformed: 11,
        unknown: 12,
        calibration: calibration(),
    }
}

fn calibration() -> CalibrationStatus {
    CalibrationStatus {
        counts: *default_calibration().fields(),
        is_saved: true,
        in_force: false,
        is_remote: true,
        answer: Answer::Saved,
        seq: Seq::new(14),
        lease: LeaseId::new(7),
        max_speed: Some(420),
        tell: 0,
        changes: 1,
    }
}

#[test]
fn the_calibration_is_told_once_and_again_after_each_change_and_each_question() {
    let mut teller = CalibrationTeller::default();
    let mut status = calibration();
    let mut told = |ms: u64, status: &CalibrationStatus, stored| {
        teller.poll(at_ms(ms), status, stored).is_some()
    };
    assert!(told(0, &status, 1) && !told(500, &status, 1));
    assert!(told(510, &status, 2), "it is stored now");
    status.tell = 1;
    assert!(!told(559, &status, 2) && told(560, &status, 2), "asked");
    status.max_speed = None;
    assert!(!told(900, &status, 2), "it is not in the message");
    for ms in 1_000..2_000 {
        status.tell = status.tell.wrapping_add(1);
        assert_eq!(told(ms, &status, 2), ms % 50 == 0, "a flood at {ms}");
    }
    status.in_force = true;
    assert!(told(2_000, &status, 2));
    let report = status.report(2);
    assert_eq!(
        (report.remote, report.saved, report.in_force, report.answer),
        (1, 1, 1, 1)
    );
    assert_eq!(
        (report.seq, report.lease, report.pulses.brake_us),
        (14, 7, 1300)
    );
}

/// The times, in ms, at which a `car` is sent if it is polled each millisecond.
fn sent(rate_hz: u8, until_ms: u64, state_at: impl Fn(u64) -> State) -> Vec<u64> {
    let mut telemetry = Telemetry::new(at_ms(0), rate_hz);
    let board = BoardReadings::default();
    (0..until_ms)
        .filter(|ms| {
            let status = status(state_at(*ms), Cause::Arm);
            telemetry.poll(at_ms(*ms), &status, &board).is_some()
        })
        .collect()
}

#[test]
fn it_keeps_the_rate() {
    assert_eq!(sent(10, 350, |_| State::Live), [0, 100, 200, 300]);
    assert_eq!(sent(20, 110, |_| State::Live), [0, 50, 100]);
    assert_eq!(sent(1, 2_100, |_| State::Live), [0, 1_000, 2_000]);
    assert_eq!(
        sent(0, 2_100, |_| State::Live),
        [0, 1_000, 2_000],
        "no rate is the slowest"
    );
    assert_eq!(
        sent(255, 110, |_| State::Live),
        [0, 50, 100],
        "more is the fastest"
    );
}

#[test]
fn a_change_is_told_at_once_but_for_the_cap() {
    let live_from = |begin: u64| {
        move |ms: u64| {
            if ms < begin {
                State::Disarmed
            } else {
                State::Live
            }
        }
    };
    assert_eq!(sent(1, 1_400, live_from(300)), [0, 300, 1_300]);
    assert_eq!(
        sent(1, 1_100, live_from(20)),
        [0, 50, 1_050],
        "50 ms after the one before"
    );
}

#[test]
fn a_flicker_is_capped_and_its_end_is_told() {
    let flicker = |ms: u64| {
        if ms < 500 && ms.is_multiple_of(2) {
            State::Live
        } else {
            State::Stopped
        }
    };
    let mut telemetry = Telemetry::new(at_ms(0), 1);
    let mut last = None;
    let mut count = 0;
    for ms in 0..700 {
        let car = telemetry.poll(
            at_ms(ms),
            &status(flicker(ms), Cause::Arm),
            &BoardReadings::default(),
        );
        if let Some(car) = car {
            count += 1;
            last = Some(car.state);
        }
    }
    assert!(count <= 11, "{count} in half a second");
    assert_eq!(last, Some(State::Stopped.code()));
}

#[test]
fn it_says_when_to_ask_again() {
    let mut telemetry = Telemetry::new(at_ms(0), 10);
    assert_eq!(telemetry.next_at(), Uptime::ZERO, "never sent: at once");
    telemetry.poll(
        at_ms(40),
        &status(State::Live, Cause::Arm),
        &BoardReadings::default(),
    );
    assert_eq!(telemetry.next_at(), at_ms(140));
}

#[test]
fn every_field_is_what_it_says() {
    let board = BoardReadings {
        width: 13,
        height: 14,
        fps: 15,
        sent: Kbps::new(16),
        target: Kbps::new(17),
        encode: Duration::from_micros(18),
        frames: 19,
        dropped: 20,
        load_permille: 21,
        mem_kb: 22,
    };
    let mut telemetry = Telemetry::new(at_ms(500), 10);
    let car = telemetry
        .poll(at_ms(3_600), &status(State::Coasting, Cause::Coast), &board)
        .unwrap();
    assert_eq!(
        (car.v, car.t_us, car.state, car.cause, car.refusals),
        (1, 3_600_000, 2, 4, 2)
    );
    assert_eq!(
        (car.throttle_us, car.steering_us, car.throttle, car.steering),
        (1601, 1402, 203, -204)
    );
    assert_eq!(
        (car.lease, car.seq, car.accepted, car.late, car.replayed),
        (5, 6, 7, 8, 9)
    );
    assert_eq!(
        (car.foreign, car.malformed, car.age_ms, car.link),
        (10, 11, 2_700, 1)
    );
    assert_eq!(
        (car.width, car.height, car.fps, car.kbps, car.target_kbps),
        (13, 14, 15, 16, 17)
    );
    assert_eq!(
        (car.encode_us, car.frames, car.dropped, car.uptime_s),
        (18, 19, 20, 3)
    );
    assert_eq!((car.limit, car.asker), (640, 88));
    assert_eq!((car.load_permille, car.mem_kb), (21, 22));
}

#[test]
fn what_was_never_heard_is_as_old_as_can_be_said() {
    let never = Status {
        accepted_at: None,
        link_up: false,
        ..status(State::Disarmed, Cause::Start)
    };
    let mut telemetry = Telemetry::new(at_ms(0), 10);
    let car = telemetry
        .poll(at_ms(1), &never, &BoardReadings::default())
        .unwrap();
    assert_eq!((car.age_ms, car.link), (u32::MAX, 0));
    let long_ago = Status {
        accepted_at: Some(at_ms(1)),
        ..never
    };
    let mut telemetry = Telemetry::new(at_ms(0), 10);
    let car = telemetry
        .poll(Uptime::MAX, &long_ago, &BoardReadings::default())
        .unwrap();
    assert_eq!(
        (car.age_ms, car.uptime_s),
        (u32::MAX, u32::MAX),
        "cut off, not wrapped"
    );
}
