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
//! Promises: a camera that fails is opened again for ever, ever more rarely ([`Reopening`]); one that is not there is looked
//! for every 2 s; a panic in it ends nothing else; a frame is handed out once. A driver that never returns keeps the thread:
//! `calls` sees that, and the program ends.
//! Knows nothing of: encoders, what kind of camera it runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::calls::Row;
use super::clock;
use super::parts::{MakeCamera, chain};
use crate::hal::{CameraError, Frame};
use crate::logic::backoff::{ABSENT, Reopening};

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
    pub fn start(make: MakeCamera, row: Arc<Row>) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let its = Arc::clone(&desk);
        let thread = thread::Builder::new()
            .name("camera".to_owned())
            .spawn(move || run(make, &its, &row))?;
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

fn run(mut make: MakeCamera, desk: &Desk, row: &Row) {
    let mut reopening = Reopening::new();
    loop {
        let ran = catch_unwind(AssertUnwindSafe(|| {
            frames(&mut make, desk, row, &mut reopening)
        }));
        let (why, is_absent) = match ran {
            Ok(Ok(())) => break,
            Ok(Err(err)) => (chain(&err), matches!(err, CameraError::Missing { .. })),
            Err(_) => ("camera: a bug, reported in the log".to_owned(), false),
        };
        desk.fail(why);
        let wait = reopening.failed(clock::now());
        if desk.rest(if is_absent { wait.min(ABSENT) } else { wait }) {
            break;
        }
    }
    desk.place().has_ended = true;
    desk.bell.notify_all();
}

/// Opens the camera and hands over its frames until it fails or is over.
fn frames(
    make: &mut MakeCamera,
    desk: &Desk,
    row: &Row,
    reopening: &mut Reopening,
) -> Result<(), CameraError> {
    // Ends after the camera was dropped, however that comes about.
    let _closing = row.enter("close it");
    let mut camera = row.during("open it", make)?;
    while !desk.place().is_over {
        let frame = row.during("take a picture", || camera.next_frame())?;
        reopening.works(clock::now());
        desk.put(frame);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
