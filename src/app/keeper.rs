//! Keeps what the car learns on the disk, from a thread of its own, so that nobody waits for a card.
//!
//! The control thread publishes its status anyway; this looks at it, so that what is to be written is always the newest,
//! nothing queues, and the control thread does not know that there is a disk.
//!
//! ```text
//!   control ── status ──▶ [board] ◀── every 50 ms ── keeper ─▶ Plan: is it worth a write? ─▶ StateFile
//!                            ▲                          │
//!                            └── which change is stored ┘
//! ```
//!
//! At its start it puts damaged files aside and writes anew what only the copy had. At its end it writes what is not
//! stored yet, even a slider that still moves.
//!
//! Promises: a change is told as stored only when no power cut can undo it; a folder that cannot be written is told once,
//! and driving goes on. Knows nothing of: pulses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::board::{Board, Stored};
use super::clock;
use super::lasting::not_lasting;
use super::learned::{Learned, Plan};
use super::lock::StateLock;
use super::state_file::{Found, StateFile, Unusable, Used};
use crate::logic::vehicle::CalibrationStatus;

/// How often the status is looked at. choice: whoever saved a calibration hears in a blink that it is safe.
const LOOK: Duration = Duration::from_millis(50);

/// The running keeper.
#[derive(Debug)]
pub struct Keeper {
    stop: Arc<AtomicBool>,
    join: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread. `found` is what the vehicle was made with. Start it when the car is at neutral, and drop it
    /// after the control thread has ended.
    ///
    /// # Errors
    /// The thread could not be made.
    pub fn start(
        file: StateFile,
        lock: StateLock,
        found: Found,
        board: Arc<Board>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let join = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || {
                mend(&file, &found);
                // What only the copy had is written again, or the next damage would take it.
                let stored = (found.used != Used::Copy).then_some(found.learned);
                Keeping {
                    plan: Plan::new(clock::now(), stored, found.learned),
                    file,
                    lock,
                    board,
                    is_failing: false,
                    is_in_memory: false,
                }
                .run(&stopping);
            })?;
        Ok(Self {
            stop,
            join: Some(join),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(join) = self.join.take() {
            join.thread().unpark();
            let _ = join.join(); // a panic there has been told; the car is not concerned
        }
    }
}

/// Says what was found, and puts aside what cannot be used.
pub fn mend(file: &StateFile, found: &Found) {
    for (path, why) in &found.unusable {
        let shown = path.display();
        match why {
            Unusable::Damaged(_) => match file.put_aside(path) {
                Ok(aside) => tracing::error!(
                    file = %shown, aside = %aside.display(),
                    "drive.state_file: {why}; put aside; look at it, or delete it"
                ),
                Err(err) => tracing::error!(
                    file = %shown, %err,
                    "drive.state_file: {why}; it cannot be put aside either"
                ),
            },
            Unusable::Unreadable(_) => {
                tracing::error!(file = %shown, "drive.state_file: {why}; check its owner and mode");
            }
        }
    }
    let what = match found.used {
        _ if found.unusable.is_empty() => return,
        Used::Newest => return,
        Used::Copy => "the copy of the one before is used; is the calibration still right?",
        Used::None => {
            "the pulses of the configuration are used; calibrate again (spidercar calibrate)"
        }
    };
    tracing::error!("drive.state_file: {what}");
}

struct Keeping {
    file: StateFile,
    lock: StateLock,
    plan: Plan,
    board: Arc<Board>,
    is_failing: bool,
    /// Whether what was stored is gone at power-off.
    is_in_memory: bool,
}

impl Keeping {
    fn run(&mut self, stop: &AtomicBool) {
        self.tell_if_in_memory();
        let mut is_last = false;
        loop {
            if let Some(status) = self.board.status() {
                self.look(&status.calibration, is_last);
            }
            if is_last {
                return;
            }
            thread::park_timeout(LOOK);
            // One look after the car has ended: it may have learned something since.
            is_last = stop.load(Ordering::Relaxed);
        }
    }

    fn look(&mut self, status: &CalibrationStatus, is_last: bool) {
        let wanted = Learned::of(status);
        let is_due = self.plan.is_due(clock::now(), wanted);
        if is_due || (is_last && !self.plan.has(&wanted)) {
            self.store(&wanted);
        }
        // A slider that is on its way to the disk says nothing about the calibration.
        let stored = if self.plan.has_calibration(&wanted) {
            if self.is_in_memory {
                Stored::Failed // what a driver needs to know: it lasts until the car is switched off
            } else {
                Stored::Safe(status.changes)
            }
        } else if self.is_failing {
            Stored::Failed
        } else {
            Stored::OnTheWay
        };
        self.board.set_stored(stored);
    }

    fn tell_if_in_memory(&mut self) {
        let why = not_lasting(self.file.folder());
        if let Some(why) = &why
            && !self.is_in_memory
        {
            tracing::warn!("drive.state_file: {why}");
        }
        self.is_in_memory = why.is_some();
    }

    fn store(&mut self, learned: &Learned) {
        let stored = self
            .file
            .make_folder()
            .and_then(|()| self.lock.hold())
            .and_then(|()| self.file.store(learned));
        self.plan.wrote(clock::now(), *learned, stored.is_ok());
        let path = self.file.path().display();
        match stored {
            Ok(()) => {
                tracing::info!(%path, calibrated = learned.calibration.is_some(), max_speed = learned.max_speed, "stored");
                self.is_failing = false;
                self.tell_if_in_memory();
            }
            Err(err) if self.is_failing => tracing::debug!(%path, %err, "not stored again"),
            Err(err) => {
                tracing::error!(%path, %err, "drive.state_file cannot be written: what the car learns is lost at its next start; driving goes on");
                self.is_failing = true;
            }
        }
    }
}
