//! Texts that are whole and texts that are not, and a year of a slider that never stands.

use super::*;
use crate::logic::units::PulseWidth;

fn calibration(zero: u16) -> Calibration {
    let pulse = |micros| PulseWidth::new(micros).unwrap();
    Calibration::new(CalibrationFields {
        throttle_min: pulse(1000),
        throttle_zero: pulse(zero),
        forward_zero: pulse(1540),
        throttle_max: pulse(2000),
        steering_min: pulse(1000),
        steering_zero: pulse(1500),
        steering_max: pulse(2000),
        brake: pulse(1300),
    })
    .unwrap()
}

fn learned() -> Learned {
    Learned {
        calibration: Some(calibration(1510)),
        max_speed: Some(420),
    }
}

const TEXT: &str = "{\"spidercar_state\":1,\"calibration\":{\"throttle_min_us\":1000,\"throttle_zero_us\":1510,\
    \"forward_zero_us\":1540,\"throttle_max_us\":2000,\"steering_min_us\":1000,\"steering_zero_us\":1500,\
    \"steering_max_us\":2000,\"brake_us\":1300},\"max_speed_ticks\":420,\
    \"sha256\":\"cfc26f68c98eb1acd2a8b02e79dbf40f3d6f6cd0e80bc1ce10e3f7a5c1e4e5a1\"}\n";

#[test]
fn the_text_is_what_older_cars_have_on_their_cards() {
    let text = learned().encode();
    let (body, _) = TEXT.split_once(",\"sha256\"").unwrap();
    assert!(text.starts_with(body), "{text}");
    assert_eq!(text.lines().count(), 1);
    assert!(text.len() < LONGEST / 10, "{} bytes", text.len());
}

#[test]
fn what_was_written_is_read_again() {
    let nothing = Learned::default();
    let calibrated = Learned {
        max_speed: None,
        ..learned()
    };
    let limited = Learned {
        calibration: None,
        ..learned()
    };
    for learned in [nothing, calibrated, limited, learned()] {
        assert_eq!(Learned::decode(learned.encode().as_bytes()), Ok(learned));
    }
}

#[test]
fn every_text_that_is_cut_off_is_known_for_it() {
    let text = learned().encode();
    // The line feed at the end alone may be missing.
    for length in 0..text.len() - 1 {
        let cut = Learned::decode(&text.as_bytes()[..length]);
        let is_known = matches!(cut, Err(Damage::Empty | Damage::NotOurs(_)));
        assert!(is_known, "{length}: {cut:?}");
    }
}

#[test]
fn every_byte_that_is_another_one_is_known_or_makes_no_difference() {
    let text = learned().encode().into_bytes();
    for place in 0..text.len() {
        for bit in 0..8 {
            let mut other = text.clone();
            other[place] ^= 1 << bit;
            if let Ok(read) = Learned::decode(&other) {
                // A line feed that is a space, a digit of the checksum in capitals: no.
                assert_eq!(read, learned(), "byte {place}, bit {bit}");
            }
        }
    }
}

#[test]
fn other_zeros_and_pages_of_a_card_are_known() {
    let refused = |text: &[u8]| Learned::decode(text).expect_err("damaged");
    assert_eq!(refused(b""), Damage::Empty);
    assert_eq!(refused(&vec![0; LONGEST + 1]), Damage::TooLong);
    assert!(matches!(refused(&[0; 400]), Damage::NotOurs(_)));
    assert!(matches!(refused(&[0xFF; 400]), Damage::NotOurs(_)));
    let newer = learned().encode().replace("_state\":1", "_state\":2");
    assert_eq!(refused(newer.as_bytes()), Damage::Version(2));
    let edited = learned().encode().replace("1510", "1511");
    assert_eq!(refused(edited.as_bytes()), Damage::Checksum);
}

/// A text with a good checksum, whatever it says.
fn forged(body: &str) -> Damage {
    let sum = sum(body);
    let open = body.strip_suffix('}').unwrap();
    Learned::decode(format!("{open},\"sha256\":\"{sum}\"}}").as_bytes()).expect_err("nonsense")
}

