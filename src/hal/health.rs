//! How the computer is: temperature, supply, Wi-Fi, processors, memory. Out of files that any Linux has, or has not.
//!
//! They are read from `/sys` and `/proc` and not through the firmware's mailbox or a crate: the files need no rights, are
//! the same on every Pi, and a test can put others in their place, for the root folder is an argument.
//!
//! ```text
//!   /sys/class/thermal/thermal_zone*/temp                      the hottest
//!   /sys/devices/platform/soc*/soc*:firmware/get_throttled     Raspberry Pi OS kernels
//!   /sys/class/hwmon/hwmon*/{name = rpi_volt, in0_lcrit_alarm} any kernel with raspberrypi-hwmon
//!   /proc/net/wireless   the strongest     /proc/stat, meminfo, uptime, loadavg     /proc/self/statm
//! ```
//!
//! Promises: what is not there is `None`, never 0; nothing that a file holds is an error or a panic.
//! Knows nothing of: limits and warnings.
//! Sources: kernel: Documentation/driver-api/thermal/sysfs-api.rst, hwmon/sysfs-interface.rst, drivers/hwmon/
//! raspberrypi-hwmon.c; proc(5); Raspberry Pi documentation, `vcgencmd get_throttled` (the bits).

use std::fs;
use std::path::{Path, PathBuf};

mod parse;
#[cfg(test)]
mod tests;

use parse::CpuTimes;

/// Bit of [`BoardState::throttled`] that says that the supply is too weak now.
const UNDER_VOLTAGE: u32 = 1;

/// How the computer is. What it cannot say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardState {
    /// The hottest sensor, in thousandths of a degree Celsius.
    pub milli_celsius: Option<i32>,
    /// The firmware's throttling bits.
    pub throttled: Option<u32>,
    /// Whether the supply is too weak.
    pub under_voltage: Option<bool>,
    /// The strongest Wi-Fi, in dBm.
    pub wifi_dbm: Option<i16>,
    /// Processors in use since the reading before, in permille of all of them.
    pub cpu_permille: Option<u16>,
    /// Memory that is still to be had, in KiB.
    pub mem_free_kb: Option<u32>,
    /// Time since the board was started, in seconds.
    pub up_s: Option<u32>,
    /// Load over a minute, in permille of all processors.
    pub load_permille: Option<u32>,
    /// Memory that this program uses, in KiB.
    pub own_mem_kb: Option<u32>,
}

/// Reads them.
#[derive(Debug)]
pub struct BoardProbe {
    root: PathBuf,
    cpu_before: Option<CpuTimes>,
}

impl BoardProbe {
    /// Reads below this folder: `/`, or a copy for tests.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            cpu_before: None,
        }
    }

    /// How the computer is now. It takes some tenths of a millisecond; the firmware's file may take some more.
    pub fn read(&mut self) -> BoardState {
        let throttled = self.throttled();
        let weak = throttled.map(|bits| bits & UNDER_VOLTAGE != 0);
        let cpu = self.text("proc/stat").as_deref().and_then(parse::cpu_times);
        let cpu_permille = cpu
            .zip(self.cpu_before)
            .and_then(|(now, before)| now.busy_permille_since(before));
        self.cpu_before = cpu;
        let cores = std::thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        let page_kb = u32::try_from(rustix::param::page_size() / 1024).unwrap_or(4);
        let parsed =
            |path, parse: fn(&str) -> Option<u32>| self.text(path).as_deref().and_then(parse);
        BoardState {
            milli_celsius: self.hottest(),
            throttled,
            under_voltage: self.volt_alarm().or(weak),
            wifi_dbm: self
                .text("proc/net/wireless")
                .as_deref()
                .and_then(parse::wifi_dbm),
            cpu_permille,
            mem_free_kb: parsed("proc/meminfo", parse::mem_available_kb),
            up_s: parsed("proc/uptime", parse::up_s),
            load_permille: parsed("proc/loadavg", parse::load_centi)
                .map(|load| load.saturating_mul(10) / cores),
            own_mem_kb: parsed("proc/self/statm", parse::resident_pages)
                .map(|pages| pages.saturating_mul(page_kb)),
        }
    }

    fn hottest(&self) -> Option<i32> {
        self.folders("sys/class/thermal", "thermal_zone")
            .filter_map(|zone| {
                read(&zone.join("temp"))
                    .as_deref()
                    .and_then(parse::milli_celsius)
            })
            .max()
    }

    fn throttled(&self) -> Option<u32> {
        self.folders("sys/devices/platform", "soc").find_map(|soc| {
            let firmware = folders(&soc, "soc").find(|path| {
                let name = path.file_name().unwrap_or_default();
                name.as_encoded_bytes().ends_with(b":firmware")
            })?;
            parse::throttled(&read(&firmware.join("get_throttled"))?)
        })
    }

    fn volt_alarm(&self) -> Option<bool> {
        let mut chips = self.folders("sys/class/hwmon", "hwmon");
        let chip = chips
            .find(|chip| read(&chip.join("name")).is_some_and(|name| name.trim() == "rpi_volt"))?;
        parse::flag(&read(&chip.join("in0_lcrit_alarm"))?)
    }

    fn folders(&self, parent: &str, prefix: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
        folders(&self.root.join(parent), prefix)
    }

    fn text(&self, path: &str) -> Option<String> {
        read(&self.root.join(path))
    }
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The entries of a folder whose names begin so; none if there is no such folder.
fn folders(parent: &Path, prefix: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(move |path| {
            let name = path.file_name().unwrap_or_default();
            name.as_encoded_bytes().starts_with(prefix.as_bytes())
        })
}
