//! The sensors' threads: one for the lap sensor, one for all that is read once a second.
//!
//! Both may wait for a bus, a chip or a file; neither the control thread nor the runtime ever waits for them. They hand
//! over through atomics, and passes through a bounded queue.
//!
//! ```text
//!   laps     open ─▶ wait for an edge ─▶ LapDetector ─▶ [64 passes] ─▶ metrics
//!              ▲          └ error: 0.5, 1, 2 ... 30 s ──┘
//!   slow     every second: files, modem, battery ─▶ filters, hysteresis ─▶ Readings
//! ```
//!
//! Promises: a sensor that fails is tried again for ever, said once for each change, and counted; a panic in a driver is a
//! failure like another. Neither thread keeps the program from ending.
//! Knows nothing of: how a reading is taken (`hal`) or told (`metrics`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

use super::board::Board;
use super::calls::Needed;
use super::clock;
use super::parts::chain;
use super::readings::Readings;
use crate::hal::health::BoardProbe;
use crate::hal::modem::Modem;
use crate::hal::sensor::{BatteryMonitor, LapSensor, SensorError};
use crate::logic::battery::BatteryConfig;
use crate::logic::heat::Heat;
use crate::logic::lap::{LapConfig, Pass};

pub mod devices;
mod laps;
mod slow;
#[cfg(test)]
mod tests;

use laps::Laps;
use slow::{BatteryWatch, Slow, Warned};

/// Passes on their way to the wire. choice: more than a car makes in any loss of the link that it is still driven after.
pub const PASS_ROOM: usize = 64;

/// Wait before a sensor that failed is tried again: doubled each time, up to the second one. choice: a loose plug is back
/// at once, and a chip that was never there costs an attempt in half a minute.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Opens a device; called again after each failure.
pub type Open<T> = Box<dyn FnMut() -> Result<Box<T>, SensorError> + Send>;

/// A lap sensor to watch.
pub struct LapPart {
    /// Opens it.
    pub open: Open<dyn LapSensor>,
    /// How passes are told apart.
    pub config: LapConfig,
}

/// A battery to watch.
pub struct BatteryPart {
    /// Opens its monitor.
    pub open: Open<dyn BatteryMonitor>,
    /// Where the warnings begin.
    pub config: BatteryConfig,
}

/// What there is to watch.
pub struct Parts {
    /// The lap sensor.
    pub lap: Option<LapPart>,
    /// The battery.
    pub battery: Option<BatteryPart>,
    /// Hot from here on.
    pub hot_celsius: u8,
    /// Where `/sys` and `/proc` are.
    pub root: std::path::PathBuf,
    /// What knows the modem.
    pub mmcli: std::path::PathBuf,
}

/// The running threads. They end soon after this is dropped, and are not waited for: they hold nothing that has to be
/// put back, and one may hang in a bus.
#[derive(Debug)]
pub struct Sensing {
    stop: Arc<AtomicBool>,
    threads: Vec<Thread>,
}

impl Sensing {
    /// Starts the threads; passes come out of the receiver.
    ///
    /// # Errors
    /// A thread could not be made.
    pub fn start(parts: Parts, board: &Arc<Board>) -> std::io::Result<(Self, Receiver<Pass>)> {
        let (passes, told) = sync_channel(PASS_ROOM);
        let mut sensing = Self {
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        let Parts {
            lap,
            battery,
            hot_celsius,
            root,
            mmcli,
        } = parts;
        if let Some(part) = lap {
            let laps = Laps {
                part,
                board: Arc::clone(board),
                row: board.calls.row("lap sensor", Needed::ToInform),
                passes,
                trouble: Trouble::new("lap sensor"),
            };
            sensing.spawn("laps", move |stop| laps.run(stop))?;
        }
        let slow = Slow {
            board: Arc::clone(board),
            row: board.calls.row("sensors", Needed::ToInform),
            probe: BoardProbe::new(root),
            modem: Modem::new(mmcli),
            heat: Heat::new(hot_celsius),
            battery: battery.map(BatteryWatch::new),
            warned: Warned::default(),
        };
        sensing.spawn("sensors", move |stop| slow.run(stop))?;
        Ok((sensing, told))
    }

    fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce(&AtomicBool) + Send + 'static,
    ) -> std::io::Result<()> {
        let stop = Arc::clone(&self.stop);
        let join = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&stop))?;
        self.threads.push(join.thread().clone());
        Ok(())
    }
}

impl Drop for Sensing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in &self.threads {
            thread.unpark();
        }
    }
}

/// Says what is wrong with a sensor when that changes, counts the rest, and spaces the attempts.
struct Trouble {
    sensor: &'static str,
    said: Option<String>,
    times: u32,
    wait: Duration,
}

impl Trouble {
    const fn new(sensor: &'static str) -> Self {
        Self {
            sensor,
            said: None,
            times: 0,
            wait: FIRST_RETRY,
        }
    }

    /// It failed; the wait before the next attempt.
    fn failed(&mut self, readings: &Readings, err: &SensorError) -> Duration {
        let text = chain(err);
        readings.sensor_errors.count();
        self.times = self.times.saturating_add(1);
        if self.said.as_ref() != Some(&text) {
            tracing::warn!(sensor = self.sensor, "{text}; it is tried again and again");
            self.said = Some(text);
        }
        let wait = self.wait;
        self.wait = (self.wait * 2).min(LAST_RETRY);
        wait
    }

    fn works(&mut self) {
        if self.said.take().is_some() {
            tracing::info!(sensor = self.sensor, failures = self.times, "works again");
        }
        (self.times, self.wait) = (0, FIRST_RETRY);
    }
}

/// Runs a driver's code; a panic in it is an error.
fn guarded<T>(
    sensor: &'static str,
    run: impl FnOnce() -> Result<T, SensorError>,
) -> Result<T, SensorError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(SensorError::Strange {
            sensor: sensor.to_owned(),
            why: "its driver panicked; please report the message above".to_owned(),
        })
    })
}

/// Sleeps, unless it is time to end.
fn pause(stop: &AtomicBool, wait: Duration) {
    let until = clock::now().after(wait);
    while !stop.load(Ordering::Relaxed) && clock::now() < until {
        thread::park_timeout(until.since(clock::now()));
    }
}
