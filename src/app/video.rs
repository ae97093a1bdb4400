//! The video thread: newest frame, encoder, unit; and a still picture that says why while there is none.
//!
//! ```text
//!   camera thread ─▶ [newest] ─▶ take ─▶ (half the size) ─▶ encode ─▶ unit ─▶ room for one ─▶ carry
//!                                 │                           │
//!     nothing in time, or failed ─┘                           └─ failed: made anew after a moment
//!               └──────────────┬──────────────────────────────┘
//!                              ▼
//!            the car is told at once (it stops, and may not be armed);
//!            a still picture every half second, by an encoder of its own, until frames are coded again
//! ```
//!
//! Camera and encoder fail apart: a camera that is gone leaves the encoder alone for a moment and then takes it along, for
//! its buffers were the camera's; an encoder that fails leaves the camera running.
//!
//! Promises: a failing camera or encoder never ends the process, but a driver that never returns does (`calls`); nothing queues more than one frame; times of capture only
//! rise, so no frame from before a switch is shown after it; nothing is allocated for a frame once it runs.
//! Knows nothing of: networks; what kind of camera or encoder it runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;

use super::board::{Board, Shows};
use super::calls::Needed;
use super::capture::{Capture, Look};
use super::clock;
use super::coder::{CodedUnit, Coder, Done};
use super::outlet::Unit;
use super::parts::{MakeCamera, MakeEncoder};
use super::stages::Stage;
use super::standby::Standby;
use super::trouble::{AGAIN, Trouble};
use crate::hal::Frame;
use crate::logic::backoff::Reopening;
use crate::logic::sight::Eye;
use crate::logic::units::Uptime;

#[cfg(test)]
mod tests;

/// How long the thread waits at once, so that it sees when it is over. choice: a tenth of what a person notices.
const LOOK: Duration = Duration::from_millis(50);
/// Bounds of how long a camera may give nothing: ten frame times, within these.
/// choice: below the least, one late frame of a busy machine would stop the car; above the most, the car drives blind.
const SILENCE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(1));
/// How long the first frame may take. choice: libcamera's start with a sensor on I2C takes up to a second.
const START: Duration = Duration::from_secs(2);
/// What the thread works with.
pub struct VideoParts {
    /// Where frames come from.
    pub camera: MakeCamera,
    /// What makes them small.
    pub encoder: MakeEncoder,
    /// Frames a second that the camera was asked for.
    pub fps: u32,
    /// Size that the camera was asked for: that of a still picture before any frame has come.
    pub size: (u32, u32),
}

/// Starts the thread; it ends soon after `stop` is set or the receiver of `units` is gone.
///
/// # Errors
/// A thread could not be made.
pub fn start(
    parts: VideoParts,
    units: mpsc::Sender<Unit>,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    let capture = Capture::start(parts.camera, board.calls.row("camera", Needed::ToDrive))?;
    let row = board.calls.row("video", Needed::ToDrive);
    let mut make = parts.encoder;
    let (mut encoder, mut itself) = (Reopening::new(), Reopening::new());
    let (fps, size) = (parts.fps.max(1), parts.size);
    thread::Builder::new()
        .name("video".to_owned())
        .spawn(move || {
            let over = || stop.load(Ordering::Relaxed) || units.is_closed();
            while !over() {
                let ran = catch_unwind(AssertUnwindSafe(|| {
                    let coder =
                        Coder::new(&mut make, &mut encoder, &row, Duration::from_secs(1) / fps);
                    let mut video = Video::new(&capture, coder, &units, &board, (fps, size));
                    itself.works(clock::now());
                    video.run(&over);
                }));
                if ran.is_err() {
                    board.readings.video_restarts.count();
                    board.camera_failed();
                    board.encoder_failed();
                    let wait = itself.failed(clock::now());
                    let ms = wait.as_millis();
                    tracing::error!(
                        ms,
                        "video: a bug; the encoder is started again after this time"
                    );
                    let until = clock::now().after(wait);
                    while !over() && clock::now() < until {
                        thread::sleep(LOOK);
                    }
                }
            }
        })
}

/// The state of the thread between two panics.
struct Video<'a> {
    capture: &'a Capture,
    units: &'a mpsc::Sender<Unit>,
    board: &'a Board,
    coder: Coder<'a>,
    standby: Standby,
    camera: Trouble,
    encoder: Trouble,
    /// How long the camera may give nothing.
    silence: Duration,
    /// When the last frame came, or the camera was expected to start.
    heard_at: Uptime,
    has_started: bool,
    last_number: Option<u32>,
    /// Which camera took what was coded last.
    eye: Option<Eye>,
    /// Capture time of the last unit.
    shown_at: Uptime,
}

impl<'a> Video<'a> {
    fn new(
        capture: &'a Capture,
        coder: Coder<'a>,
        units: &'a mpsc::Sender<Unit>,
        board: &'a Board,
        (fps, size): (u32, (u32, u32)),
    ) -> Self {
        let period = Duration::from_secs(1) / fps;
        Self {
            capture,
            units,
            board,
            coder,
            standby: Standby::new(size),
            camera: Trouble::new("camera"),
            encoder: Trouble::new("encoder"),
            silence: (period * 10).clamp(SILENCE.0, SILENCE.1),
            heard_at: clock::now(),
            has_started: false,
            last_number: None,
            eye: None,
            shown_at: Uptime::ZERO,
        }
    }

