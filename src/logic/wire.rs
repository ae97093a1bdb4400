//! Bytes to and from the exact JSON shapes on the data channels; the only file of `logic` with a float in it.
//!
//! A command decides over a motor, so it is either understood completely or refused with the reason. Legacy values may
//! be floats; here they are checked finite and become integers, for `NaN.clamp()` is NaN and the hand-written clamp makes
//! full reverse of it. One golden file for each message is in `tests/data/wire`.
//!
//! ```text
//!   in, legacy      {"motion":{"key":"forward|back|left|right","value":7}}      steps, 0 or less is neutral
//!                   {"speed":{"key":"maxSpeed","value":420}}                    ticks of the old PWM chip
//!   in, extension   {"drive":{"seq":1,"t_ms":20,"throttle":0,"steering":0,"lease":7,"secret":99}}
//!                   {"arm":{"seq":1,"t_ms":20,"lease":7,"secret":99}}   {"stop":{}}   {"lease":{"id":7,"secret":99,"want":1}}
//!                   {"ping":{"id":1,"t_ms":20}}        {"view":{"lease":7,"secret":99,"rtt_ms":40,"age_ms":90}}
//!                   {"calibrate":{...}}  {"calibration":{...}}  {"camera":{...}}  see `wire/calibration.rs`, `wire/camera.rs`
//!   out, legacy     {"ir":{"key":"detectTime","value":1638498072.81}}           {"speed":{"key":"maxSpeed","value":420}}
//!   out, extension  {"pong":{"id":1,"t_ms":20,"car_us":1}}        {"car":{...}} {"board":{...}} {"video":{...}} {"calibration":{...}}
//! ```
//!
//! Text or binary frames are the same to us: both must be UTF-8 JSON (PROTOCOL.md 5.2 q 19). Fields that are not
//! known are passed over, groups that are not known are [`Reject::UnknownGroup`], which is no error of the sender.
//! `stop` stops whatever else it says, or says wrongly.
//!
//! Promises: [`decode`] is total, allocates nothing and is bounded by [`MAX_LENGTH`]; what it returns is in range.
//! Knows nothing of: who may say what, or how old a message is.
//! Sources: PROTOCOL.md 4.1, 4.2, 5.2 (q 15, 17, 19, 20); README finding 1.

use serde::{Deserialize, Serialize};

use super::camera::CameraCommand;
use super::json::{self, Fields, Value};
use super::units::{LeaseId, Seq, Steering, Throttle};

#[cfg(test)]
mod tests;

mod calibration;
mod camera;
mod outgoing;
mod sealing;

pub use calibration::{Axis, CalibrationCommand, CalibrationReport, Change, Pulses, Tune};
pub use outgoing::{Board, Car, MESSAGE_MAX, Message, Outgoing, Pong, Times, Video};
pub use sealing::SealFields;

/// Longest message that is looked at, in bytes.
///
/// choice: ten times our longest command; a megabyte of junk costs one comparison.
pub const MAX_LENGTH: usize = 1024;

/// Longest sender time that is taken, in milliseconds.
///
/// spec: ECMA-262 `Number.MAX_SAFE_INTEGER`; beyond it a browser cannot count. It also fits `i64` in microseconds.
const MAX_SENDER_MS: u64 = (1 << 53) - 1;

/// Longest legacy value that is taken, in steps, either way.
///
/// choice: any slider is far shorter, and a thousand times it still fits `i32`. What is above full scale is clamped later.
const MAX_STEPS: f64 = 1_000_000.0;

/// Most ticks of the old PWM chip.
///
/// datasheet: PCA9685 7.3.3, a 12-bit counter.
const MAX_TICKS: f64 = 4095.0;

/// Which slider a legacy motion moved, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MotionKey {
    /// Throttle, forward.
    Forward,
    /// Throttle, reverse.
    Back,
    /// Steering, left.
    Left,
    /// Steering, right.
    Right,
}

/// A legacy motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motion {
    /// Which way.
    pub key: MotionKey,
    /// How far, in thousandths of a slider step; never negative, 0 is neutral.
    pub milli_steps: i32,
}

/// A command of a driver who has a lease, or wants one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveCommand {
    /// Counts this sender's commands.
    pub seq: Seq,
    /// When it was sent, on the sender's own monotonic clock, in milliseconds.
    pub t_ms: u64,
    /// How hard.
    pub throttle: Throttle,
    /// Where to.
    pub steering: Steering,
    /// Who says so.
    pub lease: LeaseId,
    /// One output at an exact pulse instead (`calibrate`); throttle and steering are neutral then.
    pub tune: Option<Tune>,
}

impl DriveCommand {
    /// Whether it asks for no motion at all.
    #[must_use]
    pub const fn is_neutral(&self) -> bool {
        self.throttle.is_zero() && self.tune.is_none()
    }
}

/// A wish to take the wheel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmCommand {
    /// Counts this sender's `arm`s; it may be the same count as that of `drive`.
    pub seq: Seq,
    /// When it was sent, on the sender's own monotonic clock, in milliseconds.
    pub t_ms: u64,
    /// Who.
    pub lease: LeaseId,
}

