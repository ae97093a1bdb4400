//! What the car says on the `metric` channel, as bytes in a fixed buffer.
//!
//! Field names of our own messages are the names of the struct's fields, so the struct is the wire format. The legacy
//! `ir` value is seconds as a decimal fraction; it is printed from integer microseconds, for a float of today's Unix
//! time is exact only to a quarter of a microsecond and prints differently on each machine.
//!
//! Promises: every message fits [`MESSAGE_MAX`], whatever its numbers are; nothing allocates.
//! Knows nothing of: when a message is due.
//! Sources: PROTOCOL.md 4.2 (legacy bytes), README, configuration (`car`, `pong`).

use core::fmt::Write as _;

use serde::Serialize;

use super::CalibrationReport;
use super::sealing::in_digits;
use crate::logic::seal::SEAL_BYTES;

#[cfg(test)]
mod tests;
mod video;

pub use video::{Times, Video};

/// Longest message that the car sends, in bytes.
///
/// measured: with every number at its longest a `car` is 600 bytes and a `board` 584 (tests `the_longest_...`); the rest is room.
pub const MESSAGE_MAX: usize = 768;

/// One encoded message.
pub type Message = heapless::Vec<u8, MESSAGE_MAX>;

/// The answer to a ping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pong {
    /// From the ping.
    pub id: u32,
    /// From the ping.
    pub t_ms: u64,
    /// The car's monotonic clock when it answered, in microseconds.
    pub car_us: u64,
    /// What a car whose drivers have its key calls this life of its: a random number below 2^53.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Its seal over all of that ([`crate::logic::seal`]).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_digits")]
    pub seal: Option<[u8; SEAL_BYTES]>,
}

/// All that the car tells its viewers about itself, several times a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Car {
    /// Version of this message: 1.
    pub v: u8,
    /// The car's monotonic clock, in microseconds.
    pub t_us: u64,
    /// [`State::code`](crate::logic::failsafe::State::code).
    pub state: u8,
    /// [`Cause::code`](crate::logic::failsafe::Cause::code) of the last change of state.
    pub cause: u8,
    /// [`Refusals::bits`](crate::logic::failsafe::Refusals::bits).
    pub refusals: u16,
    /// Throttle in force, in permille.
    pub throttle: i16,
    /// Steering in force, in permille.
    pub steering: i16,
    /// Throttle pulse, in microseconds.
    pub throttle_us: u16,
    /// Steering pulse, in microseconds.
    pub steering_us: u16,
    /// Sequence number of the last accepted `drive`.
    pub seq: u32,
    /// Who holds the lease; 0 is nobody.
    pub lease: u32,
    /// Commands accepted since start.
    pub accepted: u32,
    /// Commands dropped because they were too old when they came.
    pub late: u32,
    /// Commands dropped because a newer or the same one had come before.
    pub replayed: u32,
    /// Commands dropped because somebody else holds the lease.
    pub foreign: u32,
    /// Messages that were not understood.
    pub malformed: u32,
    /// Age of the last accepted command, in milliseconds; 4294967295 if there was none.
    pub age_ms: u32,
    /// Link: 1 up, 0 down.
    pub link: u8,
    /// Most throttle that the link's quality allows, in permille.
    pub limit: u16,
    /// Who asks the holder for the lease; 0 is nobody.
    pub asker: u32,
    /// Video width, in pixels.
    pub width: u32,
    /// Video height, in pixels.
    pub height: u32,
    /// Frames a second sent.
    pub fps: u32,
    /// Video sent, in kilobits a second.
    pub kbps: u32,
    /// What the encoder is asked for, in kilobits a second.
    pub target_kbps: u32,
    /// Mean time to encode a frame, in microseconds.
    pub encode_us: u32,
    /// Frames sent since start.
    pub frames: u32,
    /// Frames dropped since start.
    pub dropped: u32,
    /// Time since the program started, in seconds.
    pub uptime_s: u32,
    /// Load of the board, in permille of all its cores.
    pub load_permille: u32,
    /// Memory that the program uses, in KiB.
    pub mem_kb: u32,
}

