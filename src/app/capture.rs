//! The camera's thread: opens the camera, keeps its newest frame, opens it again when it fails.
//!
//! A camera blocks while it waits for light, and a broken one for longer. So it has a thread of its own, and whoever wants
//! a frame waits at a place for one, as long as it likes, and hears why there is none.
//!
//! ```text
//!   open ─▶ next_frame ─▶ [ place for the newest ] ─▶ take(patience) ─▶ Frame, or why there is none, or nothing in time
//!    ▲           │ error, panic                ▲
//!    └── wait ◀──┴────────── why ──────────────┘        a frame that nobody took is replaced: its buffer goes home
//! ```
//!
//! Promises: a camera that fails is opened again within 2 s, for ever; a panic in it ends nothing else; a frame is handed
//! out once. What a driver that never returns holds is its thread: the car is stopped and says so, and lives on.
//! Knows nothing of: encoders, what kind of camera it runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::parts::{MakeCamera, chain};
use crate::hal::{CameraError, Frame};

/// Waits before the camera is opened again: after the first failure, and at most.
/// choice: a moment's failure costs half a second; a camera that is plugged in again is found within 2 s.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(1500));

/// A camera that ran for so long has not failed at once. choice: a few frames at the lowest rate.
const GOOD_RUN: Duration = Duration::from_secs(5);

/// How long closing is waited for. choice: a driver that works takes a few frames; one that hangs must not keep the program.
const CLOSING: Duration = Duration::from_secs(1);

/// What there is at the place.
#[derive(Debug)]
pub enum Look {
    /// The newest frame.
    Frame(Frame),
    /// The camera has failed since the last look, for this reason.
    Failed(String),
    /// Nothing came in time.
    Nothing,
}

#[derive(Default)]
struct Place {
    frame: Option<Frame>,
    failed: Option<String>,
    failures: u32,
    is_over: bool,
    has_ended: bool,
}

/// The place for one frame.
#[derive(Default)]
struct Desk {
    place: Mutex<Place>,
    bell: Condvar,
}

impl Desk {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, frame: Frame) {
        let old = self.place().frame.replace(frame);
        self.bell.notify_all();
        drop(old); // its buffer goes home when nobody else waits for the lock
    }

    fn fail(&self, why: String) {
        let mut place = self.place();
        place.failures = place.failures.wrapping_add(1);
        place.failed = Some(why);
        drop(place);
        self.bell.notify_all();
    }

    /// Sleeps, unless it is over; whether it is.
    fn rest(&self, time: Duration) -> bool {
        let place = self.place();
        let waited = self
            .bell
            .wait_timeout_while(place, time, |place| !place.is_over);
        waited.map_or(true, |(place, _)| place.is_over)
    }
}

/// A camera that runs.
pub struct Capture {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread could not be made.
    pub fn start(make: MakeCamera) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let its = Arc::clone(&desk);
        let thread = thread::Builder::new()
            .name("camera".to_owned())
            .spawn(move || run(make, &its))?;
        Ok(Self {
            desk,
            thread: Some(thread),
        })
    }

    /// Waits so long for a frame or a failure that was not handed out yet.
    #[must_use]
    pub fn take(&self, patience: Duration) -> Look {
        let is_empty = |place: &mut Place| place.frame.is_none() && place.failed.is_none();
        let waited = self
            .desk
            .bell
            .wait_timeout_while(self.desk.place(), patience, is_empty);
        let (mut place, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match (place.failed.take(), place.frame.take()) {
            // What came before the failure is stale.
            (Some(why), _) => Look::Failed(why),
            (None, Some(frame)) => Look::Frame(frame),
            (None, None) => Look::Nothing,
        }
    }

    /// How often the camera failed since the start; wraps.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.desk.place().failures
    }
}

impl Drop for Capture {
    /// Waits a moment for the camera to close; a driver that never returns keeps its thread.
    fn drop(&mut self) {
        self.desk.place().is_over = true;
        self.desk.bell.notify_all();
        let ended = self
            .desk
            .bell
            .wait_timeout_while(self.desk.place(), CLOSING, |place| !place.has_ended);
        let has_ended = ended.is_ok_and(|(place, _)| place.has_ended);
        if let Some(thread) = self.thread.take()
            && has_ended
        {
            // What it had to say, it said through the desk.
            let _ = thread.join();
        } else {
            tracing::warn!("the camera did not close within {} ms", CLOSING.as_millis());
        }
    }
}

fn run(mut make: MakeCamera, desk: &Desk) {
    let mut wait = RETRY.0;
    loop {
        let started = Instant::now();
        let ran = catch_unwind(AssertUnwindSafe(|| frames(&mut make, desk)));
        let why = match ran {
            Ok(Ok(())) => break,
            Ok(Err(err)) => chain(&err),
            Err(_) => "camera: a bug, reported in the log".to_owned(),
        };
        if started.elapsed() >= GOOD_RUN {
            wait = RETRY.0;
        }
        desk.fail(why);
        if desk.rest(wait) {
            break;
        }
        wait = (wait * 2).min(RETRY.1);
    }
    desk.place().has_ended = true;
    desk.bell.notify_all();
}

/// Opens the camera and hands over its frames until it fails or is over.
fn frames(make: &mut MakeCamera, desk: &Desk) -> Result<(), CameraError> {
    let mut camera = make()?;
    while !desk.place().is_over {
        desk.put(camera.next_frame()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
