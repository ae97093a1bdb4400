//! The simulated outputs: they keep the pulses, move the drawn car, and write the actuator log.
//!
//! The log is the evidence of every safety test, so it is a contract (EXTENSION.md, the actuator log) and honest: a line is written
//! with one system call and is in the file when `write` returns. A pulse is put out *before* its line is tried: a
//! full disk must never keep the car from going neutral. It is reported all the same, which stops the car, because
//! a drive without its record proves nothing.
//!
//! ```text
//!   write ─▶ fault injected? ──▶ Err(Output), old pulses stay
//!        └─▶ pulses out, view set ─▶ same as last line? ──▶ Ok
//!                                └─▶ one line ─▶ Ok | Err(Log): tried again at the next write, on a fresh line
//!
//!   {"t_us":1234567,"throttle_us":1500,"steering_us":1500,"cause":"start"}
//! ```
//!
//! The spare handle (see [`Actuators::spare`]) shares the view and the last line without a lock.
//!
//! Promises: integers only; one line for each change, the first write always; no line is ever taken back; no
//! allocation for a write that succeeds.
//! Knows nothing of: why a pulse is what it is.
//! Sources: EXTENSION.md, the actuator log.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::motion::SimView;
use crate::hal::{ActuatorError, Actuators};
use crate::logic::drive::{DriveConfig, Setpoint};
use crate::logic::failsafe::Cause;
use crate::logic::units::{PulseWidth, Steering, Throttle, Uptime};

/// choice: the longest line has 108 characters (20 digits of time, the longest cause).
const LINE: usize = 160;

/// Where the lines go.
struct Log {
    path: String,
    sink: Box<dyn Write + Send>,
    /// The pulses of the last line that is whole in the file, of this handle or of its spare.
    written: Arc<Written>,
    /// It is a file, which can be opened a second time.
    is_file: bool,
    /// The last line may be there in part.
    torn: bool,
}

/// Both pulses of a line in one word, so that two handles share it without a lock; 0 is none.
#[derive(Debug, Default)]
struct Written(AtomicU32);

impl Written {
    fn is(&self, setpoint: Setpoint) -> bool {
        self.0.load(Ordering::SeqCst) == setpoint.word()
    }

    fn set(&self, setpoint: Setpoint) {
        self.0.store(setpoint.word(), Ordering::SeqCst);
    }
}

/// A failure to come, for tests.
#[derive(Clone, Copy, Debug)]
struct Fault {
    /// Writes that still succeed.
    after: u32,
    /// Writes that fail then.
    lasting: u32,
}

/// The outputs of a car that is not there.
pub struct SimActuators {
    outputs: Option<Setpoint>,
    log: Option<Log>,
    view: Option<(Arc<SimView>, DriveConfig)>,
    fault: Option<Fault>,
}

impl SimActuators {
    /// Outputs without a log.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            outputs: None,
            log: None,
            view: None,
            fault: None,
        }
    }

    /// Writes the actuator log to the end of the file at `path`, which is made if it is not there.
    ///
    /// Never from its beginning: a restart, or `spidercar neutral` after a crash, must not wipe out what happened.
    ///
    /// # Errors
    /// [`ActuatorError::Log`] if the file cannot be opened.
    pub fn with_log(self, path: &Path) -> Result<Self, ActuatorError> {
        let name = path.display().to_string();
        match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => {
                let mut outputs = self.with_log_to(name, Box::new(file));
                if let Some(log) = &mut outputs.log {
                    log.is_file = true;
                }
                Ok(outputs)
            }
            Err(source) => Err(ActuatorError::Log {
                path: name,
                source: source.into(),
            }),
        }
    }

    /// Writes the actuator log to a sink of that name.
    #[must_use]
    pub fn with_log_to(mut self, path: String, sink: Box<dyn Write + Send>) -> Self {
        self.log = Some(Log {
            path,
            sink,
            written: Arc::default(),
            is_file: false,
            torn: false,
        });
        self
    }

    /// Moves the drawn car: the pulses count as the share of the calibration that they are, to the side that they are on.
    #[must_use]
    pub fn with_view(mut self, view: Arc<SimView>, car: DriveConfig) -> Self {
        self.view = Some((view, car));
        self
    }

    /// Lets `lasting` writes fail, after `after` more have succeeded.
    pub const fn fail_writes(&mut self, after: u32, lasting: u32) {
        self.fault = Some(Fault { after, lasting });
    }

    /// The pulses that are out now; none before the first write.
    #[must_use]
    pub const fn outputs(&self) -> Option<Setpoint> {
        self.outputs
    }

    /// Whether this write is to fail.
    fn fails(&mut self) -> bool {
        match &mut self.fault {
            None => false,
            Some(Fault { after: 0, lasting }) => {
                let fails = *lasting > 0;
                *lasting = lasting.saturating_sub(1);
                fails
            }
            Some(Fault { after, .. }) => {
                *after -= 1;
                false
            }
        }
    }
}

