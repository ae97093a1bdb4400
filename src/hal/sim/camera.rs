//! The simulated camera: draws the next frame when its time has come.
//!
//! It keeps a real camera's bad habits, because the code behind it must cope with them: it does not wait for anyone.
//! Frame `k` is caught at `start + k / rate`, whether somebody takes it or not; who comes late gets the newest and
//! sees from its number what was missed. Deadlines count from the start, so no error adds up.
//!
//! ```text
//!   caught:     0    1    2    3    4    5    6
//!   taken:      0    1 ───────(busy)──▶ 4    5
//!                                       └ number 4: two frames were skipped; captured_at is when 4 was due
//! ```
//!
//! Promises: numbers and capture times only rise; a frame is never older than one period when it is lent, unless
//! drawing takes longer; no allocation after `open`.
//! Knows nothing of: who encodes.
//! Sources: `hal` (Camera, Frame), EXTENSION.md, the stamp.

use core::time::Duration;
use std::sync::Arc;

use super::canvas::Canvas;
use super::grain::Grain;
use super::motion::{Motion, SimView};
use super::picture::Picture;
use super::stamp::{self, Stamp};
use crate::hal::clock::{Clock, SystemClock};
use crate::hal::frame::Pool;
use crate::hal::{Camera, CameraError, Frame};
use crate::logic::units::Uptime;

/// measured: with three steps of noise the scene fills 5 Mb/s at 720p30 while driving, as a filmed one would.
const GRAIN: u8 = 3;
/// spec: `camera.fps` of the configuration.
const FASTEST: u32 = 60;
/// choice: one that is encoded, one that is drawn.
const PICTURES: usize = 2;
/// choice: far longer than any frame takes to encode.
const PATIENCE: Duration = Duration::from_secs(1);
/// Microseconds in a second.
const SECOND: u64 = 1_000_000;

/// What is asked of the simulated camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimCameraSettings {
    /// Width in pixels, even, 160 to 1920.
    pub width: u32,
    /// Height in pixels, even, 120 to 1080.
    pub height: u32,
    /// Frames a second, 1 to 60.
    pub fps: u32,
}

/// A camera that draws what the simulated car would see.
#[derive(Debug)]
pub struct SimCamera<C: Clock = SystemClock> {
    clock: C,
    view: Arc<SimView>,
    fps: u32,
    start: Uptime,
    /// The first frame that was not lent yet.
    next: u64,
    picture: Picture,
    grain: Grain,
    motion: Motion,
    looks_back: bool,
    pool: Pool,
}

impl SimCamera {
    /// Opens the camera on the system's clock; frame 0 is due now.
    ///
    /// # Errors
    /// [`CameraError::Unsupported`] if size or rate are out of range.
    pub fn open(settings: SimCameraSettings, view: Arc<SimView>) -> Result<Self, CameraError> {
        Self::open_with(settings, view, SystemClock)
    }
}

impl<C: Clock> SimCamera<C> {
    /// Opens the camera on the given clock; frame 0 is due now.
    ///
    /// # Errors
    /// [`CameraError::Unsupported`] if size or rate are out of range.
    pub fn open_with(
        settings: SimCameraSettings,
        view: Arc<SimView>,
        clock: C,
    ) -> Result<Self, CameraError> {
        let SimCameraSettings { width, height, fps } = settings;
        let Some(pool) = Pool::new(width, height, PICTURES) else {
            return Err(unsupported(format!(
                "{width}x{height} is not possible; choose even numbers from {}x{} to {}x{}",
                Frame::LEAST.0,
                Frame::LEAST.1,
                Frame::MOST.0,
                Frame::MOST.1,
            )));
        };
        if !(1..=FASTEST).contains(&fps) {
            return Err(unsupported(format!(
                "{fps} frames a second are not possible; choose 1 to {FASTEST}"
            )));
        }
        Ok(Self {
            start: clock.now(),
            clock,
            view,
            fps,
            next: 0,
            picture: Picture::new(width, height),
            grain: Grain::new(GRAIN),
            motion: Motion::default(),
            looks_back: false,
            pool,
        })
    }

    /// The same camera at the other end of the car.
    #[must_use]
    pub fn looking_back(mut self) -> Self {
        self.picture = self.picture.looking_back();
        self.looks_back = true;
        self
    }

    /// When a frame is caught.
    fn due(&self, number: u64) -> Uptime {
        let since_start = number.saturating_mul(SECOND) / u64::from(self.fps);
        Uptime::from_micros(self.start.as_micros().saturating_add(since_start))
    }

    /// The newest frame that is due at `now`.
    fn newest(&self, now: Uptime) -> u64 {
        let passed = now.as_micros().saturating_sub(self.start.as_micros());
        let number = u128::from(passed) * u128::from(self.fps) / u128::from(SECOND);
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        // `due` rounds down, so the next frame may be due a microsecond before this count says so.
        if self.due(number.saturating_add(1)) <= now {
            number.saturating_add(1)
        } else {
            number
        }
    }
}

impl<C: Clock> Camera for SimCamera<C> {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        let Some(mut frame) = self.pool.wait(PATIENCE) else {
            return Err(CameraError::Failed {
                camera: "sim".into(),
                step: "get a free picture",
                source: "all are held".into(),
            });
        };
        let due = self.due(self.next);
        if self.clock.now() < due {
            self.clock.sleep_until(due);
        }
        let number = self.newest(self.clock.now()).max(self.next);
        let captured_at = self.due(number);
        self.next = number.saturating_add(1);

