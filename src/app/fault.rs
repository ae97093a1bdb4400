//! The faults of the simulated car, brought about where they would happen.
//!
//! Each part asks at its own place whether a fault of its kind is due; each happens once. A car without
//! faults has an empty list, and the question costs one look at it.
//!
//! ```text
//!   video thread    camera wrapped:  error, panic, three seconds of nothing
//!   control thread  outputs wrapped: panic, half a second of nothing, half a second of errors
//!   runtime         a task: panics of link and metrics, both workers busy for two seconds
//!   doctor --hands  who moves the car is its link: panics of link
//! ```
//!
//! Promises: nothing happens that `sim.faults` does not name. Knows nothing of: what the car does about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::clock;
use crate::config::{FaultKind, SimFault};
use crate::hal::{ActuatorError, Actuators, Camera, CameraError, Frame};
use crate::logic::drive::Setpoint;
use crate::logic::failsafe::Cause;
use crate::logic::units::Uptime;

/// How often tasks look whether a fault is due. choice: close to the time that was asked for.
const LOOK: Duration = Duration::from_millis(10);
/// How long the camera gives nothing. choice: well beyond the second after which it counts as down.
const CAMERA_STALL: Duration = Duration::from_secs(3);
/// How long the control thread stands still, and outputs fail. choice: beyond every stop time.
const CONTROL_STALL: Duration = Duration::from_millis(500);
/// How long the runtime is busy. choice: beyond every stop time.
const RUNTIME_STALL: Duration = Duration::from_secs(2);

/// The faults that are still to come; shared by all parts.
#[derive(Debug)]
pub struct Faults {
    start: Uptime,
    planned: Vec<SimFault>,
    /// A bit for each that has happened.
    done: AtomicU32,
}

impl Faults {
    /// The faults of a car that starts now. At most 32 of them happen.
    #[must_use]
    pub fn new(faults: &[SimFault]) -> Arc<Self> {
        Arc::new(Self {
            start: clock::now(),
            planned: faults.iter().copied().take(32).collect(),
            done: AtomicU32::new(0),
        })
    }

    /// Whether a fault of this kind is due; asking takes it.
    #[must_use]
    pub fn take(&self, kind: FaultKind) -> bool {
        let since = clock::now().since(self.start);
        (0_u32..).zip(&self.planned).any(|(n, fault)| {
            fault.kind == kind
                && fault.at <= since
                && self.done.fetch_or(1 << n, Ordering::Relaxed) & (1 << n) == 0
        })
    }

    /// Panics if a fault of this kind is due.
    ///
    /// # Panics
    /// That is what it is for.
    pub fn panic_if(&self, kind: FaultKind) {
        assert!(!self.take(kind), "sim.faults: {}", kind.word());
    }

    /// Runs a task until it ends, or panics once a fault of this kind is due.
    pub async fn or_panic(&self, kind: FaultKind, task: impl Future<Output = ()>) {
        if self.is_empty() {
            return task.await;
        }
        let due = async {
            loop {
                tokio::time::sleep(LOOK).await;
                self.panic_if(kind);
            }
        };
        tokio::select! {
            () = task => {}
            () = due => {}
        }
    }

    /// Whether there are any at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }
}

/// A camera that fails when it is told to.
pub struct FaultyCamera {
    /// The camera that works.
    pub inner: Box<dyn Camera>,
    /// What is to come.
    pub faults: Arc<Faults>,
}

impl Camera for FaultyCamera {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        self.faults.panic_if(FaultKind::VideoPanic);
        if self.faults.take(FaultKind::CameraStall) {
            std::thread::sleep(CAMERA_STALL);
        }
        if self.faults.take(FaultKind::CameraError) {
            return Err(CameraError::Unsupported {
                camera: "simulated camera".to_owned(),
                why: "sim.faults: camera-error".to_owned(),
            });
        }
        self.inner.next_frame()
    }
}

/// Outputs that fail when they are told to, and take the control thread along where that is asked.
pub struct FaultyOutputs {
    inner: Box<dyn Actuators>,
    faults: Arc<Faults>,
    fails_until: Uptime,
}

impl FaultyOutputs {
    /// Outputs that work until a fault is due.
    #[must_use]
    pub fn new(inner: Box<dyn Actuators>, faults: Arc<Faults>) -> Self {
        Self {
            inner,
            faults,
            fails_until: Uptime::ZERO,
        }
    }
}

impl Actuators for FaultyOutputs {
    fn write(
        &mut self,
        now: Uptime,
        setpoint: Setpoint,
        cause: Cause,
    ) -> Result<(), ActuatorError> {
        // Neutral at the end is never in doubt: these cause what comes after it.
        if !matches!(cause, Cause::Exit | Cause::Panic) {
            self.faults.panic_if(FaultKind::ControlPanic);
            if self.faults.take(FaultKind::ControlStall) {
                std::thread::sleep(CONTROL_STALL);
            }
            if self.faults.take(FaultKind::OutputError) {
                self.fails_until = now.after(CONTROL_STALL);
            }
            if now < self.fails_until {
                return Err(ActuatorError::Output {
                    device: "simulated outputs".to_owned(),
                    source: "sim.faults: output-error".into(),
                });
            }
        }
        self.inner.write(now, setpoint, cause)
    }

    fn spare(&self) -> Option<Box<dyn Actuators>> {
        self.inner.spare() // the thread that needs it is not the one that fails
    }
}

/// Keeps both workers of the runtime busy when that is due; for ever where nothing is to come.
pub async fn stall_runtime(faults: Arc<Faults>) {
    if faults.is_empty() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK).await;
        if faults.take(FaultKind::RuntimeStall) {
            // One for each worker: this task goes to sleep, and they take a thread each.
            let stalls =
                [(); 2].map(|()| tokio::spawn(async { std::thread::sleep(RUNTIME_STALL) }));
            for stall in stalls {
                let _ = stall.await; // it only slept
            }
        }
    }
}
