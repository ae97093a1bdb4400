//! The clock that devices wait by.
//!
//! A simulated camera has to wait for its next frame. Handing it the clock keeps its timing testable to the
//! microsecond without a test that sleeps. It is a trait of `hal` because only devices wait; `logic` is told the time.
//!
//! Promises: [`SystemClock`] is `CLOCK_MONOTONIC`, the clock of every other [`Uptime`] in the program and of the stamp.
//! Knows nothing of: wall-clock time.
//! Sources: `clock_gettime(2)`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

use crate::logic::units::Uptime;

/// Tells the time and waits.
pub trait Clock: Send {
    /// The time now.
    fn now(&self) -> Uptime;

    /// Blocks until `at`; returns at once if that has passed.
    fn sleep_until(&self, at: Uptime);
}

/// The monotonic clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Uptime {
        read(ClockId::Monotonic)
    }

    fn sleep_until(&self, at: Uptime) {
        // The deadline is absolute, so a wait that ended early is simply waited on.
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left);
        }
    }
}

/// Now, on a clock of the system; [`SystemClock`] is the one that everything is timed by.
#[must_use]
pub fn read(clock: ClockId) -> Uptime {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_nsec).unwrap_or(0) / 1000;
    Uptime::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros))
}

/// A clock that moves only when it is told to, or when somebody waits: waiting takes no time.
///
/// It makes a camera's timing exact in tests, and lets figures be taken as fast as the machine allows. Clones share
/// the time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    micros: Arc<AtomicU64>,
}

impl ManualClock {
    /// Lets this many microseconds pass.
    pub fn pass(&self, micros: u64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Uptime {
        Uptime::from_micros(self.micros.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Uptime) {
        self.micros.fetch_max(at.as_micros(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_forward() {
        let clock = ManualClock::default();
        clock.pass(100);
        clock.sleep_until(Uptime::from_micros(50));
        assert_eq!(clock.clone().now(), Uptime::from_micros(100));
        clock.sleep_until(Uptime::from_micros(150));
        assert_eq!(clock.now(), Uptime::from_micros(150));
    }

    #[test]
    fn time_passes_and_a_past_deadline_returns_at_once() {
        let clock = SystemClock;
        let first = clock.now();
        clock.sleep_until(Uptime::ZERO);
        clock.sleep_until(first);
        assert!(clock.now() >= first);
    }
}
