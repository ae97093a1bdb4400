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
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, Thread};
use std::time::Duration;

use super::board::Board;
use super::clock;
use super::parts::chain;
use super::readings::Readings;
use crate::hal::health::BoardProbe;
use crate::hal::modem::Modem;
use crate::hal::sensor::{BatteryMonitor, LapEvent, LapSensor, SensorError};
use crate::logic::battery::{Battery, BatteryConfig, BatteryLevel};
use crate::logic::heat::Heat;
use crate::logic::lap::{LapConfig, LapDetector, Pass};
use crate::logic::units::Uptime;

pub mod devices;
#[cfg(test)]
mod tests;

/// Passes on their way to the wire. choice: more than a car makes in any loss of the link that it is still driven after.
pub const PASS_ROOM: usize = 64;

/// How often the slow sensors are read. choice: what they measure moves over seconds.
const SLOW: Duration = Duration::from_secs(1);

/// How often the lap thread looks whether it should end. choice: an exit is not noticed to take longer.
const LOOK: Duration = Duration::from_millis(100);

/// How late an edge may reach us after its own time. choice: the kernel's interrupt threads run before all of ours, and
/// some 100 µs after the interrupt; a level is taken to have held only when this has passed too. It delays no time that is
/// told.
const EDGE_LAG: Duration = Duration::from_millis(20);

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
                passes,
                trouble: Trouble::new("lap sensor"),
            };
            sensing.spawn("laps", move |stop| laps.run(stop))?;
        }
        let slow = Slow {
            board: Arc::clone(board),
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

struct Laps {
    part: LapPart,
    board: Arc<Board>,
    passes: SyncSender<Pass>,
    trouble: Trouble,
}

impl Laps {
    fn run(mut self, stop: &AtomicBool) {
        let mut detector = None;
        while !stop.load(Ordering::Relaxed) {
            let Err(err) = guarded("lap sensor", || self.watch(&mut detector, stop)) else {
                return;
            };
            let wait = self.trouble.failed(&self.board.readings, &err);
            pause(stop, wait);
        }
    }

    /// Watches an opened sensor until it is time to end, or it fails. The detector outlives it: a plug that was loose for a
    /// moment does not start the count anew.
    fn watch(
        &mut self,
        detector: &mut Option<LapDetector>,
        stop: &AtomicBool,
    ) -> Result<(), SensorError> {
        let mut sensor = (self.part.open)()?;
        let levels = sensor.levels()?;
        let now = clock::now();
        let detector = match detector {
            Some(detector) => {
                let pass = detector.resync(levels, now);
                self.tell(pass);
                detector
            }
            None => detector.insert(LapDetector::new(self.part.config, now, levels)),
        };
        if self.board.readings.laps.get::<u32>().is_none() {
            self.board.readings.laps.set(Some(0_u8));
        }
        self.trouble.works();
        while !stop.load(Ordering::Relaxed) {
            let now = clock::now();
            let wait = detector.next_at().after(EDGE_LAG).since(now).min(LOOK);
            let early = detector.early();
            let pass = match sensor.wait(wait)? {
                Some(LapEvent::Edge { pin, is_over, at }) => detector.edge(pin, is_over, at),
                Some(LapEvent::Lost { edges, levels, at }) => {
                    self.board.readings.edges_lost.add(edges);
                    tracing::warn!(
                        edges,
                        "lap sensor: it bounces faster than its edges can be read"
                    );
                    detector.resync(levels, at)
                }
                // Nothing was left unread after `now`: so all edges that are older than the lag have been told.
                None => detector.advance(clock::before(now, EDGE_LAG)),
            };
            let too_early = detector.early().wrapping_sub(early);
            self.board.readings.laps_early.add(too_early);
            self.tell(pass);
        }
        Ok(())
    }

    fn tell(&self, pass: Option<Pass>) {
        let Some(pass) = pass else {
            return;
        };
        let readings = &self.board.readings;
        readings.laps.set(Some(pass.count));
        let lap_ms = pass
            .lap
            .map(|lap| i64::try_from(lap.as_millis()).unwrap_or(i64::MAX));
        readings.last_lap_ms.set(lap_ms);
        tracing::info!(lap = pass.count, lap_ms, "the car passed the line");
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.passes.try_send(pass)
        {
            readings.laps_untold.count();
        }
    }
}

struct Slow {
    board: Arc<Board>,
    probe: BoardProbe,
    modem: Modem,
    heat: Heat,
    battery: Option<BatteryWatch>,
    warned: Warned,
}

/// What was said of the board, so that only a change is.
#[derive(Default)]
struct Warned {
    is_hot: bool,
    is_weak: bool,
}

impl Slow {
    fn run(mut self, stop: &AtomicBool) {
        let mut due_at = clock::now();
        while !stop.load(Ordering::Relaxed) {
            self.look(clock::now());
            due_at = due_at.after(SLOW).max(clock::now());
            pause(stop, due_at.since(clock::now()));
        }
    }

    fn look(&mut self, now: Uptime) {
        let state = self.probe.read();
        let readings = &self.board.readings;
        readings
            .temp_celsius
            .set(state.milli_celsius.map(|milli| milli.div_euclid(1000)));
        readings.throttled.set(state.throttled);
        readings
            .under_voltage
            .set(state.under_voltage.map(i64::from));
        readings.wifi_dbm.set(state.wifi_dbm);
        readings.cpu_permille.set(state.cpu_permille);
        readings.mem_free_kb.set(state.mem_free_kb);
        readings.up_s.set(state.up_s);
        readings.load_permille.set(state.load_permille);
        readings.own_mem_kb.set(state.own_mem_kb);
        readings.modem_percent.set(self.modem.poll(now));
        if let Some(milli_celsius) = state.milli_celsius {
            let is_hot = self.heat.sample(milli_celsius);
            readings.set_board_hot(is_hot);
            self.warned.heat(is_hot, milli_celsius);
        }
        self.warned.supply(state.under_voltage.unwrap_or(false));
        if let Some(battery) = &mut self.battery {
            battery.look(now, readings);
        }
        readings.sensed(now);
    }
}

impl Warned {
    fn heat(&mut self, is_hot: bool, milli_celsius: i32) {
        let celsius = milli_celsius / 1000;
        match (self.is_hot, is_hot) {
            (false, true) => tracing::warn!(
                celsius,
                "the board is hot: the car cannot be armed until it is cooler"
            ),
            (true, false) => tracing::info!(celsius, "the board is cool enough again"),
            (true, true) | (false, false) => {}
        }
        self.is_hot = is_hot;
    }

    fn supply(&mut self, is_weak: bool) {
        match (self.is_weak, is_weak) {
            (false, true) => tracing::warn!(
                "the board's supply is too weak; use a stronger regulator or thicker wires"
            ),
            (true, false) => tracing::info!("the board's supply is good again"),
            (true, true) | (false, false) => {}
        }
        self.is_weak = is_weak;
    }
}

/// The battery, its monitor and what is wrong with it.
struct BatteryWatch {
    part: BatteryPart,
    monitor: Option<Box<dyn BatteryMonitor>>,
    battery: Battery,
    trouble: Trouble,
    retry_at: Uptime,
}

impl BatteryWatch {
    fn new(part: BatteryPart) -> Self {
        Self {
            battery: Battery::new(part.config),
            part,
            monitor: None,
            trouble: Trouble::new("battery"),
            retry_at: Uptime::ZERO,
        }
    }

    fn look(&mut self, now: Uptime, readings: &Readings) {
        if now < self.retry_at {
            return; // absent meanwhile
        }
        match guarded("battery", || self.read()) {
            Ok(None) => {} // its first measurement is on its way
            Ok(Some(power)) => {
                self.trouble.works();
                let before = self.battery.level();
                let level = self.battery.sample(now, power.millivolts);
                readings.battery.set(Some(level.code()));
                readings.battery_mv.set(self.battery.millivolts());
                readings.battery_ma.set(Some(power.milliamperes));
                readings.set_battery_low(level == BatteryLevel::Critical);
                if level != before {
                    let millivolts = self.battery.millivolts();
                    tracing::warn!(
                        from = before.word(),
                        to = level.word(),
                        millivolts,
                        "battery"
                    );
                }
            }
            Err(err) => {
                // What it was last good for still forbids arming, or does not; but there is no reading to show.
                readings.battery.set(None::<u8>);
                readings.battery_mv.set(None::<u16>);
                readings.battery_ma.set(None::<i32>);
                self.monitor = None;
                self.retry_at = now.after(self.trouble.failed(readings, &err));
            }
        }
    }

    fn read(&mut self) -> Result<Option<crate::hal::sensor::Power>, SensorError> {
        let monitor = match &mut self.monitor {
            Some(monitor) => monitor,
            None => self.monitor.insert((self.part.open)()?),
        };
        monitor.read()
    }
}
