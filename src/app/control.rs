//! The control thread: the only one that moves the car, at a fixed rate, on a thread of its own.
//!
//! ```text
//!   every tick of a fixed grid, and at once when a command arrives:
//!     newest intent ─┐
//!     health ────────┼─▶ vehicle.step(now) ─▶ gate, outputs ─▶ am I on time? ─▶ status, events, recorder
//!     now ───────────┘                                           └ no: step again, as late
//!   asked to stop, or a panic: neutral, then the end
//! ```
//!
//! It takes no lock that async code takes, allocates nothing after its start, and does not depend on
//! the runtime: when that hangs, the commands stop, and silence stops the car. If it hangs itself, the
//! guard writes neutral for it; it learns of that before it writes anything again.
//!
//! Promises: neutral is the first thing written and the last, on every way out of this thread; a write
//! that fails is tried again on each tick, and the car cannot be armed meanwhile; a decision that is older
//! than [`LATE_LIMIT`] is never written (`gate`).
//! Knows nothing of: the network, video.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use super::board::Board;
use super::clock;
use super::gate::LATE_LIMIT;
use super::mailbox::{Mailbox, Reader};
use super::parts::chain;
use super::pulse::Pulse;
use super::recorder::Recorder;
use crate::hal::realtime;
use crate::hal::{ActuatorError, Actuators};
use crate::logic::esc::EscArming;
use crate::logic::failsafe::{Cause, State};
use crate::logic::spread::Spread;
use crate::logic::units::Uptime;
use crate::logic::vehicle::{Event, Step, Vehicle};

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

/// Why the first neutral is not out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// The outputs have not taken it yet.
    Waiting,
    /// The thread panicked before: a bug.
    Panicked,
}

/// The times of the control thread.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From one step to the next.
    pub tick: Duration,
    /// How long the ESC must see neutral before the car can be armed.
    pub esc_arming: Duration,
}

/// A running control thread.
#[derive(Debug)]
pub struct Control {
    stop: Arc<AtomicBool>,
    thread: Thread,
    join: Option<JoinHandle<ControlEnd>>,
    begun: Receiver<()>,
    /// What happened, for the log and for echoes.
    pub events: Receiver<Event>,
}

impl Control {
    /// Starts the thread, which writes neutral before anything else.
    ///
    /// # Errors
    /// The thread could not be made.
    pub fn start(
        vehicle: Vehicle,
        actuators: Box<dyn Actuators>,
        mailbox: Arc<Mailbox>,
        board: Arc<Board>,
        pulse: Arc<Pulse>,
        recorder: Option<Recorder>,
        pace: Pace,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (events_tx, events) = sync_channel(EVENT_ROOM);
        let (begun_tx, begun) = sync_channel(1);
        let stopping = Arc::clone(&stop);
        let join = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                let mut running = Running {
                    vehicle,
                    actuators,
                    reader: mailbox.reader(),
                    board,
                    pulse,
                    recorder,
                    events: events_tx,
                    tick: pace.tick,
                    esc: EscArming::new(pace.esc_arming),
                    actuator_ok: true,
                    log_lost: false,
                    late: Spread::new(),
                    took: Spread::new(),
                };
                running.run(&stopping, &begun_tx)
            })?;
        Ok(Self {
            stop,
            thread: join.thread().clone(),
            join: Some(join),
            begun,
            events,
        })
    }

    /// Waits until the first neutral was written, or was refused by the outputs, which is in the log then. Asked once.
    ///
    /// # Errors
    /// Neither happened within this time.
    pub fn begun(&self, limit: Duration) -> Result<(), NotBegun> {
        self.begun.recv_timeout(limit).map_err(|err| match err {
            RecvTimeoutError::Timeout => NotBegun::Waiting,
            RecvTimeoutError::Disconnected => NotBegun::Panicked,
        })
    }

    /// Whether the thread has ended by itself, which only a panic does.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.join.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops the thread; the outputs are neutral when this returns.
    #[must_use]
    pub fn stop(&mut self) -> ControlEnd {
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
    pulse: Arc<Pulse>,
    recorder: Option<Recorder>,
    events: SyncSender<Event>,
    tick: Duration,
    esc: EscArming,
    actuator_ok: bool,
    log_lost: bool,
    /// How late ticks began, and how long they took, outputs included.
    late: Spread,
    took: Spread,
}

impl Running {
    fn run(&mut self, stop: &AtomicBool, begun: &SyncSender<()>) -> ControlEnd {
        self.neutral(Cause::Start);
        let _ = begun.try_send(()); // room for one, and nobody else sends
        // After that: what it has to say may wait for whoever reads the log.
        realtime::raise("control", realtime::CONTROL_PRIORITY);
        let ended = catch_unwind(AssertUnwindSafe(|| self.step_until(stop)));
        let (cause, end) = match ended {
            Ok(()) => (Cause::Exit, ControlEnd::Stopped),
            Err(_) => (Cause::Panic, ControlEnd::Panicked),
        };
        let is_neutral = self.neutral(cause);
        self.pulse.end(is_neutral);
        let (late, took) = (self.late.figures(), self.took.figures());
        tracing::info!(
            ticks = late.n,
            late_p50_us = late.p50_us,
            late_p99_us = late.p99_us,
            late_max_us = late.max_us,
            took_p50_us = took.p50_us,
            took_p99_us = took.p99_us,
            took_max_us = took.max_us,
            "control thread"
        );
        if let (Some(recorder), Cause::Panic) = (&mut self.recorder, cause) {
            recorder.stopped(clock::now(), cause);
        }
        end
    }

