//! Cameras that fail in every way that a camera can, seen from the place where frames are taken.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use super::*;
use crate::app::calls::{Calls, Needed};
use crate::hal::Camera;
use crate::hal::frame::Pool;
use crate::logic::units::Uptime;

const LONG: Duration = Duration::from_secs(10);

/// What a scripted camera does next.
enum Act {
    Frame,
    Error,
    Panic,
}

/// A camera that does as it is told, and counts how many of it are open.
struct Scripted {
    acts: Arc<Mutex<mpsc::Receiver<Act>>>,
    pool: Pool,
    number: u32,
    open: Arc<AtomicU32>,
}

impl Camera for Scripted {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        let act = self.acts.lock().unwrap().recv();
        match act {
            Ok(Act::Frame) => {
                let mut frame = self.pool.wait(LONG).expect("a place for one needs two");
                frame.set_capture(Uptime::from_micros(1), self.number);
                self.number += 1;
                Ok(frame)
            }
            Ok(Act::Panic) => panic!("on purpose"),
            Ok(Act::Error) | Err(_) => Err(CameraError::Stalled {
                camera: "test".into(),
                silent: Duration::from_millis(7),
            }),
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

struct World {
    acts: mpsc::Sender<Act>,
    capture: Capture,
    open: Arc<AtomicU32>,
    opened: Arc<AtomicU32>,
}

fn world() -> World {
    let (acts, to_do) = mpsc::channel();
    let to_do = Arc::new(Mutex::new(to_do));
    let (open, opened) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (its_open, its_opened) = (Arc::clone(&open), Arc::clone(&opened));
    let make: MakeCamera = Box::new(move || {
        its_open.fetch_add(1, Ordering::SeqCst);
        its_opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Scripted {
            acts: Arc::clone(&to_do),
            pool: Pool::new(160, 120, 3).unwrap(),
            number: 0,
            open: Arc::clone(&its_open),
        }))
    });
    World {
        acts,
        capture: Capture::start(make, Calls::default().row("camera", Needed::ToDrive)).unwrap(),
        open,
        opened,
    }
}

fn frame(look: Look) -> Frame {
    match look {
        Look::Frame(frame) => frame,
        other => panic!("{other:?}"),
    }
}

fn failed(look: Look) -> String {
    match look {
        Look::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_come_in_turn_and_nothing_comes_when_there_is_none() {
    let world = world();
    assert!(matches!(world.capture.take(Duration::ZERO), Look::Nothing));
    for number in 0..5 {
        world.acts.send(Act::Frame).unwrap();
        assert_eq!(frame(world.capture.take(LONG)).number(), number);
    }
}

#[test]
fn who_is_slow_gets_the_newest_and_no_buffer_is_lost() {
    let world = world();
    for _ in 0..50 {
        world.acts.send(Act::Frame).unwrap();
    }
    // The camera goes on by itself: three buffers serve all fifty.
    let mut last = frame(world.capture.take(LONG)).number();
    while last < 49 {
        let next = frame(world.capture.take(LONG)).number();
        assert!(next > last);
        last = next;
    }
}

#[test]
fn an_error_and_a_panic_are_told_and_the_camera_is_opened_again() {
    let world = world();
    world.acts.send(Act::Frame).unwrap();
    drop(frame(world.capture.take(LONG)));
    world.acts.send(Act::Error).unwrap();
    assert_eq!(
        failed(world.capture.take(LONG)),
        "camera test: no frame for 7 ms; check the cable"
    );
    let started = Instant::now();
    world.acts.send(Act::Frame).unwrap();
    assert_eq!(frame(world.capture.take(LONG)).number(), 0, "a new camera");
    assert!(started.elapsed() >= Duration::from_millis(500), "it rested");
    world.acts.send(Act::Panic).unwrap();
    assert_eq!(
        failed(world.capture.take(LONG)),
        "camera: a bug, reported in the log"
    );
    world.acts.send(Act::Frame).unwrap();
    drop(frame(world.capture.take(LONG)));
    assert_eq!(world.capture.failures(), 2);
    assert_eq!(world.opened.load(Ordering::SeqCst), 3);
    assert_eq!(
        world.open.load(Ordering::SeqCst),
        1,
        "the others are closed"
    );
}

#[test]
fn a_frame_from_before_the_failure_is_not_handed_out() {
    let world = world();
    world.acts.send(Act::Frame).unwrap();
    world.acts.send(Act::Error).unwrap();
    while world.capture.failures() == 0 {
        thread::yield_now();
    }
    failed(world.capture.take(LONG));
    assert!(matches!(world.capture.take(Duration::ZERO), Look::Nothing));
}

#[test]
fn dropping_closes_the_camera_and_frames_outlive_it() {
    let world = world();
    world.acts.send(Act::Frame).unwrap();
    let held = frame(world.capture.take(LONG));
    world.acts.send(Act::Frame).unwrap(); // it returns once more, and sees that it is over
    let open = Arc::clone(&world.open);
    drop(world);
    assert_eq!(open.load(Ordering::SeqCst), 0);
    assert_eq!(held.y().len(), 160 * 120);
}

#[test]
fn a_driver_that_never_returns_keeps_its_thread_and_nothing_else() {
    let world = world();
    let started = Instant::now();
    let acts = world.acts.clone(); // keeps the camera waiting
    drop(world);
    assert!(started.elapsed() < CLOSING * 5);
    drop(acts);
}
