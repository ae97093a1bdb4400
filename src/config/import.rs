//! The old car's `calib_param.json` as TOML.
//!
//! The old program kept every car of the fleet in one JSON file, in ticks of its PWM board. The
//! numbers took somebody an afternoon with a ruler, so they are worth carrying over:
//!
//! ```text
//!  us = ticks * 1 000 000 / (60 * 4096), to the nearest microsecond      300 -> 1221, 375 -> 1526
//!  brake_us: THROTTLE_ZERO - 50 ticks, as the old program braked, but not below THROTTLE_MIN
//! ```
//!
//! 60 Hz is what the board was asked for; a good one ran at 59.84 Hz, which made every pulse 0.3 %
//! (up to 6 us) longer than this formula says. The board's crystal, which is not in the file,
//! decides; so the nominal value is printed and the user is told to look at neutral.
//!
//! Promises: what is printed is read by this program without an error; it prints all of a car's
//! problems at once.
//! Knows nothing of: files, standard output.
//! Sources: PROTOCOL.md 4.6 (fields, order), 4.7 (tick), 4.3 (brake).

use core::fmt::Display;

use serde_json::{Map, Value};

use super::kind::quoted;
use super::nearest::{did_you_mean, nearest};
use super::problem::{Origin, Problem, Report};
use super::relay::Channel;
use super::schema::Id;
use crate::logic::drive::{Calibration, CalibrationError, CalibrationFields};
use crate::logic::units::PulseWidth;

/// spec: PROTOCOL.md 4.3, the old program's brake is 50 ticks below standing still.
const BRAKE_TICKS: u16 = 50;

/// The TOML for one car of a `calib_param.json`.
///
/// # Errors
/// Everything that is wrong with the car's entry, or the one thing that is wrong with the file.
pub fn import(file: &str, text: &str, car: Option<&str>) -> Result<String, Report> {
    let origin = Origin::File(file.to_owned());
    let fail = |problem| {
        Report::of(vec![problem]).map_or_else(|| unreachable!("one problem is a report"), Err)
    };
    let cars = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(cars)) => cars,
        Ok(_) => {
            return fail(Problem::of_file(
                origin,
                "must be a JSON object with the name of a car before each entry",
            ));
        }
        Err(error) => {
            let line = error.line().max(1);
            let told = error.to_string();
            // The library puts the place at the end; here it stands in front, as everywhere.
            let reason = told
                .rsplit_once(" at line ")
                .map_or(told.as_str(), |(reason, _)| reason);
            let what = format!("not JSON: {reason} (column {})", error.column());
            let file = file.to_owned();
            return fail(Problem::of_file(Origin::Line { file, line }, what));
        }
    };
    let names = || cars.keys().map(String::as_str);
    let known = match names().collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "it has no car at all".to_owned(),
        some => format!("it has {some}"),
    };
    let Some(car) = car else {
        return fail(Problem::of_file(
            origin,
            format!("which car? {known}; say --car NAME"),
        ));
    };
    let Some(entry) = cars.get(car) else {
        let near = did_you_mean(nearest(car, names()));
        return fail(Problem::of_file(
            origin,
            format!("no car {}: {known}{near}", quoted(car)),
        ));
    };
    let mut reader = Reader {
        origin,
        car,
        entry,
        problems: Vec::new(),
    };
    let found = reader.found();
    match (Report::of(reader.problems), found) {
        (None, Some(found)) => Ok(found.to_toml(file, car)),
        (Some(report), _) => Err(report),
        (None, None) => unreachable!("a field is missing only after its problem was noted"),
    }
}

/// What the file says of one car, checked.
struct Found {
    channel: Channel,
    throttle_step: u16,
    steering_step: u16,
    calibration: Calibration,
}

