//! The second thread that can write neutral: it does so when the first one stands still.
//!
//! A control thread can hang where no code of ours can help it: in a driver, in a page fault on a dying card, behind a
//! thread of higher priority. So another one watches its heartbeat and has outputs of its own. It is also the only one
//! that feeds the watchdogs, and it feeds them with heartbeats only: if both threads die, systemd or the board restarts.
//!
//! ```text
//!   control ──beat──▶ [pulse] ◀── every 20 ms ── guard ──▶ systemd, every half of what it allows   ─┐ only if a beat
//!                                                  │  └──▶ /dev/watchdog, once a second            ─┘ came since
//!                                                  └─ beat older than 200 ms ─▶ neutral, control_stalled, again and again
//! ```
//!
//! Promises: neutral at most [`STALL`] + [`LOOK`] after the last beat, as far as the scheduler lets this thread run; a
//! board watchdog is disarmed at an orderly end and only then.
//! Knows nothing of: why the control thread stands still.
//! Sources: `systemd.service(5)` `WatchdogSec=`, kernel `Documentation/watchdog/watchdog-api.rst` (magic close).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clock;
use super::notify::Notify;
use super::parts::chain;
use super::pulse::Pulse;
use crate::hal::Actuators;
use crate::hal::realtime;
use crate::logic::failsafe::Cause;
use crate::logic::units::Uptime;

/// Silence of the control thread after which it is relieved.
/// choice: four late ticks; the car was stopped by the control thread itself if it could run at all.
pub const STALL: Duration = Duration::from_millis(200);

/// How often the guard looks. choice: a tenth of [`STALL`].
pub const LOOK: Duration = Duration::from_millis(20);

/// How often a board watchdog is fed. choice: a tenth of the usual 10 to 15 s.
const FEED: Duration = Duration::from_secs(1);

/// What the guard needs.
pub struct GuardParts {
    /// The heartbeat to watch, and what is neutral.
    pub pulse: Arc<Pulse>,
    /// A second handle on the outputs; without one it can only warn and let the watchdogs bite.
    pub outputs: Option<Box<dyn Actuators>>,
    /// The service manager.
    pub notify: Notify,
    /// The board's watchdog.
    pub watchdog_device: Option<PathBuf>,
}

/// The running guard.
#[derive(Debug)]
pub struct Guard {
    stop: Arc<AtomicBool>,
    join: Option<JoinHandle<()>>,
}

impl Guard {
    /// Starts the guard. Start it after the first beat.
    ///
    /// # Errors
    /// The thread could not be made.
    pub fn start(parts: GuardParts) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let join = thread::Builder::new()
            .name("guard".to_owned())
            .spawn(move || Watch::new(parts).run(&stopping))?;
        Ok(Self {
            stop,
            join: Some(join),
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(join) = self.join.take() {
            join.thread().unpark();
            let _ = join.join(); // it holds nothing that others need
        }
    }
}

struct Watch {
    parts: GuardParts,
    device: Option<File>,
    fed_beats: u32,
    notified_at: Uptime,
    fed_at: Uptime,
    is_stalled: bool,
}

impl Watch {
    fn new(parts: GuardParts) -> Self {
        let device = parts.watchdog_device.as_deref().and_then(open);
        Self {
            parts,
            device,
            fed_beats: 0,
            notified_at: Uptime::ZERO,
            fed_at: Uptime::ZERO,
            is_stalled: false,
        }
    }

    fn run(mut self, stop: &AtomicBool) {
        realtime::raise("guard", realtime::GUARD_PRIORITY);
        while !stop.load(Ordering::Relaxed) {
            self.look(clock::now());
            thread::park_timeout(LOOK);
        }
        if let Some(device) = &mut self.device {
            // The magic character: "this is no crash". Without it the board restarts.
            let _ = device.write_all(b"V");
        }
    }

    fn look(&mut self, now: Uptime) {
        self.parts.pulse.tell(now);
        let is_stalled = !self.parts.pulse.is_over() && self.parts.pulse.silence(now) > STALL;
        if is_stalled {
            self.relieve(now);
        } else {
            self.feed(now);
        }
        self.is_stalled = is_stalled;
    }

    fn relieve(&mut self, now: Uptime) {
        self.parts.pulse.relieve();
        let wrote =
            self.parts.outputs.as_mut().map(|outputs| {
                outputs.write(now, self.parts.pulse.neutral(), Cause::ControlStalled)
            });
        if self.is_stalled {
            return; // said already; the write above goes on
        }
        match wrote {
            Some(Ok(())) => {
                tracing::error!("the control thread stands still; neutral was written for it");
            }
            Some(Err(err)) => {
                let err = chain(&err);
                tracing::error!(%err, "the control thread stands still, and neutral cannot be written for it");
            }
            None => tracing::error!(
                "the control thread stands still, and these outputs have no second handle; the watchdogs will bite"
            ),
        }
    }

    /// Tells the watchdogs that the control thread lives, if it does.
    fn feed(&mut self, now: Uptime) {
        let beats = self.parts.pulse.beats();
        if beats == self.fed_beats {
            return;
        }
        let period = self.parts.notify.watchdog_period();
        if period.is_some_and(|period| now.since(self.notified_at) >= period) {
            self.parts.notify.watchdog();
            (self.notified_at, self.fed_beats) = (now, beats);
        }
        if let Some(device) = &mut self.device
            && now.since(self.fed_at) >= FEED
        {
            if let Err(err) = device.write_all(b"\0") {
                tracing::error!(%err, "the board's watchdog cannot be fed");
            }
            (self.fed_at, self.fed_beats) = (now, beats);
        }
    }
}

/// Opens the board's watchdog, which arms it.
fn open(path: &Path) -> Option<File> {
    match File::options().write(true).open(path) {
        Ok(file) => {
            tracing::info!(path = %path.display(), "the board's watchdog is armed");
            Some(file)
        }
        Err(err) => {
            let path = path.display();
            tracing::warn!(%path, %err, "no board watchdog (failsafe.watchdog_device): driving goes on without it");
            None
        }
    }
}

#[cfg(test)]
mod tests;
