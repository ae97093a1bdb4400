//! Old files good and bad, and what becomes of them.

use proptest::prelude::*;

use super::*;
use crate::config::outside::Shelf;
use crate::config::{Config, RawConfig, Source};

/// The example of PROTOCOL.md 4.6, with a second car.
const FLEET: &str = r#"{"SpiderCar6":{"CAR_NAME":"SpiderCar6","ChannelID":"c9abcdefghijklmnopq0",
 "Calibration":{"THROTTLE_ZERO":375,"FORWARD_ZERO":399,"STEERING_ZERO":399,"THROTTLE_MIN":300,
  "THROTTLE_MAX":440,"STEERING_MIN":319,"STEERING_MAX":479},
 "UI":{"THROTTLE_STEP":20,"STEERING_STEP":20}},
 "SpiderCar7":{}}"#;

fn read_back(toml: &str) -> Result<Config, Report> {
    let outside = Shelf::default().file("car.toml", toml);
    let raw = RawConfig::read(&Source::File("car.toml".into()), &[], &outside);
    Config::from_raw(&raw, &outside)
}

fn refused(text: &str, car: &str) -> String {
    import("calib.json", text, Some(car))
        .expect_err(text)
        .to_string()
}

#[test]
fn the_example_of_the_sheet_becomes_its_microseconds() {
    let toml = import("calib.json", FLEET, Some("SpiderCar6")).expect("a good car");
    let config = read_back(&toml).expect("good TOML");
    let pulses = config.drive.config.calibration.fields();
    let micros = [
        pulses.throttle_min,
        pulses.throttle_zero,
        pulses.forward_zero,
        pulses.throttle_max,
        pulses.brake,
        pulses.steering_min,
        pulses.steering_zero,
        pulses.steering_max,
    ]
    .map(PulseWidth::get);
    // 1220.7, 1525.9, 1623.5, 1790.4, 1322.4, 1298.0, 1623.5 and 1949.1 in the sheet.
    assert_eq!(micros, [1221, 1526, 1624, 1790, 1322, 1298, 1624, 1949]);
    assert_eq!(config.spider.channel.as_str(), "c9abcdefghijklmnopq0");
    assert!(toml.contains("brake_us = 1322 # 325 ticks\n"), "{toml}");
}

#[test]
fn the_brake_does_not_go_below_full_reverse() {
    let text = FLEET.replace("\"THROTTLE_MIN\":300", "\"THROTTLE_MIN\":350");
    let toml = import("calib.json", &text, Some("SpiderCar6")).expect("a good car");
    assert!(toml.contains("brake_us = 1424 # 350 ticks\n"), "{toml}");
}

#[test]
fn a_number_that_the_old_app_sent_with_a_point_is_taken() {
    let text = FLEET.replace("440", "440.0");
    assert!(import("calib.json", &text, Some("SpiderCar6")).is_ok());
}

#[test]
fn an_unknown_car_is_told_which_there_are() {
    assert_eq!(
        refused(FLEET, "SpiderCar66"),
        "1 problem\n  calib.json: no car \"SpiderCar66\": it has SpiderCar6, SpiderCar7; did you mean SpiderCar6?"
    );
    assert_eq!(
        import("calib.json", FLEET, None)
            .expect_err("no car")
            .to_string(),
        "1 problem\n  calib.json: which car? it has SpiderCar6, SpiderCar7; say --car NAME"
    );
    assert_eq!(
        refused("{}", "a"),
        "1 problem\n  calib.json: no car \"a\": it has no car at all"
    );
}

#[test]
fn every_missing_field_is_named() {
    let told = refused(FLEET, "SpiderCar7");
    assert!(told.starts_with("10 problems\n"), "{told}");
    for field in [
        "ChannelID",
        "Calibration.THROTTLE_MIN",
        "Calibration.STEERING_MAX",
        "UI.THROTTLE_STEP",
    ] {
        assert!(
            told.contains(&format!("calib.json: SpiderCar7.{field}: is missing")),
            "{told}"
        );
    }
}

#[test]
fn wrong_numbers_are_refused() {
    for (from, to, expected) in [
        (
            "375",
            "376.5",
            "THROTTLE_ZERO = 376.5: must be a whole number of ticks, 123 to 614",
        ),
        (
            "375",
            "\"375\"",
            "THROTTLE_ZERO = \"375\": must be a whole number",
        ),
        ("375", "null", "THROTTLE_ZERO = null: must be"),
        ("375", "-1", "THROTTLE_ZERO = -1: must be"),
        ("375", "1e40", "THROTTLE_ZERO = 1e+40: must be"),
        ("375", "122", "THROTTLE_ZERO = 122: must be"),
        ("479", "615", "STEERING_MAX = 615: must be"),
        (
            "\"THROTTLE_STEP\":20",
            "\"THROTTLE_STEP\":0",
            "UI.THROTTLE_STEP = 0: must be a whole number, 1 to 1000",
        ),
        (
            "c9abcdefghijklmnopq0",
            "MarsRacing-07",
            "ChannelID = \"MarsRacing-07\": must have 20 characters, has 13",
        ),
        (
            "\"c9abcdefghijklmnopq0\"",
            "7",
            "ChannelID = 7: must be a text",
        ),
    ] {
        let text = FLEET.replacen(from, to, 1);
        let told = refused(&text, "SpiderCar6");
        assert!(told.contains(expected), "{from} to {to}: {told}");
    }
}

