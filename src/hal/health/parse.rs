//! The texts of `/sys` and `/proc` as numbers.
//!
//! Each function takes the whole text of one file, as the kernel prints it, and gives the one number we want of it.
//!
//! Promises: total; a text that is not as it should be is `None`. Knows nothing of: files.
//! Sources: proc(5); kernel: Documentation/networking (wireless.c, `wireless_seq_printf_stats`).

/// Time that the processors spent, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTimes {
    busy: u64,
    all: u64,
}

impl CpuTimes {
    /// Share of busy time since an earlier reading, in permille; `None` if no time has passed.
    pub(super) fn busy_permille_since(self, before: Self) -> Option<u16> {
        let all = self.all.checked_sub(before.all)?;
        let busy = self.busy.saturating_sub(before.busy).min(all);
        u16::try_from(busy.saturating_mul(1000).checked_div(all)?).ok()
    }
}

/// `/proc/stat`, first line: `cpu  user nice system idle iowait irq softirq steal ...`. Waiting for a disk is idle.
pub(super) fn cpu_times(text: &str) -> Option<CpuTimes> {
    let mut words = text.lines().next()?.split_ascii_whitespace();
    if words.next()? != "cpu" {
        return None;
    }
    // `guest` and `guest_nice`, the last two, are in `user` and `nice` already.
    let times: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, idle, rest @ ..] = times.as_slice() else {
        return None;
    };
    let (iowait, others) = rest
        .split_first()
        .map_or((0, &[][..]), |(io, others)| (*io, others));
    let others = others
        .iter()
        .fold(0_u64, |sum, time| sum.saturating_add(*time));
    let busy = user
        .saturating_add(*nice)
        .saturating_add(*system)
        .saturating_add(others);
    let all = busy.saturating_add(*idle).saturating_add(iowait);
    Some(CpuTimes { busy, all })
}

/// `/sys/class/thermal/thermal_zone*/temp`: thousandths of a degree. A sensor that is off says nonsense.
pub(super) fn milli_celsius(text: &str) -> Option<i32> {
    // choice: outside of this no board is running.
    let plausible = -60_000..=200_000;
    text.trim()
        .parse()
        .ok()
        .filter(|milli| plausible.contains(milli))
}

/// `get_throttled`: hexadecimal, without a prefix.
pub(super) fn throttled(text: &str) -> Option<u32> {
    let text = text.trim();
    u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

/// An alarm file of hwmon: 0 or 1.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text.trim() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// `/proc/net/wireless`: two lines of heading, then `wlan0: 0000   58.  -52.  -256 ...`; the third number is the level.
pub(super) fn wifi_dbm(text: &str) -> Option<i16> {
    text.lines()
        .skip(2)
        .filter_map(|line| {
            let (_, numbers) = line.split_once(':')?;
            let level = numbers.split_ascii_whitespace().nth(2)?;
            level.trim_end_matches('.').parse::<i16>().ok()
        })
        // -256 is "not known", and what is not negative is a driver's own scale, not dBm.
        .filter(|dbm| (-200..0).contains(dbm))
        .max()
}

/// `/proc/meminfo`: `MemAvailable:  1234 kB`.
pub(super) fn mem_available_kb(text: &str) -> Option<u32> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let mut words = line.split_ascii_whitespace();
    let kb = words.next()?.parse().ok()?;
    (words.next() == Some("kB")).then_some(kb)
}

/// `/proc/uptime`: seconds with hundredths, first word.
pub(super) fn up_s(text: &str) -> Option<u32> {
    text.split_ascii_whitespace()
        .next()?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// `/proc/loadavg`: the load over a minute, in hundredths.
pub(super) fn load_centi(text: &str) -> Option<u32> {
    let (whole, cents) = text.split_ascii_whitespace().next()?.split_once('.')?;
    let whole: u32 = whole.parse().ok()?;
    whole.checked_mul(100)?.checked_add(cents.parse().ok()?)
}

/// `/proc/self/statm`: the second number is resident pages.
pub(super) fn resident_pages(text: &str) -> Option<u32> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}
