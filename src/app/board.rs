//! What the parts of the car tell each other: newest values only, all atomic.
//!
//! ```text
//!   control ── status ──▶ metrics            video ── last frame, last unit, sizes ──▶ control, metrics
//!   link ── key frame wanted, target rate, somebody there ──▶ video
//!   sensing and everybody ── readings, counters ──▶ metrics, control
//! ```
//!
//! Promises: nobody waits for anybody here. Knows nothing of: who reads what when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::calls::Calls;
use super::clock;
use super::eyes::Eyes;
use super::newest::Newest;
use super::readings::Readings;
use super::stages::{Stage, Stages};
use crate::config::Config;
use crate::logic::failsafe::Health;
use crate::logic::intent::Intent;
use crate::logic::ladder::Rung;
use crate::logic::sight::Eye;
use crate::logic::units::{Kbps, Uptime};
use crate::logic::vehicle::{STATUS_WORDS, Status};
use crate::logic::wire::Video;

/// Where the calibration that counts is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Nowhere but here: there is no `drive.state_file`.
    Nowhere,
    /// On the way to the disk.
    OnTheWay,
    /// On the disk, with so many changes in it.
    Safe(u32),
    /// The disk cannot be written.
    Failed,
}

/// A camera or encoder that was silent for this long counts as down.
/// choice: the longest frame time (1 s at 1 frame a second) may not, ten frames at 10 may.
const VIDEO_SILENCE: Duration = Duration::from_secs(1);

/// What a viewer gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Nothing: nobody is there, or nothing has come yet.
    Nothing,
    /// The camera.
    Camera,
    /// The still picture that says why there is none.
    Still,
}

/// How the video path runs; the video thread writes, metrics reads.
#[derive(Debug, Default)]
pub struct VideoFacts {
    /// Width in pixels of what is coded.
    pub width: AtomicU32,
    /// Its height.
    pub height: AtomicU32,
    /// Pictures that had to be copied for the encoder.
    pub copies: AtomicU32,
    /// Times of the stages.
    pub stages: Stages,
    shows: AtomicU8,
    camera: AtomicU8,
    has_rear: AtomicBool,
    is_hardware: AtomicBool,
    rung: AtomicU8,
}

impl VideoFacts {
    /// Says what a viewer gets to see.
    pub fn set_shows(&self, shows: Shows) {
        let code = match shows {
            Shows::Nothing => 0,
            Shows::Camera => 1,
            Shows::Still => 2,
        };
        self.shows.store(code, Ordering::Relaxed);
    }

    /// Says that there are two cameras, or one.
    pub fn set_rear(&self, has_rear: bool) {
        self.has_rear.store(has_rear, Ordering::Relaxed);
    }

    /// Says which camera is shown.
    pub fn set_camera(&self, eye: Eye) {
        let code = match eye {
            Eye::Front => 0,
            Eye::Rear => 1,
        };
        self.camera.store(code, Ordering::Relaxed);
    }

    /// Says who encodes, and how much of the camera's picture.
    pub fn set_encoder(&self, is_hardware: bool, rung: Rung) {
        self.is_hardware.store(is_hardware, Ordering::Relaxed);
        self.rung.store(rung.code(), Ordering::Relaxed);
    }

    /// All of it but the times of the stages; version and time of the message are the teller's.
    #[must_use]
    pub fn facts(&self) -> Video {
        Video {
            shows: self.shows.load(Ordering::Relaxed),
            cameras: 1 + u8::from(self.has_rear.load(Ordering::Relaxed)),
            camera: self.camera.load(Ordering::Relaxed),
            hardware: self.is_hardware.load(Ordering::Relaxed).into(),
            rung: self.rung.load(Ordering::Relaxed),
            copies: self.copies.load(Ordering::Relaxed),
            ..Video::default()
        }
    }

    /// The same with the times of the stages, which take a search through their tables.
    #[must_use]
    pub fn timed(&self, facts: Video) -> Video {
        let of = |stage| self.stages.figures(stage).into();
        Video {
            capture: of(Stage::Capture),
            prepare: of(Stage::Prepare),
            encode: of(Stage::Encode),
            hand_over: of(Stage::HandOver),
            send: of(Stage::Send),
            whole: of(Stage::Whole),
            ..facts
        }
    }
}

/// The shared values of one car.
#[derive(Debug)]
pub struct Board {
    status: Newest<STATUS_WORDS>,
    frame_at: AtomicU64,
    unit_at: AtomicU64,
    /// Frames that the camera gave.
    pub frames_seen: AtomicU32,
    /// Coded frames handed to the network.
    pub frames_sent: AtomicU32,
    /// Frames that were skipped because something was slower than the camera.
    pub frames_dropped: AtomicU32,
    /// Bytes of coded video handed to the network.
    pub bytes_sent: AtomicU64,
    /// Time spent encoding, in microseconds, over all frames.
    pub encode_us: AtomicU64,
    /// What the video path shows, and how.
    pub video: VideoFacts,
    /// What the driver wants of the cameras.
    pub eyes: Eyes,
    key_frame_wanted: AtomicBool,
    target_kbps: AtomicU32,
    watched: AtomicBool,
    /// [`Stored`]: kind in the upper half, changes in the lower.
    stored: AtomicU64,
    on_sight: AtomicBool,
    /// What the sensors say and what went wrong.
    pub readings: Readings,
    /// What threads have under way in drivers.
    pub calls: Calls,
}

