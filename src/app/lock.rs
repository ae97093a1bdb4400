//! Exclusive locks: one program at a time at the outputs, and one at a state file.
//!
//! Two programs that write pulses to one ESC fight each other, and neither of them can stop the car. The kernel keeps
//! the locks (`flock(2)`) and frees them when the process is gone, however it went, so none can be stale.
//!
//! ```text
//!   run, doctor, doctor --hands, calibrate ─▶ OutputLock   the board itself: no file to make, delete or replace
//!                                          └▶ StateLock    STATE-FILE.lock, where there is a state file
//!   calibrate --save, --reset              ─▶ StateLock
//!   neutral                                ─▶ none: it may write beside any other program, for neutral must always be
//!                                             possible. It writes once, and the other program goes on.
//! ```
//!
//! *Invariants:* a lock that cannot be looked at, for whatever reason, counts as held.

use std::path::Path;

use super::Fatal;
use crate::cli::Exit;
use crate::config::Drive;
use crate::config::hardware::Wiring;

mod holder;
mod outputs;
mod state;

pub use outputs::OutputLock;
pub use state::StateLock;

/// The locks of a car that is to be moved.
#[derive(Debug)]
pub struct Locks {
    /// None for the simulated car, which has no wires.
    pub outputs: Option<OutputLock>,
    /// None without a state file.
    pub state: Option<StateLock>,
}

impl Locks {
    /// Takes the locks of a car.
    ///
    /// # Errors
    /// Another process has one of them, or may have it.
    pub fn take(drive: &Drive) -> Result<Self, Fatal> {
        let is_real = drive.output != Wiring::Sim;
        Ok(Self {
            outputs: is_real.then(OutputLock::take).transpose()?,
            state: drive
                .state_file
                .as_deref()
                .map(StateLock::take)
                .transpose()?,
        })
    }
}

/// The refusal for a lock that another process has.
fn held(what: &str, place: &Path, file: &std::fs::File) -> Fatal {
    let (by, todo) = match holder::of(file) {
        Some(holder) => (format!(", held by {holder}"), holder.todo()),
        None => (String::new(), "`systemctl stop spidercar`".to_owned()),
    };
    let place = place.display();
    Fatal::new(
        Exit::HardwareMissing,
        format!(
            "another spidercar has the outputs ({what}: lock {place}{by}): the service is running? {todo}"
        ),
    )
}

/// The refusal for a lock that cannot be looked at: another process may have it.
fn unknown(what: &str, place: &Path, why: &str) -> Fatal {
    let place = place.display();
    Fatal::new(
        Exit::HardwareMissing,
        format!(
            "another spidercar may have the outputs ({what}): its lock {place} cannot be looked at: {why}"
        ),
    )
}