/// How the board and its sensors are, about once a second.
///
/// A sensor that is not there, or says nothing, is not in the message; a counter that is not in it is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Board {
    /// Version of this message: 1.
    pub v: u8,
    /// The car's monotonic clock, in microseconds.
    pub t_us: u64,
    /// What the battery is good for: [`BatteryLevel::code`](crate::logic::battery::BatteryLevel::code).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery: Option<u8>,
    /// Battery voltage, smoothed, in millivolts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery_mv: Option<u16>,
    /// Current out of the battery, in milliamperes; negative while it is charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery_ma: Option<i32>,
    /// The hottest sensor of the board, in degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temp_celsius: Option<i16>,
    /// The firmware's throttling bits: 1 under-voltage, 2 clock capped, 4 throttled, 8 soft temperature limit; the same
    /// times 65536 if it ever was so since power-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<u32>,
    /// 1 while the board's supply is too weak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_voltage: Option<u8>,
    /// Wi-Fi signal, in dBm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wifi_dbm: Option<i16>,
    /// The mobile modem's signal, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modem_percent: Option<u8>,
    /// Passes of the lap sensor since start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub laps: Option<u32>,
    /// The last lap, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_lap_ms: Option<u32>,
    /// The board's processors in use, in permille of all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_permille: Option<u16>,
    /// Memory of the board that is still to be had, in KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_free_kb: Option<u32>,
    /// Time since the board was started, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_s: Option<u32>,
    /// Readings that failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub sensor_errors: u32,
    /// Passes that came sooner than the shortest lap.
    #[serde(skip_serializing_if = "is_zero")]
    pub laps_early: u32,
    /// Sensor edges that the kernel had no room for.
    #[serde(skip_serializing_if = "is_zero")]
    pub edges_lost: u32,
    /// Passes for which `ir` could not be sent.
    #[serde(skip_serializing_if = "is_zero")]
    pub laps_untold: u32,
    /// Links that were lost.
    #[serde(skip_serializing_if = "is_zero")]
    pub link_drops: u32,
    /// Dials that led to no link.
    #[serde(skip_serializing_if = "is_zero")]
    pub link_failures: u32,
    /// Tasks that panicked and were started again.
    #[serde(skip_serializing_if = "is_zero")]
    pub restarts: u32,
    /// Times that camera and encoder were started again.
    #[serde(skip_serializing_if = "is_zero")]
    pub video_restarts: u32,
    /// Writes to the outputs that failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_errors: u32,
    /// Messages that the byte budget put off.
    #[serde(skip_serializing_if = "is_zero")]
    pub delayed: u32,
    /// Messages that the channel did not take.
    #[serde(skip_serializing_if = "is_zero")]
    pub unsent: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A message for the `metric` channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// Extension `pong`.
    Pong(Pong),
    /// Extension `car`.
    Car(Car),
    /// Extension `board`.
    Board(Board),
    /// Extension `video`.
    Video(Video),
    /// Extension `calibration`.
    Calibration(CalibrationReport),
    /// Legacy `ir`/`detectTime`: one pass of the lap sensor.
    DetectTime {
        /// Microseconds since the Unix epoch.
        unix_us: u64,
    },
    /// Legacy `speed`/`maxSpeed`: the value now in force, in ticks of the old PWM chip.
    MaxSpeed {
        /// Full forward.
        ticks: u16,
    },
}

#[derive(Serialize)]
struct PongGroup<'a> {
    pong: &'a Pong,
}

#[derive(Serialize)]
struct CarGroup<'a> {
    car: &'a Car,
}

#[derive(Serialize)]
struct BoardGroup<'a> {
    board: &'a Board,
}

#[derive(Serialize)]
struct VideoGroup<'a> {
    video: &'a Video,
}

#[derive(Serialize)]
struct CalibrationGroup<'a> {
    calibration: &'a CalibrationReport,
}

impl Outgoing {
    /// The bytes to send.
    ///
    /// # Panics
    /// Never: [`MESSAGE_MAX`] has room for the longest of each.
    #[must_use]
    pub fn encode(&self) -> Message {
        match self {
            Self::Pong(pong) => group(&PongGroup { pong }),
            Self::Car(car) => group(&CarGroup { car }),
            Self::Board(board) => group(&BoardGroup { board }),
            Self::Video(video) => group(&VideoGroup { video }),
            Self::Calibration(calibration) => group(&CalibrationGroup { calibration }),
            Self::DetectTime { unix_us } => detect_time(*unix_us),
            Self::MaxSpeed { ticks } => {
                let mut message = Message::new();
                write!(
                    message,
                    r#"{{"speed":{{"key":"maxSpeed","value":{ticks}}}}}"#
                )
                .expect("MESSAGE_MAX has room");
                message
            }
        }
    }
}

fn group<T: Serialize>(value: &T) -> Message {
    let mut buffer = [0; MESSAGE_MAX];
    let length = serde_json_core::to_slice(value, &mut buffer).expect("MESSAGE_MAX has room");
    let mut message = Message::from(buffer);
    message.truncate(length);
    message
}

/// Prints seconds the way Python prints a float: no zeros at the end, but one digit after the point.
fn detect_time(unix_us: u64) -> Message {
    let (seconds, mut fraction, mut digits) = (unix_us / 1_000_000, unix_us % 1_000_000, 6);
    while digits > 1 && fraction % 10 == 0 {
        fraction /= 10;
        digits -= 1;
    }
    let mut message = Message::new();
    write!(
        message,
        r#"{{"ir":{{"key":"detectTime","value":{seconds}.{fraction:0digits$}}}}}"#
    )
    .expect("MESSAGE_MAX has room");
    message
}