impl Board {
    /// Values to start from.
    #[must_use]
    pub fn new(status: &Status, target: Kbps) -> Arc<Self> {
        Arc::new(Self {
            status: Newest::new(status.to_words()),
            frame_at: AtomicU64::new(0),
            unit_at: AtomicU64::new(0),
            frames_seen: AtomicU32::new(0),
            frames_sent: AtomicU32::new(0),
            frames_dropped: AtomicU32::new(0),
            bytes_sent: AtomicU64::new(0),
            encode_us: AtomicU64::new(0),
            video: VideoFacts::default(),
            eyes: Eyes::default(),
            key_frame_wanted: AtomicBool::new(false),
            target_kbps: AtomicU32::new(target.get()),
            watched: AtomicBool::new(false),
            stored: AtomicU64::new(0),
            on_sight: AtomicBool::new(false),
            readings: Readings::default(),
            calls: Calls::default(),
        })
    }

    /// Values of a car that nobody drives: of one that was just started, with this configuration.
    #[must_use]
    pub fn at_rest(config: &Config) -> Arc<Self> {
        let now = clock::now();
        let first = config
            .vehicle(now)
            .step(now, &Intent::default(), Health::GOOD);
        Self::new(&first.status, config.spider.bitrate)
    }

    /// Publishes the vehicle's status; only the control thread calls this.
    pub fn set_status(&self, status: &Status) {
        self.status.write(status.to_words());
    }

    /// The newest status, or `None` in the instant of a change.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.status.read().map(|words| Status::from_words(&words))
    }

    /// A camera frame arrived.
    pub fn frame_seen(&self, now: Uptime) {
        self.frame_at.store(now.as_micros(), Ordering::Relaxed);
        self.frames_seen.fetch_add(1, Ordering::Relaxed);
    }

    /// The camera failed: it counts as down until frames come again.
    pub fn camera_failed(&self) {
        self.frame_at.store(0, Ordering::Relaxed);
    }

    /// The encoder failed: it counts as down until the camera's frames are sent again.
    pub fn encoder_failed(&self) {
        self.unit_at.store(0, Ordering::Relaxed);
    }

    /// A still picture was handed to the network: bytes, but no view of the road.
    pub fn still_sent(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A coded frame was handed to the network.
    pub fn unit_sent(&self, now: Uptime, bytes: usize) {
        self.unit_at.store(now.as_micros(), Ordering::Relaxed);
        self.frames_sent.fetch_add(1, Ordering::Relaxed);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What the control thread has to know of the rest; the outputs are its own business.
    #[must_use]
    pub fn health(&self, now: Uptime) -> Health {
        let is_fresh = |at: &AtomicU64| {
            let at = at.load(Ordering::Relaxed);
            at != 0 && now.since(Uptime::from_micros(at)) <= VIDEO_SILENCE
        };
        let on_sight = self.on_sight.load(Ordering::Relaxed);
        Health {
            camera_ok: on_sight || is_fresh(&self.frame_at),
            encoder_ok: on_sight || is_fresh(&self.unit_at),
            battery_low: self.readings.is_battery_low(),
            board_hot: self.readings.is_board_hot(),
            ..Health::GOOD
        }
    }

    /// Asks the encoder for a key frame.
    pub fn want_key_frame(&self) {
        self.key_frame_wanted.store(true, Ordering::Relaxed);
    }

    /// Whether a key frame is wanted; asking takes the wish.
    #[must_use]
    pub fn take_key_frame_wish(&self) -> bool {
        self.key_frame_wanted.swap(false, Ordering::Relaxed)
    }

    /// Sets the rate that the encoder should reach.
    pub fn set_target(&self, target: Kbps) {
        self.target_kbps.store(target.get(), Ordering::Relaxed);
    }

    /// The rate that the encoder should reach.
    #[must_use]
    pub fn target(&self) -> Kbps {
        Kbps::new(self.target_kbps.load(Ordering::Relaxed))
    }

    /// Says whether anybody is connected, so that video is worth encoding.
    pub fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    /// Whether video is worth encoding.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }
    /// Says where the calibration is kept; only the keeper calls this.
    pub fn set_stored(&self, stored: Stored) {
        let (kind, changes) = match stored {
            Stored::Nowhere => (0, 0),
            Stored::OnTheWay => (1, 0),
            Stored::Safe(changes) => (2, changes),
            Stored::Failed => (3, 0),
        };
        self.stored
            .store(kind << 32 | u64::from(changes), Ordering::Relaxed);
    }

    /// Where a calibration with so many changes in it is kept: the number on the wire (`calibration.stored`).
    #[must_use]
    pub fn stored(&self, changes: u32) -> u8 {
        let word = self.stored.load(Ordering::Relaxed);
        match word >> 32 {
            // The disk has another one: this one is on its way.
            2 if word & u64::from(u32::MAX) != u64::from(changes) => 1,
            kind => u8::try_from(kind).unwrap_or(0),
        }
    }

    /// Nobody drives by the picture: whoever tunes this car stands beside it. Its camera may be off.
    pub fn drive_on_sight(&self) {
        self.on_sight.store(true, Ordering::Relaxed);
    }
}
