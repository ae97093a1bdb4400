//! The doctor's look at the sensors: lap sensor, battery, the computer itself, Wi-Fi and modem.
//!
//! ```text
//!   lap      opened as `run` would, and what its pins say now: hold a magnet to it and look again
//!   battery  set up and measured once
//!   board    temperature, supply, throttling now and since power-on        wifi  the strongest, and a modem's
//! ```
//!
//! Promises: moves nothing; a sensor that is not configured has no line; one that a board cannot have is not missed.
//! Knows nothing of: what a driver would see.

use std::thread;
use std::time::Duration;

use super::{Finding, clock};
use crate::app::Fatal;
use crate::app::parts::chain;
use crate::app::sensing::devices;
use crate::config::Config;
use crate::config::hardware::{Battery, Lap};
use crate::hal::health::{BoardProbe, BoardState};
use crate::hal::modem::Modem;
use crate::logic::battery::{self, BatteryLevel};
use crate::logic::heat::Heat;

/// Time for a chip's first measurement. datasheet: an INA226 takes 141 ms as it is set up here; twice that is plenty.
const MEASURE: Duration = Duration::from_millis(300);

/// How often the modem's answer is looked for, and how often at most. choice: as long as `mmcli` may take.
const MODEM_LOOK: Duration = Duration::from_millis(50);
const MODEM_LOOKS: u32 = 70;

/// A signal below this loses packets. choice: common advice for video over Wi-Fi is -70 dBm or better.
const WEAK_DBM: i16 = -75;

/// The firmware's bits and what each means. spec: Raspberry Pi documentation, `vcgencmd get_throttled`.
const THROTTLING: [(u32, &str); 4] = [
    (1, "supply too weak"),
    (2, "clock capped"),
    (4, "slowed down"),
    (8, "soft temperature limit"),
];

/// How far left the bits for "ever since power-on" are.
const EVER: u32 = 16;

/// A line for each sensor.
pub(super) fn checks(config: &Config) -> Vec<(&'static str, Finding)> {
    let sensors = &config.sensors;
    let lap = sensors.lap.as_ref().map(|part| ("lap", lap(part)));
    let power = sensors
        .battery
        .as_ref()
        .map(|part| ("battery", power(part)));
    let state = BoardProbe::new("/").read();
    let rest = [
        ("board", board(&state, sensors.hot_celsius)),
        ("wifi", Ok(radio(state.wifi_dbm, modem()))),
    ];
    lap.into_iter().chain(power).chain(rest).collect()
}

fn text(fatal: Fatal) -> String {
    fatal.text
}

fn lap(part: &Lap) -> Finding {
    let mut open = devices::lap_sensor(part).map_err(text)?;
    let mut sensor = open().map_err(|err| chain(&err))?;
    let [first, second] = sensor.levels().map_err(|err| chain(&err))?;
    let word = |is_over| {
        if is_over {
            "over the mark"
        } else {
            "not over the mark"
        }
    };
    let mut words = format!("{}: pin {} is {}", sensor.name(), part.pin, word(first));
    if let Some(pin) = part.second_pin {
        words = format!("{words}, pin {pin} is {}", word(second));
    }
    Ok(words)
}

fn power(part: &Battery) -> Finding {
    let mut open = devices::battery_monitor(part).map_err(text)?;
    let mut monitor = open().map_err(|err| chain(&err))?;
    monitor.read().map_err(|err| chain(&err))?; // sets the chip up
    thread::sleep(MEASURE);
    let power = monitor.read().map_err(|err| chain(&err))?;
    let power = power.ok_or("it was set up, but has measured nothing; try again")?;
    let mut judge = battery::Battery::new(devices::battery_config(part));
    let level = judge.sample(clock::now(), power.millivolts);
    let (mv, ma) = (power.millivolts, power.milliamperes);
    match level {
        BatteryLevel::Good => Ok(format!("{mv} mV, {ma} mA")),
        BatteryLevel::Low => Ok(format!("{mv} mV, {ma} mA: low, charge it soon")),
        BatteryLevel::Critical => Err(format!(
            "{mv} mV, {ma} mA: the car cannot be armed below {} mV; charge or change it, or check battery.critical_mv and the \
             wire of the battery's plus to the chip",
            part.critical_mv
        )),
    }
}

