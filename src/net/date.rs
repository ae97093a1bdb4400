//! Dates for people, and the date that no right clock lies before: the day that this program is from.
//!
//! A board without a battery starts with the date of its last shutdown, or of 1970, and certificates are judged by that.
//! Nothing that moves the car is.
//!
//! Sources: `scripts/pack_viewer.rs` (the day); H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.

use std::time::{SystemTime, UNIX_EPOCH};

/// The day that this program is from, in seconds since 1970.
#[must_use]
pub fn built_s() -> u64 {
    // The build script wrote a number; the other one is its own floor.
    env!("SPIDERCAR_DATE_S").parse().unwrap_or(1_767_225_600)
}

/// A clock that is further ahead than this is wrong. choice: no certificate of a server lives for so long.
const AHEAD_S: u64 = 20 * 365 * 86_400;

/// How the clock of this computer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Before this program was made.
    Behind,
    /// Nothing speaks against it.
    Plausible,
    /// Twenty years after this program was made.
    Ahead,
}

/// How a clock stands that shows so many seconds since 1970.
#[must_use]
pub fn judge(now_s: u64) -> Clock {
    if now_s < built_s() {
        Clock::Behind
    } else if now_s > built_s().saturating_add(AHEAD_S) {
        Clock::Ahead
    } else {
        Clock::Plausible
    }
}

/// What this computer's clock shows, in seconds since 1970.
#[must_use]
pub fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The day of so many seconds since 1970, in UTC: `2026-11-29`.
#[must_use]
pub fn day(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// What sets a clock right.
pub const HOW_TO_SET: &str = "connect it to a network with a time server (`timedatectl` says whether it is in step), or set it: \
                              sudo date --set YYYY-MM-DD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, wanted) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_767_225_600, "2026-01-01"),
            (4_102_444_799, "2099-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(seconds), wanted);
        }
    }

    #[test]
    fn a_clock_is_judged_by_the_day_this_program_is_from() {
        assert!(built_s() >= 1_767_225_600 && built_s().is_multiple_of(86_400));
        assert_eq!(judge(0), Clock::Behind);
        assert_eq!(judge(built_s() - 1), Clock::Behind);
        assert_eq!(judge(built_s()), Clock::Plausible);
        assert_eq!(judge(now_s()), Clock::Plausible, "{}", day(now_s()));
        assert_eq!(judge(u64::MAX), Clock::Ahead);
    }
}
