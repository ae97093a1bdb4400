//! The control thread: the only one that moves the car, at a fixed rate, on a thread of its own.
//!
//! ```text
//!   every tick, and at once when a command arrives:
//!     newest intent ─┐
//!     health ────────┼─▶ vehicle.step(now) ─▶ outputs ─▶ status, events
//!     now ───────────┘
//!   asked to stop, or a panic: neutral, then the end
//! ```
//!
//! It takes no lock that async code takes, allocates nothing after its start, and does not depend on
//! the runtime: when that hangs, the commands stop, and silence stops the car.
//!
//! Promises: neutral is the first thing written and the last, on every way out of this thread; a write
//! that fails is tried again on each tick, and the car cannot be armed meanwhile.
//! Knows nothing of: the network, video.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use super::board::Board;
use super::clock;
use super::mailbox::{Mailbox, Reader};
use super::parts::chain;
use crate::hal::{ActuatorError, Actuators};
use crate::logic::failsafe::Cause;
use crate::logic::units::Uptime;
use crate::logic::vehicle::{Event, Vehicle};

/// A tick that comes this much too late means that the thread was starved.
/// choice: half the hold time, so that a starved thread stops the car before silence would.
const LATE_LIMIT: Duration = Duration::from_millis(50);

/// Shortest time between two steps, however many commands arrive. choice: keeps a flood below 1 kHz.
const SHORTEST_STEP: Duration = Duration::from_millis(1);

/// Events not yet taken; when full, new ones are lost from the log, never from the car.
const EVENT_ROOM: usize = 64;

/// How the control thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlEnd {
    /// It was asked to.
    Stopped,
    /// It panicked: a bug. The outputs are neutral.
    Panicked,
}

/// A running control thread.
#[derive(Debug)]
pub struct Control {
    stop: Arc<AtomicBool>,
    thread: Thread,
    join: Option<JoinHandle<ControlEnd>>,
    /// What happened, for the log and for echoes.
    pub events: Receiver<Event>,
}

impl Control {
    /// Writes neutral and starts the thread.
    ///
    /// # Errors
    /// The thread could not be made.
    pub fn start(
        vehicle: Vehicle,
        actuators: Box<dyn Actuators>,
        mailbox: Arc<Mailbox>,
        board: Arc<Board>,
        tick: Duration,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (events_tx, events) = sync_channel(EVENT_ROOM);
        let stopping = Arc::clone(&stop);
        let join = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                let mut running = Running {
                    vehicle,
                    actuators,
                    reader: mailbox.reader(),
                    board,
                    events: events_tx,
                    tick,
                    actuator_ok: true,
                    log_lost: false,
                };
                running.run(&stopping)
            })?;
        Ok(Self {
            stop,
            thread: join.thread().clone(),
            join: Some(join),
            events,
        })
    }

    /// Whether the thread has ended by itself, which only a panic does.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.join.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops the thread; the outputs are neutral when this returns.
    #[must_use]
    pub fn stop(mut self) -> ControlEnd {
        self.end()
    }

    fn end(&mut self) -> ControlEnd {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.unpark();
        match self.join.take() {
            Some(join) => join.join().unwrap_or(ControlEnd::Panicked),
            None => ControlEnd::Stopped,
        }
    }
}

impl Drop for Control {
    /// Whoever loses the control thread, by an error or a panic, leaves a car at neutral.
    fn drop(&mut self) {
        self.end();
    }
}

struct Running {
    vehicle: Vehicle,
    actuators: Box<dyn Actuators>,
    reader: Reader,
    board: Arc<Board>,
    events: SyncSender<Event>,
    tick: Duration,
    actuator_ok: bool,
    log_lost: bool,
}

impl Running {
    fn run(&mut self, stop: &AtomicBool) -> ControlEnd {
        self.neutral(Cause::Start);
        let ended = catch_unwind(AssertUnwindSafe(|| self.step_until(stop)));
        let (cause, end) = match ended {
            Ok(()) => (Cause::Exit, ControlEnd::Stopped),
            Err(_) => (Cause::Panic, ControlEnd::Panicked),
        };
        self.neutral(cause);
        end
    }

    fn neutral(&mut self, cause: Cause) {
        let neutral = self.vehicle.neutral();
        if let Err(err) = self.actuators.write(clock::now(), neutral, cause) {
            self.actuator_ok = false;
            tracing::error!(%err, cause = cause.word(), "neutral could not be written");
        }
    }

    fn step_until(&mut self, stop: &AtomicBool) {
        let mut due_at = clock::now();
        while !stop.load(Ordering::Relaxed) {
            let now = clock::now();
            let is_late = now.since(due_at) > LATE_LIMIT;
            let next_at = self.step(now, is_late);
            due_at = now
                .after(self.tick)
                .min(next_at)
                .max(now.after(SHORTEST_STEP));
            let earliest_at = now.after(SHORTEST_STEP);
            // A command wakes this early; a flood of them only up to the shortest step.
            thread::park_timeout(due_at.since(clock::now()));
            let woken_at = clock::now();
            if woken_at < earliest_at {
                thread::sleep(earliest_at.since(woken_at));
            }
        }
    }

    fn step(&mut self, now: Uptime, is_late: bool) -> Uptime {
        let mut health = self.board.health(now);
        health.actuator_ok = self.actuator_ok;
        health.control_late = is_late;
        let step = self.vehicle.step(now, self.reader.read(), health);
        match self.actuators.write(now, step.setpoint, step.cause) {
            Ok(()) => self.actuator_ok = true,
            // The pulses are out; only their record is not.
            Err(ActuatorError::Log { .. }) if self.log_lost => self.actuator_ok = true,
            Err(err @ ActuatorError::Log { .. }) => {
                tracing::error!("{}; driving goes on without it", chain(&err));
                (self.log_lost, self.actuator_ok) = (true, true);
            }
            Err(err @ ActuatorError::Output { .. }) => {
                if self.actuator_ok {
                    tracing::error!(
                        "{}; trying again on each tick, the car cannot be armed",
                        chain(&err)
                    );
                }
                self.actuator_ok = false;
            }
        }
        self.reader.set_holder(step.status.holder);
        self.board.set_status(&step.status);
        for event in step.events {
            let _ = self.events.try_send(event); // full: nobody reads the log; the car goes on
        }
        step.next_at
    }
}
