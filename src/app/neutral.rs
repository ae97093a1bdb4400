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
use crate::config::{Drive, Outputs, Sim};
use crate::hal::sim::SimView;
use crate::logic::drive::Setpoint;
use crate::logic::failsafe::Cause;

/// Writes neutral to the outputs once.
///
/// # Errors
/// The outputs cannot be opened or written.
pub fn neutral(outputs: &Outputs) -> Result<(), Fatal> {
    write(&outputs.drive, &outputs.sim, None, Cause::Exit)
}

/// Writes the neutral that was `told`, or else that of the configuration and of what was saved, and why.
///
/// # Errors
/// As for [`neutral`].
pub fn write(drive: &Drive, sim: &Sim, told: Option<Setpoint>, cause: Cause) -> Result<(), Fatal> {
    let view = Arc::new(SimView::default());
    let (_, found) = chassis::found(drive);
    for (path, why) in &found.unusable {
        tracing::warn!(file = %path.display(), %why, "drive.state_file");
    }
    let drive = chassis::with_learned(drive, &found);
    let mut actuators = actuators(&drive, sim, &view)?;
    let neutral = told.unwrap_or_else(|| drive.config.calibration.neutral());
    actuators
        .write(clock::now(), neutral, cause)
        .map_err(|err| Fatal::new(Exit::HardwareMissing, chain(&err)))
}