        let number = wrapped(number);
        let (throttle, steering) = self.view.get();
        self.motion.step(captured_at, throttle, steering);
        frame.set_capture(captured_at, number);
        let top = stamp::strip_height(usize::try_from(frame.height()).unwrap_or(0));
        let Some(mut canvas) = Canvas::new(&mut frame) else {
            return Err(unsupported("its pictures are not its own".into()));
        };
        let motion = if self.looks_back {
            self.motion.seen_backwards()
        } else {
            self.motion
        };
        self.picture.draw(&mut canvas, captured_at, number, &motion);
        let top = i32::try_from(top).unwrap_or(0);
        self.grain.apply(&mut canvas, top, number);
        let stamp = Stamp {
            captured_at,
            number,
        };
        stamp.draw(&mut canvas);
        Ok(frame)
    }
}

/// The low 32 bits: a frame number on the wire wraps after four and a half years at 30 a second.
fn wrapped(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}

fn unsupported(why: String) -> CameraError {
    CameraError::Unsupported {
        camera: "sim".into(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hal::clock::ManualClock;
    use crate::logic::units::{Steering, Throttle};

    fn camera(fps: u32) -> (SimCamera<ManualClock>, ManualClock, Arc<SimView>) {
        let clock = ManualClock::default();
        clock.pass(5_000_000);
        let view = Arc::new(SimView::default());
        let settings = SimCameraSettings {
            width: 160,
            height: 120,
            fps,
        };
        let camera = SimCamera::open_with(settings, Arc::clone(&view), clock.clone()).unwrap();
        (camera, clock, view)
    }

    fn take(camera: &mut SimCamera<ManualClock>) -> (u32, u64) {
        let frame = camera.next_frame().unwrap();
        (frame.number(), frame.captured_at().as_micros())
    }

    #[test]
    fn frames_come_at_absolute_deadlines_without_drift() {
        let (mut camera, _, _) = camera(30);
        for number in 0..300_u32 {
            let due = 5_000_000 + u64::from(number) * 1_000_000 / 30;
            assert_eq!(take(&mut camera), (number, due));
        }
    }

    #[test]
    fn a_slow_caller_gets_the_newest_frame_and_the_skipped_ones_count() {
        let (mut camera, clock, _) = camera(30);
        assert_eq!(take(&mut camera).0, 0);
        clock.pass(120_000); // frames 1, 2 and 3 have passed
        assert_eq!(take(&mut camera), (3, 5_100_000));
        assert_eq!(take(&mut camera), (4, 5_133_333));
        assert_eq!(clock.now().as_micros(), 5_133_333);
    }

    #[test]
    fn a_caller_exactly_on_time_skips_nothing() {
        let (mut camera, clock, _) = camera(7);
        for number in 0..1000 {
            assert_eq!(take(&mut camera).0, number);
            // Busy until the very microsecond of the next frame.
            let next = camera.due(camera.next);
            clock.pass(next.as_micros() - clock.now().as_micros());
        }
    }

    #[test]
    fn the_stamp_in_the_picture_is_the_frame_s_own() {
        let (mut camera, clock, _) = camera(60);
        for _ in 0..5 {
            clock.pass(40_000);
            let frame = camera.next_frame().unwrap();
            let stamp = Stamp::read(frame.y(), frame.y_stride(), 160, 120).unwrap();
            assert_eq!(stamp.number, frame.number());
            assert_eq!(stamp.captured_at, frame.captured_at());
        }
    }

    #[test]
    fn the_picture_reacts_to_throttle_and_steering() {
        let shot = |throttle, steering| {
            let (mut camera, _, view) = camera(30);
            view.set(
                Throttle::saturating(throttle),
                Steering::saturating(steering),
            );
            let mut sum = Vec::new();
            for _ in 0..30 {
                sum = camera.next_frame().unwrap().y().to_vec();
            }
            // The road, without text, stamp and wheels.
            sum.split_off(160 * 60)
        };
        let rest = shot(0, 0);
        assert_eq!(rest, shot(0, 0), "the same drive gives the same picture");
        for (throttle, steering) in [(500, 0), (-500, 0), (0, 500), (0, -500)] {
            assert_ne!(rest, shot(throttle, steering), "{throttle} {steering}");
        }
    }

    #[test]
    fn two_buffers_serve_every_frame() {
        let (mut camera, _, _) = camera(30);
        let mut seen: Vec<_> = (0..20)
            .map(|_| camera.next_frame().unwrap().y().as_ptr())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), PICTURES);
    }

    #[test]
    fn who_holds_every_picture_gets_no_other_and_the_camera_lives_on() {
        let (mut camera, _, _) = camera(30);
        let held = (camera.next_frame().unwrap(), camera.next_frame().unwrap());
        let error = camera.next_frame().unwrap_err();
        assert_eq!(error.to_string(), "camera sim: get a free picture: failed");
        drop(held);
        assert!(camera.next_frame().is_ok());
    }

    #[test]
    fn impossible_settings_are_refused_with_the_range() {
        let open = |width, height, fps| {
            let settings = SimCameraSettings { width, height, fps };
            SimCamera::open_with(settings, Arc::default(), ManualClock::default())
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            open(161, 120, 30).unwrap_err(),
            "camera sim: 161x120 is not possible; choose even numbers from 160x120 to 1920x1080"
        );
        assert_eq!(
            open(160, 120, 61).unwrap_err(),
            "camera sim: 61 frames a second are not possible; choose 1 to 60"
        );
        assert!(open(160, 120, 0).is_err());
        for (width, height, fps) in [(160, 120, 1), (1920, 1080, 60), (162, 1078, 25)] {
            assert_eq!(open(width, height, fps), Ok(()));
        }
    }
}
