//! The time of a pass as the old app wants it: seconds since 1970, without the wall clock's jumps in it.
//!
//! A Pi has no battery-backed clock: its date jumps by hours when the network comes up, and by fractions of a second
//! later. Laps are differences of two such dates. So both clocks are read together once, and the dates of a run of laps
//! are all counted from there on the monotonic clock.
//!
//! ```text
//!   monotonic  ──┬──────pass───────pass───────────────── > 10 min ────────pass──
//!   wall clock ──┴─────────────× jumps ──────────────────────────────────┬──────
//!              both read       not looked at                       both read anew
//! ```
//!
//! Promises: two passes of a run are as far apart as they were, whatever the wall clock does.
//! Knows nothing of: clocks; both are handed in.
//! Sources: PROTOCOL.md 4.2 and 6 (defect 30: "NTP steps corrupt laps").

use core::time::Duration;

use crate::logic::units::Uptime;

/// A pause after which the wall clock is read anew, and a date that was wrong at first is mended.
///
/// choice: as long as the longest shortest lap that can be configured (`lap.minimum_ms`), so no lap spans it by design.
const PAUSE: Duration = Duration::from_secs(600);

/// Maps monotonic to Unix time for one run of laps.
#[derive(Clone, Copy, Debug, Default)]
pub struct LapEpoch {
    anchor: Option<Anchor>,
}

/// Both clocks at one moment, and the last pass that was mapped with them.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    read_at: Uptime,
    unix_us: u64,
    passed_at: Uptime,
}

impl LapEpoch {
    /// The Unix time of `at` in microseconds; both clocks show `now` and `unix_now_us`.
    pub fn unix_us(&mut self, at: Uptime, now: Uptime, unix_now_us: u64) -> u64 {
        let kept = self
            .anchor
            .filter(|anchor| at.since(anchor.passed_at) <= PAUSE);
        let (read_at, unix_us) = kept.map_or((now, unix_now_us), |anchor| {
            (anchor.read_at, anchor.unix_us)
        });
        self.anchor = Some(Anchor {
            read_at,
            unix_us,
            passed_at: at,
        });
        unix_us
            .saturating_add(at.as_micros())
            .saturating_sub(read_at.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_US: u64 = 1_767_225_600_000_000;

    fn at_ms(ms: u64) -> Uptime {
        Uptime::from_micros(ms * 1000)
    }

    #[test]
    fn a_pass_is_as_long_ago_on_the_wall_clock_as_on_the_monotonic_one() {
        let mut epoch = LapEpoch::default();
        let unix_us = epoch.unix_us(at_ms(5_000), at_ms(5_020), NOON_US);
        assert_eq!(unix_us, NOON_US - 20_000);
    }

    #[test]
    fn a_wall_clock_that_jumps_does_not_change_a_lap() {
        for jump_us in [-3_600_000_000_i64, -1, 1, 250_000, 86_400_000_000] {
            let mut epoch = LapEpoch::default();
            let first = epoch.unix_us(at_ms(5_000), at_ms(5_020), NOON_US);
            let jumped = (NOON_US + 12_345_000).saturating_add_signed(jump_us);
            let second = epoch.unix_us(at_ms(17_345), at_ms(17_365), jumped);
            assert_eq!(second - first, 12_345_000, "after a jump of {jump_us} us");
        }
    }

    #[test]
    fn after_a_pause_the_date_is_read_anew() {
        let lap_after = |pause_us: u64| {
            let mut epoch = LapEpoch::default();
            let first = epoch.unix_us(Uptime::from_micros(7), Uptime::from_micros(7), NOON_US);
            let at = Uptime::from_micros(7 + pause_us);
            let hour_later = NOON_US + pause_us + 3_600_000_000;
            epoch.unix_us(at, at, hour_later) - first
        };
        assert_eq!(lap_after(600_000_000), 600_000_000, "not yet");
        assert_eq!(lap_after(600_000_001), 4_200_000_001, "the wall clock's");
    }

    #[test]
    fn the_pause_is_counted_from_pass_to_pass() {
        let mut epoch = LapEpoch::default();
        for minute in 0..120_u64 {
            let at = Uptime::from_micros(minute * 60_000_000);
            let wall = if minute == 0 { NOON_US } else { 0 };
            assert_eq!(epoch.unix_us(at, at, wall), NOON_US + minute * 60_000_000);
        }
    }

    #[test]
    fn clocks_that_make_no_sense_are_no_panic() {
        assert_eq!(LapEpoch::default().unix_us(Uptime::ZERO, Uptime::MAX, 0), 0);
        let mut epoch = LapEpoch::default();
        assert_eq!(epoch.unix_us(Uptime::MAX, Uptime::ZERO, u64::MAX), u64::MAX);
    }
}