#[test]
fn wrong_order_is_refused_with_the_numbers() {
    for (from, to, expected) in [
        (
            "\"THROTTLE_MIN\":300",
            "\"THROTTLE_MIN\":375",
            "THROTTLE_MIN must be below THROTTLE_ZERO (THROTTLE_MIN = 375, THROTTLE_ZERO = 375)",
        ),
        (
            "\"FORWARD_ZERO\":399",
            "\"FORWARD_ZERO\":374",
            "FORWARD_ZERO must not be below THROTTLE_ZERO (FORWARD_ZERO = 374, THROTTLE_ZERO = 375)",
        ),
        (
            "\"THROTTLE_MAX\":440",
            "\"THROTTLE_MAX\":399",
            "FORWARD_ZERO must be below THROTTLE_MAX (FORWARD_ZERO = 399, THROTTLE_MAX = 399)",
        ),
        (
            "\"STEERING_MIN\":319",
            "\"STEERING_MIN\":400",
            "STEERING_MIN must be below STEERING_ZERO",
        ),
        (
            "\"STEERING_MAX\":479",
            "\"STEERING_MAX\":398",
            "STEERING_ZERO must be below STEERING_MAX",
        ),
    ] {
        let told = refused(&FLEET.replace(from, to), "SpiderCar6");
        assert!(told.contains(expected), "{to}: {told}");
    }
}

#[test]
fn what_is_not_json_names_line_and_column() {
    assert_eq!(
        refused("{\n \"a\": {,}\n}", "a"),
        "1 problem\n  calib.json:2: not JSON: key must be a string (column 8)"
    );
    let told = refused("", "a");
    assert!(
        told.contains("calib.json:1: not JSON: EOF while parsing a value (column 0)"),
        "{told}"
    );
    assert!(refused("[1]", "a").contains("must be a JSON object"));
    assert!(refused(&"[".repeat(100_000), "a").contains("not JSON"));
}

#[test]
fn an_entry_that_is_no_object_misses_everything() {
    assert!(refused("{\"a\": 5}", "a").contains("a.ChannelID: is missing"));
}

proptest! {
    #[test]
    fn every_pulse_in_order_is_imported_and_reads_back(
        mut throttle in prop::collection::btree_set(123_u16..=614, 4),
        mut steering in prop::collection::btree_set(123_u16..=614, 3),
    ) {
        let take = |from: &mut std::collections::BTreeSet<u16>| from.pop_first().unwrap_or_default();
        let (min, zero, forward, max) = (take(&mut throttle), take(&mut throttle), take(&mut throttle), take(&mut throttle));
        let (right, straight, left) = (take(&mut steering), take(&mut steering), take(&mut steering));
        let text = serde_json::json!({"car": {
            "ChannelID": "c9abcdefghijklmnopq0",
            "Calibration": {
                "THROTTLE_MIN": min, "THROTTLE_ZERO": zero, "FORWARD_ZERO": forward, "THROTTLE_MAX": max,
                "STEERING_MIN": right, "STEERING_ZERO": straight, "STEERING_MAX": left,
            },
            "UI": {"THROTTLE_STEP": 20, "STEERING_STEP": 10},
        }});
        let toml = import("calib.json", &text.to_string(), Some("car")).expect("in order");
        let config = read_back(&toml).expect("reads back");
        let pulses = config.drive.config.calibration.fields();
        let ticks = [pulses.throttle_min, pulses.throttle_zero, pulses.forward_zero, pulses.throttle_max].map(PulseWidth::to_ticks);
        prop_assert_eq!(ticks, [min, zero, forward, max]);
        let ticks = [pulses.steering_min, pulses.steering_zero, pulses.steering_max].map(PulseWidth::to_ticks);
        prop_assert_eq!(ticks, [right, straight, left]);
    }
}

#[test]
fn a_byte_order_mark_in_front_is_no_mistake_and_what_is_not_taken_is_said() {
    let marked = format!("\u{feff}{FLEET}").replace('\n', "\r\n");
    let toml = import("calib.json", &marked, Some("SpiderCar6")).expect("a good car");
    assert!(!toml.contains("Not taken"), "{toml}");
    let more = FLEET
        .replacen("\"CAR_NAME\"", "\"Camera\":{\"fps\":30},\"CAR_NAME\"", 1)
        .replacen("\"THROTTLE_STEP\"", "\"CRUISE\\n\":1,\"THROTTLE_STEP\"", 1);
    let toml = import("calib.json", &more, Some("SpiderCar6")).expect("a good car");
    let line = toml
        .lines()
        .find(|line| line.contains("Not taken"))
        .expect(&toml);
    assert!(
        line.contains("\"Camera\"") && line.contains("UI.CRUISE"),
        "{line}"
    );
    read_back(&toml).expect("the line is a comment");
}
