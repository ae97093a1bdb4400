//! `spidercar neutral`: opens the outputs, writes neutral, closes them.
//!
//! The service runs it after every end of `run`, and [`super::survivor`] runs what is here for a car that is gone. It asks
//! nobody for the outputs: neutral may always be written.
//!
//! Invariants: nothing stays open, so nothing is remembered; the calibration that was saved counts, as in `run`.

use std::sync::Arc;

use super::parts::{actuators, chain};
use super::{Fatal, chassis, clock};
use crate::cli::Exit;
use crate::config::{Drive, Sim};
use crate::hal::sim::SimView;
use crate::logic::drive::Setpoint;
use crate::logic::failsafe::Cause;

/// Writes neutral to the outputs once: that of the configuration and of what was saved.
///
/// # Errors
/// The outputs cannot be opened or written.
pub fn neutral(drive: &Drive, sim: &Sim) -> Result<(), Fatal> {
    let drive = learned(drive);
    let neutral = drive.config.calibration.neutral();
    write(&drive, sim, neutral, Cause::Exit)
}

/// The same outputs, with the calibration that was saved. It is on a disk, which may be slow.
#[must_use]
pub fn learned(drive: &Drive) -> Drive {
    let (_, found) = chassis::found(drive);
    for (path, why) in &found.unusable {
        tracing::warn!(file = %path.display(), %why, "drive.state_file");
    }
    chassis::with_learned(drive, &found)
}

/// Writes this neutral, and why. Touches nothing but the outputs.
///
/// # Errors
/// As for [`neutral`].
pub fn write(drive: &Drive, sim: &Sim, neutral: Setpoint, cause: Cause) -> Result<(), Fatal> {
    let view = Arc::new(SimView::default());
    let mut actuators = actuators(drive, sim, &view)?;
    actuators
        .write(clock::now(), neutral, cause)
        .map_err(|err| Fatal::new(Exit::HardwareMissing, chain(&err)))
}
