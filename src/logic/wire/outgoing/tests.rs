//! The longest messages, and the number that Python printed.

use super::*;

fn text(outgoing: Outgoing) -> String {
    String::from_utf8(outgoing.encode().to_vec()).unwrap()
}

#[test]
fn the_longest_car_fits() {
    let car = Car {
        v: u8::MAX,
        t_us: u64::MAX,
        state: u8::MAX,
        cause: u8::MAX,
        refusals: u16::MAX,
        throttle: i16::MIN,
        steering: i16::MIN,
        throttle_us: u16::MAX,
        steering_us: u16::MAX,
        seq: u32::MAX,
        lease: u32::MAX,
        accepted: u32::MAX,
        late: u32::MAX,
        replayed: u32::MAX,
        foreign: u32::MAX,
        malformed: u32::MAX,
        age_ms: u32::MAX,
        link: u8::MAX,
        limit: u16::MAX,
        asker: u32::MAX,
        width: u32::MAX,
        height: u32::MAX,
        fps: u32::MAX,
        kbps: u32::MAX,
        target_kbps: u32::MAX,
        encode_us: u32::MAX,
        frames: u32::MAX,
        dropped: u32::MAX,
        uptime_s: u32::MAX,
        load_permille: u32::MAX,
        mem_kb: u32::MAX,
    };
    let text = text(Outgoing::Car(car));
    assert!(
        text.starts_with(r#"{"car":{"v":255,"#) && text.ends_with("}}"),
        "{text}"
    );
    assert!(text.len() <= MESSAGE_MAX, "{} bytes", text.len());
}

/// A `board` with every field there and every number at its longest.
fn longest_board() -> Board {
    Board {
        v: u8::MAX,
        t_us: u64::MAX,
        battery: Some(u8::MAX),
        battery_mv: Some(u16::MAX),
        battery_ma: Some(i32::MIN),
        temp_celsius: Some(i16::MIN),
        throttled: Some(u32::MAX),
        under_voltage: Some(u8::MAX),
        wifi_dbm: Some(i16::MIN),
        modem_percent: Some(u8::MAX),
        laps: Some(u32::MAX),
        last_lap_ms: Some(u32::MAX),
        cpu_permille: Some(u16::MAX),
        mem_free_kb: Some(u32::MAX),
        up_s: Some(u32::MAX),
        sensor_errors: u32::MAX,
        laps_early: u32::MAX,
        edges_lost: u32::MAX,
        laps_untold: u32::MAX,
        link_drops: u32::MAX,
        link_failures: u32::MAX,
        restarts: u32::MAX,
        video_restarts: u32::MAX,
        output_errors: u32::MAX,
        delayed: u32::MAX,
        unsent: u32::MAX,
    }
}

#[test]
fn the_longest_board_fits() {
    let text = text(Outgoing::Board(longest_board()));
    assert!(
        text.starts_with(r#"{"board":{"v":255,"#) && text.ends_with("}}"),
        "{text}"
    );
    assert!(text.len() <= MESSAGE_MAX, "{} bytes", text.len());
}

#[test]
fn the_longest_video_fits() {
    let times = Times([u32::MAX; 4]);
    let video = Video {
        v: u8::MAX,
        t_us: u64::MAX,
        shows: u8::MAX,
        cameras: u8::MAX,
        camera: u8::MAX,
        hardware: u8::MAX,
        rung: u8::MAX,
        copies: u32::MAX,
        capture: times,
        prepare: times,
        encode: times,
        hand_over: times,
        send: times,
        whole: times,
    };
    let text = text(Outgoing::Video(video));
    assert!(
        text.starts_with(r#"{"video":{"v":255,"#) && text.ends_with("]}}"),
        "{text}"
    );
    assert!(text.len() <= MESSAGE_MAX, "{} bytes", text.len());
}

#[test]
fn what_is_not_there_is_not_said() {
    let board = Board {
        v: 1,
        t_us: 2,
        ..Board::default()
    };
    assert_eq!(
        text(Outgoing::Board(board)),
        r#"{"board":{"v":1,"t_us":2}}"#
    );
    let zero = Board {
        battery: Some(0),
        wifi_dbm: Some(0),
        laps: Some(0),
        ..board
    };
    assert_eq!(
        text(Outgoing::Board(zero)),
        r#"{"board":{"v":1,"t_us":2,"battery":0,"wifi_dbm":0,"laps":0}}"#,
        "a sensor that says 0 is there"
    );
}

#[test]
fn the_longest_of_the_others_fit() {
    assert_eq!(
        text(Outgoing::Pong(Pong {
            id: u32::MAX,
            t_ms: u64::MAX,
            car_us: u64::MAX,
            epoch: None,
            seal: None,
        })),
        r#"{"pong":{"id":4294967295,"t_ms":18446744073709551615,"car_us":18446744073709551615}}"#
    );
    let sealed = Pong {
        epoch: Some(u64::MAX >> 11),
        seal: Some([0xA5; 16]),
        ..Pong::default()
    };
    assert_eq!(
        text(Outgoing::Pong(sealed)),
        r#"{"pong":{"id":0,"t_ms":0,"car_us":0,"epoch":9007199254740991,"seal":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"}}"#
    );
    assert_eq!(
        text(Outgoing::MaxSpeed { ticks: u16::MAX }),
        r#"{"speed":{"key":"maxSpeed","value":65535}}"#
    );
}

#[test]
fn the_longest_calibration_fits() {
    let pulses = crate::logic::wire::Pulses::from_words([u64::MAX; 2]);
    let report = CalibrationReport {
        v: u8::MAX,
        remote: u8::MAX,
        saved: u8::MAX,
        in_force: u8::MAX,
        stored: u8::MAX,
        answer: u8::MAX,
        seq: u32::MAX,
        lease: u32::MAX,
        beyond_us: u16::MAX,
        reversed: u8::MAX,
        pulses,
    };
    let text = text(Outgoing::Calibration(report));
    assert!(
        text.starts_with(r#"{"calibration":{"v":255,"#) && text.ends_with("}}}"),
        "{text}"
    );
    assert!(text.len() <= MESSAGE_MAX, "{} bytes", text.len());
}

#[test]
fn question_18_the_lap_time_is_printed_as_python_printed_it() {
    let value = |unix_us| {
        let text = text(Outgoing::DetectTime { unix_us });
        let head = r#"{"ir":{"key":"detectTime","value":"#;
        text.strip_prefix(head)
            .and_then(|rest| rest.strip_suffix("}}"))
            .unwrap()
            .to_owned()
    };
    for (unix_us, wanted) in [
        (0, "0.0"),
        (1, "0.000001"),
        (10, "0.00001"),
        (100_000, "0.1"),
        (1_000_000, "1.0"),
        (1_638_498_072_810_000, "1638498072.81"),
        (1_638_498_072_000_000, "1638498072.0"),
        (1_638_498_072_000_100, "1638498072.0001"),
        (1_638_498_072_123_456, "1638498072.123456"),
        (u64::MAX, "18446744073709.551615"),
    ] {
        assert_eq!(value(unix_us), wanted);
    }
}
