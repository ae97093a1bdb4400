//! How much is left in the battery, in the three words that a driver needs: good, low, critical.
//!
//! A motor that starts pulls the voltage down for a second, and a warning that flickers is one that nobody heeds. So the
//! voltage is smoothed over seconds before it is compared, and it must rise clearly before a warning is taken back.
//!
//! ```text
//!   smoothed mV   good ────╮ low_mv                                 ╭─── good     (low_mv + 3 %)
//!                          ╰──── low ────╮ critical_mv     ╭── low ─╯
//!                                        ╰──── critical ───╯                      (critical_mv + 3 %)
//! ```
//!
//! A cell count with a discharge curve was rejected: it needs to know the chemistry, and its percents look more exact than
//! they are.
//!
//! Promises: integers; total; samples may come at any time, closer ones count for less.
//! Knows nothing of: chips, and what a low battery forbids.

use core::time::Duration;

use super::units::Uptime;

#[cfg(test)]
mod tests;

/// Time over which the voltage is smoothed.
///
/// choice: an RC motor's inrush is over in 1 to 2 s and moves the smoothed value by a quarter of its dip; a battery that
/// runs out takes minutes.
const SMOOTH: Duration = Duration::from_secs(5);

/// How far above a limit the smoothed voltage must be to take the warning back.
///
/// choice: a lithium cell recovers by about 0.1 V (3 %) when the load is taken away; that alone is no reason to go on.
const BACK_PERMILLE: u32 = 30;

/// What the battery is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BatteryLevel {
    /// Go on.
    #[default]
    Good,
    /// Turn back.
    Low,
    /// Do not start.
    Critical,
}

impl BatteryLevel {
    /// Number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Low => 1,
            Self::Critical => 2,
        }
    }

    /// A word for logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Low => "low",
            Self::Critical => "critical",
        }
    }
}

/// Where the warnings begin, in millivolts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatteryConfig {
    /// Below this the driver is warned.
    pub low_mv: u16,
    /// Below this no drive is started; less than `low_mv`.
    pub critical_mv: u16,
}

/// The smoothed voltage and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Battery {
    config: BatteryConfig,
    level: BatteryLevel,
    /// When the last sample was taken, and the smoothed voltage since, in microvolts.
    smoothed: Option<(Uptime, u32)>,
}

impl Battery {
    /// Nothing measured yet: good until something else is known.
    #[must_use]
    pub const fn new(config: BatteryConfig) -> Self {
        Self {
            config,
            level: BatteryLevel::Good,
            smoothed: None,
        }
    }

    /// Takes a measured voltage in, and says what the battery is good for.
    pub fn sample(&mut self, now: Uptime, millivolts: u16) -> BatteryLevel {
        let measured = u32::from(millivolts) * 1000;
        let smoothed = self.smoothed.map_or(measured, |(at, before)| {
            blend(before, measured, now.since(at))
        });
        self.smoothed = Some((now, smoothed));
        self.level = self.judge(smoothed);
        self.level
    }

    /// What the battery is good for.
    #[must_use]
    pub const fn level(&self) -> BatteryLevel {
        self.level
    }

    /// The smoothed voltage, if anything was measured.
    #[must_use]
    pub fn millivolts(&self) -> Option<u16> {
        let (_, microvolts) = self.smoothed?;
        u16::try_from((microvolts + 500) / 1000).ok()
    }

    fn judge(&self, microvolts: u32) -> BatteryLevel {
        let limit = |millivolts: u16, back: bool| {
            let permille = 1000 + if back { BACK_PERMILLE } else { 0 };
            u32::from(millivolts) * permille
        };
        let (low, critical) = (self.config.low_mv, self.config.critical_mv);
        if microvolts < limit(critical, self.level >= BatteryLevel::Critical) {
            BatteryLevel::Critical
        } else if microvolts < limit(low, self.level >= BatteryLevel::Low) {
            BatteryLevel::Low
        } else {
            BatteryLevel::Good
        }
    }
}

/// A step of a low-pass filter of the first order: the longer ago `before` was, the less it counts.
fn blend(before: u32, measured: u32, passed: Duration) -> u32 {
    let passed = passed.as_micros();
    let whole = SMOOTH.as_micros().saturating_add(passed);
    let kept = SMOOTH.as_micros();
    // Both weights together are `whole`, so the quotient lies between the two values.
    let sum = u128::from(before)
        .saturating_mul(kept)
        .saturating_add(u128::from(measured).saturating_mul(passed));
    u32::try_from(sum.checked_div(whole).unwrap_or_default()).unwrap_or(u32::MAX)
}