/// What a sender wants with the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Want {
    /// Give it up.
    #[default]
    Release,
    /// Keep it, or take it if nobody has it.
    Take,
    /// Ask the holder to hand it over.
    HandOver,
}

impl Want {
    /// Number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Release => 0,
            Self::Take => 1,
            Self::HandOver => 2,
        }
    }

    /// The wish with this number on the wire.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Release),
            1 => Some(Self::Take),
            2 => Some(Self::HandOver),
            _ => None,
        }
    }
}

/// A message about the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseCommand {
    /// Who.
    pub id: LeaseId,
    /// What he wants.
    pub want: Want,
}

/// How a driver sees: [`crate::logic::pace`] slows the car by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewReport {
    /// Whose view.
    pub lease: LeaseId,
    /// Round-trip time of his pings, in milliseconds.
    pub rtt_ms: u32,
    /// Age of the picture on his screen, from capture to now, in milliseconds.
    pub age_ms: u32,
}

/// A question for the car's clock; the answer is [`Pong`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ping {
    /// Comes back in the answer.
    pub id: u32,
    /// Comes back in the answer.
    pub t_ms: u64,
}

/// A message that was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Legacy `motion`.
    Motion(Motion),
    /// Legacy `speed`/`maxSpeed`, in ticks of the old PWM chip.
    MaxSpeed {
        /// New full forward.
        ticks: u16,
    },
    /// `drive` or `calibrate`.
    Drive(DriveCommand),
    /// `arm`.
    Arm(ArmCommand),
    /// `stop`, whatever it says besides.
    Stop,
    /// `lease`.
    Lease(LeaseCommand),
    /// `ping`.
    Ping(Ping),
    /// `view`.
    View(ViewReport),
    /// `camera`.
    Camera(CameraCommand),
    /// `calibration` with something to change.
    Calibration(CalibrationCommand),
    /// `calibration` with the wish to be told.
    TellCalibration,
}

impl Incoming {
    /// Whether it travels on `drive`, where there is one: a lost one is replaced by the next, so it is never sent again.
    ///
    /// The others are said once and go the reliable way, on `stream`.
    #[must_use]
    pub const fn newest_counts(&self) -> bool {
        match self {
            Self::Drive(_)
            | Self::Arm(_)
            | Self::Stop
            | Self::Lease(_)
            | Self::Ping(_)
            | Self::View(_) => true,
            Self::Motion(_)
            | Self::MaxSpeed { .. }
            | Self::Camera(_)
            | Self::Calibration(_)
            | Self::TellCalibration => false,
        }
    }
}

/// Why a message was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reject {
    /// Longer than [`MAX_LENGTH`].
    TooLong,
    /// Not UTF-8.
    NotText,
    /// Not JSON.
    NotJson,
    /// JSON, nested deeper than any command is.
    TooDeep,
    /// JSON, but not one object with one group in it.
    NotOneGroup,
    /// A group that this version does not know. Count it and go on: it may be somebody else's.
    UnknownGroup,
    /// The group is known, but is no object.
    NotAnObject,
    /// The group is known, its `key` is not.
    UnknownKey,
    /// A field is missing.
    Missing,
    /// A field is there twice.
    Duplicate,
    /// A field that must be a number is text, null, true, false, an array or an object. Numeric text is text.
    NotANumber,
    /// A number too large for any computer.
    NotFinite,
    /// A number with a fraction or an exponent, where an integer is wanted.
    NotAnInteger,
    /// A number out of its range.
    OutOfRange,
}

impl Reject {
    /// A word for logs and counters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotText => "not_text",
            Self::NotJson => "not_json",
            Self::TooDeep => "too_deep",
            Self::NotOneGroup => "not_one_group",
            Self::UnknownGroup => "unknown_group",
            Self::NotAnObject => "not_an_object",
            Self::UnknownKey => "unknown_key",
            Self::Missing => "missing_field",
            Self::Duplicate => "duplicate_field",
            Self::NotANumber => "not_a_number",
            Self::NotFinite => "not_finite",
            Self::NotAnInteger => "not_an_integer",
            Self::OutOfRange => "out_of_range",
        }
    }
}

impl core::fmt::Display for Reject {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.word())
    }
}

impl core::error::Error for Reject {}

/// Reads one message.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Incoming, Reject> {
    if bytes.len() > MAX_LENGTH {
        return Err(Reject::TooLong);
    }
    let text = core::str::from_utf8(bytes).map_err(|_| Reject::NotText)?;
    let (group, value) = json::one_group(text)?;
    match group {
        "motion" => motion(&fields(value)?).map(Incoming::Motion),
        "speed" => max_speed(&fields(value)?),
        "drive" => drive(&fields(value)?).map(Incoming::Drive),
        "arm" => arm(&fields(value)?).map(Incoming::Arm),
        "stop" => Ok(Incoming::Stop),
        "lease" => lease(&fields(value)?).map(Incoming::Lease),
        "ping" => ping(&fields(value)?).map(Incoming::Ping),
        "view" => view(&fields(value)?).map(Incoming::View),
        "camera" => camera::camera(&fields(value)?).map(Incoming::Camera),
        "calibrate" => calibration::calibrate(&fields(value)?).map(Incoming::Drive),
        "calibration" => calibration::calibration(&fields(value)?),
        _ => Err(Reject::UnknownGroup),
    }
}

