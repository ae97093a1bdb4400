//! When the car says how it is, and what: the `car`, `board` and `video` messages of the `metric` channel.
//!
//! Viewers want a steady rate; a driver wants to know at once that the car stopped. So each is sent at a rate, and between
//! times when something in it changes that matters now, but never closer than its shortest distance: a refusal that
//! flickers must not fill the uplink that the video needs.
//!
//! ```text
//!   rate:     │       │       │       │          car: telemetry.rate_hz   board: one a second           video: one in 5 s
//!   change:       ×      ×××                     state, cause, refusals   battery, supply, heat, laps   what is shown, how
//!   sent:     │   │   │  │ │  │       │          at least 50 ms apart     at least 200 ms apart         the same
//!                       └ and never more bytes a second than the budget has, of all messages together
//! ```
//!
//! What waits for the budget is not kept: when its turn comes, the newest is sent. Whoever has waited longest is next; but a
//! change of the car's state goes before another message that has not waited half a second longer.
//!
//! Promises: no queue; fixed buffer; the last of a burst of changes is always told; no message starves another.
//! Knows nothing of: channels, and how a reading is taken.
//! Sources: README, configuration; PROTOCOL.md 6 defect 24 (the flood).

use core::time::Duration;

use super::budget::Budget;
use super::failsafe::{Cause, Refusals, State};
use super::units::{Kbps, Uptime};
use super::vehicle::Status;
use super::wire::{Board, Car, Outgoing, Video};

mod calibration;
#[cfg(test)]
mod tests;

pub use calibration::CalibrationTeller;

/// Most `car` messages a second, whatever happens.
///
/// spec: "a hard cap of 20/s".
pub const MOST_PER_SECOND: u8 = 20;

/// Time between two `board` messages while nothing in them matters now.
///
/// choice: temperature and voltage move over minutes; one a second keeps a page lively.
const BOARD_PERIOD: Duration = Duration::from_secs(1);

/// Time between two `video` messages while nothing in them changes.
///
/// choice: at 30 pictures a second, p99 is then that of 150.
const VIDEO_PERIOD: Duration = Duration::from_secs(5);

/// The shortest time between two `board` messages, and between two `video` messages.
///
/// choice: a warning is read in a second; laps are further apart.
const BOARD_SHORTEST: Duration = Duration::from_millis(200);

/// How much longer than a changed `car` another message must have waited to be sent first.
///
/// choice: a stop is more urgent than a warning, but half a second late a warning is still one.
const HEAD_START: Duration = Duration::from_millis(500);

/// Version of the `car` message.
const VERSION: u8 = 1;

/// Version of the `board` message.
const BOARD_VERSION: u8 = 1;

/// Version of the `video` message.
const VIDEO_VERSION: u8 = 1;

/// The bits of `throttled` that say how it is now, not how it ever was.
///
/// spec: Raspberry Pi documentation, `vcgencmd get_throttled`: bits 0 to 3 now, 16 to 19 since power-on.
const THROTTLED_NOW: u32 = 0xf;

/// What the shell reads off the video and the program itself.
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

/// Whatever of `car` is told at once when it changes.
type CarNews = (State, Cause, Refusals);

/// Whatever of `board` is told at once when it changes: battery, supply, throttling, laps.
type BoardNews = (Option<u8>, Option<u8>, Option<u32>, Option<u32>);

/// Whatever of `video` is told at once when it changes: what is shown, of which camera, coded by whom, how much of it.
type VideoNews = (u8, u8, u8, u8);

/// What there is to tell, as it is now.
#[derive(Clone, Copy)]
#[expect(
    missing_debug_implementations,
    reason = "it lives for one call, and a function cannot be printed"
)]
pub struct Views<'a> {
    /// The vehicle.
    pub status: &'a Status,
    /// The video's rates, and the program itself.
    pub readings: &'a BoardReadings,
    /// The sensors.
    pub board: &'a Board,
    /// The video path, without its times.
    pub video: &'a Video,
    /// Adds the times: they take a search through tables, so only what is to be sent has them.
    pub timed: &'a (dyn Fn(Video) -> Video + Sync),
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Car,
    Board,
    Video,
}

/// When one kind of message is due.
#[derive(Clone, Debug)]
struct Pace<News> {
    period: Duration,
    shortest: Duration,
    sent_at: Option<Uptime>,
    told: Option<News>,
    is_waiting: bool,
}

impl<News: PartialEq> Pace<News> {
    const fn new(period: Duration, shortest: Duration) -> Self {
        Self {
            period,
            shortest,
            sent_at: None,
            told: None,
            is_waiting: false,
        }
    }

    fn is_news(&self, news: &News) -> bool {
        self.told.as_ref() != Some(news)
    }

