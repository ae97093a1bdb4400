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
    // Editors of Windows put a byte order mark in front; JSON must not have one, and says only "expected value".
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
        (None, Some(found)) => Ok(found.to_toml(file, car, &not_taken(entry))),
        (Some(report), _) => Err(report),
        (None, None) => unreachable!("a field is missing only after its problem was noted"),
    }
}

/// What is read of an entry. spec: PROTOCOL.md 4.6.
const TAKEN: [&str; 11] = [
    "CAR_NAME",
    "ChannelID",
    "UI.THROTTLE_STEP",
    "UI.STEERING_STEP",
    "Calibration.THROTTLE_MIN",
    "Calibration.THROTTLE_ZERO",
    "Calibration.FORWARD_ZERO",
    "Calibration.THROTTLE_MAX",
    "Calibration.STEERING_MIN",
    "Calibration.STEERING_ZERO",
    "Calibration.STEERING_MAX",
];

/// The fields of an entry that nothing here reads, in quotes.
fn not_taken(entry: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (name, value) in entry.as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) if name == "UI" || name == "Calibration" => {
                names.extend(inner.keys().map(|field| format!("{name}.{field}")));
            }
            _ => names.push(name.clone()),
        }
    }
    names.retain(|name| !TAKEN.contains(&name.as_str()));
    names.iter().map(|name| quoted(name)).collect()
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

    /// Throttle and steering are judged apart, so that a mistake in one does not hide one in the other.
    fn calibration(&mut self) -> Option<Calibration> {
        let throttle = self.throttle();
        let steering = self.steering();
        let (throttle, steering) = (throttle?, steering?);
        let both = CalibrationFields {
            steering_min: steering.steering_min,
            steering_zero: steering.steering_zero,
            steering_max: steering.steering_max,
            ..throttle
        };
        Calibration::new(both).ok()
    }

    fn throttle(&mut self) -> Option<CalibrationFields> {
        let min = self.pulse("THROTTLE_MIN");
        let zero = self.pulse("THROTTLE_ZERO");
        let forward = self.pulse("FORWARD_ZERO");
        let max = self.pulse("THROTTLE_MAX");
        let (throttle_min, throttle_zero) = (min?, zero?);
        let brake = throttle_zero.to_ticks().saturating_sub(BRAKE_TICKS);
        self.in_order(CalibrationFields {
            throttle_min,
            throttle_zero,
            forward_zero: forward?,
            throttle_max: max?,
            brake: PulseWidth::saturating_from_ticks(brake).max(throttle_min),
            ..stand_in()
        })
    }

    fn steering(&mut self) -> Option<CalibrationFields> {
        let min = self.pulse("STEERING_MIN");
        let zero = self.pulse("STEERING_ZERO");
        let max = self.pulse("STEERING_MAX");
        self.in_order(CalibrationFields {
            steering_min: min?,
            steering_zero: zero?,
            steering_max: max?,
            ..stand_in()
        })
    }

    fn in_order(&mut self, fields: CalibrationFields) -> Option<CalibrationFields> {
        match Calibration::new(fields) {
            Ok(_) => Some(fields),
            Err(error) => {
                self.out_of_order(error);
                None
            }
        }
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
    fn to_toml(&self, file: &str, car: &str, not_taken: &[String]) -> String {
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
        let header = match not_taken {
            [] => header,
            some => format!(
                "{header}# Not taken, for this program has no such setting: {}.\n",
                some.join(", ")
            ),
        };
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

/// Pulses in good order, in place of those that are judged elsewhere.
fn stand_in() -> CalibrationFields {
    let pulse = PulseWidth::saturating;
    CalibrationFields {
        throttle_min: pulse(1000),
        throttle_zero: pulse(1500),
        forward_zero: pulse(1500),
        throttle_max: pulse(2000),
        brake: pulse(1000),
        steering_min: pulse(1000),
        steering_zero: pulse(1500),
        steering_max: pulse(2000),
    }
}

/// A whole number; the old program also wrote `440.0`, where the app had sent it so.
fn whole(value: &Value) -> Option<u16> {
    let text = value.as_number()?.to_string();
    text.strip_suffix(".0").unwrap_or(&text).parse().ok()
}

#[cfg(test)]
mod tests;
