//! The video thread with cameras and encoders that fail, stall and come back.

use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Instant;

use super::*;
use crate::hal::frame::Pool;
use crate::hal::{AccessUnit, Camera, CameraError, Encoder, EncoderError};
use crate::logic::units::Kbps;

const PATIENCE: Duration = Duration::from_secs(20);

/// What is wrong just now; the tests change it.
#[derive(Default)]
struct Wrong {
    camera_missing: AtomicBool,
    camera_silent: AtomicBool,
    camera_fails: AtomicBool,
    encoder_missing: AtomicBool,
    encoder_fails: AtomicBool,
    encoder_panics: AtomicBool,
    is_hardware: AtomicBool,
    /// Not wrong: the picture is the rear camera's.
    is_rear: AtomicBool,
    encode_ms: AtomicU64,
    made: AtomicU32,
}

impl Wrong {
    fn is(flag: &AtomicBool) -> bool {
        flag.load(Ordering::SeqCst)
    }
}

struct TestCamera {
    wrong: Arc<Wrong>,
    pool: Pool,
    number: u32,
}

impl Camera for TestCamera {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        thread::sleep(Duration::from_millis(10));
        while Wrong::is(&self.wrong.camera_silent) {
            thread::sleep(Duration::from_millis(5));
        }
        if Wrong::is(&self.wrong.camera_fails) {
            return Err(CameraError::Stalled {
                camera: "test".into(),
                silent: Duration::from_millis(1),
            });
        }
        let mut frame = self.pool.wait(PATIENCE).expect("buffers come home");
        frame.set_capture(clock::now(), self.number);
        if Wrong::is(&self.wrong.is_rear) {
            frame.set_eye(Eye::Rear);
        }
        self.number += 1;
        Ok(frame)
    }
}

struct TestEncoder {
    wrong: Arc<Wrong>,
    data: Vec<u8>,
}

impl Encoder for TestEncoder {
    fn encode(
        &mut self,
        frame: &Frame,
        want_idr: bool,
    ) -> Result<Option<AccessUnit<'_>>, EncoderError> {
        thread::sleep(Duration::from_millis(
            self.wrong.encode_ms.load(Ordering::SeqCst),
        ));
        assert!(!Wrong::is(&self.wrong.encoder_panics), "on purpose");
        if Wrong::is(&self.wrong.encoder_fails) {
            return Err(EncoderError::Failed {
                encoder: "test".into(),
                step: "encode",
                source: "told to".into(),
            });
        }
        self.data = frame.width().to_be_bytes().to_vec();
        self.data.push(u8::from(frame.eye() == Eye::Rear));
        Ok(Some(AccessUnit::new(
            &self.data,
            frame.captured_at(),
            frame.number(),
            want_idr,
        )))
    }
    fn set_bitrate(&mut self, _: Kbps) -> Result<(), EncoderError> {
        Ok(())
    }
    fn is_hardware(&self) -> bool {
        Wrong::is(&self.wrong.is_hardware)
    }
}

struct World {
    wrong: Arc<Wrong>,
    board: Arc<Board>,
    units: mpsc::Receiver<Unit>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    last: Uptime,
}

fn world(prepare: impl FnOnce(&Wrong)) -> World {
    let wrong = Arc::new(Wrong::default());
    prepare(&wrong);
    let board = Board::at_rest(&crate::config::built_in());
    board.set_watched(true);
    let (its, encoders) = (Arc::clone(&wrong), Arc::clone(&wrong));
    let camera: MakeCamera = Box::new(move || {
        if Wrong::is(&its.camera_missing) {
            return Err(CameraError::Missing {
                camera: "test".into(),
                source: "none".into(),
            });
        }
        Ok(Box::new(TestCamera {
            wrong: Arc::clone(&its),
            pool: Pool::new(640, 480, 3).unwrap(),
            number: 0,
        }))
    });
    let encoder: MakeEncoder = Box::new(move || {
        encoders.made.fetch_add(1, Ordering::SeqCst);
        if Wrong::is(&encoders.encoder_missing) {
            return Err(EncoderError::Missing {
                encoder: "test".into(),
                source: "none".into(),
            });
        }
        Ok(Box::new(TestEncoder {
            wrong: Arc::clone(&encoders),
            data: Vec::new(),
        }))
    });
    let (units_tx, units) = mpsc::channel(1);
    let stop = Arc::new(AtomicBool::new(false));
    let parts = VideoParts {
        camera,
        encoder,
        fps: 100,
        size: (640, 480),
    };
    let thread = start(parts, units_tx, Arc::clone(&board), Arc::clone(&stop)).unwrap();
    World {
        wrong,
        board,
        units,
        stop,
        thread: Some(thread),
        last: Uptime::ZERO,
    }
}