    fn due_at(&self, news: &News) -> Uptime {
        let wait = if self.is_news(news) {
            self.shortest
        } else {
            self.period
        };
        self.sent_at.map_or(Uptime::ZERO, |at| at.after(wait))
    }

    fn sent(&mut self, now: Uptime, news: News) {
        (self.sent_at, self.told, self.is_waiting) = (Some(now), Some(news), false);
    }

    /// The budget had no room; 1 if that is new.
    fn put_off(&mut self) -> u32 {
        u32::from(!core::mem::replace(&mut self.is_waiting, true))
    }
}

/// Keeps the rates and the budget.
#[derive(Clone, Debug)]
pub struct Telemetry {
    started_at: Uptime,
    car: Pace<CarNews>,
    board: Pace<BoardNews>,
    video: Pace<VideoNews>,
    budget: Budget,
    delayed: u32,
}

impl Telemetry {
    /// A rate of `car` between 1 and [`MOST_PER_SECOND`] a second (others are brought into that range), and the most bytes
    /// that all messages together may take of a second.
    #[must_use]
    pub fn new(started_at: Uptime, rate_hz: u8, bytes_per_s: u32) -> Self {
        let rate = rate_hz.clamp(1, MOST_PER_SECOND);
        let period = Duration::from_secs(1) / u32::from(rate);
        Self {
            started_at,
            car: Pace::new(period, Self::SHORTEST),
            board: Pace::new(BOARD_PERIOD, BOARD_SHORTEST),
            video: Pace::new(VIDEO_PERIOD, BOARD_SHORTEST),
            budget: Budget::new(started_at, bytes_per_s),
            delayed: 0,
        }
    }

    /// The message to send now, if one is due and the budget has room for it. It counts as sent; ask again at once, for
    /// another may be due too.
    pub fn poll(&mut self, now: Uptime, views: &Views<'_>) -> Option<Outgoing> {
        let Views { status, board, .. } = *views;
        let car_news = (status.state, status.cause, status.refusals);
        let now_throttled = board.throttled.map(|bits| bits & THROTTLED_NOW);
        let board_news = (
            board.battery,
            board.under_voltage,
            now_throttled,
            board.laps,
        );
        let video = views.video;
        let video_news = (video.shows, video.camera, video.hardware, video.rung);
        let head_start = if self.car.is_news(&car_news) {
            HEAD_START
        } else {
            Duration::ZERO
        };
        let kind = [
            (Kind::Car, self.car.due_at(&car_news), Duration::ZERO),
            (Kind::Board, self.board.due_at(&board_news), head_start),
            (Kind::Video, self.video.due_at(&video_news), head_start),
        ]
        .into_iter()
        .filter(|(_, due_at, _)| *due_at <= now)
        .min_by_key(|(_, due_at, waits)| due_at.after(*waits))
        .map(|(kind, ..)| kind)?;
        let message = match kind {
            Kind::Car => Outgoing::Car(self.car(now, status, views.readings)),
            Kind::Board => Outgoing::Board(self.board(now, board)),
            Kind::Video => Outgoing::Video(Video {
                v: VIDEO_VERSION,
                t_us: now.as_micros(),
                ..(views.timed)(*video)
            }),
        };
        if !self.budget.may(now, message.encode().len()) {
            let put_off = match kind {
                Kind::Car => self.car.put_off(),
                Kind::Board => self.board.put_off(),
                Kind::Video => self.video.put_off(),
            };
            self.delayed = self.delayed.wrapping_add(put_off);
            return None;
        }
        match kind {
            Kind::Car => self.car.sent(now, car_news),
            Kind::Board => self.board.sent(now, board_news),
            Kind::Video => self.video.sent(now, video_news),
        }
        Some(message)
    }

    /// Something was sent that could not wait: `ir`, `speed`, `pong`.
    pub fn sent(&mut self, now: Uptime, bytes: usize) {
        self.budget.must(now, bytes);
    }

    /// When to poll next if nothing changes.
    #[must_use]
    pub fn next_at(&self) -> Uptime {
        let next_at = |sent_at: Option<Uptime>, period| {
            sent_at.map_or(Uptime::ZERO, |at: Uptime| at.after(period))
        };
        let board_at = next_at(self.board.sent_at, self.board.period);
        let video_at = next_at(self.video.sent_at, self.video.period);
        next_at(self.car.sent_at, self.car.period)
            .min(board_at)
            .min(video_at)
    }

    /// The shortest time between two `car` messages, and the longest that a change waits to be told while the budget lasts.
    pub const SHORTEST: Duration = Duration::from_millis(50);

    fn board(&self, now: Uptime, board: &Board) -> Board {
        Board {
            v: BOARD_VERSION,
            t_us: now.as_micros(),
            delayed: self.delayed,
            ..*board
        }
    }

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
