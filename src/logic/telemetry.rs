//! When the car says how it is, and what: the `car` message of the `metric` channel.
//!
//! Viewers want a steady rate; a driver wants to know at once that the car stopped. So it is sent at a rate, and between
//! times when state, cause or refusals change, but never more than [`MOST_PER_SECOND`] times a second: a refusal that
//! flickers must not fill the uplink that the video needs.
//!
//! ```text
//!   rate:     │       │       │       │          one period
//!   change:       ×      ×××                     state, cause, refusals
//!   sent:     │   │   │  │ │  │       │          at least 50 ms apart
//! ```
//!
//! Promises: no queue: what is sent is the newest; fixed buffer; the last of a burst of changes is always told.
//! Knows nothing of: channels, and how a reading is taken.
//! Sources: README, configuration; PROTOCOL.md 6 defect 24 (the flood).

use core::time::Duration;

use super::failsafe::{Cause, Refusals, State};
use super::units::{Kbps, Uptime};
use super::vehicle::Status;
use super::wire::Car;

mod calibration;
#[cfg(test)]
mod tests;

pub use calibration::CalibrationTeller;

/// Most `car` messages a second, whatever happens.
///
/// spec: "a hard cap of 20/s".
pub const MOST_PER_SECOND: u8 = 20;

/// Version of the `car` message.
const VERSION: u8 = 1;

/// What the shell reads off the video and the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardReadings {
    /// Video width, in pixels.
    pub width: u32,
    /// Video height, in pixels.
    pub height: u32,
    /// Frames sent in the last second.
    pub fps: u32,
    /// Video rate sent.
    pub sent: Kbps,
    /// Video rate that the encoder is asked for.
    pub target: Kbps,
    /// Mean time to encode a frame.
    pub encode: Duration,
    /// Frames sent since start; wraps.
    pub frames: u32,
    /// Frames dropped since start; wraps.
    pub dropped: u32,
    /// Load of the board, in permille of all its cores.
    pub load_permille: u32,
    /// Memory that the program uses, in KiB.
    pub mem_kb: u32,
}

/// Whatever is told at once when it changes.
type Urgent = (State, Cause, Refusals);

/// Keeps the rate.
#[derive(Clone, Debug)]
pub struct Telemetry {
    started_at: Uptime,
    period: Duration,
    sent_at: Option<Uptime>,
    told: Option<Urgent>,
}

impl Telemetry {
    /// A rate between 1 and [`MOST_PER_SECOND`] a second; others are brought into that range.
    #[must_use]
    pub fn new(started_at: Uptime, rate_hz: u8) -> Self {
        let rate = rate_hz.clamp(1, MOST_PER_SECOND);
        Self {
            started_at,
            period: Duration::from_secs(1) / u32::from(rate),
            sent_at: None,
            told: None,
        }
    }

    /// The message to send now, if one is due. It counts as sent.
    pub fn poll(&mut self, now: Uptime, status: &Status, board: &BoardReadings) -> Option<Car> {
        let urgent = (status.state, status.cause, status.refusals);
        let wait = if self.told == Some(urgent) {
            self.period
        } else {
            Self::SHORTEST
        };
        if self.sent_at.is_some_and(|at| now < at.after(wait)) {
            return None;
        }
        self.sent_at = Some(now);
        self.told = Some(urgent);
        Some(self.car(now, status, board))
    }

    /// When to poll next if nothing changes.
    #[must_use]
    pub fn next_at(&self) -> Uptime {
        self.sent_at
            .map_or(Uptime::ZERO, |at| at.after(self.period))
    }

    /// The shortest time between two messages, and the longest that a change waits to be told.
    pub const SHORTEST: Duration = Duration::from_millis(50);

    fn car(&self, now: Uptime, status: &Status, board: &BoardReadings) -> Car {
        Car {
            v: VERSION,
            t_us: now.as_micros(),
            state: status.state.code(),
            cause: status.cause.code(),
            refusals: status.refusals.bits(),
            throttle: status.throttle.get(),
            steering: status.steering.get(),
            throttle_us: status.setpoint.throttle.get(),
            steering_us: status.setpoint.steering.get(),
            seq: status.seq.get(),
            lease: status.holder.get(),
            accepted: status.accepted,
            late: status.late,
            replayed: status.replayed,
            foreign: status.foreign,
            malformed: status.malformed,
            age_ms: status
                .accepted_at
                .map_or(u32::MAX, |at| fit(now.since(at).as_millis())),
            link: u8::from(status.link_up),
            limit: status.limit.get().unsigned_abs(),
            asker: status.asker.get(),
            width: board.width,
            height: board.height,
            fps: board.fps,
            kbps: board.sent.get(),
            target_kbps: board.target.get(),
            encode_us: fit(board.encode.as_micros()),
            frames: board.frames,
            dropped: board.dropped,
            uptime_s: fit(now.since(self.started_at).as_secs().into()),
            load_permille: board.load_permille,
            mem_kb: board.mem_kb,
        }
    }
}

fn fit(number: u128) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