fn motion(fields: &Fields<'_>) -> Result<Motion, Reject> {
    let key = match fields.get("key")? {
        Value::Text("forward") => MotionKey::Forward,
        Value::Text("back") => MotionKey::Back,
        Value::Text("left") => MotionKey::Left,
        Value::Text("right") => MotionKey::Right,
        Value::Text(_) | Value::Number(_) | Value::Object(_) | Value::Other => {
            return Err(Reject::UnknownKey);
        }
    };
    let steps = float(fields.get("value")?)?;
    if steps.abs() > MAX_STEPS {
        return Err(Reject::OutOfRange);
    }
    // The old car took 0 and less as neutral, and anything above as motion: so nothing above zero may round to zero.
    let milli_steps = if steps <= 0.0 {
        0
    } else {
        truncate(steps * 1000.0 + 0.5).max(1)
    };
    Ok(Motion { key, milli_steps })
}

fn max_speed(fields: &Fields<'_>) -> Result<Incoming, Reject> {
    if fields.get("key")? != Value::Text("maxSpeed") {
        return Err(Reject::UnknownKey);
    }
    let ticks = float(fields.get("value")?)?;
    if !(0.0..=MAX_TICKS).contains(&ticks) {
        return Err(Reject::OutOfRange);
    }
    u16::try_from(truncate(ticks))
        .map(|ticks| Incoming::MaxSpeed { ticks })
        .map_err(|_| Reject::OutOfRange)
}

fn drive(fields: &Fields<'_>) -> Result<DriveCommand, Reject> {
    Ok(DriveCommand {
        seq: Seq::new(integer(fields.get("seq")?)?),
        t_ms: sender_ms(fields)?,
        throttle: Throttle::new(integer(fields.get("throttle")?)?).ok_or(Reject::OutOfRange)?,
        steering: Steering::new(integer(fields.get("steering")?)?).ok_or(Reject::OutOfRange)?,
        lease: lease_id(fields, "lease")?,
        tune: None,
    })
}

fn arm(fields: &Fields<'_>) -> Result<ArmCommand, Reject> {
    Ok(ArmCommand {
        seq: Seq::new(integer(fields.get("seq")?)?),
        t_ms: sender_ms(fields)?,
        lease: lease_id(fields, "lease")?,
    })
}

fn lease(fields: &Fields<'_>) -> Result<LeaseCommand, Reject> {
    Ok(LeaseCommand {
        id: lease_id(fields, "id")?,
        want: Want::from_code(integer(fields.get("want")?)?).ok_or(Reject::OutOfRange)?,
    })
}

fn ping(fields: &Fields<'_>) -> Result<Ping, Reject> {
    Ok(Ping {
        id: integer(fields.get("id")?)?,
        t_ms: sender_ms(fields)?,
    })
}

fn view(fields: &Fields<'_>) -> Result<ViewReport, Reject> {
    Ok(ViewReport {
        lease: lease_id(fields, "lease")?,
        rtt_ms: integer(fields.get("rtt_ms")?)?,
        age_ms: integer(fields.get("age_ms")?)?,
    })
}

/// Who says it: his number in the field of this name, and his secret, if he has one.
fn lease_id(fields: &Fields<'_>, name: &str) -> Result<LeaseId, Reject> {
    let secret = match fields.get("secret") {
        Err(Reject::Missing) => 0,
        other => integer(other?)?,
    };
    Ok(LeaseId::with_secret(integer(fields.get(name)?)?, secret))
}

fn sender_ms(fields: &Fields<'_>) -> Result<u64, Reject> {
    let t_ms = integer(fields.get("t_ms")?)?;
    if t_ms <= MAX_SENDER_MS {
        Ok(t_ms)
    } else {
        Err(Reject::OutOfRange)
    }
}

fn fields(value: Value<'_>) -> Result<Fields<'_>, Reject> {
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Number(_) | Value::Text(_) | Value::Other => Err(Reject::NotAnObject),
    }
}

fn number(value: Value<'_>) -> Result<&str, Reject> {
    match value {
        Value::Number(text) => Ok(text),
        Value::Text(_) | Value::Object(_) | Value::Other => Err(Reject::NotANumber),
    }
}

fn integer<T: core::str::FromStr>(value: Value<'_>) -> Result<T, Reject> {
    let text = number(value)?;
    if text.contains(['.', 'e', 'E']) {
        return Err(Reject::NotAnInteger);
    }
    text.parse().map_err(|_| Reject::OutOfRange)
}

fn float(value: Value<'_>) -> Result<f64, Reject> {
    let float: f64 = number(value)?.parse().map_err(|_| Reject::NotANumber)?;
    if float.is_finite() {
        Ok(float)
    } else {
        Err(Reject::NotFinite)
    }
}

/// The integer part. Callers check the range first; the cast saturates besides.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the one way from float to integer in core"
)]
const fn truncate(float: f64) -> i32 {
    float as i32
}
