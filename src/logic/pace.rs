//! How fast a car may go for what its driver sees: full speed on a good link, a walk on a bad one.
//!
//! A driver steers by a picture that is old by the time he reacts. The viewer reports how old: the round-trip time of its
//! pings and the age of the picture on the screen. Whichever is worse decides, and the ceiling falls with it in a line. It
//! is a ceiling on throttle, below everything that the network says and above no other limit.
//!
//! ```text
//!   ceiling, permille
//!   1000 ┼──────────╮
//!        │            ╲
//!   slow ┼              ╰───────────
//!        └──────────┼───┼──────────▶   worse of round trip and age of the picture, ms
//!               slow_from  slow_to
//! ```
//!
//! A report is itself news of a moment: once it is older than a second, its age counts on top. So a driver whose reports
//! stop, while his commands go on, is slowed down by the silence. One who never reports (an old program) is not limited
//! here; his deadman is the age of his commands.
//!
//! Below all that is a limit: a driver whose picture is older than `failsafe.blind_ms` does not drive at all. Between two
//! reports the picture is taken to grow older by `PERIOD` at most, so that one lost report stops nobody; after `LINGER`
//! without any the rest of the time counts too.
//!
//! Promises: total; never above 1000, never below `slow`; a worse link never raises the ceiling.
//! Knows nothing of: who drives, what throttle is asked for.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{Throttle, Uptime};
use super::wire::ViewReport;

/// How old a report may be before its age counts against the driver.
///
/// choice: five reports of our viewer, which sends five a second.
const GRACE: Duration = Duration::from_secs(1);

/// How much older than in the last report the picture may be taken to be while reports come.
///
/// source: `REPORT_MS` of our viewer.
const PERIOD: Duration = Duration::from_millis(200);

/// How long a report says something. After that the driver's picture grows old with the time.
///
/// choice: three reports of our viewer. With the default of `blind_ms` a driver whose reports stop stands within 900 ms.
pub(super) const LINGER: Duration = Duration::from_millis(600);

/// Until when a driver who reported this at that time may drive; a moment before the report, if its picture was too old.
#[must_use]
pub(super) fn sees_until(at: Uptime, report: &ViewReport, blind: Duration) -> Uptime {
    let age = Duration::from_millis(report.age_ms.into());
    match blind.checked_sub(age) {
        Some(left) if left < PERIOD => at.after(left),
        Some(left) => at.after(left.saturating_sub(PERIOD).saturating_add(LINGER)),
        None => Uptime::from_micros(at.as_micros().saturating_sub(1)),
    }
}

/// Where the ceiling begins to fall, where it ends, and how low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceConfig {
    slow_from: Duration,
    slow_to: Duration,
    slow: Throttle,
}

/// Why a pace is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaceError {
    /// `slow_to` must be greater than `slow_from`.
    NoRoom,
    /// `slow` must not be negative.
    Negative,
}

impl core::fmt::Display for PaceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoRoom => "slow_to must be greater than slow_from",
            Self::Negative => "slow must not be negative",
        })
    }
}

impl core::error::Error for PaceError {}

impl PaceConfig {
    /// No ceiling, whatever is reported.
    pub const FULL: Self = Self {
        slow_from: Duration::ZERO,
        slow_to: Duration::ZERO,
        slow: Throttle::MAX,
    };

