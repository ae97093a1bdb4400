//! When a picture was caught, on the car's clock, from what the sensor's driver says.
//!
//! libcamera documents `SensorTimestamp` as `CLOCK_BOOTTIME`, but passes on what the kernel's driver put there, and V4L2
//! drivers take `CLOCK_MONOTONIC`. The two differ by the time the board was suspended, which is nothing on a Pi. So neither
//! word is trusted: a picture that has just been delivered was caught a moment ago, on one clock or the other.
//!
//! ```text
//!   stamp ─▶ a moment ago on CLOCK_MONOTONIC? ─ yes ─▶ that
//!                     └ no ─▶ a moment ago on CLOCK_BOOTTIME? ─ yes ─▶ that, less the time suspended
//!                                        └ no ─▶ nothing: the time of delivery has to do
//! ```
//!
//! Promises: never later than now, never older than `OLDEST`; those of one camera never fall ([`Moments`]).
//! Knows nothing of: clocks; both times are arguments.
//! Sources: libcamera `control_ids_core.yaml` (`SensorTimestamp`); kernel `V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC`.

use core::time::Duration;

use crate::logic::units::Uptime;

/// A picture older than this was not caught when its stamp says. choice: the longest exposure is a second.
const OLDEST: Duration = Duration::from_secs(3);

/// A stamp this far ahead is meant for now. choice: a driver that counts frame times from the start, or reckons a USB
/// camera's clock (`uvc_video_clock_update`), is milliseconds off; measured: `vivid` is up to 10 ms ahead.
const AHEAD: Duration = Duration::from_millis(20);

/// When a picture with this stamp (nanoseconds) was caught; `None` if it cannot be.
#[must_use]
pub fn caught_at(stamp_ns: u64, now: Uptime, boottime_now: Uptime) -> Option<Uptime> {
    let stamp = Uptime::from_micros(stamp_ns / 1000);
    let recent =
        |at: Uptime| (at <= now.after(AHEAD) && now.since(at) <= OLDEST).then(|| at.min(now));
    if let Some(at) = recent(stamp) {
        return Some(at);
    }
    let suspended = boottime_now.since(now);
    let awake = u64::try_from(suspended.as_micros()).ok()?;
    let stamp = Uptime::from_micros(stamp.as_micros().checked_sub(awake)?);
    recent(stamp)
}

/// When the pictures of one camera were caught, one after the other.
#[derive(Debug, Default)]
pub struct Moments {
    last_at: Uptime,
    is_untimed: bool,
}

impl Moments {
    /// When the picture was caught that has just been delivered, with this stamp (nanoseconds) if it has one. That a
    /// camera's stamps make no sense is logged once.
    pub fn caught_at(
        &mut self,
        camera: &str,
        stamp_ns: Option<u64>,
        now: Uptime,
        boottime_now: Uptime,
    ) -> Uptime {
        let at = stamp_ns.and_then(|stamp| caught_at(stamp, now, boottime_now));
        if at.is_none() && !self.is_untimed {
            self.is_untimed = true;
            tracing::warn!(
                camera,
                "its timestamps make no sense; the time of delivery has to do"
            );
        }
        self.last_at = at.unwrap_or(now).max(self.last_at);
        self.last_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Uptime = Uptime::from_micros(100_000_000);
    /// The board slept for an hour.
    const BOOT_NOW: Uptime = Uptime::from_micros(3_700_000_000);

    #[test]
    fn a_monotonic_stamp_is_taken_as_it_is() {
        let at = |ns| caught_at(ns, NOW, BOOT_NOW).map(Uptime::as_micros);
        assert_eq!(at(99_966_667_123), Some(99_966_667));
        assert_eq!(at(100_000_000_999), Some(100_000_000));
        assert_eq!(at(97_000_000_000), Some(97_000_000));
    }

    #[test]
    fn a_boottime_stamp_loses_the_time_suspended() {
        let at = |ns| caught_at(ns, NOW, BOOT_NOW).map(Uptime::as_micros);
        assert_eq!(at(3_699_966_667_123), Some(99_966_667));
        assert_eq!(at(3_700_000_000_000), Some(100_000_000));
    }

    #[test]
    fn a_stamp_that_is_a_little_ahead_is_now() {
        let at = |ns| caught_at(ns, NOW, BOOT_NOW);
        for ns in [100_000_001_000, 100_020_000_999, 3_700_020_000_000] {
            assert_eq!(at(ns), Some(NOW), "{ns}");
        }
    }

    #[test]
    fn times_only_rise_and_delivery_does_for_a_picture_without_one() {
        let mut moments = Moments::default();
        let mut at = |stamp_ns, now_us| {
            let now = Uptime::from_micros(now_us);
            let at = moments.caught_at("camera", stamp_ns, now, now);
            at.as_micros()
        };
        assert_eq!(at(Some(99_990_000_000), 100_000_000), 99_990_000);
        assert_eq!(at(Some(99_980_000_000), 100_000_000), 99_990_000);
        assert_eq!(at(None, 100_010_000), 100_010_000);
        assert_eq!(at(Some(7), 100_020_000), 100_020_000);
        assert_eq!(at(Some(100_025_000_000), 100_030_000), 100_025_000);
    }

    #[test]
    fn a_stamp_of_the_future_the_past_or_another_clock_is_none() {
        for ns in [
            0,
            100_020_001_000,
            96_999_999_000,
            3_700_020_001_000,
            1_780_000_000_000_000_000,
        ] {
            assert_eq!(caught_at(ns, NOW, BOOT_NOW), None, "{ns}");
            assert_eq!(caught_at(u64::MAX, NOW, NOW), None);
        }
    }
}
