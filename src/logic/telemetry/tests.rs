//! When a `car`, a `board` or a `video` is due, what the budget does to them, and that what they say is what is so.

use super::*;
use crate::logic::drive::Setpoint;
use crate::logic::drive::tests::default_calibration;
use crate::logic::units::{LeaseId, PulseWidth, Seq, Steering, Throttle};
use crate::logic::vehicle::{Answer, CalibrationStatus};
use crate::logic::wire::Times;

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

/// More than is ever used.
const PLENTY: u32 = 100_000;

/// The least that can be configured.
const LEAST: u32 = 4_000;

/// All that is sent at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    car: Option<Car>,
    board: Option<Board>,
    video: Option<Video>,
}

fn said(telemetry: &mut Telemetry, ms: u64, status: &Status, board: &Board, video: &Video) -> Said {
    let views = Views {
        status,
        readings: &BoardReadings::default(),
        board,
        video,
        timed: &|video| video,
    };
    let mut said = Said::default();
    while let Some(message) = telemetry.poll(at_ms(ms), &views) {
        let is_second = match message {
            Outgoing::Car(told) => said.car.replace(told).is_some(),
            Outgoing::Board(told) => said.board.replace(told).is_some(),
            Outgoing::Video(told) => said.video.replace(told).is_some(),
            other => panic!("{other:?} is not for telemetry to decide"),
        };
        assert!(!is_second, "twice at {ms} ms: {message:?}");
    }
    said
}

/// The `car` and the `board` that are sent at this moment.
fn poll(
    telemetry: &mut Telemetry,
    ms: u64,
    status: &Status,
    board: &Board,
) -> (Option<Car>, Option<Board>) {
    let said = said(telemetry, ms, status, board, &Video::default());
    (said.car, said.board)
}

