//! The one clock of the car: `CLOCK_MONOTONIC`, in microseconds.
//!
//! Everything that decides takes the time as an argument; this is where that argument comes from. The
//! same clock stamps the simulated camera's frames, so a script on the same machine can compare.
//!
//! Promises: never jumps with the wall clock. Sources: kernel: `clock_gettime(2)`.

use std::time::Duration;

use crate::hal::clock::{Clock, SystemClock};
use crate::logic::units::Uptime;

/// Now.
#[must_use]
pub fn now() -> Uptime {
    SystemClock.now()
}

/// The moment `span` before; no earlier than the clock's zero.
#[must_use]
pub fn before(now: Uptime, span: Duration) -> Uptime {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    Uptime::from_micros(now.as_micros().saturating_sub(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let first = now();
        assert!(now() >= first && first.as_micros() > 0);
    }
}