impl World {
    fn set(&self, flag: impl Fn(&Wrong) -> &AtomicBool, to: bool) {
        flag(&self.wrong).store(to, Ordering::SeqCst);
    }

    /// The next unit; a network that takes everything at once.
    fn unit(&mut self) -> Unit {
        let started = Instant::now();
        loop {
            if let Ok(unit) = self.units.try_recv() {
                assert!(unit.captured_at > self.last, "times of capture rise");
                self.last = unit.captured_at;
                if unit.is_live {
                    self.board.unit_sent(clock::now(), unit.data.len());
                }
                return unit;
            }
            assert!(started.elapsed() < PATIENCE, "no unit");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The first unit for which this holds.
    fn first(&mut self, what: impl Fn(&Unit) -> bool) -> Unit {
        let started = Instant::now();
        loop {
            let unit = self.unit();
            if what(&unit) {
                return unit;
            }
            assert!(started.elapsed() < PATIENCE, "no such unit");
        }
    }

    fn is_ok(&self) -> (bool, bool) {
        let health = self.board.health(clock::now());
        (health.camera_ok, health.encoder_ok)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wrong.camera_silent.store(false, Ordering::SeqCst);
        self.units.close();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}

#[test]
fn live_pictures_come_with_their_stages_and_the_first_is_a_key_frame() {
    let mut world = world(|_| ());
    let unit = world.unit();
    assert!(unit.is_live && unit.is_key);
    for _ in 0..20 {
        assert!(!world.unit().is_key);
    }
    assert_eq!(world.is_ok(), (true, true));
    assert_eq!(world.board.video.facts().shows, 1);
    for stage in [Stage::Capture, Stage::Prepare, Stage::Encode] {
        assert!(world.board.video.stages.figures(stage).n >= 20, "{stage:?}");
    }
}

#[test]
fn a_camera_that_fails_is_down_at_once_and_back_within_two_seconds() {
    let mut world = world(|_| ());
    world.first(|unit| unit.is_live);
    world.set(|wrong| &wrong.camera_fails, true);
    let still = world.first(|unit| !unit.is_live);
    assert!(still.is_key, "another encoder's stream begins");
    assert!(!world.is_ok().0);
    assert_eq!(world.board.video.facts().shows, 2);
    world.set(|wrong| &wrong.camera_fails, false);
    let healed = Instant::now();
    let live = world.first(|unit| unit.is_live);
    assert!(live.is_key, "and the first one's begins again");
    assert!(
        healed.elapsed() < Duration::from_secs(2),
        "{:?}",
        healed.elapsed()
    );
    assert_eq!(world.is_ok(), (true, true));
    assert!(world.board.readings.video_restarts.get() > 0);
}

#[test]
fn a_camera_that_is_silent_is_down_within_its_limit() {
    let mut world = world(|_| ());
    world.first(|unit| unit.is_live);
    world.set(|wrong| &wrong.camera_silent, true);
    let silent = Instant::now();
    while world.is_ok().0 {
        assert!(silent.elapsed() < SILENCE.1, "still thought to be fine");
        let _ = world.units.try_recv(); // what was on its way
        thread::sleep(Duration::from_millis(1));
    }
    assert!(silent.elapsed() >= SILENCE.0 / 2);
    world.last = Uptime::ZERO;
    assert!(!world.first(|unit| !unit.is_live).data.is_empty());
    world.set(|wrong| &wrong.camera_silent, false);
    assert!(world.first(|unit| unit.is_live).is_key);
}

#[test]
fn a_car_without_a_camera_shows_why_and_takes_one_that_comes() {
    let mut world = world(|wrong| wrong.camera_missing.store(true, Ordering::SeqCst));
    assert!(!world.unit().is_live);
    assert_eq!(world.is_ok(), (false, false));
    world.set(|wrong| &wrong.camera_missing, false);
    assert!(world.first(|unit| unit.is_live).is_key);
}

#[test]
fn an_encoder_that_fails_leaves_the_camera_up_and_is_made_again() {
    let mut world = world(|_| ());
    world.first(|unit| unit.is_live);
    world.set(|wrong| &wrong.encoder_fails, true);
    assert!(world.first(|unit| !unit.is_live).is_key);
    world.first(|unit| !unit.is_live);
    assert_eq!(world.is_ok(), (true, false));
    world.set(|wrong| &wrong.encoder_fails, false);
    assert!(world.first(|unit| unit.is_live).is_key);
    let made = world.wrong.made.load(Ordering::SeqCst);
    assert!((2..=5).contains(&made), "not with every frame: {made}");
}

#[test]
fn an_encoder_that_cannot_be_made_is_tried_ever_more_rarely() {
    let started = Instant::now();
    let mut world = world(|wrong| wrong.encoder_missing.store(true, Ordering::SeqCst));
    while world.wrong.made.load(Ordering::SeqCst) < 4 {
        assert!(!world.unit().is_live);
    }
    // 0.5, 1 and 2 s lie between four tries.
    assert!(started.elapsed() >= Duration::from_millis(3500));
}

#[test]
fn a_panic_of_the_encoder_is_survived() {
    let mut world = world(|_| ());
    world.first(|unit| unit.is_live);
    world.set(|wrong| &wrong.encoder_panics, true);
    let restarts = || world.board.readings.video_restarts.get();
    let started = Instant::now();
    while restarts() == 0 {
        assert!(started.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(world.is_ok(), (false, false));
    world.set(|wrong| &wrong.encoder_panics, false);
    world.last = Uptime::ZERO;
    assert!(world.first(|unit| unit.is_live && unit.is_key).is_live);
}

#[test]
fn nobody_watching_costs_no_encoding_and_a_viewer_starts_with_a_key_frame() {
    let mut world = world(|_| ());
    world.first(|unit| unit.is_live);
    world.board.set_watched(false);
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(200) {
        let _ = world.units.try_recv(); // what was on its way
        thread::sleep(Duration::from_millis(5));
    }
    assert!(world.units.try_recv().is_err());
    assert!(world.is_ok().0, "the camera runs");
    world.board.set_watched(true);
    world.board.want_key_frame();
    assert!(world.first(|unit| unit.is_live).is_key);
}

#[test]
fn the_first_picture_of_another_camera_is_a_key_frame_whoever_else_asked_for_one() {
    let mut world = world(|_| ());
    let mut is_rear = world.first(|unit| unit.is_live).data[4] == 1;
    let mut keys = 0;
    for change in 0..20 {
        world.set(|wrong| &wrong.is_rear, change % 2 == 0);
        // A viewer that lost a packet: its wish may be granted with a picture from before the change.
        world.board.want_key_frame();
        for _ in 0..5 {
            let unit = world.unit();
            keys += u32::from(unit.is_key);
            let was = std::mem::replace(&mut is_rear, unit.data[4] == 1);
            assert!(unit.is_key || was == is_rear, "change {change}");
        }
        assert_eq!(is_rear, change % 2 == 0);
        assert_eq!(world.board.video.facts().camera, u8::from(is_rear));
    }
    assert!(keys <= 40, "{keys} of 100 pictures were key frames");
}

#[test]
fn a_slow_processor_gets_half_pictures_and_a_slow_device_does_not() {
    for (is_hardware, width) in [(false, 320_u32), (true, 640)] {
        let mut world = world(|wrong| {
            wrong.encode_ms.store(30, Ordering::SeqCst);
            wrong.is_hardware.store(is_hardware, Ordering::SeqCst);
        });
        let started = Instant::now();
        let mut seen = 0;
        while started.elapsed() < Duration::from_secs(4) {
            seen = u32::from_be_bytes(world.unit().data[..4].try_into().unwrap());
            if seen == 320 {
                break;
            }
        }
        assert_eq!(seen, width);
        assert_eq!(world.board.video.facts().hardware, u8::from(is_hardware));
    }
}