fn board(state: &BoardState, hot_celsius: u8) -> Finding {
    let mut words = Vec::new();
    if let Some(milli) = state.milli_celsius {
        let celsius = milli.div_euclid(1000);
        if Heat::new(hot_celsius).sample(milli) {
            return Err(format!(
                "{celsius} °C: the car cannot be armed from {hot_celsius} on; let it cool down, and give it a heat sink or air"
            ));
        }
        words.push(format!("{celsius} °C"));
    }
    let said = |bits: u32| {
        let known = THROTTLING.iter().filter(|(bit, _)| bits & bit != 0);
        known.map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
    };
    if state.under_voltage == Some(true) {
        return Err(
            "the supply is too weak now; use a regulator for 3 A, and short thick wires".to_owned(),
        );
    }
    if let Some(bits) = state.throttled {
        let (now, ever) = (said(bits), said(bits >> EVER));
        words.push(match (now.as_str(), ever.as_str()) {
            ("", "") => "never throttled".to_owned(),
            ("", ever) => format!("not throttled now, but since power-on: {ever}"),
            (now, _) => format!("throttled: {now}"),
        });
    }
    if words.is_empty() {
        words.push("no temperature sensor here".to_owned());
    }
    Ok(words.join(", "))
}

fn radio(wifi_dbm: Option<i16>, modem_percent: Option<u8>) -> String {
    let wifi = match wifi_dbm {
        Some(dbm) if dbm < WEAK_DBM => format!("{dbm} dBm: weak, the picture will stutter"),
        Some(dbm) => format!("{dbm} dBm"),
        None => "no Wi-Fi connection here".to_owned(),
    };
    let modem = modem_percent.map(|percent| format!("; modem {percent} %"));
    wifi + &modem.unwrap_or_default()
}

/// The modem's signal, waited for.
fn modem() -> Option<u8> {
    let mut modem = Modem::new("mmcli");
    for _ in 0..MODEM_LOOKS {
        let percent = modem.poll(clock::now());
        if modem.is_idle() {
            return percent; // answered, or there is no mmcli
        }
        thread::sleep(MODEM_LOOK);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(milli: Option<i32>, throttled: Option<u32>) -> BoardState {
        BoardState {
            milli_celsius: milli,
            throttled,
            under_voltage: throttled.map(|bits| bits & 1 != 0),
            ..BoardState::default()
        }
    }

    #[test]
    fn the_board_is_told_in_words() {
        for (state, wanted) in [
            (state(None, None), Ok("no temperature sensor here")),
            (state(Some(61_861), None), Ok("61 °C")),
            (state(Some(61_861), Some(0)), Ok("61 °C, never throttled")),
            (
                state(Some(79_999), Some(0x5_0000)),
                Ok("79 °C, not throttled now, but since power-on: supply too weak, slowed down"),
            ),
            (
                state(None, Some(0x8_0008)),
                Ok("throttled: soft temperature limit"),
            ),
            (
                state(Some(50_000), Some(1)),
                Err("the supply is too weak now; use a regulator for 3 A, and short thick wires"),
            ),
            (
                state(Some(80_000), Some(0)),
                Err(
                    "80 °C: the car cannot be armed from 80 on; let it cool down, and give it a heat sink or air",
                ),
            ),
        ] {
            let wanted = wanted.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(board(&state, 80), wanted, "{state:?}");
        }
    }

    #[test]
    fn a_weak_signal_is_called_so() {
        assert_eq!(radio(None, None), "no Wi-Fi connection here");
        assert_eq!(radio(Some(-75), None), "-75 dBm");
        assert_eq!(
            radio(Some(-76), Some(40)),
            "-76 dBm: weak, the picture will stutter; modem 40 %"
        );
    }

    #[test]
    fn a_sensor_that_is_not_there_says_what_to_do() {
        let lap = lap(&Lap {
            active_high: false,
            pin: 4,
            second_pin: Some(17),
            rule: crate::config::words::LapRule::Any,
            debounce: Duration::ZERO,
            minimum: Duration::ZERO,
            chip: Some("/nowhere/gpiochip0".into()),
        });
        assert_eq!(
            lap.unwrap_err(),
            "lap sensor: /nowhere/gpiochip0: not found; `gpiodetect` lists the chips; set lap.chip"
        );
    }
}
