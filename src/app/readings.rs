//! What the sensors say and what went wrong, for telemetry and for the control thread: newest values, all atomic.
//!
//! ```text
//!   sensing ── gauges, warnings, laps ──┐                        ┌──▶ `board` (metrics)
//!   link, video, tasks ── counters ─────┴──▶ Readings ───────────┴──▶ battery low, board hot (control)
//! ```
//!
//! A gauge is a number or nothing. Nothing is what a sensor says that is not there, that fails, or whose thread has not
//! come round for five seconds; a warning that forbids arming stays until a reading takes it back.
//!
//! Promises: nobody waits for anybody here. Knows nothing of: who reads what when.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::logic::units::Uptime;
use crate::logic::wire::Board;

/// A reading older than this is none. choice: five rounds of the slow sensors.
const STALE: Duration = Duration::from_secs(5);

/// A number that may be absent.
#[derive(Debug)]
pub struct Gauge(AtomicI64);

impl Gauge {
    const ABSENT: i64 = i64::MIN;

    /// Takes a new reading in, or that there is none.
    pub fn set(&self, value: Option<impl Into<i64>>) {
        let value = value.map_or(Self::ABSENT, Into::into);
        self.0.store(value, Ordering::Relaxed);
    }

    /// The newest reading, if there is one and it fits.
    #[must_use]
    pub fn get<T: TryFrom<i64>>(&self) -> Option<T> {
        let value = self.0.load(Ordering::Relaxed);
        (value != Self::ABSENT)
            .then(|| T::try_from(value).ok())
            .flatten()
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self(AtomicI64::new(Self::ABSENT))
    }
}

/// Something that is logged, counted; wraps.
#[derive(Debug, Default)]
pub struct Counter(AtomicU32);

impl Counter {
    /// It happened again.
    pub fn count(&self) {
        self.add(1);
    }

    /// It happened so many times.
    pub fn add(&self, times: u32) {
        self.0.fetch_add(times, Ordering::Relaxed);
    }

    /// How often so far.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// How often since this was asked last.
    #[must_use]
    pub fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// All of them. Names and units are those of the `board` message.
#[derive(Debug, Default)]
pub struct Readings {
    /// What the battery is good for.
    pub battery: Gauge,
    /// Its voltage.
    pub battery_mv: Gauge,
    /// The current out of it.
    pub battery_ma: Gauge,
    /// Temperature of the board.
    pub temp_celsius: Gauge,
    /// Throttling bits of the firmware.
    pub throttled: Gauge,
    /// Whether the board's supply is too weak.
    pub under_voltage: Gauge,
    /// Wi-Fi signal.
    pub wifi_dbm: Gauge,
    /// Signal of the mobile modem.
    pub modem_percent: Gauge,
    /// Processors in use.
    pub cpu_permille: Gauge,
    /// Memory that is still to be had.
    pub mem_free_kb: Gauge,
    /// Time since the board was started.
    pub up_s: Gauge,
    /// Load over a minute, for `car`.
    pub load_permille: Gauge,
    /// Memory that this program uses, for `car`.
    pub own_mem_kb: Gauge,
    sensed_at: AtomicU64,
    /// Passes of the lap sensor.
    pub laps: Gauge,
    /// The last lap.
    pub last_lap_ms: Gauge,
    battery_low: AtomicBool,
    board_hot: AtomicBool,
    /// Readings that failed.
    pub sensor_errors: Counter,
    /// Passes that came too soon.
    pub laps_early: Counter,
    /// Sensor edges that were lost.
    pub edges_lost: Counter,
    /// Passes for which `ir` could not be sent.
    pub laps_untold: Counter,
    /// Links that were lost.
    pub link_drops: Counter,
    /// Dials that led to no link.
    pub link_failures: Counter,
    /// Tasks that panicked and were started again.
    pub restarts: Counter,
    /// Times that camera and encoder were started again.
    pub video_restarts: Counter,
    /// Writes to the outputs that failed.
    pub output_errors: Counter,
    /// Messages that the channel did not take.
    pub unsent: Counter,
    /// Bytes of answers to pings since metrics asked last.
    pub pong_bytes: Counter,
}

impl Readings {
    /// The slow sensors were read.
    pub fn sensed(&self, now: Uptime) {
        self.sensed_at.store(now.as_micros(), Ordering::Relaxed);
    }

    /// Says whether the battery is too low to start a drive.
    pub fn set_battery_low(&self, is_low: bool) {
        self.battery_low.store(is_low, Ordering::Relaxed);
    }

    /// Whether the battery is too low to start a drive, as far as is known.
    #[must_use]
    pub fn is_battery_low(&self) -> bool {
        self.battery_low.load(Ordering::Relaxed)
    }

    /// Says whether the board is too hot to start a drive.
    pub fn set_board_hot(&self, is_hot: bool) {
        self.board_hot.store(is_hot, Ordering::Relaxed);
    }

    /// Whether the board is too hot to start a drive, as far as is known.
    #[must_use]
    pub fn is_board_hot(&self) -> bool {
        self.board_hot.load(Ordering::Relaxed)
    }

