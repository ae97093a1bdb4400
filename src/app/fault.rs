//! The faults of the simulated car, brought about where they would happen.
//!
//! Each part asks at its own place whether a fault of its kind is due; each happens once. Only a car with simulated
//! outputs and faults has any of this in its chain: [`Faults::of`] is `None` for any other.
//!
//! ```text
//!   video thread    camera wrapped:  error, panic, three seconds of nothing
//!   control thread  outputs wrapped: panic, half a second of nothing, half a second of errors
//!   runtime         a task: panics of link and metrics, both workers busy for two seconds, a stack that overflows, 256 MB
//!                   that are never given back
//!   doctor --hands  who moves the car is its link: panics of link
//! ```
//!
//! *Invariants:* nothing happens that `sim.faults` does not name; without it outputs, camera and tasks are passed on as
//! they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::clock;
use super::parts::MakeCamera;
use crate::config::hardware::Wiring;
use crate::config::{Config, FaultKind, SimFault};
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

/// How much is taken at a time, each millisecond, and how often. choice: 256 MB in all, which no limit for a car allows and every
/// computer that builds one has.
const LEAK: usize = 1 << 22;
const LEAKS: u32 = 1 << 6;

/// The faults that are still to come; shared by all parts.
#[derive(Debug)]
pub struct Faults {
    start: Uptime,
    planned: Vec<SimFault>,
    /// A bit for each that has happened.
    done: AtomicU32,
}

impl Faults {
    /// The faults of a car that starts now, if it is a simulated one that has any. At most 32 of them happen.
    #[must_use]
    pub fn of(config: &Config) -> Option<Arc<Self>> {
        let planned = &config.sim.faults;
        let has_any = config.drive.output == Wiring::Sim && !planned.is_empty();
        has_any.then(|| {
            Arc::new(Self {
                start: clock::now(),
                planned: planned.iter().copied().take(32).collect(),
                done: AtomicU32::new(0),
            })
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

    async fn panics_when_due(&self, kind: FaultKind) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.panic_if(kind);
        }
    }
}

/// Runs a task until it ends, or panics once a fault of this kind is due.
pub async fn or_panic(faults: Option<&Faults>, kind: FaultKind, task: impl Future<Output = ()>) {
    match faults {
        None => task.await,
        Some(faults) => tokio::select! {
            () = task => {}
            () = faults.panics_when_due(kind) => {}
        },
    }
}

/// The same outputs, failing as `sim.faults` says.
#[must_use]
pub fn outputs(inner: Box<dyn Actuators>, faults: Option<&Arc<Faults>>) -> Box<dyn Actuators> {
    match faults {
        None => inner,
        Some(faults) => Box::new(FaultyOutputs::new(inner, Arc::clone(faults))),
    }
}

/// The same camera, failing as `sim.faults` says.
#[must_use]
pub fn camera(mut make: MakeCamera, faults: Option<&Arc<Faults>>) -> MakeCamera {
    let Some(faults) = faults.map(Arc::clone) else {
        return make;
    };
    Box::new(move || {
        Ok(Box::new(FaultyCamera {
            inner: make()?,
            faults: Arc::clone(&faults),
        }))
    })
}

/// A camera that fails when it is told to.
struct FaultyCamera {
    inner: Box<dyn Camera>,
    faults: Arc<Faults>,
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
struct FaultyOutputs {
    inner: Box<dyn Actuators>,
    faults: Arc<Faults>,
    fails_until: Uptime,
}

impl FaultyOutputs {
    fn new(inner: Box<dyn Actuators>, faults: Arc<Faults>) -> Self {
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

/// What can go wrong in any task: it keeps the runtime's threads, its stack or its memory.
pub async fn in_runtime(faults: Arc<Faults>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if faults.take(FaultKind::StackOverflow) {
            std::hint::black_box(deeper(0));
        }
        if faults.take(FaultKind::MemoryLeak) {
            for _ in 0..LEAKS {
                std::mem::forget(std::hint::black_box(vec![1_u8; LEAK]));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
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

/// As deep as the stack goes, and deeper: a parser that calls itself for what a stranger sent.
fn deeper(depth: usize) -> usize {
    let kept = std::hint::black_box([depth; 64]);
    if depth == usize::MAX {
        return depth;
    }
    deeper(depth + 1) + kept.iter().sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, RawConfig, Set, Source};
    use crate::hal::sim::SimActuators;

    fn config(sets: &[&str]) -> Config {
        let set = |text: &&str| {
            let (key, value) = text.split_once('=').unwrap();
            Set {
                key: key.to_owned(),
                value: value.to_owned(),
                flag: "--set".to_owned(),
            }
        };
        let sets: Vec<Set> = sets.iter().map(set).collect();
        let raw = RawConfig::read(&Source::BuiltIn, &sets, &Machine);
        Config::from_raw(&raw, &Machine).unwrap()
    }

    #[test]
    fn a_car_without_faults_has_its_outputs_as_they_are() {
        let address = |outputs: &dyn Actuators| std::ptr::from_ref(outputs).addr();
        for (sets, wraps) in [(&[][..], false), (&["sim.faults=output-error@9"], true)] {
            let faults = Faults::of(&config(sets));
            assert_eq!(faults.is_some(), wraps);
            let inner: Box<dyn Actuators> = Box::new(SimActuators::new());
            let before = address(&*inner);
            let outer = outputs(inner, faults.as_ref());
            assert_eq!(address(&*outer) != before, wraps);
        }
    }

    #[test]
    fn real_outputs_have_no_faults_whoever_asks() {
        let mut real = config(&["sim.faults=control-stall@9"]);
        real.drive.output = config(&["drive.output=pwm"]).drive.output;
        assert!(Faults::of(&real).is_none());
    }
}