    /// Checks the three against each other.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(slow_from: Duration, slow_to: Duration, slow: Throttle) -> Result<Self, PaceError> {
        if slow_to <= slow_from {
            Err(PaceError::NoRoom)
        } else if slow < Throttle::ZERO {
            Err(PaceError::Negative)
        } else {
            Ok(Self {
                slow_from,
                slow_to,
                slow,
            })
        }
    }

    /// The most throttle, either way, for a driver who reported this at that time.
    #[must_use]
    pub fn ceiling(&self, now: Uptime, report: Option<(Uptime, ViewReport)>) -> Throttle {
        let Some((at, report)) = report else {
            return Throttle::MAX;
        };
        if self.slow == Throttle::MAX {
            return Throttle::MAX;
        }
        let seen = Duration::from_millis(report.rtt_ms.max(report.age_ms).into());
        let worst = seen.saturating_add(now.since(at).saturating_sub(GRACE));
        let window = self.slow_to.saturating_sub(self.slow_from);
        let over = worst.saturating_sub(self.slow_from).min(window);
        let fall = i32::from(Throttle::MAX.get()) - i32::from(self.slow.get());
        // `over` is at most `window`: the quotient is at most 1000, and the product below 2^31.
        let share = (over.as_micros() * 1000)
            .checked_div(window.as_micros())
            .and_then(|share| i32::try_from(share).ok())
            .unwrap_or(1000);
        Throttle::saturating(i32::from(Throttle::MAX.get()) - fall * share / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::units::LeaseId;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn config() -> PaceConfig {
        PaceConfig::new(ms(200), ms(700), Throttle::saturating(250)).unwrap()
    }

    fn ceiling(rtt_ms: u32, age_ms: u32, report_age: Duration) -> i16 {
        let at = Uptime::from_micros(5_000_000);
        let lease = LeaseId::new(1);
        let report = ViewReport {
            lease,
            rtt_ms,
            age_ms,
        };
        let ceiling = config().ceiling(at.after(report_age), Some((at, report)));
        ceiling.get()
    }

    #[test]
    fn the_worse_of_the_two_decides_and_the_ceiling_falls_in_a_line() {
        for (worse, wanted) in [
            (0, 1000),
            (200, 1000),
            (201, 999),
            (450, 625),
            (700, 250),
            (701, 250),
            (u32::MAX, 250),
        ] {
            for better in [0, worse / 2, worse] {
                assert_eq!(ceiling(worse, better, ms(0)), wanted, "{worse} {better}");
                assert_eq!(ceiling(better, worse, ms(0)), wanted, "{worse} {better}");
            }
        }
    }

    #[test]
    fn a_worse_link_never_raises_the_ceiling() {
        let mut last = 1000;
        for worse in 0..1_000 {
            let now = ceiling(worse, 0, ms(0));
            assert!(now <= last && (250..=1000).contains(&now));
            last = now;
        }
    }

    #[test]
    fn a_report_that_grows_old_counts_against_the_driver() {
        assert_eq!(ceiling(100, 100, ms(1_000)), 1000, "within the grace");
        assert_eq!(ceiling(100, 100, ms(1_100)), 1000);
        assert_eq!(ceiling(100, 100, ms(1_350)), 625);
        assert_eq!(ceiling(100, 100, ms(60_000)), 250);
        assert_eq!(ceiling(u32::MAX, 0, Duration::MAX), 250, "no overflow");
    }

    #[test]
    fn who_never_reports_is_not_limited_and_full_limits_nobody() {
        assert_eq!(config().ceiling(Uptime::MAX, None), Throttle::MAX);
        let worst = ViewReport {
            rtt_ms: u32::MAX,
            age_ms: u32::MAX,
            ..ViewReport::default()
        };
        let report = Some((Uptime::ZERO, worst));
        assert_eq!(PaceConfig::FULL.ceiling(Uptime::MAX, report), Throttle::MAX);
    }

    #[test]
    fn a_report_lets_drive_for_what_is_left_of_its_picture() {
        let at = Uptime::from_micros(5_000_000);
        let until = |age_ms| {
            let report = ViewReport {
                age_ms,
                ..ViewReport::default()
            };
            let until = sees_until(at, &report, ms(500));
            i64::try_from(until.as_micros()).unwrap() - 5_000_000
        };
        assert_eq!(until(0), 900_000, "300 ms more than it lingers");
        assert_eq!(until(100), 800_000);
        assert_eq!(until(300), 600_000);
        assert_eq!(until(301), 199_000, "it may be too old before the next one");
        assert_eq!(until(499), 1_000);
        assert_eq!(until(500), 0);
        assert_eq!(until(501), -1, "at once");
        assert_eq!(until(u32::MAX), -1);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(
            PaceConfig::new(ms(5), ms(5), Throttle::ZERO),
            Err(PaceError::NoRoom)
        );
        assert_eq!(
            PaceConfig::new(ms(5), ms(6), Throttle::MIN),
            Err(PaceError::Negative)
        );
    }
}
