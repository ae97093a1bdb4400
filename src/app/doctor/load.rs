//! The battery while the motor turns: a supply that is good at rest and breaks down under load stops a car on the road.
//!
//! The chip is read on a thread of its own, for a bus may make it wait, and whoever drives may not.
//!
//! ```text
//!   thread: open ─▶ read, seven times a second ─▶ [256] ─▶ at rest │ under load ─▶ a line
//! ```
//!
//! Promises: nobody waits for the chip. Knows nothing of: why there is a load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use super::Finding;
use crate::app::parts::chain;
use crate::app::sensing::devices;
use crate::config::hardware::Battery;
use crate::hal::sensor::Power;

/// Time between two readings. datasheet: both chips measure in a seventh of a second as they are set up here.
const EACH: Duration = Duration::from_millis(150);

/// Readings on their way. choice: half a minute of them; more are dropped.
const ROOM: usize = 256;

/// A battery that is watched.
pub(super) struct Load {
    part: Battery,
    readings: Receiver<Result<Power, String>>,
    stop: Arc<AtomicBool>,
    seen: Seen,
}

/// What was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    rest: Option<Power>,
    /// Lowest voltage and highest current.
    loaded: Option<Power>,
    trouble: Option<String>,
}

impl Load {
    /// Begins to watch.
    pub(super) fn start(part: &Battery) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, readings) = sync_channel(ROOM);
        let (ends, part) = (Arc::clone(&stop), *part);
        let mut seen = Seen::default();
        let thread = thread::Builder::new().name("battery".to_owned());
        let started = thread.spawn(move || {
            let mut monitor = match devices::battery_monitor(&part)
                .map_err(|fatal| fatal.text)
                .and_then(|mut open| open().map_err(|err| chain(&err)))
            {
                Ok(monitor) => monitor,
                Err(why) => {
                    let _ = sender.try_send(Err(why)); // empty until now
                    return;
                }
            };
            while !ends.load(Ordering::Relaxed) {
                let reading = monitor.read().map_err(|err| chain(&err)).transpose();
                let is_over = matches!(reading, Some(Err(_)));
                if let Some(reading) = reading {
                    let _ = sender.try_send(reading); // full: the newest are lost, after half a minute without a look
                }
                if is_over {
                    return;
                }
                thread::sleep(EACH);
            }
        });
        seen.trouble = started.err().map(|err| format!("no thread: {err}"));
        Self {
            part,
            readings,
            stop,
            seen,
        }
    }

    /// Takes what was read since the last time, as read at rest or under load.
    pub(super) fn note(&mut self, is_load: bool) {
        for reading in self.readings.try_iter() {
            self.seen.note(reading, is_load);
        }
    }

    /// The line.
    pub(super) fn finding(&self) -> Finding {
        self.seen.finding(&self.part)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed); // not waited for: it may hang in the bus
    }
}

impl Seen {
    fn note(&mut self, reading: Result<Power, String>, is_load: bool) {
        match reading {
            Err(why) => self.trouble = Some(why),
            Ok(power) if !is_load => self.rest = Some(power),
            Ok(power) => {
                let worst = self.loaded.unwrap_or(power);
                self.loaded = Some(Power {
                    millivolts: worst.millivolts.min(power.millivolts),
                    milliamperes: worst.milliamperes.max(power.milliamperes),
                });
            }
        }
    }

    fn finding(&self, part: &Battery) -> Finding {
        if let Some(why) = &self.trouble {
            return Err(why.clone());
        }
        let words = |power: Power| format!("{} mV, {} mA", power.millivolts, power.milliamperes);
        match (self.rest, self.loaded) {
            (_, Some(loaded)) if loaded.millivolts < part.critical_mv => Err(format!(
                "{} while the motor turned: below the {} mV at which the car cannot be armed; charge it, or take one that \
                 gives more current, and thicker wires",
                words(loaded),
                part.critical_mv
            )),
            (Some(rest), Some(loaded)) => Ok(format!(
                "{} at rest, {} at most while the motor turned",
                words(rest),
                words(loaded)
            )),
            (Some(rest), None) => Ok(format!("{} at rest; the motor did not turn", words(rest))),
            (None, Some(loaded)) => Ok(format!("{} while the motor turned", words(loaded))),
            (None, None) => Err("it was set up, but has measured nothing; try again".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::hardware::BatteryChip;

    const fn power(millivolts: u16, milliamperes: i32) -> Power {
        Power {
            millivolts,
            milliamperes,
        }
    }

    #[test]
    fn the_worst_under_load_counts_and_a_battery_that_breaks_down_is_told() {
        let part = Battery {
            chip: BatteryChip::Ina219,
            bus: 1,
            address: 0x40,
            shunt_microohm: 100_000,
            low_mv: 7000,
            critical_mv: 6600,
        };
        let mut seen = Seen::default();
        assert!(seen.finding(&part).is_err());
        seen.note(Ok(power(7400, 120)), false);
        for reading in [power(7390, 150), power(7200, 900), power(7350, 600)] {
            seen.note(Ok(reading), true);
        }
        let said = seen.finding(&part).unwrap();
        assert_eq!(
            said,
            "7400 mV, 120 mA at rest, 7200 mV, 900 mA at most while the motor turned"
        );
        seen.note(Ok(power(6600, 900)), true);
        assert!(seen.finding(&part).is_ok());
        seen.note(Ok(power(6599, 900)), true);
        let said = seen.finding(&part).unwrap_err();
        assert!(
            said.contains("6599 mV, 900 mA while the motor turned: below the 6600 mV"),
            "{said}"
        );
        seen.note(Err("bus: gone".to_owned()), true);
        assert_eq!(seen.finding(&part), Err("bus: gone".to_owned()));
    }
}
