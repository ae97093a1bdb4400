//! Every refusal by its word, the edges of every number, and the old program's habits.

use super::*;

mod calibration;

fn refused(text: &str) -> Reject {
    decode(text.as_bytes()).expect_err(text)
}

fn motion_of(key: &str, value: &str) -> Result<Incoming, Reject> {
    decode(format!(r#"{{"motion":{{"key":"{key}","value":{value}}}}}"#).as_bytes())
}

fn drive_of(
    seq: &str,
    t_ms: &str,
    throttle: &str,
    steering: &str,
    lease: &str,
) -> Result<Incoming, Reject> {
    decode(
        format!(
            r#"{{"drive":{{"seq":{seq},"t_ms":{t_ms},"throttle":{throttle},"steering":{steering},"lease":{lease}}}}}"#
        )
        .as_bytes(),
    )
}

fn milli_steps(value: &str) -> i32 {
    match motion_of("forward", value) {
        Ok(Incoming::Motion(Motion { milli_steps, .. })) => milli_steps,
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn each_refusal_has_a_message_that_earns_it() {
    let long = format!(r#"{{"stop":{{"x":"{}"}}}}"#, "x".repeat(MAX_LENGTH));
    let deep = format!(r#"{{"motion":{}{}}}"#, "[".repeat(9), "]".repeat(9));
    for (text, reject) in [
        (long.as_str(), Reject::TooLong),
        ("hello", Reject::NotJson),
        (deep.as_str(), Reject::TooDeep),
        ("[1]", Reject::NotOneGroup),
        (r#"{"motion":{},"stop":{}}"#, Reject::NotOneGroup),
        (r#"{"lights":{"on":1}}"#, Reject::UnknownGroup),
        (r#"{"Stop":{}}"#, Reject::UnknownGroup),
        (r#"{"drive":7}"#, Reject::NotAnObject),
        (r#"{"motion":[]}"#, Reject::NotAnObject),
        (r#"{"speed":null}"#, Reject::NotAnObject),
        (r#"{"motion":{"key":"up","value":1}}"#, Reject::UnknownKey),
        (r#"{"motion":{"key":1,"value":1}}"#, Reject::UnknownKey),
        (
            r#"{"speed":{"key":"minSpeed","value":1}}"#,
            Reject::UnknownKey,
        ),
        (r#"{"motion":{"key":"back"}}"#, Reject::Missing),
        (r#"{"ping":{"id":1}}"#, Reject::Missing),
        (r#"{"view":{"lease":1,"rtt_ms":5}}"#, Reject::Missing),
        (
            r#"{"view":{"lease":1,"rtt_ms":-5,"age_ms":1}}"#,
            Reject::OutOfRange,
        ),
        (
            r#"{"motion":{"key":"back","value":1,"value":2}}"#,
            Reject::Duplicate,
        ),
        (
            r#"{"motion":{"key":"back","value":"7"}}"#,
            Reject::NotANumber,
        ),
        (
            r#"{"motion":{"key":"back","value":null}}"#,
            Reject::NotANumber,
        ),
        (
            r#"{"motion":{"key":"back","value":true}}"#,
            Reject::NotANumber,
        ),
        (
            r#"{"motion":{"key":"back","value":[1]}}"#,
            Reject::NotANumber,
        ),
        (
            r#"{"motion":{"key":"back","value":1e400}}"#,
            Reject::NotFinite,
        ),
        (
            r#"{"arm":{"seq":1.0,"t_ms":1,"lease":1}}"#,
            Reject::NotAnInteger,
        ),
        (
            r#"{"arm":{"seq":1e2,"t_ms":1,"lease":1}}"#,
            Reject::NotAnInteger,
        ),
        (r#"{"lease":{"id":1,"want":3}}"#, Reject::OutOfRange),
    ] {
        assert_eq!(refused(text), reject, "{text}");
    }
    assert_eq!(decode(&[b'{', 0xFF, b'}']), Err(Reject::NotText));
    assert_eq!(decode(b""), Err(Reject::NotJson));
}

#[test]
fn the_length_limit_is_exact() {
    let text = r#"{"stop":{}}"#;
    let padded = |length: usize| format!("{text}{}", " ".repeat(length - text.len()));
    assert_eq!(decode(padded(MAX_LENGTH).as_bytes()), Ok(Incoming::Stop));
    assert_eq!(refused(&padded(MAX_LENGTH + 1)), Reject::TooLong);
}

#[test]
fn refusals_have_words_of_their_own() {
    let all = [
        Reject::TooLong,
        Reject::NotText,
        Reject::NotJson,
        Reject::TooDeep,
        Reject::NotOneGroup,
        Reject::UnknownGroup,
        Reject::NotAnObject,
        Reject::UnknownKey,
        Reject::Missing,
        Reject::Duplicate,
        Reject::NotANumber,
        Reject::NotFinite,
        Reject::NotAnInteger,
        Reject::OutOfRange,
    ];
    let words: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), all.len());
}

#[test]
fn stop_stops_whatever_it_says() {
    for value in [
        "{}",
        "null",
        "1",
        "\"now\"",
        "[]",
        "{\"reason\":[1,{}]}",
        "false",
    ] {
        assert_eq!(
            decode(format!("{{\"stop\":{value}}}").as_bytes()),
            Ok(Incoming::Stop),
            "{value}"
        );
    }
}

#[test]
fn a_drive_is_taken_up_to_the_edge_of_each_number() {
    let ok = Ok(Incoming::Drive(DriveCommand {
        seq: Seq::new(u32::MAX),
        t_ms: MAX_SENDER_MS,
        throttle: Throttle::MAX,
        steering: Steering::MIN,
        lease: LeaseId::new(u32::MAX),
        tune: None,
    }));
    assert_eq!(
        drive_of(
            "4294967295",
            "9007199254740991",
            "1000",
            "-1000",
            "4294967295"
        ),
        ok
    );
    assert!(drive_of("0", "0", "-1000", "1000", "0").is_ok());
    assert!(
        drive_of("-0", "0", "-0", "0", "0").is_err(),
        "no unsigned number has a sign"
    );
    for bad in ["-1", "4294967296", "99999999999999999999999999"] {
        assert_eq!(
            drive_of(bad, "0", "0", "0", "1"),
            Err(Reject::OutOfRange),
            "seq {bad}"
        );
        assert_eq!(
            drive_of("1", "0", "0", "0", bad),
            Err(Reject::OutOfRange),
            "lease {bad}"
        );
    }
    for bad in ["-1", "9007199254740992", "18446744073709551616"] {
        assert_eq!(
            drive_of("1", bad, "0", "0", "1"),
            Err(Reject::OutOfRange),
            "t_ms {bad}"
        );
    }
    for bad in ["1001", "-1001", "99999999999"] {
        assert_eq!(
            drive_of("1", "0", bad, "0", "1"),
            Err(Reject::OutOfRange),
            "throttle {bad}"
        );
        assert_eq!(
            drive_of("1", "0", "0", bad, "1"),
            Err(Reject::OutOfRange),
            "steering {bad}"
        );
    }
    for bad in ["0.5", "1e2", "1E2", "0.0"] {
        assert_eq!(
            drive_of("1", "0", bad, "0", "1"),
            Err(Reject::NotAnInteger),
            "throttle {bad}"
        );
    }
}

#[test]
fn order_of_fields_and_unknown_fields_do_not_matter() {
    let text =
        r#" {"drive": {"lease":7,"later":{"a":[1]},"steering":0,"throttle":5,"t_ms":1,"seq":2} } "#;
    assert!(
        matches!(decode(text.as_bytes()), Ok(Incoming::Drive(drive)) if drive.throttle.get() == 5)
    );
}

#[test]
fn question_15_legacy_values_keep_thousandths_and_zero_or_less_is_neutral() {
    for (value, wanted) in [
        ("0", 0),
        ("-1", 0),
        ("-0.0", 0),
        ("-1e-300", 0),
        ("-999999", 0),
        ("7", 7000),
        ("0.5", 500),
        ("20", 20_000),
        ("1.0004", 1000),
        ("1.0006", 1001),
        ("1e6", 1_000_000_000),
        ("999999.9999", 1_000_000_000),
        // However small, above zero is above zero: the old car skipped its dead band for it.
        ("0.0001", 1),
        ("1e-300", 1),
    ] {
        assert_eq!(milli_steps(value), wanted, "{value}");
    }
    for bad in ["1000001", "-1000001", "1e40", "1e300"] {
        assert_eq!(motion_of("left", bad), Err(Reject::OutOfRange), "{bad}");
    }
}

#[test]
fn the_four_keys_of_a_motion() {
    for (word, key) in [
        ("forward", MotionKey::Forward),
        ("back", MotionKey::Back),
        ("left", MotionKey::Left),
        ("right", MotionKey::Right),
    ] {
        let milli_steps = 3000;
        assert_eq!(
            motion_of(word, "3"),
            Ok(Incoming::Motion(Motion { key, milli_steps }))
        );
    }
}

#[test]
fn max_speed_is_ticks_of_a_twelve_bit_counter() {
    let of = |value: &str| {
        decode(format!(r#"{{"speed":{{"key":"maxSpeed","value":{value}}}}}"#).as_bytes())
    };
    for (value, ticks) in [
        ("0", 0),
        ("420", 420),
        ("420.9", 420),
        ("4095", 4095),
        ("-0", 0),
    ] {
        assert_eq!(of(value), Ok(Incoming::MaxSpeed { ticks }), "{value}");
    }
    for bad in ["-1", "4095.1", "4096", "1e40", "-1e-9"] {
        assert_eq!(of(bad), Err(Reject::OutOfRange), "{bad}");
    }
}

#[test]
fn lease_wishes_have_numbers_and_those_come_back() {
    for want in [Want::Release, Want::Take, Want::HandOver] {
        assert_eq!(Want::from_code(want.code()), Some(want));
        let text = format!(r#"{{"lease":{{"id":7,"want":{}}}}}"#, want.code());
        let id = LeaseId::new(7);
        assert_eq!(
            decode(text.as_bytes()),
            Ok(Incoming::Lease(LeaseCommand { id, want }))
        );
    }
    assert_eq!(Want::from_code(3), None);
    assert_eq!(
        refused(r#"{"lease":{"id":7,"want":256}}"#),
        Reject::OutOfRange
    );
    assert_eq!(
        refused(r#"{"lease":{"id":7,"want":-1}}"#),
        Reject::OutOfRange
    );
}

#[test]
fn a_camera_wish_is_a_view_or_a_dial_in_its_range() {
    use crate::logic::camera::{CameraCommand, CameraWish, Dial, View};
    let said = |key: &str, value: &str| {
        let text = format!(r#"{{"camera":{{"lease":7,"key":{key},"value":{value}}}}}"#);
        decode(text.as_bytes())
    };
    let means = |wish| {
        let lease = LeaseId::new(7);
        Ok(Incoming::Camera(CameraCommand { lease, wish }))
    };
    for (code, view) in [(0, View::Automatic), (1, View::Front), (2, View::Rear)] {
        assert_eq!(
            said(r#""view""#, &code.to_string()),
            means(CameraWish::View(view))
        );
    }
    for value in ["3", "-1", "256"] {
        assert_eq!(said(r#""view""#, value), Err(Reject::OutOfRange), "{value}");
    }
    let focus = Dial::FocusMilli;
    let key = format!("{:?}", focus.word());
    for value in [-1, 0, 32_000] {
        let wanted = means(CameraWish::Dial(focus, value));
        assert_eq!(said(&key, &value.to_string()), wanted);
    }
    for value in ["-2", "32001", "99999999999"] {
        assert_eq!(said(&key, value), Err(Reject::OutOfRange), "{value}");
    }
    assert_eq!(said(&key, "1.5"), Err(Reject::NotAnInteger));
    assert_eq!(said(&key, r#""5""#), Err(Reject::NotANumber));
    assert_eq!(said(r#""brightness""#, "1"), Err(Reject::UnknownKey));
    assert_eq!(said("5", "1"), Err(Reject::UnknownKey));
    assert_eq!(
        decode(br#"{"camera":{"key":"view","value":1}}"#),
        Err(Reject::Missing)
    );
}
