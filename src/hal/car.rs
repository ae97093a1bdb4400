//! The real car's outputs: one driver for every kind of wire, and what it promises about writing.
//!
//! Each back end knows how to put two pulses on its wires and nothing else. What must hold for all of them stands here,
//! once: an unchanged value costs nothing, a change of either is put out, a failure is told and forgets what was written,
//! and every so often the same value is written again, because a chip that lost its power forgets without telling.
//!
//! ```text
//!   write(setpoint) ─ same as written, nothing pending, younger than REFRESH? ─ yes ─▶ nothing
//!                       └ no ─▶ look (every LOOK) ─▶ put ─┬─ done     ─▶ remember
//!                                                         ├─ pending  ─▶ put again on the next tick
//!                                                         └─ failed   ─▶ forget, tell
//! ```
//!
//! Promises: nothing allocates unless something fails; a stop is never skipped because of what is remembered: the spare
//! handle, which writes for a control thread that stands still, remembers nothing.
//! Knows nothing of: pins, buses, pulse widths' meaning.
//! Sources: `house-style` 3.8 (caches that stop forgets), README "What stops the car".

use core::time::Duration;

use super::{ActuatorError, Actuators, Source};
use crate::logic::drive::Setpoint;
use crate::logic::failsafe::Cause;
use crate::logic::spread::Figures;
use crate::logic::units::Uptime;

/// How often an unchanged setpoint is written again.
/// choice: two servo frames at 50 Hz are 40 ms; five are soon enough for a chip that forgot, and cost nothing.
const REFRESH: Duration = Duration::from_millis(100);

/// How often a device is asked if it is still as it was set up. choice: one look in three refreshes.
const LOOK: Duration = Duration::from_millis(300);

/// How far a [`Pulses::put`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Both are out.
    Done,
    /// It takes until a later tick, as when a bridge rests between two directions: call again with the next `now`.
    Pending,
}

/// One kind of wires.
pub trait Pulses: Send {
    /// Puts both pulses out; if one fails, the other is tried all the same. Never waits for long.
    ///
    /// # Errors
    /// The first failure. At least one output may be at its old value.
    fn put(&mut self, now: Uptime, setpoint: Setpoint) -> Result<Progress, Source>;

    /// Asks the device if it is still as it was set up.
    ///
    /// # Errors
    /// It is not, or cannot be asked. The next `put` sets it up again.
    fn look(&mut self) -> Result<(), Source> {
        Ok(())
    }

    /// How much too long pulses were so far. See [`Actuators::too_long`].
    fn too_long(&self) -> Option<Figures> {
        None
    }

    /// A second handle on the same wires, or `None` if there cannot be one. See [`Actuators::spare`].
    fn spare(&self) -> Option<Box<dyn Pulses>>;
}

/// Outputs on real wires.
pub struct Car {
    pulses: Box<dyn Pulses>,
    /// What they are called in messages.
    device: String,
    /// What is on the wires, and since when; `None` after a failure.
    written: Option<(Setpoint, Uptime)>,
    is_pending: bool,
    looked_at: Uptime,
    remembers: bool,
}

impl Car {
    /// A car on these wires, of which nothing was written yet.
    #[must_use]
    pub fn new(pulses: Box<dyn Pulses>, device: String) -> Self {
        Self {
            pulses,
            device,
            written: None,
            is_pending: false,
            looked_at: Uptime::ZERO,
            remembers: true,
        }
    }

    fn is_out(&self, now: Uptime, setpoint: Setpoint) -> bool {
        self.remembers
            && !self.is_pending
            && self
                .written
                .is_some_and(|(written, at)| written == setpoint && now.since(at) < REFRESH)
    }

    fn put(&mut self, now: Uptime, setpoint: Setpoint) -> Result<Progress, Source> {
        // A device that was never written, or failed, is set up by `put`; there is nothing to look at.
        if self.written.is_some() && now.since(self.looked_at) >= LOOK {
            self.looked_at = now;
            self.pulses.look()?;
        }
        self.pulses.put(now, setpoint)
    }
}

impl Actuators for Car {
    fn write(&mut self, now: Uptime, setpoint: Setpoint, _: Cause) -> Result<(), ActuatorError> {
        if self.is_out(now, setpoint) {
            return Ok(());
        }
        match self.put(now, setpoint) {
            Ok(progress) => {
                self.is_pending = progress == Progress::Pending;
                self.written = Some((setpoint, now));
                Ok(())
            }
            Err(source) => {
                (self.written, self.is_pending) = (None, false);
                Err(ActuatorError::Output {
                    device: self.device.clone(),
                    source,
                })
            }
        }
    }

    fn too_long(&self) -> Option<Figures> {
        self.pulses.too_long()
    }

    fn spare(&self) -> Option<Box<dyn Actuators>> {
        let pulses = self.pulses.spare()?;
        let spare = Self {
            remembers: false,
            ..Self::new(pulses, self.device.clone())
        };
        Some(Box::new(spare))
    }
}

#[cfg(test)]
mod tests;