    fn run(&mut self, over: &dyn Fn() -> bool) {
        while !over() {
            match self.capture.take(LOOK) {
                Look::Frame(frame) => self.frame(frame),
                Look::Failed(why) => self.camera_failed(&why),
                Look::Nothing => self.nothing(),
            }
            self.stand_in();
        }
    }

    /// The camera's newest frame.
    fn frame(&mut self, mut frame: Frame) {
        let now = clock::now();
        self.heard_at = now;
        self.has_started = true;
        self.camera.is_over(now);
        self.board.frame_seen(now);
        let number = frame.number();
        if let Some(last) = self.last_number.replace(number) {
            let skipped = number.wrapping_sub(last).saturating_sub(1);
            self.board
                .frames_dropped
                .fetch_add(skipped, Ordering::Relaxed);
        }
        if frame.captured_at() > now {
            // A driver's clock that runs ahead would make every later frame look stale.
            frame.set_capture(now, number);
        }
        if !self.board.is_watched() {
            self.board.video.set_shows(Shows::Nothing);
            return;
        }
        if frame.captured_at() <= self.shown_at {
            return;
        }
        let stages = &self.board.video.stages;
        stages.note(Stage::Capture, now.since(frame.captured_at()));
        // A wish that was made elsewhere could be granted with a picture of the camera before.
        let is_cut = self.eye.replace(frame.eye()) != Some(frame.eye());
        let wants_key = self.board.take_key_frame_wish() || is_cut;
        self.board.video.set_camera(frame.eye());
        match self.coder.code(now, &frame, self.board.target(), wants_key) {
            Ok(done) => self.coded(now, done),
            Err(why) => self.encoder_failed(&why, wants_key),
        }
    }

    fn coded(&mut self, taken_at: Uptime, done: Done) {
        let video = &self.board.video;
        video.set_encoder(self.coder.is_hardware(), self.coder.rung());
        video.copies.store(self.coder.copies(), Ordering::Relaxed);
        let Done::Coded(times, unit) = done else {
            return;
        };
        video
            .stages
            .note(Stage::Prepare, times.called_at.since(taken_at));
        let spent = times.coded_at.since(times.called_at);
        video.stages.note(Stage::Encode, spent);
        let spent = u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
        self.board.encode_us.fetch_add(spent, Ordering::Relaxed);
        let Some(unit) = unit else {
            return; // the rate allowed no picture
        };
        video.width.store(times.size.0, Ordering::Relaxed);
        video.height.store(times.size.1, Ordering::Relaxed);
        video.set_shows(Shows::Camera);
        self.encoder.is_over(times.coded_at);
        self.standby.rest(times.size);
        self.send(unit, times.captured_at, times.coded_at, true);
    }

    fn send(&mut self, unit: CodedUnit, captured_at: Uptime, coded_at: Uptime, is_live: bool) {
        self.shown_at = captured_at;
        let unit = Unit {
            data: unit.data,
            captured_at,
            coded_at,
            is_key: unit.is_key,
            is_live,
        };
        // A closed receiver means that this is over; the loop sees it.
        let _ = self.units.blocking_send(unit);
    }

    fn camera_failed(&mut self, why: &str) {
        let now = clock::now();
        (self.heard_at, self.has_started, self.last_number) = (now, false, None);
        self.board.readings.video_restarts.count();
        self.board.camera_failed();
        self.camera.is_here(now, why, AGAIN);
        self.coder.close();
    }

    fn encoder_failed(&mut self, why: &str, wanted_key: bool) {
        self.board.readings.video_restarts.count();
        self.board.encoder_failed();
        self.encoder.is_here(clock::now(), why, AGAIN);
        if wanted_key {
            self.board.want_key_frame();
        }
    }

    /// Nothing came in time: not at once a reason to stop.
    fn nothing(&mut self) {
        let now = clock::now();
        let silent = now.since(self.heard_at);
        let limit = if self.has_started {
            self.silence
        } else {
            START
        };
        if silent > limit && !self.camera.is_known() {
            self.board.camera_failed();
            let ms = silent.as_millis();
            self.camera.is_here(
                now,
                &format!("no picture for {ms} ms; check the cable"),
                "its driver is waited for up to 30 s, then the program ends and is started again",
            );
        }
    }

    /// Shows why there is no picture, if there is none and somebody is there.
    fn stand_in(&mut self) {
        if !self.camera.is_known() && !self.encoder.is_known() {
            return;
        }
        if !self.board.is_watched() {
            self.board.video.set_shows(Shows::Nothing);
            return;
        }
        let now = clock::now();
        let (camera, encoder) = (self.camera.text(), self.encoder.text());
        let Some((why, since)) = camera.or(encoder) else {
            return;
        };
        let wish = || self.board.take_key_frame_wish();
        let Some(unit) = self.standby.picture(now, why, since, wish) else {
            return;
        };
        self.board.video.set_shows(Shows::Still);
        self.coder.start_with_key();
        self.send(unit, now, now, false);
    }
}