/// Reads one car's entry and notes what is wrong with it.
struct Reader<'a> {
    origin: Origin,
    car: &'a str,
    entry: &'a Value,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn found(&mut self) -> Option<Found> {
        let channel = self.channel();
        let throttle_step = self.step("THROTTLE_STEP", Id::DriveThrottleStep);
        let steering_step = self.step("STEERING_STEP", Id::DriveSteeringStep);
        let calibration = self.calibration();
        Some(Found {
            channel: channel?,
            throttle_step: throttle_step?,
            steering_step: steering_step?,
            calibration: calibration?,
        })
    }

    fn channel(&mut self) -> Option<Channel> {
        let value = self.field(&["ChannelID"])?;
        let channel = match value.as_str() {
            Some(text) => Channel::parse(text),
            None => Err("must be a text, the id of a channel".to_owned()),
        };
        channel
            .map_err(|what| self.note(&["ChannelID"], Some(&value), what))
            .ok()
    }

    fn step(&mut self, name: &str, id: Id) -> Option<u16> {
        let path = ["UI", name];
        let value = self.field(&path)?;
        let kind = id.key().kind;
        let step = whole(&value).filter(|step| kind.allows_number((*step).into()));
        if step.is_none() {
            self.note(&path, Some(&value), format!("must be {}", kind.allowed()));
        }
        step
    }

    fn calibration(&mut self) -> Option<Calibration> {
        let throttle_min = self.pulse("THROTTLE_MIN");
        let throttle_zero = self.pulse("THROTTLE_ZERO");
        let forward_zero = self.pulse("FORWARD_ZERO");
        let throttle_max = self.pulse("THROTTLE_MAX");
        let steering_min = self.pulse("STEERING_MIN");
        let steering_zero = self.pulse("STEERING_ZERO");
        let steering_max = self.pulse("STEERING_MAX");
        let (throttle_min, throttle_zero) = (throttle_min?, throttle_zero?);
        let brake =
            PulseWidth::saturating_from_ticks(throttle_zero.to_ticks().saturating_sub(BRAKE_TICKS));
        let calibration = Calibration::new(CalibrationFields {
            throttle_min,
            throttle_zero,
            forward_zero: forward_zero?,
            throttle_max: throttle_max?,
            steering_min: steering_min?,
            steering_zero: steering_zero?,
            steering_max: steering_max?,
            brake: brake.max(throttle_min),
        });
        calibration.map_err(|error| self.out_of_order(error)).ok()
    }

    fn out_of_order(&mut self, error: CalibrationError) {
        let order = match error {
            CalibrationError::ThrottleMinNotBelowZero | CalibrationError::BrakeNotInReverse => {
                "THROTTLE_MIN must be below THROTTLE_ZERO"
            }
            CalibrationError::ForwardZeroBelowZero => {
                "FORWARD_ZERO must not be below THROTTLE_ZERO"
            }
            CalibrationError::ForwardZeroNotBelowMax => "FORWARD_ZERO must be below THROTTLE_MAX",
            CalibrationError::SteeringMinNotBelowZero => "STEERING_MIN must be below STEERING_ZERO",
            CalibrationError::SteeringZeroNotBelowMax => "STEERING_ZERO must be below STEERING_MAX",
        };
        let numbers: Vec<String> = order
            .split(' ')
            .filter(|word| word.contains('_'))
            .filter_map(|name| {
                Some(format!(
                    "{name} = {}",
                    whole(&self.peek(&["Calibration", name])?)?
                ))
            })
            .collect();
        self.note(
            &["Calibration"],
            None,
            format!("{order} ({})", numbers.join(", ")),
        );
    }

    fn pulse(&mut self, name: &str) -> Option<PulseWidth> {
        let path = ["Calibration", name];
        let value = self.field(&path)?;
        let pulse = whole(&value).and_then(PulseWidth::from_ticks);
        if pulse.is_none() {
            let (least, most) = (PulseWidth::MIN, PulseWidth::MAX);
            let what = format!(
                "must be a whole number of ticks, {} to {} (that is {} to {} us)",
                least.to_ticks(),
                most.to_ticks(),
                least.get(),
                most.get(),
            );
            self.note(&path, Some(&value), what);
        }
        pulse
    }

    /// A field that must be there.
    fn field(&mut self, path: &[&str]) -> Option<Value> {
        let value = self.peek(path);
        if value.is_none() {
            self.note(path, None, "is missing");
        }
        value
    }

    fn peek(&self, path: &[&str]) -> Option<Value> {
        path.iter()
            .try_fold(self.entry, |inside, name| {
                inside
                    .as_object()
                    .and_then(|map: &Map<_, _>| map.get(*name))
            })
            .cloned()
    }

    fn note(&mut self, path: &[&str], value: Option<&Value>, what: impl Into<String>) {
        let key = format!("{}.{}", self.car, path.join("."));
        let origin = self.origin.clone();
        self.problems.push(match value {
            Some(value) => Problem::of_value(origin, key, &value.to_string(), what),
            None => Problem::of_key(origin, key, what),
        });
    }
}

impl Found {
    fn to_toml(&self, file: &str, car: &str) -> String {
        let pulses = self.calibration.fields();
        let header = format!(
            "# Car {} of {}, made by `spidercar check --import`.\n\
             #\n\
             # Pulse widths are nominal: us = ticks * 1000000 / (60 * 4096), to the nearest microsecond.\n\
             # The old board ran a little slower than 60 Hz, so its real pulses were up to 6 us longer:\n\
             # see that the car stands still in neutral, wheels off the ground, before you drive it.\n\
             # brake_us is THROTTLE_ZERO less {BRAKE_TICKS} ticks (not below THROTTLE_MIN), as the old program braked.\n",
            quoted(car),
            quoted(file),
        );
        let line = |id: Id, value: &dyn Display| format!("{} = {value}\n", id.key().name);
        let pulse = |id: Id, pulse: PulseWidth| {
            format!(
                "{} = {} # {} ticks\n",
                id.key().name,
                pulse.get(),
                pulse.to_ticks()
            )
        };
        let parts = [
            header,
            "\n[spider]\n".to_owned(),
            line(Id::SpiderChannel, &quoted(self.channel.as_str())),
            "\n[drive]\n# The original car has a PCA9685 board. Without this line the car is a simulated one.\n".to_owned(),
            "# output = \"pca9685\"\n".to_owned(),
            line(Id::DriveThrottleStep, &self.throttle_step),
            line(Id::DriveSteeringStep, &self.steering_step),
            "\n[drive.calibration]\n".to_owned(),
            pulse(Id::CalibrationThrottleMinUs, pulses.throttle_min),
            pulse(Id::CalibrationThrottleZeroUs, pulses.throttle_zero),
            pulse(Id::CalibrationForwardZeroUs, pulses.forward_zero),
            pulse(Id::CalibrationThrottleMaxUs, pulses.throttle_max),
            pulse(Id::CalibrationBrakeUs, pulses.brake),
            pulse(Id::CalibrationSteeringMinUs, pulses.steering_min),
            pulse(Id::CalibrationSteeringZeroUs, pulses.steering_zero),
            pulse(Id::CalibrationSteeringMaxUs, pulses.steering_max),
        ];
        parts.concat()
    }
}

/// A whole number; the old program also wrote `440.0`, where the app had sent it so.
fn whole(value: &Value) -> Option<u16> {
    let text = value.as_number()?.to_string();
    text.strip_suffix(".0").unwrap_or(&text).parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::outside::Shelf;
    use super::super::{Config, RawConfig, Source};
    use super::*;

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
}
