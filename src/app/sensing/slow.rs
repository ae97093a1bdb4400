//! All that is read once a second: the board's files, the modem, the battery.
//!
//! ```text
//!   every second ─┬▶ BoardProbe ─▶ temperature ─▶ Heat (hysteresis) ─▶ may be armed?
//!                 ├▶ Modem                                               │
//!                 └▶ battery monitor ─▶ Battery (filter, two levels) ────┴─▶ Readings, and a line of the log for a change
//! ```
//!
//! Promises: what cannot be read is absent, not zero; a change is said once. Knows nothing of: how a reading is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{BatteryPart, Trouble, guarded, pause};
use crate::app::board::Board;
use crate::app::calls::Row;
use crate::app::clock;
use crate::app::readings::Readings;
use crate::hal::health::BoardProbe;
use crate::hal::modem::Modem;
use crate::hal::sensor::{BatteryMonitor, Power, SensorError};
use crate::logic::battery::{Battery, BatteryLevel};
use crate::logic::heat::Heat;
use crate::logic::units::Uptime;

/// How often the slow sensors are read. choice: what they measure moves over seconds.
const SLOW: Duration = Duration::from_secs(1);

/// All that is read once a second.
pub(super) struct Slow {
    pub(super) board: Arc<Board>,
    pub(super) row: Arc<Row>,
    pub(super) probe: BoardProbe,
    pub(super) modem: Modem,
    pub(super) heat: Heat,
    pub(super) battery: Option<BatteryWatch>,
    pub(super) warned: Warned,
}

/// What was said of the board, so that only a change is.
#[derive(Default)]
pub(super) struct Warned {
    is_hot: bool,
    is_weak: bool,
}

impl Slow {
    /// Until it is time to end.
    pub(super) fn run(mut self, stop: &AtomicBool) {
        let mut due_at = clock::now();
        while !stop.load(Ordering::Relaxed) {
            self.look(clock::now());
            due_at = due_at.after(SLOW).max(clock::now());
            pause(stop, due_at.since(clock::now()));
        }
    }

    /// Reads everything, now.
    pub(super) fn look(&mut self, now: Uptime) {
        let row = Arc::clone(&self.row);
        let state = row.during("read the board's files", || self.probe.read());
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
        let modem_percent = row.during("ask the modem", || self.modem.poll(now));
        readings.modem_percent.set(modem_percent);
        if let Some(milli_celsius) = state.milli_celsius {
            let is_hot = self.heat.sample(milli_celsius);
            readings.set_board_hot(is_hot);
            self.warned.heat(is_hot, milli_celsius);
        }
        self.warned.supply(state.under_voltage.unwrap_or(false));
        if let Some(battery) = &mut self.battery {
            row.during("read the battery", || battery.look(now, readings));
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
pub(super) struct BatteryWatch {
    pub(super) part: BatteryPart,
    monitor: Option<Box<dyn BatteryMonitor>>,
    battery: Battery,
    trouble: Trouble,
    retry_at: Uptime,
}

impl BatteryWatch {
    /// Opens nothing yet.
    pub(super) fn new(part: BatteryPart) -> Self {
        Self {
            battery: Battery::new(part.config),
            part,
            monitor: None,
            trouble: Trouble::new("battery"),
            retry_at: Uptime::ZERO,
        }
    }

    /// Reads the battery, unless it failed a moment ago.
    pub(super) fn look(&mut self, now: Uptime, readings: &Readings) {
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

    fn read(&mut self) -> Result<Option<Power>, SensorError> {
        let monitor = match &mut self.monitor {
            Some(monitor) => monitor,
            None => self.monitor.insert((self.part.open)()?),
        };
        monitor.read()
    }
}