fn calibration() -> CalibrationStatus {
    CalibrationStatus {
        counts: *default_calibration().fields(),
        steering_reversed: false,
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
    let mut telemetry = Telemetry::new(at_ms(0), rate_hz, PLENTY);
    (0..until_ms)
        .filter(|ms| {
            let status = status(state_at(*ms), Cause::Arm);
            let (car, _) = poll(&mut telemetry, *ms, &status, &Board::default());
            car.is_some()
        })
        .collect()
}

/// The times, in ms, at which a `board` is sent if it is polled each millisecond.
fn boards(until_ms: u64, board_at: impl Fn(u64) -> Board) -> Vec<u64> {
    let mut telemetry = Telemetry::new(at_ms(0), 5, PLENTY);
    let status = status(State::Live, Cause::Arm);
    (0..until_ms)
        .filter(|ms| {
            let (_, board) = poll(&mut telemetry, *ms, &status, &board_at(*ms));
            board.is_some()
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
    let mut telemetry = Telemetry::new(at_ms(0), 1, PLENTY);
    let mut last = None;
    let mut count = 0;
    for ms in 0..700 {
        let status = status(flicker(ms), Cause::Arm);
        if let (Some(car), _) = poll(&mut telemetry, ms, &status, &Board::default()) {
            count += 1;
            last = Some(car.state);
        }
    }
    assert!(count <= 11, "{count} in half a second");
    assert_eq!(last, Some(State::Stopped.code()));
}

#[test]
fn it_says_when_to_ask_again() {
    let mut telemetry = Telemetry::new(at_ms(0), 10, PLENTY);
    assert_eq!(telemetry.next_at(), Uptime::ZERO, "never sent: at once");
    let status = status(State::Live, Cause::Arm);
    poll(&mut telemetry, 40, &status, &Board::default());
    assert_eq!(telemetry.next_at(), at_ms(140));
    for ms in [140, 240, 340, 440, 540, 640, 740, 840, 940] {
        poll(&mut telemetry, ms, &status, &Board::default());
    }
    assert_eq!(telemetry.next_at(), at_ms(1_040), "both");
    for ms in (1_040..5_000).step_by(100) {
        poll(&mut telemetry, ms, &status, &Board::default());
    }
    assert_eq!(telemetry.next_at(), at_ms(5_040), "all");
}

#[test]
fn the_board_is_told_once_a_second_and_a_warning_at_once() {
    let good = Board {
        battery: Some(0),
        throttled: Some(0),
        under_voltage: Some(0),
        ..Board::default()
    };
    assert_eq!(boards(2_500, |_| good), [0, 1_000, 2_000]);
    let changes: [fn(&mut Board); 5] = [
        |board| board.battery = Some(1),
        |board| board.under_voltage = Some(1),
        |board| board.throttled = Some(4),
        |board| board.laps = Some(1),
        |board| board.battery = None,
    ];
    for change in changes {
        let mut warned = good;
        change(&mut warned);
        let from = |begin: u64| move |ms: u64| if ms < begin { good } else { warned };
        assert_eq!(boards(1_700, from(600)), [0, 600, 1_600], "{warned:?}");
        assert_eq!(boards(1_100, from(199)), [0, 200], "{warned:?}: not closer");
    }
}

#[test]
fn what_moves_all_the_time_is_no_news() {
    let moving = |ms: u64| Board {
        battery_mv: u16::try_from(7_000 + ms % 7).ok(),
        battery_ma: i32::try_from(ms).ok(),
        temp_celsius: i16::try_from(ms % 3).ok(),
        throttled: Some(if ms < 500 { 0 } else { 0x5_0000 }),
        wifi_dbm: Some(-50),
        cpu_permille: u16::try_from(ms % 11).ok(),
        ..Board::default()
    };
    assert_eq!(boards(1_500, moving), [0, 1_000]);
}

#[test]
fn the_board_says_what_it_was_given_and_what_telemetry_knows() {
    let given = Board {
        battery_mv: Some(7_412),
        sensor_errors: 3,
        ..Board::default()
    };
    let mut telemetry = Telemetry::new(at_ms(0), 5, PLENTY);
    let (_, told) = poll(&mut telemetry, 9, &status(State::Live, Cause::Arm), &given);
    let wanted = Board {
        v: 1,
        t_us: 9_000,
        ..given
    };
    assert_eq!(told, Some(wanted));
}

/// The times, in ms, at which a `video` is sent if it is polled each millisecond.
fn videos(until_ms: u64, video_at: impl Fn(u64) -> Video) -> Vec<u64> {
    let mut telemetry = Telemetry::new(at_ms(0), 5, PLENTY);
    let status = status(State::Live, Cause::Arm);
    (0..until_ms)
        .filter(|ms| {
            let said = said(
                &mut telemetry,
                *ms,
                &status,
                &Board::default(),
                &video_at(*ms),
            );
            said.video.is_some()
        })
        .collect()
}

#[test]
fn the_video_is_told_each_five_seconds_and_what_is_shown_at_once() {
    let busy = |ms: u64| Video {
        copies: u32::try_from(ms).unwrap(),
        encode: Times([u32::try_from(ms).unwrap(); 4]),
        ..Video::default()
    };
    assert_eq!(videos(10_500, busy), [0, 5_000, 10_000]);
    let changes: [fn(&mut Video); 4] = [
        |video| video.shows = 2,
        |video| video.camera = 1,
        |video| video.hardware = 1,
        |video| video.rung = 1,
    ];
    for change in changes {
        let mut other = Video::default();
        change(&mut other);
        let from = |begin: u64| move |ms: u64| if ms < begin { Video::default() } else { other };
        assert_eq!(videos(5_700, from(600)), [0, 600, 5_600], "{other:?}");
        assert_eq!(videos(1_100, from(199)), [0, 200], "{other:?}: not closer");
    }
}

#[test]
fn the_video_says_what_it_was_given() {
    let given = Video {
        shows: 1,
        copies: 3,
        whole: Times([1, 2, 3, 4]),
        ..Video::default()
    };
    let mut telemetry = Telemetry::new(at_ms(0), 5, PLENTY);
    let status = status(State::Live, Cause::Arm);
    let said = said(&mut telemetry, 9, &status, &Board::default(), &given);
    let wanted = Video {
        v: 1,
        t_us: 9_000,
        ..given
    };
    assert_eq!(said.video, Some(wanted));
}

/// Bytes of each message and when it was sent, polled each 20 ms, with a car that flickers, and board and video that do.
fn flood(
    bytes_per_s: u32,
    until_ms: u64,
    must: impl Fn(u64) -> usize,
) -> (Telemetry, Vec<(u64, &'static str, usize)>) {
    let mut telemetry = Telemetry::new(at_ms(0), 20, bytes_per_s);
    let mut all = Vec::new();
    for ms in (0..until_ms).step_by(20) {
        telemetry.sent(at_ms(ms), must(ms));
        let state = if ms % 40 == 0 {
            State::Live
        } else {
            State::Stopped
        };
        let board = Board {
            laps: u32::try_from(ms).ok(),
            battery_mv: Some(7_412),
            ..Board::default()
        };
        let video = Video {
            shows: u8::from(ms % 60 == 0),
            whole: Times([150, 33_000, 48_000, 90_000]),
            ..Video::default()
        };
        let status = status(state, Cause::Arm);
        let said = said(&mut telemetry, ms, &status, &board, &video);
        let length = |message: Outgoing| message.encode().len();
        let car = said.car.map(|car| ("car", length(Outgoing::Car(car))));
        let board = said
            .board
            .map(|told| ("board", length(Outgoing::Board(told))));
        let video = said
            .video
            .map(|told| ("video", length(Outgoing::Video(told))));
        let told = [car, board, video].into_iter().flatten();
        all.extend(told.map(|(name, length)| (ms, name, length)));
    }
    (telemetry, all)
}

#[test]
fn no_second_has_more_bytes_than_the_budget() {
    for limit in [LEAST, 4_001, 8_000, PLENTY] {
        let (_, all) = flood(limit, 10_000, |_| 0);
        for begin in (0..9_000).step_by(20) {
            let second = all
                .iter()
                .filter(|(ms, ..)| (begin..begin + 1_000).contains(ms));
            let bytes: usize = second.map(|(.., bytes)| bytes).sum();
            let limit = usize::try_from(limit).unwrap();
            assert!(bytes <= limit, "{bytes} of {limit} bytes from {begin} ms");
        }
    }
}

#[test]
fn the_least_budget_starves_no_message() {
    let (telemetry, all) = flood(LEAST, 10_000, |_| 0);
    for (name, longest) in [("car", 400), ("board", 1_300), ("video", 1_300)] {
        let times: Vec<u64> = all
            .iter()
            .filter(|told| told.1 == name)
            .map(|told| told.0)
            .collect();
        let gap = times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap();
        assert!(gap <= longest, "{gap} ms without a {name}");
    }
    assert!(
        telemetry.delayed > 10,
        "and it says so: {}",
        telemetry.delayed
    );
}

#[test]
fn what_cannot_wait_makes_the_others_wait_and_no_longer_than_that() {
    // A burst of 3000 bytes of pongs between 2.0 and 2.1 s.
    let burst = |ms: u64| if (2_000..2_100).contains(&ms) { 600 } else { 0 };
    let (_, all) = flood(8_000, 5_000, burst);
    let quiet = |from: u64, to: u64| all.iter().all(|(ms, ..)| !(from..to).contains(ms));
    assert!(quiet(2_020, 2_400), "delayed: {all:?}");
    let after = all.iter().find(|(ms, ..)| *ms >= 2_400).unwrap();
    assert!(after.0 <= 2_800, "sent again at {} ms", after.0);
}

#[test]
fn the_longest_message_fits_the_least_budget() {
    let mut budget = Budget::new(at_ms(0), LEAST);
    assert!(budget.may(at_ms(0), crate::logic::wire::MESSAGE_MAX));
}

#[test]
fn without_a_shortage_nothing_is_delayed() {
    let mut telemetry = Telemetry::new(at_ms(0), 5, 8_000);
    for ms in (0..60_000).step_by(20) {
        if ms % 1_000 == 0 {
            telemetry.sent(at_ms(ms), 70);
        }
        let status = status(State::Live, Cause::Arm);
        poll(&mut telemetry, ms, &status, &Board::default());
    }
    assert_eq!(telemetry.delayed, 0);
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
    let mut telemetry = Telemetry::new(at_ms(500), 10, PLENTY);
    let status = status(State::Coasting, Cause::Coast);
    let views = Views {
        status: &status,
        readings: &board,
        board: &Board::default(),
        video: &Video::default(),
        timed: &|video| video,
    };
    let told = telemetry.poll(at_ms(3_600), &views);
    let Some(Outgoing::Car(car)) = told else {
        panic!("{told:?}");
    };
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
    let first_car = |now_ms: u64, status: &Status| {
        let mut telemetry = Telemetry::new(at_ms(0), 10, PLENTY);
        poll(&mut telemetry, now_ms, status, &Board::default())
            .0
            .unwrap()
    };
    let car = first_car(1, &never);
    assert_eq!((car.age_ms, car.link), (u32::MAX, 0));
    let long_ago = Status {
        accepted_at: Some(at_ms(1)),
        ..never
    };
    let car = first_car(u64::MAX / 1000, &long_ago);
    assert_eq!(
        (car.age_ms, car.uptime_s),
        (u32::MAX, u32::MAX),
        "cut off, not wrapped"
    );
}

#[test]
fn the_times_of_the_video_path_are_looked_for_only_when_they_are_sent() {
    use core::sync::atomic::{AtomicU32, Ordering};

    let looked = AtomicU32::new(0);
    let mut telemetry = Telemetry::new(at_ms(0), 10, PLENTY);
    let status = status(State::Disarmed, Cause::Start);
    let views = Views {
        status: &status,
        readings: &BoardReadings::default(),
        board: &Board::default(),
        video: &Video::default(),
        timed: &|video| {
            looked.fetch_add(1, Ordering::Relaxed);
            Video {
                whole: Times([1, 2, 3, 4]),
                ..video
            }
        },
    };
    let mut sent = 0;
    for ms in (0..12_000).step_by(20) {
        while let Some(message) = telemetry.poll(at_ms(ms), &views) {
            if let Outgoing::Video(video) = message {
                sent += 1;
                assert_eq!(video.whole, Times([1, 2, 3, 4]));
            }
        }
    }
    assert_eq!((sent, looked.into_inner()), (3, 3));
}