    /// What there is to say, but for what `logic::telemetry` adds.
    #[must_use]
    pub fn report(&self, now: Uptime) -> Board {
        let sensed_at = Uptime::from_micros(self.sensed_at.load(Ordering::Relaxed));
        let known = Board {
            laps: self.laps.get(),
            last_lap_ms: self.last_lap_ms.get(),
            sensor_errors: self.sensor_errors.get(),
            laps_early: self.laps_early.get(),
            edges_lost: self.edges_lost.get(),
            laps_untold: self.laps_untold.get(),
            link_drops: self.link_drops.get(),
            link_failures: self.link_failures.get(),
            restarts: self.restarts.get(),
            video_restarts: self.video_restarts.get(),
            output_errors: self.output_errors.get(),
            unsent: self.unsent.get(),
            ..Board::default()
        };
        if now.since(sensed_at) > STALE {
            return known;
        }
        Board {
            battery: self.battery.get(),
            battery_mv: self.battery_mv.get(),
            battery_ma: self.battery_ma.get(),
            temp_celsius: self.temp_celsius.get(),
            throttled: self.throttled.get(),
            under_voltage: self.under_voltage.get(),
            wifi_dbm: self.wifi_dbm.get(),
            modem_percent: self.modem_percent.get(),
            cpu_permille: self.cpu_permille.get(),
            mem_free_kb: self.mem_free_kb.get(),
            up_s: self.up_s.get(),
            ..known
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Uptime {
        Uptime::from_micros(ms * 1000)
    }

    #[test]
    fn a_gauge_is_a_number_or_nothing() {
        let gauge = Gauge::default();
        assert_eq!(gauge.get::<i64>(), None);
        gauge.set(Some(0_u8));
        assert_eq!(gauge.get::<u8>(), Some(0), "0 is a reading");
        gauge.set(Some(-300_i32));
        assert_eq!(gauge.get::<i16>(), Some(-300));
        assert_eq!(gauge.get::<u16>(), None, "what does not fit is not said");
        gauge.set(None::<u8>);
        assert_eq!(gauge.get::<i64>(), None);
    }

    #[test]
    fn what_is_stale_is_absent_but_laps_and_counts_stay() {
        let readings = Readings::default();
        readings.battery_mv.set(Some(7_412_u16));
        readings.laps.set(Some(3_u32));
        readings.link_drops.count();
        assert_eq!(
            readings.report(at_ms(10_000)).battery_mv,
            None,
            "never read"
        );
        readings.sensed(at_ms(10_000));
        for (ms, wanted) in [(10_000, Some(7_412)), (15_000, Some(7_412)), (15_001, None)] {
            let report = readings.report(at_ms(ms));
            assert_eq!(report.battery_mv, wanted, "{ms}");
            assert_eq!((report.laps, report.link_drops), (Some(3), 1), "{ms}");
        }
    }

    #[test]
    fn every_reading_and_every_count_is_told_under_its_own_name() {
        let readings = Readings::default();
        let gauges = [
            &readings.battery,
            &readings.battery_mv,
            &readings.battery_ma,
            &readings.temp_celsius,
            &readings.throttled,
            &readings.under_voltage,
            &readings.wifi_dbm,
            &readings.modem_percent,
            &readings.cpu_permille,
            &readings.mem_free_kb,
            &readings.up_s,
            &readings.laps,
            &readings.last_lap_ms,
        ];
        for (gauge, value) in gauges.into_iter().zip(1_i64..) {
            gauge.set(Some(value));
        }
        let counters = [
            &readings.sensor_errors,
            &readings.laps_early,
            &readings.edges_lost,
            &readings.laps_untold,
            &readings.link_drops,
            &readings.link_failures,
            &readings.restarts,
            &readings.video_restarts,
            &readings.output_errors,
            &readings.unsent,
        ];
        for (counter, value) in counters.into_iter().zip(21..) {
            counter.add(value);
        }
        readings.sensed(at_ms(1));
        let wanted = Board {
            battery: Some(1),
            battery_mv: Some(2),
            battery_ma: Some(3),
            temp_celsius: Some(4),
            throttled: Some(5),
            under_voltage: Some(6),
            wifi_dbm: Some(7),
            modem_percent: Some(8),
            cpu_permille: Some(9),
            mem_free_kb: Some(10),
            up_s: Some(11),
            laps: Some(12),
            last_lap_ms: Some(13),
            sensor_errors: 21,
            laps_early: 22,
            edges_lost: 23,
            laps_untold: 24,
            link_drops: 25,
            link_failures: 26,
            restarts: 27,
            video_restarts: 28,
            output_errors: 29,
            unsent: 30,
            ..Board::default()
        };
        assert_eq!(readings.report(at_ms(1)), wanted);
    }

    #[test]
    fn what_is_taken_from_a_counter_is_gone() {
        let counter = Counter::default();
        counter.add(5);
        assert_eq!((counter.take(), counter.take()), (5, 0));
        counter.count();
        assert_eq!((counter.get(), counter.take()), (1, 1));
    }

    #[test]
    fn without_any_sensor_the_report_is_empty() {
        assert_eq!(Readings::default().report(at_ms(1)), Board::default());
    }
}