#[test]
fn nonsense_with_a_good_checksum_is_refused_too() {
    let body = TEXT.split_once(",\"sha256\"").unwrap().0.to_owned() + "}";
    assert_eq!(forged(&body.replace("1300", "499")), Damage::NoPulse);
    assert_eq!(
        forged(&body.replace("1300", "1600")),
        Damage::OutOfOrder(CalibrationError::BrakeNotInReverse)
    );
    for ticks in [0, 4096] {
        let body = body.replace("420", &ticks.to_string());
        assert_eq!(forged(&body), Damage::MaxSpeed(ticks));
    }
    let more = body.replace("\"brake_us\"", "\"kick_us\":1,\"brake_us\"");
    assert!(matches!(forged(&more), Damage::NotOurs(_)), "{more}");
}

fn at_ms(ms: u64) -> Uptime {
    Uptime::from_micros(ms * 1000)
}

fn limited(ticks: u16) -> Learned {
    Learned {
        max_speed: Some(ticks),
        ..Learned::default()
    }
}

#[test]
fn a_calibration_is_written_at_once_and_a_slider_when_it_stands() {
    let mut plan = Plan::new(at_ms(0), Some(Learned::default()), Learned::default());
    assert!(!plan.is_due(at_ms(5), Learned::default()), "nothing is new");
    for ms in (10..5_000).step_by(10) {
        let ticks = 300 + u16::try_from(ms / 10 % 100).unwrap();
        assert!(!plan.is_due(at_ms(ms), limited(ticks)), "it moves");
    }
    assert!(!plan.is_due(at_ms(5_000), limited(420)));
    assert!(!plan.is_due(at_ms(6_999), limited(420)));
    assert!(plan.is_due(at_ms(7_000), limited(420)));
    plan.wrote(at_ms(7_001), limited(420), true);
    assert!(plan.has(&limited(420)) && !plan.is_due(at_ms(99_000), limited(420)));
    assert!(plan.is_due(at_ms(99_001), learned()), "a calibration");
}

#[test]
fn a_write_that_failed_is_tried_again_later() {
    let mut plan = Plan::new(at_ms(0), Some(Learned::default()), Learned::default());
    assert!(plan.is_due(at_ms(5), learned()));
    plan.wrote(at_ms(6), learned(), false);
    assert!(!plan.has(&learned()) && !plan.is_due(at_ms(30_005), learned()));
    assert!(plan.is_due(at_ms(30_006), learned()));
}

#[test]
fn what_has_to_be_written_anew_is_due_at_once() {
    let mut plan = Plan::new(at_ms(0), None, limited(420));
    assert!(plan.is_due(at_ms(0), limited(420)));
}

/// Writes in so many minutes in which `wanted` says what is wanted, looked at each 50 ms.
fn writes(minutes: u64, wanted: impl Fn(u64) -> Learned) -> u64 {
    let mut plan = Plan::new(at_ms(0), Some(Learned::default()), Learned::default());
    let mut count = 0;
    for ms in (0..minutes * 60_000).step_by(50) {
        let wanted = wanted(ms);
        if plan.is_due(at_ms(ms), wanted) {
            count += 1;
            plan.wrote(at_ms(ms), wanted, true);
        }
    }
    count
}

#[test]
fn the_wear_of_the_card_is_bounded_whatever_is_done_with_slider_and_button() {
    let slider =
        |every_ms: u64| move |ms: u64| limited(300 + u16::try_from(ms / every_ms % 2).unwrap());
    assert_eq!(writes(600, slider(50)), 0, "it never stands");
    assert_eq!(writes(600, slider(2_050)), 5 + 599);
    let button = |ms: u64| Learned {
        calibration: Some(calibration(1500 + u16::try_from(ms / 50 % 2).unwrap())),
        max_speed: None,
    };
    assert_eq!(writes(600, button), 10 + 599);
}

#[test]
fn a_slider_leaves_a_calibration_its_turn() {
    let mut plan = Plan::new(at_ms(0), Some(Learned::default()), Learned::default());
    let mut now_ms = 0;
    for ticks in 300..340 {
        plan.is_due(at_ms(now_ms), limited(ticks));
        now_ms += 2_000;
        if plan.is_due(at_ms(now_ms), limited(ticks)) {
            plan.wrote(at_ms(now_ms), limited(ticks), true);
        }
    }
    assert!(plan.is_due(at_ms(now_ms), learned()));
}