    fn neutral(&mut self, cause: Cause) -> bool {
        let neutral = self.vehicle.neutral();
        let now = clock::now();
        let written = self.actuators.write(now, neutral, cause);
        self.esc.wrote(now, written.is_ok());
        if let Err(err) = written {
            self.actuator_ok = false;
            tracing::error!(
                cause = cause.word(),
                "neutral could not be written: {}",
                chain(&err)
            );
            return false;
        }
        true
    }

    fn step_until(&mut self, stop: &AtomicBool) {
        let mut grid_at = clock::now();
        let mut due_at = grid_at;
        while !stop.load(Ordering::Relaxed) {
            let now = clock::now();
            let late = now.since(due_at);
            let next_at = self.tick(now, late > LATE_LIMIT);
            self.late.note(late);
            self.took.note(clock::now().since(now));
            grid_at = next_on_grid(grid_at, self.tick, now);
            let earliest_at = now.after(SHORTEST_STEP);
            due_at = grid_at.min(next_at).max(earliest_at);
            // A command wakes this early; a flood of them only up to the shortest step.
            thread::park_timeout(due_at.since(clock::now()));
            let woken_at = clock::now();
            if woken_at < earliest_at {
                thread::sleep(earliest_at.since(woken_at));
            }
        }
    }

    /// One step, and another one if it took so long, or stood still so long, that it was wrong when it was written.
    fn tick(&mut self, now: Uptime, is_late: bool) -> Uptime {
        self.pulse.beat(now);
        let next_at = self.step(now, is_late || self.pulse.was_relieved());
        let done_at = clock::now();
        if done_at.since(now) > LATE_LIMIT || self.pulse.was_relieved() {
            self.pulse.beat(done_at);
            return self.step(done_at, true);
        }
        next_at
    }

    fn step(&mut self, now: Uptime, is_late: bool) -> Uptime {
        let mut health = self.board.health(now);
        health.actuator_ok = self.actuator_ok;
        health.control_late = is_late;
        health.esc_arming = self.esc.is_arming(now);
        health.uncalibrated = !self.vehicle.is_calibrated();
        let intent = self.reader.read();
        if let Some(recorder) = &mut self.recorder {
            recorder.before(now, &self.vehicle);
        }
        let step = self.vehicle.step(now, intent, health);
        if let Some(recorder) = &mut self.recorder {
            recorder.after(now, intent, health, &step);
        }
        // A saved calibration has another neutral: gate and guard must know it before it is written.
        self.pulse.set_neutral(self.vehicle.neutral());
        self.write(now, &step);
        self.reader.set_holder(step.status.holder);
        self.board.set_status(&step.status);
        for event in &step.events {
            let _ = self.events.try_send(*event); // full: nobody reads the log; the car goes on
            if let (Some(recorder), Event::State(change)) = (&mut self.recorder, event)
                && change.to == State::Stopped
            {
                recorder.stopped(change.at, change.cause);
            }
        }
        step.next_at
    }

    fn write(&mut self, now: Uptime, step: &Step) {
        match self.actuators.write(now, step.setpoint, step.cause) {
            Ok(()) => self.actuator_ok = true,
            // The pulses are out; only their record is not.
            Err(ActuatorError::Log { .. }) if self.log_lost => self.actuator_ok = true,
            Err(err @ ActuatorError::Log { .. }) => {
                tracing::error!("{}; driving goes on without it", chain(&err));
                (self.log_lost, self.actuator_ok) = (true, true);
            }
            Err(err @ ActuatorError::Output { .. }) => {
                self.board.readings.output_errors.count();
                if self.actuator_ok {
                    // Once for each failure, not for each try.
                    tracing::error!(
                        "{}; trying again on each tick, the car cannot be armed",
                        chain(&err)
                    );
                }
                self.actuator_ok = false;
            }
        }
        self.esc.wrote(now, self.actuator_ok);
    }
}

/// The next point of the grid after `now`: the one that was waited for, if a command came first; points that were missed are
/// left out.
fn next_on_grid(grid_at: Uptime, tick: Duration, now: Uptime) -> Uptime {
    if grid_at > now {
        return grid_at;
    }
    let missed = now.since(grid_at).as_nanos() / tick.as_nanos().max(1);
    let ticks = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
    grid_at.after(tick.saturating_mul(ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stay_on_the_grid_however_late_one_is() {
        let at = Uptime::from_micros;
        let tick = Duration::from_millis(5);
        for (now, wanted) in [
            (100, 5_000),
            (4_999, 5_000),
            (5_000, 10_000),
            (12_345, 15_000),
            (1_000_001, 1_005_000),
        ] {
            assert_eq!(next_on_grid(at(0), tick, at(now)), at(wanted), "{now}");
        }
        assert_eq!(next_on_grid(at(7), tick, at(5_100)), at(10_007));
    }

    /// Each wake-up by a command once moved the grid on by a tick, so 500 a second left the thread asleep for seconds.
    #[test]
    fn commands_that_come_between_two_ticks_do_not_move_the_grid() {
        let tick = Duration::from_millis(5);
        let mut grid_at = Uptime::ZERO;
        for micros in (0..1_000_000).step_by(700) {
            let now = Uptime::from_micros(micros);
            grid_at = next_on_grid(grid_at, tick, now);
            assert!(grid_at > now && grid_at <= now.after(tick), "{micros}");
            assert_eq!(grid_at.as_micros() % 5_000, 0);
        }
    }
}