impl Default for SimActuators {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for SimActuators {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimActuators")
            .field("outputs", &self.outputs)
            .field("log", &self.log.as_ref().map(|log| &log.path))
            .finish_non_exhaustive()
    }
}

impl Actuators for SimActuators {
    fn write(
        &mut self,
        now: Uptime,
        setpoint: Setpoint,
        cause: Cause,
    ) -> Result<(), ActuatorError> {
        if self.fails() {
            return Err(ActuatorError::Output {
                device: "sim".into(),
                source: "a fault was injected".into(),
            });
        }
        self.outputs = Some(setpoint);
        if let Some((view, car)) = &self.view {
            view.set(
                throttle_of(car, setpoint.throttle),
                steering_of(car, setpoint.steering),
            );
        }
        match &mut self.log {
            Some(log) => log.line(now, setpoint, cause),
            None => Ok(()),
        }
    }

    /// The same view and the same file, opened again; the files of both are written at the end, a line at a time.
    fn spare(&self) -> Option<Box<dyn Actuators>> {
        let mut spare = Self {
            view: self.view.clone(),
            ..Self::new()
        };
        if let Some(log) = self.log.as_ref().filter(|log| log.is_file) {
            spare = spare.with_log(Path::new(&log.path)).ok()?;
            if let Some(its) = &mut spare.log {
                its.written = Arc::clone(&log.written);
            }
        }
        Some(Box::new(spare))
    }
}

impl Log {
    fn line(&mut self, now: Uptime, setpoint: Setpoint, cause: Cause) -> Result<(), ActuatorError> {
        if self.written.is(setpoint) && !self.torn {
            return Ok(());
        }
        let result = self.try_line(now, setpoint, cause);
        self.torn = result.is_err();
        match result {
            Ok(()) => {
                self.written.set(setpoint);
                Ok(())
            }
            Err(source) => Err(ActuatorError::Log {
                path: self.path.clone(),
                source: source.into(),
            }),
        }
    }

    fn try_line(&mut self, now: Uptime, setpoint: Setpoint, cause: Cause) -> io::Result<()> {
        let mut line = heapless::String::<LINE>::new();
        // A line that was cut off by a full disk must not swallow the next one.
        let fresh = if self.torn { "\n" } else { "" };
        writeln!(
            line,
            "{fresh}{{\"t_us\":{},\"throttle_us\":{},\"steering_us\":{},\"cause\":\"{}\"}}",
            now.as_micros(),
            setpoint.throttle.get(),
            setpoint.steering.get(),
            cause.word(),
        )
        .map_err(io::Error::other)?;
        self.sink.write_all(line.as_bytes())?;
        self.sink.flush()
    }
}

/// The throttle that a pulse stands for; inside the dead band it is none.
fn throttle_of(car: &DriveConfig, pulse: PulseWidth) -> Throttle {
    let fields = car.calibration.fields();
    let permille = share(pulse, fields.forward_zero, fields.throttle_max).max(0)
        - share(pulse, fields.throttle_zero, fields.throttle_min).max(0);
    Throttle::saturating(permille)
}

/// The steering that a pulse stands for.
fn steering_of(car: &DriveConfig, pulse: PulseWidth) -> Steering {
    let straight = car.calibration.fields().steering_zero;
    let ends = car.steering_ends();
    let permille =
        share(pulse, straight, ends.left).max(0) - share(pulse, straight, ends.right).max(0);
    Steering::saturating(permille)
}

/// How far a pulse is on the way between two others, in permille; negative before the first.
fn share(pulse: PulseWidth, from: PulseWidth, to: PulseWidth) -> i32 {
    let [pulse, from, to] = [pulse, from, to].map(|pulse| i32::from(pulse.get()));
    ((pulse - from) * 1000).checked_div(to - from).unwrap_or(0)
}

#[cfg(test)]
mod tests;
